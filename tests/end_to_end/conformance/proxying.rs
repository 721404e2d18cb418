//! Line 24: the mode `enableProxyingHttpRequest`, and why an app turns both modes on.

use std::time::Duration;

use ::http::{Method, Request};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use sluice_functions_host::{FunctionStatus, HostEvent, HostGeneration, InvocationFailure};

use super::calls::{call, chunked, client, get, send, sized};
use super::functions::http;
use super::support::{App, is_ready, is_success, seen_header, status};

fn app() -> App {
    let app = App::new(&[
        ("predict", http("predict", "anonymous")),
        ("files", http("files/{*rest}", "anonymous")),
    ]);
    modes(&app, true, true);
    app
}

fn modes(app: &App, forwarding: bool, proxying: bool) {
    app.host_json(json!({ "customHandler": { "enableForwardingHttpRequest": forwarding, "enableProxyingHttpRequest": proxying } }));
}

#[tokio::test]
async fn line_24_a_chunked_request_is_streamed_by_the_proxy() {
    let app = app();
    let host = app.start_ready().await;
    let url = format!("{}/api/predict?a=1&a=2&flag", host.url());
    let seen = call(Method::POST, url, &[], chunked("hello")).await.json();
    assert_eq!(
        (&seen["body"], &seen["target"]),
        (&json!("hello"), &json!("/api/predict?a=1&a=2&flag"))
    );
    assert_eq!(
        seen_header(&seen, "transfer-encoding").as_deref(),
        Some("chunked")
    );
    host.stop().await;
}

#[tokio::test]
async fn line_24_the_proxys_own_headers_replace_the_callers() {
    let app = app();
    let host = app.start_ready().await;
    let headers = [
        ("host", "public.example"),
        ("x-azure-functions-invocationid", "mine"),
        ("x-ms-invocation-id", "mine"),
        ("x-forwarded-for", "203.0.113.7"),
        ("x-forwarded-host", "other.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-prefix", "/mine"),
        ("content-encoding", "identity"),
        ("x-own", "1"),
    ];
    let url = format!("{}/api/predict", host.url());
    let seen = call(Method::POST, url, &headers, sized("x")).await.json();
    let header = |name| seen_header(&seen, name);
    let id = header("x-ms-invocation-id").expect("proxying wins when both modes are on");
    assert_eq!(id.len(), 36);
    assert_eq!(header("x-azure-functions-invocationid"), Some(id));
    assert!(header("host").unwrap().starts_with("127.0.0.1:"));
    for (name, value) in [
        ("x-azure-functions-hostversion", "4.1037.0.0"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", "public.example"),
        ("x-forwarded-proto", "http"),
        ("content-encoding", "identity"),
        ("x-own", "1"),
    ] {
        assert_eq!(header(name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(header("x-forwarded-prefix"), None);
    host.stop().await;
}

#[tokio::test]
async fn line_24_a_proxied_answer_is_streamed() {
    let app = app();
    app.plan("api-predict", json!({ "chunks": ["one", "two"] }));
    let host = app.start_ready().await;
    let request = Request::get(format!("{}/api/predict", host.url()));
    let response = client().request(request.body(sized("")).unwrap()).await;
    let mut body = response.unwrap().into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!((&*first, app.count(is_success)), (&b"one"[..], 0));
    app.release("release-1");
    assert_eq!(body.collect().await.unwrap().to_bytes(), "two");
    app.until(1, is_success).await;
    host.stop().await;
}

#[tokio::test]
async fn line_24_the_proxy_answers_500_for_a_handler_that_cannot_be_reached() {
    let app = app();
    app.plan("api-predict", json!({ "exit": 0 }));
    let host = app.start_ready().await;
    assert_eq!(get(&host, "/api/predict").await.status, 500);
    let is_end = |event: &HostEvent| matches!(event, HostEvent::HandlerEnded { .. });
    app.until(1, is_end).await;
    assert_eq!(get(&host, "/api/files/x").await.status, 500);
    assert_eq!((app.failures().len(), app.count(is_success)), (2, 0));
    host.stop().await;
}

/// The answer's two halves; the second never comes.
async fn cut_off(app: &App) -> Vec<InvocationFailure> {
    app.plan("api-predict", json!({ "chunks": ["one", "two"] }));
    let host = app.start_ready().await;
    let request = Request::get(format!("{}/api/predict", host.url()));
    assert!(send(request.body(sized("")).unwrap()).await.is_err());
    let is_failed = |event: &HostEvent| matches!(event, HostEvent::InvocationFailed { .. });
    app.until(1, is_failed).await;
    if matches!(app.failures()[0], InvocationFailure::TimedOut { .. }) {
        app.until(2, is_ready).await;
    }
    assert_eq!(get(&host, "/api/files/x").await.status, 200);
    host.stop().await;
    app.failures()
}

#[tokio::test]
async fn line_24_a_proxied_answer_that_outlasts_the_function_time_out_is_cut_off() {
    let app = app();
    app.host_json(json!({ "functionTimeout": "00:00:03", "customHandler": { "enableProxyingHttpRequest": true } }));
    let limit = Duration::from_secs(3);
    assert_eq!(cut_off(&app).await, [InvocationFailure::TimedOut { limit }]);
    assert_eq!(app.count(is_ready), 2, "the handler is killed");
}

#[tokio::test]
async fn line_24_a_proxied_exchange_that_stands_still_is_cut_off() {
    let limit = Duration::from_secs(3);
    let mut app = app();
    assert_eq!(app.options.proxying_idle_limit, Duration::from_secs(240));
    app.options.proxying_idle_limit = limit;
    assert_eq!(cut_off(&app).await, [InvocationFailure::Idle { limit }]);
    assert_eq!(app.count(is_ready), 1, "the handler lives on");

    // Before the head of the answer it is a 500.
    app.forget_events();
    app.plan("api-predict", json!({ "delay": 600 }));
    let host = app.start_ready().await;
    assert_eq!(get(&host, "/api/predict").await.status, 500);
    assert_eq!(app.failures(), [InvocationFailure::Idle { limit }]);
    host.stop().await;
}

#[tokio::test]
async fn line_24_a_proxied_exchange_may_last_longer_than_it_may_stand_still() {
    let mut app = app();
    app.options.proxying_idle_limit = Duration::from_secs(3);
    let chunks = vec!["piece "; 40];
    app.plan("api-predict", json!({ "chunks": chunks, "pause": 0.1 }));
    let host = app.start_ready().await;
    let answer = get(&host, "/api/predict").await;
    assert_eq!(answer.body, chunks.concat());
    host.stop().await;
}

#[tokio::test]
async fn line_24_the_proxy_answers_many_requests_at_once() {
    let app = app();
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

/// How a request with a chunked body and one with a told length fare: `envelope`, `forwarded`, `proxied` or `500`.
async fn ways(app: &App) -> [String; 2] {
    app.plan_answer("predict", json!({ "Outputs": { "res": { "headers": { "Content-Type": "application/json" }, "body": "envelope" } } }));
    let host = app.start_ready().await;
    let url = format!("{}/api/predict", host.url());
    let mut ways = Vec::new();
    for body in [chunked("hello"), sized("hello")] {
        let answer = call(Method::POST, url.clone(), &[], body).await;
        ways.push(if answer.status != 200 {
            answer.status.as_str().to_owned()
        } else if answer.body == "envelope" {
            "envelope".to_owned()
        } else {
            let seen = answer.json();
            assert_eq!(
                (&seen["body"], &seen["target"]),
                (&json!("hello"), &json!("/api/predict"))
            );
            match seen_header(&seen, "x-ms-invocation-id") {
                Some(_) => "proxied".to_owned(),
                None => "forwarded".to_owned(),
            }
        });
    }
    let status = status(&host, "predict");
    let is_told = matches!(status, FunctionStatus::Http { forwarded, .. } if forwarded == (ways[1] != "envelope"));
    assert!(is_told, "{status:?} {ways:?}");
    host.stop().await;
    ways.try_into().unwrap()
}

/// An older host ignores the newer flag, so it needs the older one; a current host needs the newer one for chunked bodies.
#[tokio::test]
async fn line_24_an_app_turns_both_modes_on_for_hosts_of_either_age() {
    for (generation, forwarding, proxying, expected) in [
        (
            HostGeneration::BeforeProxying,
            false,
            true,
            ["envelope", "envelope"],
        ),
        (
            HostGeneration::BeforeProxying,
            true,
            true,
            ["500", "forwarded"],
        ),
        (HostGeneration::Current, true, false, ["500", "forwarded"]),
        (HostGeneration::Current, false, true, ["proxied", "proxied"]),
        (HostGeneration::Current, true, true, ["proxied", "proxied"]),
    ] {
        let mut app = app();
        app.options.generation = generation;
        modes(&app, forwarding, proxying);
        assert_eq!(
            ways(&app).await,
            expected,
            "{generation:?} {forwarding} {proxying}"
        );
    }
}

#[tokio::test]
async fn line_24_the_projects_own_host_json_turns_both_modes_on() {
    let own: Value = serde_json::from_str(sluice::functions::HOST_JSON).unwrap();
    let handler = &own["customHandler"];
    assert_eq!(
        (
            &handler["enableForwardingHttpRequest"],
            &handler["enableProxyingHttpRequest"]
        ),
        (&json!(true), &json!(true))
    );
    for (generation, expected) in [
        (HostGeneration::BeforeProxying, ["500", "forwarded"]),
        (HostGeneration::Current, ["proxied", "proxied"]),
    ] {
        let mut app = app();
        app.options.generation = generation;
        let mut host_json = own.clone();
        host_json["customHandler"]["description"]["defaultExecutablePath"] = json!("handler");
        app.host_json_text(&host_json.to_string());
        assert_eq!(ways(&app).await, expected, "{generation:?}");
    }
}
