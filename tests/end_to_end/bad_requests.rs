//! Requests that cannot be answered: each gets a 4xx with `{"error": {"code", "message", "field"}}`, and nothing else happens.

use std::sync::{Arc, Mutex, Weak};

use hyper::Method;
use hyper::body::Bytes;
use serde_json::{Value, json};

use crate::http::{self, Answer};
use crate::machine::Machine;
use crate::up::Up;

/// One loop with a released model, for all tests that run at the same time. The last one stops it.
fn shared() -> Arc<Up> {
    static SHARED: Mutex<Weak<Up>> = Mutex::new(Weak::new());
    let mut shared = SHARED
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(up) = shared.upgrade() {
        return up;
    }
    let up = Arc::new(Machine::released(&[]).up());
    up.answers(1);
    *shared = Arc::downgrade(&up);
    up
}

/// Checks that an answer is an error of the one shape; gives its message.
#[track_caller]
fn is_error(answer: &Answer, status: u16, code: &str, field: &str) -> String {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(
        answer.header("content-type"),
        "application/json",
        "{answer:?}"
    );
    let body = answer.json();
    let error = &body["error"];
    assert_eq!(body, json!({ "error": error }), "nothing but the error");
    assert_eq!(
        (error["code"].as_str(), error["field"].as_str()),
        (Some(code), Some(field)),
        "{body}"
    );
    let message = error["message"].as_str().unwrap();
    assert!(!message.is_empty() && !message.contains('\n'), "{body}");
    message.to_owned()
}

fn post_bytes(up: &Up, path: &str, body: impl Into<Bytes>) -> Answer {
    http::send(http::request(
        Method::POST,
        &format!("{}{path}", up.url),
        "application/json",
        body,
    ))
}

fn predict(up: &Up, body: &Value) -> Answer {
    post_bytes(up, "/api/predict", body.to_string())
}

#[test]
fn a_body_that_is_not_json() {
    let up = shared();
    for body in [
        "",
        "hello",
        "{\"inputs\": [\"a\"",
        "{'inputs': ['a']}",
        "{\"inputs\": [\"a\"]} trailing",
    ] {
        is_error(
            &post_bytes(&up, "/api/predict", body),
            400,
            "invalid_json",
            "body",
        );
    }
    for body in [
        "",
        "[",
        "{\"id\": \"a\"",
        "{\"id\": \"a\", \"label\": \"other\"}}",
    ] {
        is_error(
            &post_bytes(&up, "/api/feedback", body),
            400,
            "invalid_json",
            "body",
        );
    }
}

#[test]
fn a_body_of_the_wrong_shape_names_the_field() {
    let up = shared();
    for (body, field) in [
        (json!({ "inputs": "a text" }), "inputs"),
        (json!({ "inputs": ["a", 7] }), "inputs[1]"),
        (json!({ "inputs": [["a"]] }), "inputs[0]"),
        (json!({ "inputs": null }), "inputs"),
        (json!({ "texts": ["a"] }), "texts"),
        (json!({ "inputs": ["a"], "threshold": 0.5 }), "threshold"),
        (json!({}), "body"),
        (json!([]), "body"),
        (json!("a"), "body"),
    ] {
        let answer = predict(&up, &body);
        is_error(&answer, 400, "invalid_request", field);
    }
    let missing = predict(&up, &json!({})).json();
    assert!(
        missing["error"]["message"].to_string().contains("inputs"),
        "{missing}"
    );
}

#[test]
fn no_inputs_and_too_many() {
    let up = shared();
    is_error(
        &predict(&up, &json!({ "inputs": [] })),
        400,
        "no_inputs",
        "inputs",
    );
    let message = is_error(
        &predict(&up, &json!({ "inputs": vec!["a"; 10_001] })),
        400,
        "too_many_inputs",
        "inputs",
    );
    assert!(
        message.contains("10000") && message.contains("10001"),
        "{message}"
    );
    let most = predict(&up, &json!({ "inputs": vec!["a"; 10_000] }));
    assert_eq!(
        most.json()["predictions"].as_array().map(Vec::len),
        Some(10_000)
    );
}

#[test]
fn a_text_of_20_megabytes() {
    let up = shared();
    let message = is_error(
        &predict(&up, &json!({ "inputs": ["x".repeat(20_000_000)] })),
        413,
        "body_too_large",
        "body",
    );
    assert!(message.contains("16777216"), "{message}");
    let long = predict(&up, &json!({ "inputs": ["short", "x".repeat(2_000_000)] }));
    is_error(&long, 400, "input_too_long", "inputs[1]");
    // What is refused before the body is looked at is answered, too.
    let url = format!("{}/api/predict", up.url);
    let text = http::send(http::request(
        Method::POST,
        &url,
        "text/plain",
        "x".repeat(20_000_000),
    ));
    is_error(&text, 415, "unsupported_content_type", "content-type");
    assert_eq!(up.predict(&["and the next one is answered"]).status, 200);
}

#[test]
fn invalid_utf8_says_where() {
    let up = shared();
    let message = is_error(
        &post_bytes(&up, "/api/predict", &b"{\"inputs\": [\"a\xff\"]}"[..]),
        400,
        "invalid_utf8",
        "body",
    );
    assert!(message.contains("byte 14"), "{message}");
}

#[test]
fn another_content_type() {
    let up = shared();
    let url = format!("{}/api/predict", up.url);
    let body = json!({ "inputs": ["a"] }).to_string();
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonl",
    ] {
        let answer = http::send(http::request(
            Method::POST,
            &url,
            content_type,
            body.clone(),
        ));
        let message = is_error(&answer, 415, "unsupported_content_type", "content-type");
        assert!(
            message.contains("application/json") && message.contains(content_type),
            "{message}"
        );
    }
    for content_type in ["application/json; charset=utf-8", "Application/JSON"] {
        assert_eq!(
            http::send(http::request(
                Method::POST,
                &url,
                content_type,
                body.clone()
            ))
            .status,
            200,
            "{content_type}"
        );
    }
}

#[test]
fn another_method_says_which_is_allowed() {
    let up = shared();
    for path in ["/api/predict", "/api/feedback"] {
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
            let answer = http::send(http::request(
                method,
                &format!("{}{path}", up.url),
                "application/json",
                "{}",
            ));
            is_error(&answer, 405, "method_not_allowed", "method");
            assert_eq!(answer.header("allow"), "POST");
        }
    }
}

#[test]
fn an_unknown_path() {
    let up = shared();
    assert_eq!(post_bytes(&up, "/api/predictions", "{}").status, 404);
    assert_eq!(post_bytes(&up, "/", "{}").status, 404);
    // Without a host in between, as a person who tries the handler alone does.
    let handler = up.handler();
    let answer = http::send(http::request(
        Method::POST,
        &format!("{}/api/predictions", handler.url),
        "application/json",
        "{}",
    ));
    assert_eq!(answer.status, 404, "{answer:?}");
    assert_eq!(answer.json()["error"]["code"], "not_found", "{answer:?}");
}

#[test]
fn feedback_for_what_was_never_predicted() {
    let up = shared();
    let known = up.predict(&["a text"]).json()["id"].take();
    let known = known.as_str().unwrap();
    // One digit of the sequence number further: the right shape, and nobody's.
    let unknown = format!("{}zzzz", &known[..known.len() - 4]);
    for id in [
        format!("{unknown}.0"),
        unknown,
        format!("{known}.1"),
        "not an id".to_owned(),
        String::new(),
        "x".repeat(5_000),
    ] {
        let answer = up.feedback(&json!({ "id": id, "label": "disaster" }));
        let message = is_error(&answer, 404, "unknown_prediction", "id");
        assert!(message.len() < 400, "{message}");
    }
    let many = up.feedback(&json!({ "feedback": [{ "id": known, "label": "other" }, { "id": "nobody", "label": "other" }] }));
    is_error(&many, 404, "unknown_prediction", "feedback[1].id");
}

#[test]
fn feedback_with_an_unknown_label() {
    let up = shared();
    let id = up.predict(&["a text"]).json()["id"].take();
    let message = is_error(
        &up.feedback(&json!({ "id": id, "label": "Disaster!" })),
        400,
        "unknown_label",
        "label",
    );
    assert!(message.contains("disaster, other"), "{message}");
    let many = up.feedback(&json!({ "feedback": [{ "id": id, "label": "2" }] }));
    is_error(&many, 400, "unknown_label", "feedback[0].label");
}

#[test]
fn feedback_for_a_request_with_several_inputs_needs_the_index() {
    let up = shared();
    let id = up.predict(&["one", "two"]).json()["id"].take();
    let id = id.as_str().unwrap();
    let message = is_error(
        &up.feedback(&json!({ "id": id, "label": "other" })),
        404,
        "unknown_prediction",
        "id",
    );
    assert!(
        message.contains("several inputs") && message.contains(".0"),
        "{message}"
    );
    assert_eq!(
        up.feedback(&json!({ "id": format!("{id}.1"), "label": "other" }))
            .status,
        200
    );
}

#[test]
fn feedback_of_the_wrong_shape_names_the_field() {
    let up = shared();
    for (body, field) in [
        (json!({ "label": "other" }), "id"),
        (json!({ "id": "a" }), "label"),
        (json!({ "feedback": [] }), "feedback"),
        (json!({ "feedback": [{ "id": "a" }] }), "feedback[0]"),
        (
            json!({ "feedback": [{ "id": "a", "label": 1 }] }),
            "feedback[0].label",
        ),
        (
            json!({ "id": "a", "label": "other", "feedback": [] }),
            "feedback",
        ),
        (
            json!({ "id": "a", "label": "other", "comment": "x" }),
            "comment",
        ),
    ] {
        is_error(&up.feedback(&body), 400, "invalid_request", field);
    }
}

#[test]
fn a_refused_feedback_list_keeps_nothing() {
    let up = shared();
    let id = up.predict(&["a text"]).json()["id"].take();
    let id = format!("{}.0", id.as_str().unwrap());
    let answer = up.feedback(
        &json!({ "feedback": [{ "id": id, "label": "other" }, { "id": id, "label": "nonsense" }] }),
    );
    assert_eq!(answer.status, 400);
    let files = crate::machine::files(&up.blob("feedback"));
    let kept = files
        .iter()
        .any(|file| std::fs::read_to_string(file).unwrap().contains(&id));
    assert!(!kept, "a label of a refused list was kept");
}
