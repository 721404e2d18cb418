//! Lines 28 and 29: blob events, from Event Grid's delivery to the poison record.

use std::fs;

use ::http::Method;
use serde_json::{Value, json};
use sluice_functions_host::{HostEvent, KeyPolicy, RunningHost};

use super::calls::{Answer, call, sized};
use super::functions::{blob, http};
use super::support::{App, eventually, is_success, seen_header};

fn app() -> App {
    let app = App::new(&[
        ("ingest", blob("incoming/{dataset}/{name}")),
        ("hello", http("hello", "anonymous")),
    ]);
    fs::create_dir_all(app.path("data/incoming/tweets")).unwrap();
    app.plan_answer("ingest", json!({ "Outputs": {} }));
    app
}

/// The file is away from the queue, so the event is dealt with.
async fn settled(app: &App) {
    let queue = app.path("state/blobs/queue");
    eventually("the queue is empty", || {
        fs::read_dir(&queue).unwrap().count() == 0
    })
    .await;
}

async fn deliver(host: &RunningHost, kind: &str, function: &str, body: &Value) -> Answer {
    let url = format!(
        "{}/runtime/webhooks/blobs?functionName=Host.Functions.{function}",
        host.url()
    );
    let kind = [("aeg-event-type", kind)];
    call(Method::POST, url, &kind, sized(body.to_string())).await
}

fn created(blob: &str) -> Value {
    json!({ "data": { "url": format!("https://a.blob.core.windows.net/incoming/{blob}"), "eTag": "0x1", "blobType": "BlockBlob" } })
}

fn is_gone(event: &HostEvent) -> bool {
    matches!(event, HostEvent::BlobGone { .. })
}

#[tokio::test]
async fn line_28_the_endpoint_of_event_grid() {
    let app = app();
    let host = app.start_ready().await;
    let validation = json!([{ "data": { "validationCode": "abc" } }]);
    let answer = deliver(&host, "SubscriptionValidation", "ingest", &validation).await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()),
        (200, json!({ "validationResponse": "abc" }))
    );
    app.put_blob("tweets/.held", "x");
    let (held, event) = (created("tweets/.held"), json!({ "data": {} }));
    for (kind, function, body, expected) in [
        ("Notification", "ingest", json!([held]), 202),
        ("Notification", "INGEST", held, 202),
        ("Unsubscribe", "ingest", json!([]), 202),
        ("Other", "ingest", json!([]), 400),
        ("", "ingest", json!([]), 400),
        ("Notification", "ingest", event, 400),
        ("Notification", "ingest", json!("text"), 400),
        ("SubscriptionValidation", "ingest", json!([]), 400),
        ("Notification", "nothing", json!([]), 404),
        ("Notification", "hello", json!([]), 404),
    ] {
        let answer = deliver(&host, kind, function, &body).await;
        assert_eq!(answer.status.as_u16(), expected, "{kind} {function} {body}");
    }
    app.until(2, is_success).await;
    settled(&app).await;
    host.stop().await;
    assert_eq!(app.envelopes("ingest").len(), 2);
}

#[tokio::test]
async fn line_28_the_endpoint_has_a_key_of_its_own() {
    let mut app = app();
    app.options.keys = KeyPolicy::Required;
    let host = app.start_ready().await;
    let validation = json!([{ "data": { "validationCode": "abc" } }]);
    let keys = host.keys().unwrap();
    for (key, expected) in [
        ("", 401),
        (keys.host(), 401),
        (keys.blobs_extension(), 200),
        (keys.master(), 200),
    ] {
        let function = format!("ingest&code={key}");
        let answer = deliver(&host, "SubscriptionValidation", &function, &validation).await;
        assert_eq!(answer.status.as_u16(), expected);
    }
    host.stop().await;
}

#[tokio::test]
async fn line_28_duplicate_events_are_duplicate_invocations_and_a_deleted_blob_is_none() {
    let app = app();
    app.put_blob("tweets/.held", "x");
    let host = app.start_ready().await;
    let twice = json!([created("tweets/.held"), created("tweets/%2Eheld")]);
    assert_eq!(
        deliver(&host, "Notification", "ingest", &twice)
            .await
            .status,
        202
    );
    app.until(2, is_success).await;
    for (number, blob) in ["tweets/gone.csv", "..%2F..%2Fetc/passwd"]
        .iter()
        .enumerate()
    {
        let answer = deliver(&host, "Notification", "ingest", &created(blob)).await;
        assert_eq!(answer.status, 202);
        app.until(number + 1, is_gone).await;
    }
    settled(&app).await;
    assert_eq!((app.envelopes("ingest").len(), app.failures()), (2, vec![]));
    let is_poison = |event: &HostEvent| matches!(event, HostEvent::BlobPoisoned { .. });
    assert_eq!(app.count(is_poison), 0);
    host.stop().await;
}

#[tokio::test]
async fn line_28_a_new_file_is_an_event_once_also_over_a_restart() {
    let app = app();
    let host = app.start_ready().await;
    app.put_blob("tweets/a.csv", "1");
    app.until(1, is_success).await;
    settled(&app).await;
    host.stop().await;
    let host = app.start_ready().await;
    app.put_blob("tweets/b.csv", "2");
    app.until(2, is_success).await;
    settled(&app).await;
    host.stop().await;
    let contents: Vec<_> = app
        .envelopes("ingest")
        .iter()
        .map(|run| run["Data"]["blob"].clone())
        .collect();
    assert_eq!(contents, ["MQ==", "Mg=="]);
}

#[tokio::test]
async fn line_29_a_failing_blob_is_tried_five_times_at_once_and_put_aside() {
    let app = app();
    app.plan("ingest", json!({ "status": 500 }));
    let host = app.start_ready().await;
    app.put_blob("tweets/a b.csv", "x");
    app.until(1, |event| matches!(event, HostEvent::BlobPoisoned { .. }))
        .await;
    settled(&app).await;
    host.stop().await;
    let record = app.events().into_iter().find_map(|event| match event {
        HostEvent::BlobPoisoned { record, .. } => Some(record),
        _ => None,
    });
    let record = record.unwrap();
    assert_eq!(
        record.parent().unwrap(),
        app.path("state/webjobs-blobtrigger-poison")
    );
    let mut record: Value = serde_json::from_slice(&fs::read(record).unwrap()).unwrap();
    let etag = record["ETag"].take();
    let etag = etag.as_str().unwrap();
    assert!(etag.starts_with("\"0x") && etag.ends_with('"'), "{etag}");
    assert_eq!(
        record,
        json!({ "Type": "BlobTrigger", "FunctionId": "Host.Functions.ingest", "BlobType": "BlockBlob",
            "ContainerName": "incoming", "BlobName": "tweets/a b.csv", "ETag": null })
    );
    let mut ids: Vec<_> = app
        .notes("seen")
        .iter()
        .map(|seen| seen_header(seen, "x-azure-functions-invocationid"))
        .collect();
    assert_eq!(ids.len(), 5);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5, "each dequeue is an invocation of its own");
}

#[tokio::test]
async fn line_29_a_blob_that_succeeds_in_the_end_is_not_put_aside() {
    let app = app();
    app.plan("ingest", json!({ "wait_for": "go", "status": 500 }));
    let host = app.start_ready().await;
    app.put_blob("tweets/a.csv", "x");
    eventually("the first attempt", || app.notes("seen").len() == 1).await;
    app.plan_answer("ingest", json!({ "Outputs": {} }));
    app.release("go");
    app.until(1, is_success).await;
    settled(&app).await;
    host.stop().await;
    assert_eq!((app.notes("seen").len(), app.failures().len()), (2, 1));
    let poison = fs::read_dir(app.path("state/webjobs-blobtrigger-poison")).unwrap();
    assert_eq!(poison.count(), 0);
}

#[tokio::test]
async fn line_29_an_event_survives_a_stop_in_the_middle_of_its_invocation() {
    let app = app();
    app.plan("ingest", json!({ "delay": 600 }));
    let host = app.start_ready().await;
    app.put_blob("tweets/a.csv", "x");
    eventually("the first attempt", || app.notes("seen").len() == 1).await;
    host.stop().await;
    app.plan_answer("ingest", json!({ "Outputs": {} }));
    let host = app.start_ready().await;
    app.until(1, is_success).await;
    settled(&app).await;
    host.stop().await;
    assert_eq!(app.notes("seen").len(), 2);
}

#[tokio::test]
async fn line_28_two_hosts_on_one_folder_raise_an_event_once() {
    let app = app();
    let first = app.start_ready().await;
    let second = app.start_ready().await;
    app.until(1, |event| matches!(event, HostEvent::BlobsHeldElsewhere))
        .await;
    for name in ["a.csv", "b.csv", "c.csv"] {
        fs::write(app.path("data/incoming/tweets").join(name), "x").unwrap();
    }
    app.until(3, is_success).await;
    settled(&app).await;
    second.stop().await;
    first.stop().await;
    assert_eq!(app.envelopes("ingest").len(), 3);
    // Once both are gone the next one takes over.
    let third = app.start_ready().await;
    fs::write(app.path("data/incoming/tweets/d.csv"), "x").unwrap();
    app.until(4, is_success).await;
    third.stop().await;
}
