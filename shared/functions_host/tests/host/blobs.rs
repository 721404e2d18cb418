//! Blob events.

use std::fs;

use http::Method;
use serde_json::{Value, json};
use sluice_functions_host::HostEvent;

use crate::support::{Answer, App, blob, call, eventually, seen_header, sized};

fn app() -> App {
    let app = App::new(&[("ingest", blob("incoming/{dataset}/{name}"))]);
    fs::create_dir_all(app.path("data/incoming/tweets")).unwrap();
    app.plan_answer("ingest", json!({ "Outputs": {} }));
    app
}

fn is_success(event: &HostEvent) -> bool {
    matches!(event, HostEvent::InvocationSucceeded { .. })
}

/// The file is away from the queue, so the event is dealt with.
async fn settled(app: &App) {
    let queue = app.path("state/blobs/queue");
    eventually("the queue is empty", || {
        fs::read_dir(&queue).unwrap().count() == 0
    })
    .await;
}

#[tokio::test]
async fn a_new_file_becomes_an_invocation_once_also_over_a_restart() {
    let app = app();
    let host = app.start_ready().await;
    fs::write(app.path("data/incoming/tweets/a b.csv"), b"id,\xff\n").unwrap();
    app.until(1, is_success).await;
    settled(&app).await;
    host.stop().await;
    let run = &app.envelopes("ingest")[0];
    assert_eq!(run["Data"], json!({ "blob": "aWQs/wo=" }));
    let metadata = &run["Metadata"];
    assert_eq!(
        (&metadata["dataset"], &metadata["name"]),
        (&json!("\"tweets\""), &json!("\"a b.csv\""))
    );
    assert!(
        metadata["Uri"]
            .as_str()
            .unwrap()
            .ends_with("/incoming/tweets/a%20b.csv\"")
    );
    assert_eq!(
        (
            &metadata["Properties"]["ETag"],
            &metadata["Properties"]["ContentLength"]
        ),
        (&json!({}), &json!(5))
    );

    let host = app.start_ready().await;
    fs::write(app.path("data/incoming/tweets/empty.csv"), b"").unwrap();
    app.until(2, is_success).await;
    settled(&app).await;
    host.stop().await;
    let runs = app.envelopes("ingest");
    assert_eq!(runs.len(), 2);
    assert_eq!(runs[1]["Data"], json!({ "blob": "" }));
}

#[tokio::test]
async fn a_failing_blob_is_tried_five_times_and_put_aside() {
    let app = app();
    app.plan("ingest", json!({ "status": 500 }));
    let host = app.start_ready().await;
    fs::write(app.path("data/incoming/tweets/a.csv"), "x").unwrap();
    app.until(1, |event| matches!(event, HostEvent::BlobPoisoned { .. }))
        .await;
    let record = app.events().into_iter().find_map(|event| match event {
        HostEvent::BlobPoisoned { record, .. } => Some(record),
        _ => None,
    });
    let record: Value = serde_json::from_slice(&fs::read(record.unwrap()).unwrap()).unwrap();
    assert_eq!(
        (&record["FunctionId"], &record["BlobName"]),
        (&json!("Host.Functions.ingest"), &json!("tweets/a.csv"))
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
    settled(&app).await;
    host.stop().await;
}

#[tokio::test]
async fn an_event_survives_a_stop_in_the_middle_of_its_invocation() {
    let app = app();
    app.plan("ingest", json!({ "delay": 600 }));
    let host = app.start_ready().await;
    fs::write(app.path("data/incoming/tweets/a.csv"), "x").unwrap();
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
async fn event_grid_delivers_to_the_webhook() {
    let app = app();
    fs::write(app.path("data/incoming/tweets/.held"), "x").unwrap();
    let host = app.start_ready().await;
    let deliver = |kind: &'static str, function: &str, body: Value| {
        let url = format!(
            "{}/runtime/webhooks/blobs?functionName=Host.Functions.{function}",
            host.url()
        );
        async move {
            call(
                Method::POST,
                url,
                &[("aeg-event-type", kind)],
                sized(body.to_string()),
            )
            .await
        }
    };
    let created = |blob: &str| json!({ "data": { "url": format!("https://a.blob.core.windows.net/incoming/{blob}"), "eTag": "0x1", "blobType": "BlockBlob" } });
    let status = |answer: Answer| answer.status.as_u16();

    let validation = json!([{ "data": { "validationCode": "abc" } }]);
    let answer = deliver("SubscriptionValidation", "ingest", validation).await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()),
        (200, json!({ "validationResponse": "abc" }))
    );
    assert_eq!(status(deliver("Other", "ingest", json!([])).await), 400);
    assert_eq!(
        status(deliver("Notification", "nothing", json!([])).await),
        404
    );
    assert_eq!(
        status(deliver("Unsubscribe", "ingest", json!([])).await),
        202
    );

    // Delivered twice: invoked twice. Gone: a success without an invocation.
    let twice = json!([created("tweets/.held"), created("tweets/%2Eheld")]);
    assert_eq!(status(deliver("Notification", "ingest", twice).await), 202);
    app.until(2, is_success).await;
    assert_eq!(
        status(deliver("Notification", "ingest", created("tweets/gone.csv")).await),
        202
    );
    app.until(1, |event| matches!(event, HostEvent::BlobGone { .. }))
        .await;
    assert_eq!(
        status(deliver("Notification", "ingest", created("..%2F..%2Fetc/passwd")).await),
        202
    );
    app.until(2, |event| matches!(event, HostEvent::BlobGone { .. }))
        .await;
    assert_eq!(app.envelopes("ingest").len(), 2);
    host.stop().await;
}

#[tokio::test]
async fn a_blob_outside_the_pattern_is_invoked_without_parameters() {
    let app = app();
    let host = app.start_ready().await;
    fs::write(app.path("data/incoming/top.csv"), "x").unwrap();
    app.until(1, is_success).await;
    host.stop().await;
    let metadata = app.envelopes("ingest")[0]["Metadata"].clone();
    assert!(metadata.get("dataset").is_none() && metadata.get("name").is_none());
    assert!(
        metadata["Uri"]
            .as_str()
            .unwrap()
            .ends_with("/incoming/top.csv\"")
    );
}
