//! HTTP, forwarded and proxied.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::BodyExt as _;
use serde_json::json;
use sluice_functions_host::{HostEvent, InvocationFailure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{App, call, chunked, client, get, http, post, seen_header, send, sized};

fn app() -> App {
    App::new(&[
        ("predict", http("predict", "anonymous")),
        ("files", http("files/{*rest}", "anonymous")),
    ])
}

fn proxying(app: App) -> App {
    app.host_json(json!({ "customHandler": { "enableProxyingHttpRequest": true } }));
    app
}

#[tokio::test]
async fn the_raw_request_reaches_the_handler() {
    let app = app();
    let host = app.start_ready().await;
    let headers = [
        ("host", "public.example"),
        ("content-type", "application/json"),
        ("content-encoding", "identity"),
        ("user-agent", "curl/8"),
        ("x-own", "1"),
        ("x-azure-functions-invocationid", "mine"),
    ];
    let url = format!("{}/api/predict?a=1&a=2&code=k%2F", host.url());
    let answer = call(Method::PUT, url, &headers, sized("{\"x\":1}")).await;
    assert_eq!(answer.status, 200);
    let seen = answer.json();
    assert_eq!(
        (&seen["method"], &seen["body"]),
        (&json!("PUT"), &json!("{\"x\":1}"))
    );
    assert_eq!(seen["target"], "/api/predict?a=1%2C2&code=k%2F");
    let header = |name| seen_header(&seen, name);
    assert_eq!(header("host").as_deref(), Some("public.example"));
    assert_eq!(header("content-length").as_deref(), Some("7"));
    assert_eq!(header("content-type").as_deref(), Some("application/json"));
    assert_eq!(header("content-encoding"), None);
    assert_eq!(header("x-own").as_deref(), Some("1"));
    assert_eq!(
        header("user-agent").as_deref(),
        Some("curl/8 Azure-Functions-Host/4.1037.0.0")
    );
    assert_eq!(
        header("x-azure-functions-hostversion").as_deref(),
        Some("4.1037.0.0")
    );
    let ids = header("x-azure-functions-invocationid").unwrap();
    assert!(ids.starts_with("mine|") && ids.len() == 41, "{ids}");
    host.stop().await;
}

#[tokio::test]
async fn every_status_is_a_success_and_redirects_are_the_callers() {
    let app = app();
    app.plan("api-predict", json!({ "status": 503, "headers": { "X-Reason": "busy", "Content-Type": "text/x" }, "body": "later" }));
    app.plan(
        "api-files-a",
        json!({ "status": 302, "headers": { "Location": "/api/predict" } }),
    );
    let host = app.start_ready().await;
    let answer = post(&host, "/api/predict", "x").await;
    assert_eq!(
        (answer.status.as_u16(), &*answer.body),
        (503, &b"later"[..])
    );
    assert_eq!(
        (&answer.headers["x-reason"], &answer.headers["content-type"]),
        (&"busy".parse().unwrap(), &"text/x".parse().unwrap())
    );
    assert_eq!(get(&host, "/api/files/a").await.status, 302);
    assert_eq!(
        app.count(|event| matches!(event, HostEvent::InvocationSucceeded { .. })),
        2
    );
    host.stop().await;
}

#[tokio::test]
async fn a_chunked_request_fails_forwarded_and_streams_proxied() {
    let forwarded = app();
    let host = forwarded.start_ready().await;
    let url = format!("{}/api/predict", host.url());
    assert_eq!(
        call(Method::POST, url, &[], chunked("hello")).await.status,
        500
    );
    assert!(
        forwarded.notes("seen").is_empty(),
        "the handler heard of it"
    );
    let is_not_forwardable = |event: &HostEvent| {
        matches!(
            event,
            HostEvent::InvocationFailed {
                reason: InvocationFailure::NotForwardable { .. },
                ..
            }
        )
    };
    assert_eq!(forwarded.count(is_not_forwardable), 1);
    host.stop().await;

    let proxied = proxying(app());
    let host = proxied.start_ready().await;
    let url = format!("{}/api/predict?a=1&a=2", host.url());
    let answer = call(
        Method::POST,
        url,
        &[
            ("host", "public.example"),
            ("x-azure-functions-invocationid", "mine"),
        ],
        chunked("hello"),
    )
    .await;
    let seen = answer.json();
    assert_eq!(
        (&seen["body"], &seen["target"]),
        (&json!("hello"), &json!("/api/predict?a=1&a=2"))
    );
    let id =
        seen_header(&seen, "x-ms-invocation-id").expect("proxying wins when both modes are on");
    assert_eq!(
        seen_header(&seen, "x-azure-functions-invocationid"),
        Some(id)
    );
    assert_ne!(
        seen_header(&seen, "host").as_deref(),
        Some("public.example")
    );
    assert_eq!(
        seen_header(&seen, "x-forwarded-host").as_deref(),
        Some("public.example")
    );
    host.stop().await;
}

#[tokio::test]
async fn a_proxied_answer_is_streamed() {
    let app = proxying(app());
    app.plan("api-predict", json!({ "chunks": ["one", "two"] }));
    let host = app.start_ready().await;
    let request = Request::get(format!("{}/api/predict", host.url()))
        .body(sized(""))
        .unwrap();
    let mut body = client().request(request).await.unwrap().into_body();
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "one"
    );
    let is_over = |event: &HostEvent| matches!(event, HostEvent::InvocationSucceeded { .. });
    assert_eq!(app.count(is_over), 0);
    std::fs::write(app.path("plan/release-1"), "").unwrap();
    assert_eq!(body.collect().await.unwrap().to_bytes(), "two");
    app.until(1, is_over).await;
    host.stop().await;
}

#[tokio::test]
async fn a_proxied_answer_that_takes_too_long_is_cut_off() {
    let app = proxying(app());
    app.host_json(json!({ "functionTimeout": "00:00:01", "customHandler": { "enableProxyingHttpRequest": true } }));
    app.plan("api-predict", json!({ "chunks": ["one", "two"] }));
    let host = app.start_ready().await;
    let request = Request::get(format!("{}/api/predict", host.url()))
        .body(sized(""))
        .unwrap();
    assert!(send(request).await.is_err());
    app.until(2, |event| matches!(event, HostEvent::HandlerReady { .. }))
        .await;
    host.stop().await;
}

#[tokio::test]
async fn unknown_paths_and_methods_are_not_found() {
    let mut only_post = http("only", "anonymous");
    only_post["bindings"][0]["methods"] = json!(["post"]);
    let app = App::new(&[("only", only_post)]);
    let host = app.start_ready().await;
    assert_eq!(get(&host, "/api/only").await.status, 404);
    assert_eq!(get(&host, "/api/nothing").await.status, 404);
    assert_eq!(get(&host, "/only").await.status, 404);
    assert_eq!(post(&host, "/API/Only", "x").await.status, 200);
    assert_eq!(app.notes("seen").len(), 1);
    host.stop().await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_the_handler() {
    let mut app = app();
    app.options
        .settings
        .insert("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT".into(), "1000".into());
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

    // The usual limit, told and not sent.
    let app = app_without_limit();
    let host = app.start_ready().await;
    let mut stream = TcpStream::connect(host.url().strip_prefix("http://").unwrap())
        .await
        .unwrap();
    stream
        .write_all(b"POST /api/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 104857601\r\n\r\n")
        .await
        .unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 500");
    host.stop().await;
    assert!(app.notes("seen").is_empty());
}

fn app_without_limit() -> App {
    app()
}

#[tokio::test]
async fn large_bodies_pass_whole() {
    for app in [app(), proxying(app())] {
        let host = app.start_ready().await;
        let content = Bytes::from(
            (0..5_000_000_u32)
                .map(|n| (n % 251) as u8)
                .collect::<Vec<_>>(),
        );
        let answer = post(&host, "/api/predict", content.clone()).await.json();
        assert_eq!(answer["size"], 5_000_000);
        let again = post(&host, "/api/predict", content).await.json();
        assert_eq!(answer["sha256"], again["sha256"]);
        host.stop().await;
    }
}

#[tokio::test]
async fn many_requests_at_once_are_all_answered() {
    for app in [app(), proxying(app())] {
        let host = app.start_ready().await;
        let answers = futures::future::join_all((0..64).map(|n| {
            let host = &host;
            async move { (n, get(host, &format!("/api/files/{n}")).await) }
        }));
        for (n, answer) in answers.await {
            assert_eq!(answer.json()["target"], format!("/api/files/{n}"));
        }
        host.stop().await;
    }
}
