//! Timer, blob, queue and Event Grid functions.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use azure_functions::{
    App, BlobEvent, Error, EventGridEvent, Failure, FailureKind, InvocationContext, QueueEvent,
    Reply, TimerEvent, Trigger,
};
use http::{Request, StatusCode, header};
use serde_json::json;

use super::{call, chunked, invocation};

/// What a handler was called with, call by call.
type Calls<E> = Arc<Mutex<Vec<(E, InvocationContext)>>>;

/// An app with one function `f` of this trigger, and what its handler was called with.
fn recording<E: Trigger>() -> (Router, Calls<E>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&seen);
    let app = App::new().on("f", move |event: E, context| {
        record.lock().unwrap().push((event, context));
        async { Ok(Reply::new()) }
    });
    (app.into_router().unwrap(), seen)
}

async fn received<E: Trigger>(envelope: &str) -> (E, InvocationContext) {
    let (router, seen) = recording::<E>();
    let answer = call(&router, invocation("f", envelope.to_owned())).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    seen.lock().unwrap().pop().unwrap()
}

#[tokio::test]
async fn a_captured_timer_invocation_is_understood() {
    let (event, context) =
        received::<TimerEvent>(include_str!("../data/timer_captured.json")).await;
    assert!(!event.is_past_due);
    let status = event.status.unwrap();
    assert_eq!(status.last, None);
    assert_eq!(status.next.unwrap().to_string(), "2024-11-30T14:45:51Z");
    assert_eq!(
        status.last_updated.unwrap().to_string(),
        "2024-11-30T14:43:50.403838Z"
    );
    assert_eq!(context.invocation_id, "6f1c");
    assert_eq!(&*context.function, "f");
    assert_eq!(context.host_version.as_deref(), Some("4.1037.0.0"));
    assert_eq!(context.retry, None);
    assert!(context.traceparent.unwrap().starts_with("00-4bf9"));
    assert_eq!(
        context.started_at.unwrap().to_string(),
        "2024-11-30T14:43:50.46239Z"
    );
}

#[tokio::test]
async fn a_timer_may_be_unmonitored_and_past_due() {
    let (event, _) = received::<TimerEvent>(include_str!("../data/timer_unmonitored.json")).await;
    assert!(event.is_past_due);
    assert_eq!(event.status, None);
}

#[tokio::test]
async fn the_attempt_is_known_under_a_retry_policy() {
    let (_, context) = received::<TimerEvent>(include_str!("../data/timer_retried.json")).await;
    let retry = context.retry.unwrap();
    assert_eq!((retry.retry_count, retry.max_retry_count), (1, Some(2)));
}

#[tokio::test]
async fn a_captured_blob_invocation_is_understood() {
    let (event, _) = received::<BlobEvent>(include_str!("../data/blob_captured.json")).await;
    assert_eq!(
        (event.container.as_str(), event.name.as_str()),
        ("myblob", "output-metadata.json")
    );
    assert_eq!(event.size_bytes(), Some(377));
    assert_eq!(event.path_param("name"), Some("output-metadata.json"));
    assert_eq!(
        event.properties.content_type.as_deref(),
        Some("application/json")
    );
    assert_eq!(
        event.properties.content_md5.as_deref(),
        Some("1B2M2Y8AsgTpgAmY7PhCfg==")
    );
    assert_eq!(
        event.properties.last_modified.unwrap().to_string(),
        "2022-05-11T09:12:31Z"
    );
    assert_eq!(event.path_params.len(), 1);
}

#[tokio::test]
async fn blob_names_are_decoded_and_signatures_dropped() {
    let (event, _) = received::<BlobEvent>(include_str!("../data/blob_nested_name.json")).await;
    assert_eq!(
        (event.container.as_str(), event.name.as_str()),
        ("incoming", "tweets/week 12 ü.csv.gz")
    );
    assert_eq!(event.path_param("dataset"), Some("tweets"));
    assert_eq!(event.size_bytes(), Some(0));
    assert_eq!(event.properties.content_encoding.as_deref(), Some("gzip"));
    assert_eq!(event.metadata["uploader"], "desk 4");
    assert!(!format!("{event:?}").contains("topsecret"));
}

#[tokio::test]
async fn a_single_encoded_envelope_with_unknown_members_is_understood() {
    let (event, _) = received::<BlobEvent>(include_str!("../data/blob_single_encoded.json")).await;
    assert_eq!(
        (event.container.as_str(), event.name.as_str()),
        ("incoming", "tweets/a.csv")
    );
    assert_eq!(event.path_param("dataset"), Some("tweets"));
    assert_eq!(event.uri, None);
}

#[tokio::test]
async fn queue_messages_are_understood_in_both_encodings() {
    let (event, _) = received::<QueueEvent>(include_str!("../data/queue_captured.json")).await;
    assert_eq!(event.message, "hello!!");
    assert_eq!(event.dequeue_count, Some(1));
    assert_eq!(
        event.id.as_deref(),
        Some("52d5bd0c-0c2e-4f5c-8a8e-7f9d3f0f2a5b")
    );
    assert!(event.inserted_at < event.expires_at);
    assert_eq!(event.json::<String>().unwrap(), "hello!!");

    let (event, _) = received::<QueueEvent>(include_str!("../data/queue_documented.json")).await;
    assert_eq!(event.dequeue_count, Some(1));
    assert_eq!(
        event.json::<serde_json::Value>().unwrap(),
        json!({"name": "Ada"})
    );
    assert!(event.json::<u32>().is_err());
}

#[tokio::test]
async fn event_grid_events_are_understood_as_object_and_as_string() {
    let (event, _) =
        received::<EventGridEvent>(include_str!("../data/event_grid_object.json")).await;
    assert_eq!(event.event_type, "Microsoft.Storage.BlobCreated");
    assert_eq!(event.data["contentLength"], 524_288);
    let (cloud_event, _) =
        received::<EventGridEvent>(include_str!("../data/event_grid_string.json")).await;
    assert_eq!(cloud_event.event_type, event.event_type);
    assert_eq!(cloud_event.data["contentLength"], 524_288);
    assert_eq!(cloud_event.source.as_deref(), Some("/subscriptions/s"));
}

#[tokio::test]
async fn a_large_inlined_blob_is_skipped_with_and_without_a_length() {
    let blob = "QUJD".repeat(2 << 20);
    let envelope =
        include_str!("../data/blob_captured.json").replace("eyJoZWxsbyI6ICJ3b3JsZCJ9", &blob);
    for body in [
        Body::from(envelope.clone()),
        chunked(envelope.as_bytes(), 60_001),
    ] {
        let (router, seen) = recording::<BlobEvent>();
        let answer = call(&router, invocation("f", body)).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(seen.lock().unwrap()[0].0.name, "output-metadata.json");
    }
}

#[tokio::test]
async fn the_content_of_a_blob_is_not_kept() {
    struct Content(String);
    impl Trigger for Content {
        const KIND: azure_functions::TriggerKind = BlobEvent::KIND;
        const LONGEST_STRING: usize = BlobEvent::LONGEST_STRING;
        fn from_envelope(envelope: &azure_functions::Envelope<'_>) -> Result<Self, Error> {
            envelope.input("file").map(Content)
        }
    }
    let app = App::new().on("f", |content: Content, _| async move {
        Ok(Reply::new().log(content.0.len().to_string()))
    });
    let router = app.into_router().unwrap();
    let blob = "QUJD".repeat(1 << 18);
    let envelope =
        include_str!("../data/blob_captured.json").replace("eyJoZWxsbyI6ICJ3b3JsZCJ9", &blob);
    let answer = call(&router, invocation("f", envelope)).await;
    assert_eq!(answer.json()["Logs"], json!(["0"]));
}

#[tokio::test]
async fn an_envelope_over_the_limit_is_413_with_and_without_a_length() {
    let app = App::new()
        .envelope_limit(1000)
        .timer("f", |_, _| async { Ok(Reply::new()) });
    let router = app.into_router().unwrap();
    let large = "x".repeat(1001);
    for body in [Body::from(large.clone()), chunked(large.as_bytes(), 100)] {
        let answer = call(&router, invocation("f", body)).await;
        assert_eq!(
            (answer.status, answer.error_code().as_str()),
            (StatusCode::PAYLOAD_TOO_LARGE, "too_large")
        );
    }
}

#[tokio::test]
async fn what_is_no_envelope_of_the_trigger_is_400() {
    let (timer, timers) = recording::<TimerEvent>();
    let (blob, blobs) = recording::<BlobEvent>();
    let (queue, queues) = recording::<QueueEvent>();
    for envelope in [
        "",
        "null",
        "[]",
        "nonsense",
        r#"{"Data"#,
        r#"{"Data": 5}"#,
        r#"{"Data": {}, "Metadata": {}}"#,
        r#"{"Data": {"timer": {"IsPastDue": "perhaps"}}, "Metadata": {"Uri": 7}}"#,
        r#"{"Data": {"a": [], "b": []}, "Metadata": {"Uri": "\"https://h.net/\""}}"#,
        r#"{"Data": {"timer": []}, "Metadata": {"Uri": "\"nowhere\"", "DequeueCount": {}}}"#,
    ] {
        for (trigger, router) in [("timer", &timer), ("blob", &blob), ("queue", &queue)] {
            let answer = call(router, invocation("f", envelope)).await;
            if (trigger, envelope.contains("perhaps")) == ("queue", true) {
                continue; // a queue message may be any object
            }
            assert_eq!(
                answer.status,
                StatusCode::BAD_REQUEST,
                "{trigger}: {envelope}"
            );
            assert_eq!(answer.error_code(), "bad_envelope");
        }
    }
    assert!(timers.lock().unwrap().is_empty() && blobs.lock().unwrap().is_empty());
    assert!(queues.lock().unwrap().len() <= 1);
    let answer = call(&timer, invocation("f", &b"{\"Data\": \"\xff\xfe\"}"[..])).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn success_is_always_200_json_and_a_full_object() {
    let app = App::new()
        .timer("bare", |_, _| async { Ok(Reply::new()) })
        .timer("rich", |_, _| async {
            let reply = Reply::new()
                .log("one")
                .log("two")
                .output("row", json!({"id": 1}))?;
            Ok(reply
                .output_bytes("file", b"abc")
                .return_value(json!([1]))?)
        });
    let router = app.into_router().unwrap();
    let envelope = include_str!("../data/timer_captured.json");

    let bare = call(&router, invocation("bare", envelope)).await;
    assert_eq!(bare.status, StatusCode::OK);
    assert_eq!(
        bare.json(),
        json!({"Outputs": {}, "Logs": [], "ReturnValue": null})
    );

    let rich = call(&router, invocation("rich", envelope)).await.json();
    let expected = json!({
        "Outputs": {"row": {"id": 1}, "file": "YWJj"},
        "Logs": ["one", "two"],
        "ReturnValue": [1],
    });
    assert_eq!(rich, expected);
}

#[tokio::test]
async fn a_failure_has_the_status_of_its_kind_and_hides_its_cause() {
    let app = App::new()
        .timer("later", |_, _| async {
            Err(Failure::new(FailureKind::Unavailable, "storage is busy")
                .with_source("account key 123"))
        })
        .timer("sniffed", |_, _| async {
            Ok(Reply::new().output("row", "done")?)
        });
    let router = app.into_router().unwrap();
    let envelope = include_str!("../data/timer_captured.json");

    let later = call(&router, invocation("later", envelope)).await;
    assert_eq!(later.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        later.json(),
        json!({"error": {"code": "unavailable", "message": "storage is busy"}})
    );

    let sniffed = call(&router, invocation("sniffed", envelope)).await;
    assert_eq!(sniffed.status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn a_panic_fails_one_invocation_and_the_next_one_runs() {
    let app = App::new().timer("f", |event: TimerEvent, _| async move {
        assert!(event.is_past_due, "not yet");
        Ok(Reply::new())
    });
    let router = app.into_router().unwrap();
    let failed = call(
        &router,
        invocation("f", include_str!("../data/timer_captured.json")),
    )
    .await;
    assert_eq!(
        (failed.status, failed.error_code().as_str()),
        (StatusCode::INTERNAL_SERVER_ERROR, "internal")
    );
    assert!(!failed.text().contains("not yet"));
    let fine = call(
        &router,
        invocation("f", include_str!("../data/timer_unmonitored.json")),
    )
    .await;
    assert_eq!(fine.status, StatusCode::OK);
}

#[tokio::test]
async fn a_panic_before_the_first_await_is_caught_too() {
    let app = App::new().on("f", |event: TimerEvent, _| {
        assert!(event.is_past_due, "not yet");
        async { Ok(Reply::new()) }
    });
    let router = app.into_router().unwrap();
    let failed = call(
        &router,
        invocation("f", include_str!("../data/timer_captured.json")),
    )
    .await;
    assert_eq!(failed.status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn unknown_functions_are_404_and_wrong_methods_405() {
    let (router, seen) = recording::<TimerEvent>();
    let unknown = call(&router, invocation("g", "{}")).await;
    assert_eq!(
        (unknown.status, unknown.error_code().as_str()),
        (StatusCode::NOT_FOUND, "unknown_function")
    );
    // The host keeps the case of the folder.
    assert_eq!(
        call(&router, invocation("F", "{}")).await.status,
        StatusCode::NOT_FOUND
    );
    let get = call(&router, Request::get("/f").body(Body::empty()).unwrap()).await;
    assert_eq!(
        (get.status, get.error_code().as_str()),
        (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed")
    );
    assert_eq!(get.headers[header::ALLOW], "POST");
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_probe_answers_and_runs_nothing() {
    let (router, seen) = recording::<TimerEvent>();
    let probe = call(&router, Request::get("/").body(Body::empty()).unwrap()).await;
    assert_eq!(probe.status, StatusCode::OK);
    let post = call(&router, Request::post("/").body(Body::empty()).unwrap()).await;
    assert_eq!(
        (post.status, post.error_code().as_str()),
        (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed")
    );
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_trigger_of_ones_own_is_a_few_lines() {
    struct Change(Vec<serde_json::Value>);
    impl Trigger for Change {
        const KIND: azure_functions::TriggerKind =
            azure_functions::TriggerKind::Other("cosmosDBTrigger");
        fn from_envelope(envelope: &azure_functions::Envelope<'_>) -> Result<Self, Error> {
            envelope.input("documents").map(Change)
        }
    }
    let app = App::new().on("f", |change: Change, _| async move {
        Ok(Reply::new().log(change.0.len().to_string()))
    });
    let router = app.into_router().unwrap();
    let answer = call(
        &router,
        invocation(
            "f",
            r#"{"Data": {"documents": "[{\"id\": 1}, {\"id\": 2}]"}}"#,
        ),
    )
    .await;
    assert_eq!(answer.json()["Logs"], json!(["2"]));
}
