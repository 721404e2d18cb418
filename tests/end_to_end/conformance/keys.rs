//! Line 25: what is refused before the handler hears of it.

use ::http::Method;
use serde_json::json;
use sluice_functions_host::KeyPolicy;

use super::calls::{call, get, post, sized};
use super::functions::{http, queue_output, timer, with_binding};
use super::support::{App, is_success};

fn app() -> App {
    let mut unsaid = http("unsaid", "");
    unsaid["bindings"][0]
        .as_object_mut()
        .unwrap()
        .remove("authLevel");
    let mut app = App::new(&[
        ("guarded", http("guarded", "function")),
        ("unsaid", unsaid),
        ("open", http("open", "anonymous")),
        ("inner", http("inner", "admin")),
        (
            "enveloped",
            with_binding(http("enveloped", "function"), queue_output("note")),
        ),
        ("tick", timer("0 0 3 * * 1")),
    ]);
    app.options.keys = KeyPolicy::Required;
    app.plan_answer("tick", json!({ "Outputs": {} }));
    app
}

#[tokio::test]
async fn line_25_the_key_is_checked_before_the_handler() {
    for proxying in [false, true] {
        let app = app();
        app.host_json(json!({ "customHandler": { "enableProxyingHttpRequest": proxying } }));
        let host = app.start_ready().await;
        let keys = host.keys().unwrap().clone();
        let (mine, all, other) = (
            keys.function("guarded").unwrap(),
            keys.host(),
            keys.function("open").unwrap(),
        );
        let key = |path: &str, key: &str| {
            let (url, key) = (format!("{}{path}", host.url()), key.to_owned());
            async move {
                let answer = call(Method::GET, url, &[("x-functions-key", &key)], sized("")).await;
                (answer.status.as_u16(), answer.body.len())
            }
        };
        for path in ["guarded", "unsaid", "inner", "enveloped"] {
            for query in ["", "?code=", "?code=wrong"] {
                let answer = get(&host, &format!("/api/{path}{query}")).await;
                assert_eq!(
                    (answer.status.as_u16(), answer.body.len()),
                    (401, 0),
                    "{path}{query}"
                );
            }
            assert_eq!(key(&format!("/api/{path}"), other).await, (401, 0));
        }
        assert_eq!(key("/api/inner", all).await, (401, 0));
        // The header wins over `code`.
        let code = format!("/api/guarded?code={mine}");
        assert_eq!(key(&code, "wrong").await, (401, 0));
        assert!(
            app.notes("seen").is_empty(),
            "the handler heard of a caller without a key"
        );

        assert_eq!(get(&host, &code).await.status, 200);
        assert_eq!(get(&host, "/api/open").await.status, 200);
        assert_eq!(get(&host, "/api/open?code=wrong").await.status, 200);
        for (path, good) in [
            ("/api/guarded", mine),
            ("/api/guarded", all),
            ("/api/guarded", keys.master()),
            ("/api/guarded?code=wrong", mine),
            ("/api/inner", keys.master()),
        ] {
            assert_eq!(key(path, good).await.0, 200, "{path}");
        }
        assert_eq!(app.notes("seen").len(), 8);
        host.stop().await;
    }
}

#[tokio::test]
async fn line_25_unknown_paths_and_methods_are_not_found() {
    let mut only_post = http("only", "anonymous");
    only_post["bindings"][0]["methods"] = json!(["post"]);
    let app = App::new(&[("only", only_post), ("Named", http("", "anonymous"))]);
    let host = app.start_ready().await;
    for path in [
        "/api/only",
        "/api/nothing",
        "/api/only/more",
        "/only",
        "/api",
        "/admin/nothing",
        "/runtime/nothing",
    ] {
        assert_eq!(get(&host, path).await.status, 404, "{path}");
    }
    assert_eq!(post(&host, "/api/only/more", "x").await.status, 404);
    assert!(app.notes("seen").is_empty());
    assert_eq!(post(&host, "/API/Only", "x").await.status, 200);
    // Without a route the function's name is one.
    assert_eq!(get(&host, "/api/named").await.status, 200);
    host.stop().await;
}

#[tokio::test]
async fn line_25_a_body_over_a_limit_of_ones_own_is_refused_in_every_mode() {
    for (forwarding, proxying) in [(false, false), (true, false), (true, true)] {
        let mut app = App::new(&[("predict", http("predict", "anonymous"))]);
        app.host_json(json!({ "customHandler": { "enableForwardingHttpRequest": forwarding, "enableProxyingHttpRequest": proxying } }));
        app.plan_answer("predict", json!({ "Outputs": {} }));
        let limit = "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT";
        app.options.settings.insert(limit.into(), "1000".into());
        let host = app.start_ready().await;
        assert_eq!(
            post(&host, "/api/predict", vec![b'x'; 1_000]).await.status,
            200
        );
        assert_eq!(
            post(&host, "/api/predict", vec![b'x'; 1_001]).await.status,
            500
        );
        host.stop().await;
        assert_eq!(app.notes("seen").len(), 1);
    }
}

#[tokio::test]
async fn line_25_management_needs_the_master_key() {
    let app = app();
    let host = app.start_ready().await;
    let master = host.keys().unwrap().master().to_owned();
    let admin = |method: Method, path: &str, body: &'static str| {
        let (url, key) = (format!("{}{path}", host.url()), master.clone());
        async move { call(method, url, &[("x-functions-key", &key)], sized(body)).await }
    };
    assert_eq!(get(&host, "/admin/host/status").await.status, 401);
    assert_eq!(post(&host, "/admin/functions/tick", "{}").await.status, 401);
    let status = admin(Method::GET, "/admin/host/status", "").await.json();
    assert_eq!(
        (&status["state"], &status["version"]),
        (&json!("Running"), &json!("4.1037.0.0"))
    );
    for (path, body, expected) in [
        ("/admin/functions/nothing", "{}", 404),
        ("/admin/functions/tick", "no json", 400),
        ("/admin/functions/tick", r#"{"input":""}"#, 202),
    ] {
        assert_eq!(
            admin(Method::POST, path, body).await.status.as_u16(),
            expected,
            "{path} {body}"
        );
    }
    app.until(1, is_success).await;
    assert_eq!(app.envelopes("tick").len(), 1);
    host.stop().await;
}
