//! Lines 22 to 24: HTTP in the mode `enableForwardingHttpRequest`.

use std::sync::Arc;

use ::http::Method;
use serde_json::json;
use sluice_functions_host::{FunctionStatus, HostEvent, InvocationFailure};

use super::calls::{call, chunked, get, post, sized};
use super::functions::{http, queue_output, timer, with_binding};
use super::support::{App, eventually, is_success, seen_header, status};

fn app() -> App {
    App::new(&[
        ("predict", http("predict", "anonymous")),
        ("files", http("files/{*rest}", "anonymous")),
    ])
}

#[tokio::test]
async fn line_22_only_functions_of_http_and_nothing_else_are_forwarded() {
    let app = App::new(&[
        ("plain", http("plain", "anonymous")),
        (
            "more",
            with_binding(http("more", "anonymous"), queue_output("note")),
        ),
        ("silent", {
            let mut function = http("silent", "anonymous");
            function["bindings"].as_array_mut().unwrap().truncate(1);
            function
        }),
        ("tick", timer("0 0 3 * * 1")),
    ]);
    for function in ["more", "silent", "tick"] {
        app.plan_answer(function, json!({ "Outputs": {} }));
    }
    let host = app.start_ready().await;
    for (function, expected) in [("plain", true), ("more", false), ("silent", false)] {
        let status = status(&host, function);
        assert!(
            matches!(status, FunctionStatus::Http { forwarded, .. } if forwarded == expected),
            "{status:?}"
        );
        get(&host, &format!("/api/{function}")).await;
    }
    host.invoke_timer("tick").await.unwrap();
    host.stop().await;
    let targets: Vec<_> = app
        .notes("seen")
        .iter()
        .map(|seen| seen["target"].clone())
        .collect();
    assert_eq!(targets, ["/api/plain", "/more", "/silent", "/tick"]);
}

#[tokio::test]
async fn line_22_the_raw_request_reaches_the_handler() {
    let app = app();
    let host = app.start_ready().await;
    let headers = [
        ("host", "public.example"),
        ("content-type", "application/json"),
        ("content-encoding", "identity"),
        ("user-agent", "curl/8"),
        ("cookie", "a=b"),
        ("x-functions-key", "k"),
        ("x-forwarded-for", "203.0.113.7"),
        ("x-own", "1"),
    ];
    let url = format!(
        "{}/api/predict?a=1&b=%20x&a=2&A=3&code=k%2F&flag",
        host.url()
    );
    let answer = call(Method::PUT, url, &headers, sized("{\"x\":1}")).await;
    assert_eq!(answer.status, 200);
    let seen = answer.json();
    assert_eq!(
        (&seen["method"], &seen["body"]),
        (&json!("PUT"), &json!("{\"x\":1}"))
    );
    // The prefix stays; several values of a name become one with commas, a name without value gets an `=`.
    assert_eq!(
        seen["target"],
        "/api/predict?a=1%2C2%2C3&b=%20x&code=k%2F&flag="
    );
    let header = |name| seen_header(&seen, name);
    for (name, value) in [
        ("host", "public.example"),
        ("content-length", "7"),
        ("content-type", "application/json"),
        ("cookie", "a=b"),
        ("x-functions-key", "k"),
        ("x-forwarded-for", "203.0.113.7"),
        ("x-own", "1"),
        ("user-agent", "curl/8 Azure-Functions-Host/4.1037.0.0"),
        ("x-azure-functions-hostversion", "4.1037.0.0"),
    ] {
        assert_eq!(header(name).as_deref(), Some(value), "{name}");
    }
    // Of the content's headers only its length and type are copied.
    assert_eq!(header("content-encoding"), None);
    assert_eq!(header("x-azure-functions-invocationid").unwrap().len(), 36);
    for method in [Method::GET, Method::DELETE, Method::PATCH] {
        let answer = call(
            method.clone(),
            format!("{}/api/files/a%20b/c", host.url()),
            &[],
            sized(""),
        )
        .await;
        let seen = answer.json();
        assert_eq!(
            (&seen["method"], &seen["target"], &seen["size"]),
            (
                &json!(method.as_str()),
                &json!("/api/files/a%20b/c"),
                &json!(0)
            )
        );
    }
    host.stop().await;
}

#[tokio::test]
async fn line_22_a_callers_own_invocation_id_makes_two_values() {
    let app = app();
    let host = app.start_ready().await;
    let headers = [("x-azure-functions-invocationid", "mine")];
    let url = format!("{}/api/predict", host.url());
    let seen = call(Method::GET, url, &headers, sized("")).await.json();
    let ids = seen_header(&seen, "x-azure-functions-invocationid").unwrap();
    let (first, second) = ids.split_once('|').unwrap();
    assert_eq!((first, second.len()), ("mine", 36));
    let is_its = |event: &HostEvent| matches!(event, HostEvent::InvocationSucceeded { invocation_id, .. } if **invocation_id == *second);
    assert_eq!(app.count(is_its), 1);
    host.stop().await;
}

#[tokio::test]
async fn line_23_every_status_is_a_success_and_redirects_are_the_callers() {
    let app = app();
    let host = app.start_ready().await;
    for status in [200, 204, 400, 404, 500, 503] {
        app.plan("api-predict", json!({ "status": status, "headers": { "X-Reason": "busy", "Content-Type": "text/x" } }));
        let answer = post(&host, "/api/predict", "x").await;
        assert_eq!(answer.status.as_u16(), status);
        assert_eq!(
            (&answer.headers["x-reason"], &answer.headers["content-type"]),
            (&"busy".parse().unwrap(), &"text/x".parse().unwrap())
        );
    }
    app.plan("api-predict", json!({ "status": 503, "body": "later" }));
    assert_eq!(post(&host, "/api/predict", "x").await.body, "later");
    app.plan(
        "api-files-a",
        json!({ "status": 302, "headers": { "Location": "/api/predict" } }),
    );
    let answer = get(&host, "/api/files/a").await;
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["location"]),
        (302, &"/api/predict".parse().unwrap())
    );
    assert_eq!((app.count(is_success), app.failures()), (8, vec![]));
    assert_eq!(app.notes("seen").len(), 8, "a redirect was followed");
    host.stop().await;
}

#[tokio::test]
async fn line_23_an_answer_is_buffered_whole() {
    let app = app();
    app.plan("api-predict", json!({ "chunks": ["one", "two"] }));
    let host = Arc::new(app.start_ready().await);
    let caller = host.clone();
    let answer = tokio::spawn(async move { get(&caller, "/api/predict").await });
    eventually("the request arrives", || app.notes("seen").len() == 1).await;
    assert!(!answer.is_finished() && app.count(is_success) == 0);
    app.release("release-1");
    let answer = answer.await.unwrap();
    // The host knew the length before it began.
    assert_eq!(
        (
            &*answer.body,
            answer.headers.get("transfer-encoding"),
            &answer.headers["content-length"]
        ),
        (&b"onetwo"[..], None, &"6".parse().unwrap())
    );
    host.stop().await;
}

#[tokio::test]
async fn line_23_a_handler_that_cannot_be_reached_is_a_500() {
    let app = app();
    app.plan("api-predict", json!({ "break": true }));
    app.plan("api-files-end", json!({ "exit": 0 }));
    let host = app.start_ready().await;
    for path in ["/api/predict", "/api/files/end", "/api/files/x"] {
        let answer = get(&host, path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.body.len()),
            (500, 0),
            "{path}"
        );
        if path.ends_with("end") {
            let is_end = |event: &HostEvent| matches!(event, HostEvent::HandlerEnded { .. });
            app.until(1, is_end).await;
        }
    }
    let failures = app.failures();
    assert_eq!(failures.len(), 3);
    assert!(
        failures
            .iter()
            .all(|one| matches!(one, InvocationFailure::Unreachable { .. })),
        "{failures:?}"
    );
    host.stop().await;
}

#[tokio::test]
async fn line_23_many_requests_at_once_are_all_answered() {
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

#[tokio::test]
async fn line_24_a_chunked_request_cannot_be_forwarded() {
    let app = app();
    let host = app.start_ready().await;
    let url = format!("{}/api/predict", host.url());
    let answer = call(Method::POST, url, &[], chunked("hello")).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (500, 0));
    host.stop().await;
    assert!(app.notes("seen").is_empty(), "the handler heard of it");
    let failures = app.failures();
    assert!(
        matches!(
            failures.as_slice(),
            [InvocationFailure::NotForwardable { .. }]
        ),
        "{failures:?}"
    );
}
