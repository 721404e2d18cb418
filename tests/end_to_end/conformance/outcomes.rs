//! Lines 19 and 20: what the handler's answer to an envelope means.

use serde_json::{Value, json};
use sluice_functions_host::{
    ConformanceFault, HostError, HostEvent, InvocationFailure, OutputValue, RunningHost,
};

use super::functions::{queue_output, timer, with_binding};
use super::support::{App, is_log, is_success};

/// A timer with outputs, run by hand.
fn app() -> App {
    let mut binary = queue_output("packed");
    binary["dataType"] = json!("binary");
    let function = with_binding(timer("0 0 3 * * 1"), queue_output("note"));
    App::new(&[("tick", with_binding(function, binary))])
}

/// Answers with a content type and a body, and tells how the run went.
async fn run(
    app: &App,
    host: &RunningHost,
    content_type: Option<&str>,
    body: &str,
) -> Result<(), InvocationFailure> {
    let headers = content_type.map_or(json!({}), |value| json!({ "Content-Type": value }));
    app.plan("tick", json!({ "headers": headers, "body": body }));
    outcome(host).await
}

async fn outcome(host: &RunningHost) -> Result<(), InvocationFailure> {
    match host.invoke_timer("tick").await {
        Ok(()) => Ok(()),
        Err(HostError::Invocation { reason, .. }) => Err(reason),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn line_19_an_object_of_json_is_a_success() {
    let app = app();
    let host = app.start_ready().await;
    for (content_type, body) in [
        ("application/json", "{}"),
        (
            "application/json; charset=utf-8",
            r#"{"Outputs":{},"Logs":[],"ReturnValue":null}"#,
        ),
        ("text/json", r#"{"outputs":null,"LOGS":null,"unknown":[1]}"#),
    ] {
        assert_eq!(
            run(&app, &host, Some(content_type), body).await,
            Ok(()),
            "{body}"
        );
    }
    assert_eq!((app.count(is_success), app.faults()), (3, vec![]));
    host.stop().await;
}

#[tokio::test]
async fn line_19_failures_of_the_status_the_transport_and_the_json() {
    let app = app();
    let host = app.start_ready().await;
    for status in [400, 404, 500, 503] {
        let body = json!({ "Logs": ["lost"] }).to_string();
        app.plan("tick", json!({ "status": status, "headers": { "Content-Type": "application/json" }, "body": body }));
        assert_eq!(
            outcome(&host).await,
            Err(InvocationFailure::Status { status })
        );
    }
    app.plan("tick", json!({ "break": true }));
    assert!(matches!(
        outcome(&host).await,
        Err(InvocationFailure::Unreachable { .. })
    ));
    for body in [
        "{",
        "hello",
        "[]",
        "3",
        "\"text\"",
        r#"{"Outputs":[]}"#,
        r#"{"Logs":"no list"}"#,
    ] {
        let failure = run(&app, &host, Some("application/json"), body).await;
        assert!(
            matches!(failure, Err(InvocationFailure::Malformed { .. })),
            "{body}: {failure:?}"
        );
    }
    assert_eq!(
        (app.count(is_success), app.count(is_log), app.faults()),
        (0, 0, vec![])
    );
    host.stop().await;
}

#[tokio::test]
async fn line_19_a_wrong_or_missing_media_type_is_a_fault_and_fails() {
    let app = app();
    let host = app.start_ready().await;
    for (content_type, found) in [
        (Some("text/plain; charset=utf-8"), "text/plain"),
        (Some("application/problem+json"), "application/problem+json"),
        (None, ""),
    ] {
        app.forget_events();
        let fault = ConformanceFault::MediaType {
            found: found.into(),
        };
        let failure = run(&app, &host, content_type, "{}").await;
        assert_eq!(failure, Err(InvocationFailure::Conformance(fault.clone())));
        assert_eq!(app.faults(), [fault]);
    }
    host.stop().await;
}

/// The real host would hang until `functionTimeout`, here half an hour.
#[tokio::test]
async fn line_19_an_empty_or_null_answer_is_a_fault_at_once() {
    let app = app();
    let host = app.start_ready().await;
    let json = json!({ "Content-Type": "application/json" });
    for (status, body) in [
        (200, ""),
        (204, ""),
        (202, ""),
        (200, "null"),
        (200, " null\n"),
    ] {
        app.forget_events();
        app.plan(
            "tick",
            json!({ "status": status, "headers": json, "body": body }),
        );
        let fault = ConformanceFault::EmptyAnswer { status };
        let failure = outcome(&host).await;
        assert_eq!(
            failure,
            Err(InvocationFailure::Conformance(fault.clone())),
            "{status} {body:?}"
        );
        assert_eq!(app.faults(), [fault]);
    }
    host.stop().await;
}

#[tokio::test]
async fn line_20_logs_are_lines_of_a_successful_invocation_only() {
    let app = app();
    let host = app.start_ready().await;
    let answer = json!({ "Logs": ["one", "two\nlines", "three"] });
    app.plan_answer("tick", answer.clone());
    assert_eq!(outcome(&host).await, Ok(()));
    let lines: Vec<String> = app
        .events()
        .into_iter()
        .filter_map(|event| match event {
            HostEvent::InvocationLog { line, function, .. } if &*function == "tick" => Some(line),
            _ => None,
        })
        .collect();
    assert_eq!(lines, ["one", "two\nlines", "three"]);
    app.plan("tick", json!({ "status": 500, "headers": { "Content-Type": "application/json" }, "body": answer.to_string() }));
    assert!(outcome(&host).await.is_err());
    assert_eq!(app.count(is_log), 3);
    host.stop().await;
}

fn outputs(app: &App) -> Vec<(String, OutputValue)> {
    let outputs = app.events().into_iter().filter_map(|event| match event {
        HostEvent::Output { binding, value, .. } => Some((binding, value)),
        _ => None,
    });
    outputs.collect()
}

#[tokio::test]
async fn line_20_only_declared_outputs_count_and_missing_ones_are_no_mistake() {
    let app = app();
    let host = app.start_ready().await;
    for (answer, expected, undeclared) in [
        (json!({ "Outputs": {} }), vec![], vec![]),
        (json!({ "Outputs": { "note": null } }), vec![], vec![]),
        (
            json!({ "Outputs": { "note": { "a": 1 }, "other": 1 } }),
            vec![json!({ "a": 1 })],
            vec!["other"],
        ),
        // Without a `$return` binding an object as return value stands for more outputs.
        (
            json!({ "ReturnValue": { "note": [1] } }),
            vec![json!([1])],
            vec![],
        ),
    ] {
        app.forget_events();
        app.plan_answer("tick", answer.clone());
        assert_eq!(outcome(&host).await, Ok(()), "{answer}");
        let expected: Vec<(String, OutputValue)> = expected
            .into_iter()
            .map(|value: Value| ("note".to_owned(), OutputValue::Json(value)))
            .collect();
        assert_eq!(outputs(&app), expected, "{answer}");
        let faults: Vec<_> = undeclared
            .into_iter()
            .map(|name: &str| ConformanceFault::UndeclaredOutput { name: name.into() })
            .collect();
        assert_eq!(app.faults(), faults, "{answer}");
    }
    host.stop().await;
}

#[tokio::test]
async fn line_20_a_text_that_looks_like_base64_becomes_bytes_unless_the_output_is_binary() {
    let app = app();
    let host = app.start_ready().await;
    for (text, bytes) in [("abcd", 3), ("1234", 3), ("done", 3), ("aGVsbG8=", 5)] {
        app.forget_events();
        app.plan_answer(
            "tick",
            json!({ "Outputs": { "note": text, "packed": text } }),
        );
        assert_eq!(outcome(&host).await, Ok(()));
        let name = "note".to_owned();
        assert_eq!(
            app.faults(),
            [ConformanceFault::Base64Sniffed { name, bytes }]
        );
        let found = outputs(&app);
        assert!(
            matches!(&found[0], (name, OutputValue::Bytes(content)) if name == "note" && content.len() == bytes)
        );
        assert_eq!(found[1], ("packed".into(), OutputValue::Json(json!(text))));
    }
    app.forget_events();
    app.plan_answer("tick", json!({ "Outputs": { "note": "not base64!" } }));
    assert_eq!(outcome(&host).await, Ok(()));
    assert_eq!(
        outputs(&app),
        [("note".into(), OutputValue::Json(json!("not base64!")))]
    );
    assert_eq!(app.faults(), []);
    host.stop().await;
}
