//! HTTP functions when the host does not forward: the request comes in an envelope, the response goes in one.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery};
use axum::http::HeaderMap;
use azure_functions::{App, Failure, FailureKind, InvocationContext};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use super::{call, chunked, invocation, panics};

async fn item(
    context: InvocationContext,
    method: Method,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> ([(&'static str, &'static str); 1], String) {
    let tags: Vec<_> = headers
        .get_all("x-tag")
        .iter()
        .map(|tag| tag.to_str().unwrap())
        .collect();
    let text = json!([
        method.as_str(),
        id,
        query,
        tags,
        headers["host"].to_str().unwrap(),
        body.to_vec(),
        context.invocation_id
    ]);
    ([("x-answer", "yes")], text.to_string())
}

fn router() -> Router {
    let app = App::new()
        .http("item", [Method::GET, Method::POST], "/api/items/{id}", item)
        .http(
            "bytes",
            [Method::GET, Method::POST],
            "/api/items/{id}/bytes",
            |body: Bytes| async { body },
        )
        .http("count", Method::GET, "/api/count", || async {
            panics("no")
        })
        .http("refuse", Method::GET, "/api/refuse", || async {
            Failure::new(FailureKind::Conflict, "taken")
        });
    app.into_router().unwrap()
}

async fn packed(function: &str, envelope: impl Into<Body>) -> Value {
    let answer = call(&router(), invocation(function, envelope)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.json()
}

#[tokio::test]
async fn the_same_handler_answers_a_packed_request() {
    let envelope = include_str!("../data/http_post.json");
    for body in [Body::from(envelope), chunked(envelope.as_bytes(), 10)] {
        let answer = packed("item", body).await;
        let response = &answer["Outputs"]["res"];
        assert_eq!(response["statusCode"], 200);
        assert_eq!(response["headers"]["x-answer"], "yes");
        let seen: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
        assert_eq!(
            seen,
            json!([
                "POST",
                "7",
                "x=1&x=2",
                ["a", "b"],
                "app.example",
                b"{\"a\":1}".to_vec(),
                "6f1c"
            ])
        );
        assert_eq!(
            (&answer["Logs"], &answer["ReturnValue"]),
            (&json!([]), &Value::Null)
        );
    }
}

#[tokio::test]
async fn the_handlers_own_status_is_in_the_answer() {
    let envelope = include_str!("../data/http_get.json").replace("items/7", "refuse");
    let answer = packed("refuse", envelope).await;
    let response = &answer["Outputs"]["res"];
    assert_eq!(response["statusCode"], 409);
    assert_eq!(response["headers"]["content-type"], "application/json");
    assert_eq!(
        response["body"],
        r#"{"error":{"code":"conflict","message":"taken"}}"#
    );
}

#[tokio::test]
async fn a_panic_is_a_500_within_the_answer() {
    let envelope = include_str!("../data/http_get.json").replace("items/7", "count");
    assert_eq!(
        packed("count", envelope).await["Outputs"]["res"]["statusCode"],
        500
    );
}

#[tokio::test]
async fn binary_requests_are_decoded_and_binary_answers_are_an_error_that_says_what_to_do() {
    let envelope = include_str!("../data/http_binary.json").replace("items/7", "items/7/bytes");
    let answer = packed("bytes", envelope.clone()).await;
    let response = &answer["Outputs"]["res"];
    assert_eq!(response["statusCode"], 500);
    assert!(
        response["body"]
            .as_str()
            .unwrap()
            .contains("enableForwardingHttpRequest")
    );

    let text = packed("bytes", envelope.replace("AP/+AQ==", "aGVsbG8=")).await;
    assert_eq!(text["Outputs"]["res"]["body"], "hello");

    let broken = call(
        &router(),
        invocation("bytes", envelope.replace("AP/+AQ==", "!")),
    )
    .await;
    assert_eq!(broken.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_packed_request_reaches_only_the_function_it_was_sent_to() {
    let answer = packed("refuse", include_str!("../data/http_get.json")).await;
    assert_eq!(answer["Outputs"]["res"]["statusCode"], 404);
    let method = include_str!("../data/http_get.json").replace("GET", "DELETE");
    assert_eq!(
        packed("item", method).await["Outputs"]["res"]["statusCode"],
        405
    );
}

#[tokio::test]
async fn what_is_no_packed_request_is_400() {
    for envelope in [
        "",
        "{}",
        r#"{"Data": {"req": {}}}"#,
        r#"{"Data": {"req": {"Url": "http://h/x", "Method": "NO WAY"}}}"#,
    ] {
        let answer = call(&router(), invocation("item", envelope)).await;
        assert_eq!(
            (answer.status, answer.error_code().as_str()),
            (StatusCode::BAD_REQUEST, "bad_envelope"),
            "{envelope}"
        );
    }
    // More headers than an HTTP library can hold.
    let headers: serde_json::Map<String, Value> = (0..40_000)
        .map(|number| (format!("x-{number}"), json!(["1"])))
        .collect();
    let envelope = json!({"Data": {"req": {"Url": "http://h/api/items/7", "Method": "GET", "Headers": headers}}});
    let answer = call(&router(), invocation("item", envelope.to_string())).await;
    assert_eq!(answer.error_code(), "bad_envelope");
    // A raw body at the envelope's path, as from a person who forgot the prefix.
    let answer = call(
        &router(),
        Request::post("/item").body(Body::from("[1, 2]")).unwrap(),
    )
    .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}
