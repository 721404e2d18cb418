//! Envelopes and the handler's answers to them.

use http::Method;
use serde_json::{Value, json};
use sluice_functions_host::{ConformanceFault, EnvelopeFraming, HostError, HostEvent, OutputValue};

use crate::support::{App, call, chunked, get, http, post, seen_header, sized, timer};

/// A timer with outputs, run by hand.
fn app() -> App {
    let mut function = timer("0 0 3 * * 1");
    function["bindings"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "type": "queue", "direction": "out", "name": "note" }));
    App::new(&[("Tick", function)])
}

fn faults(app: &App) -> Vec<ConformanceFault> {
    app.events()
        .into_iter()
        .filter_map(|event| match event {
            HostEvent::Conformance { fault, .. } => Some(fault),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn an_envelope_is_sent_in_chunks_or_with_its_length() {
    for framing in [EnvelopeFraming::Chunked, EnvelopeFraming::ContentLength] {
        let mut app = app();
        app.options.envelope_framing = framing;
        app.plan_answer("Tick", json!({}));
        let host = app.start_ready().await;
        host.invoke_timer("tick").await.unwrap();
        host.stop().await;
        let seen = &app.notes("seen")[0];
        let header = |name| seen_header(seen, name);
        assert_eq!(
            (&seen["method"], &seen["target"]),
            (&json!("POST"), &json!("/Tick"))
        );
        assert_eq!(
            header("content-type").as_deref(),
            Some("application/json; charset=utf-8")
        );
        assert_eq!(
            header("user-agent").as_deref(),
            Some("Azure-Functions-Host/4.1037.0.0")
        );
        assert_eq!(
            header("x-azure-functions-hostversion").as_deref(),
            Some("4.1037.0.0")
        );
        assert_eq!(header("x-azure-functions-invocationid").unwrap().len(), 36);
        let is_chunked = framing == EnvelopeFraming::Chunked;
        assert_eq!(header("transfer-encoding").is_some(), is_chunked);
        assert_eq!(header("content-length").is_some(), !is_chunked);
    }
}

#[tokio::test]
async fn faults_of_the_answer_are_reported() {
    let app = app();
    let host = app.start_ready().await;

    app.plan("Tick", json!({ "status": 204 }));
    assert!(matches!(
        host.invoke_timer("tick").await,
        Err(HostError::Invocation { .. })
    ));
    assert_eq!(
        faults(&app),
        [ConformanceFault::EmptyAnswer { status: 204 }]
    );

    app.forget_events();
    app.plan_answer("Tick", json!({ "Outputs": { "note": "abcd", "other": 1 } }));
    host.invoke_timer("tick").await.unwrap();
    assert_eq!(
        faults(&app),
        [
            ConformanceFault::UndeclaredOutput {
                name: "other".into()
            },
            ConformanceFault::Base64Sniffed {
                name: "note".into(),
                bytes: 3
            }
        ]
    );
    let is_output = |event: &HostEvent| matches!(event, HostEvent::Output { binding, value: OutputValue::Bytes(_), .. } if binding == "note");
    assert_eq!(app.count(is_output), 1);

    app.forget_events();
    app.plan(
        "Tick",
        json!({ "headers": { "Content-Type": "text/plain" }, "body": "{}" }),
    );
    assert!(host.invoke_timer("tick").await.is_err());
    assert_eq!(
        faults(&app),
        [ConformanceFault::MediaType {
            found: "text/plain".into()
        }]
    );
    host.stop().await;
}

#[tokio::test]
async fn redirects_of_an_envelope_are_followed() {
    let app = app();
    app.plan(
        "Tick",
        json!({ "status": 302, "headers": { "Location": "/moved" } }),
    );
    app.plan_answer("moved", json!({ "Logs": ["there"] }));
    let host = app.start_ready().await;
    host.invoke_timer("tick").await.unwrap();
    host.stop().await;
    assert_eq!(app.notes("seen")[1]["method"], "GET");
    assert_eq!(
        app.count(|event| matches!(event, HostEvent::InvocationLog { .. })),
        1
    );
}

/// An HTTP function with one output more is not forwarded.
fn http_app() -> App {
    let mut function = http("items/{id}", "anonymous");
    function["bindings"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "type": "queue", "direction": "out", "name": "note" }));
    App::new(&[("items", function)])
}

#[tokio::test]
async fn http_that_is_not_forwarded_travels_in_an_envelope() {
    let app = http_app();
    let answer = json!({ "Outputs": { "res": { "statusCode": "201", "body": { "made": 7 }, "headers": { "X-Own": "1" } } } });
    app.plan_answer("items", answer);
    let host = app.start_ready().await;
    let url = format!("{}/api/items/7?x=1", host.url());
    let answer = call(
        Method::POST,
        url,
        &[("content-type", "application/json")],
        sized(r#"{"a":1}"#),
    )
    .await;
    assert_eq!(
        (
            answer.status.as_u16(),
            answer.json(),
            &answer.headers["x-own"]
        ),
        (201, json!({ "made": 7 }), &"1".parse().unwrap())
    );
    let envelope = &app.envelopes("items")[0];
    let request = &envelope["Data"]["req"];
    assert_eq!(
        (&request["Method"], &request["Body"]),
        (&json!("POST"), &json!(r#"{"a":1}"#))
    );
    assert_eq!(
        (&request["Params"], &request["Query"]),
        (&json!({ "id": "7" }), &json!({ "x": "1" }))
    );
    assert!(
        request["Url"]
            .as_str()
            .unwrap()
            .ends_with("/api/items/7?x=1")
    );
    assert_eq!(envelope["Metadata"]["a"], "1");

    // The host asks for a length: a chunked body is lost.
    let url = format!("{}/api/items/8", host.url());
    assert_eq!(
        call(Method::POST, url, &[], chunked("lost")).await.status,
        201
    );
    assert_eq!(
        app.envelopes("items")[1]["Data"]["req"].get("Body"),
        None::<&Value>
    );
    host.stop().await;
}

#[tokio::test]
async fn a_failed_http_invocation_is_an_empty_500() {
    let app = http_app();
    app.plan(
        "items",
        json!({ "status": 404, "body": "the handler's own words" }),
    );
    let host = app.start_ready().await;
    let answer = get(&host, "/api/items/1").await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (500, 0));
    app.plan_answer("items", json!({ "Outputs": { "res": "SomeBlah" } }));
    assert_eq!(post(&host, "/api/items/1", "x").await.status, 500);
    app.plan_answer("items", json!({ "Outputs": {} }));
    assert_eq!(get(&host, "/api/items/1").await.body, "{}");
    host.stop().await;
}
