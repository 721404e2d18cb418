//! Line 21: the response inside the handler's answer.

use serde_json::{Value, json};
use sluice_functions_host::{ConformanceFault, InvocationFailure, RunningHost};

use super::calls::{Answer, get, post};
use super::functions::{http, queue_output, with_binding};
use super::support::{App, is_success};

/// An HTTP function with one output more is not forwarded.
fn app() -> App {
    let function = with_binding(http("items", "anonymous"), queue_output("note"));
    App::new(&[("items", function)])
}

async fn answered(app: &App, host: &RunningHost, res: Value) -> Answer {
    app.plan_answer("items", json!({ "Outputs": { "res": res } }));
    get(host, "/api/items").await
}

#[tokio::test]
async fn line_21_the_status_is_a_number_or_a_text() {
    let app = app();
    let host = app.start_ready().await;
    let whole = json!({ "statusCode": "201", "body": { "made": 7 }, "headers": { "X-Own": "1" } });
    // The response may itself be JSON text.
    for res in [whole.clone(), json!(whole.to_string())] {
        let answer = answered(&app, &host, res).await;
        assert_eq!(
            (
                answer.status.as_u16(),
                answer.json(),
                &answer.headers["x-own"]
            ),
            (201, json!({ "made": 7 }), &"1".parse().unwrap())
        );
    }
    for (code, expected) in [
        (json!(404), 404),
        (json!("418"), 418),
        (json!("no status"), 200),
    ] {
        let answer = answered(&app, &host, json!({ "statusCode": code, "body": "words" })).await;
        assert_eq!(
            (answer.status.as_u16(), &*answer.body),
            (expected, &b"words"[..]),
            "{code}"
        );
    }
    assert_eq!(app.faults(), []);
    host.stop().await;
}

#[tokio::test]
async fn line_21_status_alone_is_ignored_and_a_fault() {
    let app = app();
    let host = app.start_ready().await;
    let answer = answered(&app, &host, json!({ "status": 404, "body": "words" })).await;
    assert_eq!(
        (answer.status.as_u16(), &*answer.body),
        (200, &b"words"[..])
    );
    assert_eq!(app.faults(), [ConformanceFault::StatusIgnored]);
    let answer = answered(&app, &host, json!({ "status": 404, "statusCode": 410 })).await;
    assert_eq!((answer.status.as_u16(), app.faults().len()), (410, 1));
    host.stop().await;
}

#[tokio::test]
async fn line_21_a_response_that_cannot_be_read_fails_as_an_empty_500() {
    let app = app();
    let host = app.start_ready().await;
    for res in [
        json!("SomeBlah"),
        json!(3),
        json!([1]),
        json!({ "headers": { "a": null } }),
    ] {
        let answer = answered(&app, &host, res.clone()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.body.len()),
            (500, 0),
            "{res}"
        );
    }
    let failures = app.failures();
    assert_eq!(failures.len(), 4);
    assert!(
        failures
            .iter()
            .all(|one| matches!(one, InvocationFailure::Malformed { .. }))
    );
    // So does the handler's own failure: its status and words are lost.
    app.plan(
        "items",
        json!({ "status": 404, "body": "the handler's own words" }),
    );
    let answer = post(&host, "/api/items", "x").await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (500, 0));
    assert_eq!(app.count(is_success), 0);
    host.stop().await;
}

#[tokio::test]
async fn line_21_without_a_response_the_answer_is_an_empty_object_or_nothing() {
    let app = app();
    let host = app.start_ready().await;
    app.plan_answer("items", json!({ "Outputs": {} }));
    let answer = get(&host, "/api/items").await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (200, &b"{}"[..]));
    app.plan_answer("items", json!({}));
    assert_eq!(get(&host, "/api/items").await.status, 204);
    host.stop().await;
}

#[tokio::test]
async fn line_21_redirects_of_the_handler_are_followed() {
    for (status, method) in [(301, "GET"), (302, "GET"), (307, "POST"), (308, "POST")] {
        let app = app();
        app.plan(
            "items",
            json!({ "status": status, "headers": { "Location": "/moved" } }),
        );
        app.plan_answer(
            "moved",
            json!({ "Outputs": { "res": { "body": "there" } } }),
        );
        let host = app.start_ready().await;
        let answer = get(&host, "/api/items").await;
        host.stop().await;
        assert_eq!(
            (answer.status.as_u16(), &*answer.body),
            (200, &b"there"[..])
        );
        let seen = app.notes("seen");
        assert_eq!(
            (&seen[1]["target"], &seen[1]["method"]),
            (&json!("/moved"), &json!(method))
        );
        // With the method goes the envelope.
        assert_eq!(seen[1]["size"].as_u64() > Some(0), method == "POST");
    }
}
