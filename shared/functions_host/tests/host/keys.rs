//! Access keys and the host's own routes.

use http::Method;
use serde_json::json;
use sluice_functions_host::{HostEvent, KeyPolicy};

use crate::support::{App, call, get, http, sized, timer};

fn app() -> App {
    let mut app = App::new(&[
        ("guarded", http("guarded", "function")),
        ("open", http("open", "anonymous")),
        ("inner", http("inner", "admin")),
        ("tick", timer("0 0 3 * * 1")),
    ]);
    app.options.keys = KeyPolicy::Required;
    app.plan_answer("tick", json!({ "Outputs": {} }));
    app
}

#[tokio::test]
async fn the_key_is_checked_before_the_handler() {
    let app = app();
    let host = app.start_ready().await;
    let keys = host.keys().unwrap().clone();
    let (mine, all, other) = (
        keys.function("guarded").unwrap(),
        keys.host(),
        keys.function("open").unwrap(),
    );
    let key = |path: &'static str, key: &str| {
        let (url, key) = (format!("{}{path}", host.url()), key.to_owned());
        async move {
            call(Method::GET, url, &[("x-functions-key", &key)], sized(""))
                .await
                .status
                .as_u16()
        }
    };
    assert_eq!(get(&host, "/api/guarded").await.status, 401);
    assert_eq!(get(&host, "/api/guarded?code=wrong").await.status, 401);
    assert_eq!(key("/api/guarded", other).await, 401);
    assert_eq!(key("/api/inner", all).await, 401);
    let code = format!("{}/api/guarded?code={mine}", host.url());
    assert_eq!(
        call(
            Method::GET,
            code.clone(),
            &[("x-functions-key", "wrong")],
            sized("")
        )
        .await
        .status,
        401
    );
    assert!(
        app.notes("seen").is_empty(),
        "the handler heard of a caller without a key"
    );

    assert_eq!(call(Method::GET, code, &[], sized("")).await.status, 200);
    assert_eq!(
        (
            key("/api/guarded", mine).await,
            key("/api/guarded", all).await
        ),
        (200, 200)
    );
    assert_eq!(
        (
            key("/api/inner", keys.master()).await,
            get(&host, "/api/open").await.status.as_u16()
        ),
        (200, 200)
    );
    host.stop().await;
}

#[tokio::test]
async fn management_needs_the_master_key() {
    let app = app();
    let host = app.start_ready().await;
    let master = host.keys().unwrap().master().to_owned();
    let admin = |method: Method, path: &str, body: &'static str| {
        let (url, key) = (format!("{}{path}", host.url()), master.clone());
        async move { call(method, url, &[("x-functions-key", &key)], sized(body)).await }
    };
    assert_eq!(get(&host, "/admin/host/status").await.status, 401);
    let status = admin(Method::GET, "/admin/host/status", "").await.json();
    assert_eq!(
        (&status["state"], &status["version"]),
        (&json!("Running"), &json!("4.1037.0.0"))
    );
    assert_eq!(
        admin(Method::POST, "/admin/functions/nothing", "{}")
            .await
            .status,
        404
    );
    assert_eq!(
        admin(Method::POST, "/admin/functions/tick", "no json")
            .await
            .status,
        400
    );
    assert_eq!(
        admin(Method::POST, "/admin/functions/tick", r#"{"input":""}"#)
            .await
            .status,
        202
    );
    app.until(1, |event| {
        matches!(event, HostEvent::InvocationSucceeded { .. })
    })
    .await;
    assert_eq!(app.envelopes("tick").len(), 1);
    host.stop().await;
}
