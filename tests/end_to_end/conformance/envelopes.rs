//! Lines 14, 15, 17 and 18: what the handler is sent when a request is not forwarded.

use std::sync::Arc;

use ::http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use sluice_functions_host::{EnvelopeFraming, HostEvent, ManualClock};

use super::calls::{call, chunked, sized};
use super::functions::{blob, http, queue_output, timer, with_binding};
use super::support::{App, eventually, is_success, seen_header};

fn app() -> App {
    let app = App::new(&[("Tick-Weekly_1", timer("0 0 3 * * 1"))]);
    app.plan_answer("Tick-Weekly_1", json!({}));
    app
}

/// An HTTP function with one output more is not forwarded.
fn http_app() -> App {
    let function = with_binding(http("items/{id}", "anonymous"), queue_output("note"));
    let app = App::new(&[("Items", function)]);
    app.plan_answer("Items", json!({ "Outputs": { "res": { "body": "ok" } } }));
    app
}

#[tokio::test]
async fn line_14_an_envelope_is_sent_in_chunks_or_with_its_length() {
    for framing in [EnvelopeFraming::Chunked, EnvelopeFraming::ContentLength] {
        let mut app = app();
        app.options.envelope_framing = framing;
        let host = app.start_ready().await;
        host.invoke_timer("tick-weekly_1").await.unwrap();
        host.stop().await;
        let seen = &app.notes("seen")[0];
        let header = |name| seen_header(seen, name);
        // Exactly the folder's name, without the prefix of routes.
        assert_eq!(
            (&seen["method"], &seen["target"]),
            (&json!("POST"), &json!("/Tick-Weekly_1"))
        );
        let port = &app.notes("starts")[0]["env"]["FUNCTIONS_CUSTOMHANDLER_PORT"];
        let address = format!("127.0.0.1:{}", port.as_str().unwrap());
        let id = header("x-azure-functions-invocationid").unwrap();
        for (name, value) in [
            ("host", &*address),
            ("content-type", "application/json; charset=utf-8"),
            ("user-agent", "Azure-Functions-Host/4.1037.0.0"),
            ("x-azure-functions-hostversion", "4.1037.0.0"),
        ] {
            assert_eq!(header(name).as_deref(), Some(value), "{name}");
        }
        assert_eq!(
            id.split('-').map(str::len).collect::<Vec<_>>(),
            [8, 4, 4, 4, 12]
        );
        let is_told = |event: &HostEvent| matches!(event, HostEvent::InvocationStarted { invocation_id, retry: 0, .. } if **invocation_id == *id);
        assert_eq!(app.count(is_told), 1);
        let length = seen["size"].to_string();
        let expected = match framing {
            EnvelopeFraming::Chunked => (Some("chunked".to_owned()), None),
            EnvelopeFraming::ContentLength => (None, Some(length)),
        };
        assert_eq!(
            (header("transfer-encoding"), header("content-length")),
            expected
        );
        let envelope = &app.envelopes("Tick-Weekly_1")[0];
        let members: Vec<_> = envelope.as_object().unwrap().keys().collect();
        assert_eq!(members, ["Data", "Metadata"]);
        assert_eq!(envelope["Metadata"]["sys"]["MethodName"], "Tick-Weekly_1");
    }
}

#[tokio::test]
async fn line_14_http_that_is_not_forwarded_has_neither_prefix_nor_query_in_its_path() {
    let app = http_app();
    let host = app.start_ready().await;
    let url = format!("{}/api/items/7?x=1&x=2", host.url());
    let headers = [
        ("host", "app.example"),
        ("content-type", "application/octet-stream"),
    ];
    let answer = call(Method::PUT, url, &headers, sized(&b"\xff\x00"[..])).await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (200, &b"ok"[..]));
    let seen = &app.notes("seen")[0];
    assert_eq!(
        (&seen["method"], &seen["target"]),
        (&json!("POST"), &json!("/Items"))
    );
    let request = &app.envelopes("Items")[0]["Data"]["req"];
    assert_eq!(request["Url"], "http://app.example/api/items/7?x=1&x=2");
    assert_eq!(request["Method"], "PUT");
    assert_eq!(
        (&request["Params"], &request["Query"]),
        (&json!({ "id": "7" }), &json!({ "x": "1,2" }))
    );
    assert_eq!(request["Body"], "/wA=", "binary content is base64");

    // The host asks for a length: a chunked body is lost.
    let url = format!("{}/api/items/8", host.url());
    assert_eq!(
        call(Method::POST, url, &[], chunked("lost")).await.status,
        200
    );
    let request = &app.envelopes("Items")[1]["Data"]["req"];
    assert_eq!(request.get("Body"), None::<&Value>);
    host.stop().await;
}

#[tokio::test]
async fn line_15_values_are_encoded_twice_unless_they_are_objects_or_dates() {
    let mut app = http_app();
    let now = "2026-11-20T22:30:00.5Z";
    app.options.clock = Arc::new(ManualClock::new(now.parse().unwrap()));
    let host = app.start_ready().await;
    let body = json!({
        "text": "hello", "number": 1, "fraction": 0.5, "flag": true, "list": [1, "two"], "object": { "a": [1] },
        "nothing": null, "itemTrigger": "x", "TRIGGER": 1, "triggered": 2,
    });
    let url = format!("{}/api/items/seven?x=1&queryTrigger=2", host.url());
    let json = [("content-type", "application/json")];
    call(Method::POST, url, &json, sized(body.to_string())).await;
    host.stop().await;
    let envelope = &app.envelopes("Items")[0];
    let metadata = envelope["Metadata"].as_object().unwrap();
    for (name, value) in [
        ("text", json!("\"hello\"")),
        ("number", json!("1")),
        ("fraction", json!("0.5")),
        ("flag", json!("true")),
        ("list", json!("[1,\"two\"]")),
        ("object", json!({ "a": [1] })),
        ("triggered", json!("2")),
        ("x", json!("\"1\"")),
        ("id", json!("\"seven\"")),
    ] {
        assert_eq!(metadata.get(name), Some(&value), "{name}");
    }
    for name in ["nothing", "itemTrigger", "TRIGGER", "queryTrigger"] {
        assert!(!metadata.contains_key(name), "{name}");
    }
    assert!(!envelope["Metadata"].to_string().contains("null"));
    assert!(envelope["Data"]["req"].is_object());
    // A date is one JSON string.
    assert_eq!(metadata["sys"]["UtcNow"], now);
}

#[tokio::test]
async fn line_17_a_blob_is_base64_with_its_address_and_properties() {
    let app = App::new(&[("ingest", blob("incoming/{dataset}/{name}"))]);
    app.plan_answer("ingest", json!({ "Outputs": {} }));
    let host = app.start_ready().await;
    app.put_blob("tweets/a b ü.csv", b"id,\xff\xfe\x00\n");
    app.until(1, is_success).await;
    app.put_blob("tweets/empty.csv", b"");
    app.until(2, is_success).await;
    app.put_blob("top.csv", "x");
    app.until(3, is_success).await;
    host.stop().await;
    let runs = app.envelopes("ingest");
    assert_eq!(runs[0]["Data"], json!({ "blob": "aWQs//4ACg==" }));
    let metadata = &runs[0]["Metadata"];
    assert_eq!(
        (&metadata["dataset"], &metadata["name"]),
        (&json!("\"tweets\""), &json!("\"a b ü.csv\""))
    );
    let uri: String = serde_json::from_str(metadata["Uri"].as_str().unwrap()).unwrap();
    assert!(
        uri.starts_with("https://") && uri.ends_with("/incoming/tweets/a%20b%20%C3%BC.csv"),
        "{uri}"
    );
    let properties = &metadata["Properties"];
    assert_eq!(
        (&properties["ETag"], &properties["ContentLength"]),
        (&json!({}), &json!(7))
    );
    let modified = properties["LastModified"].as_str().unwrap();
    assert!(modified.ends_with("+00:00") && modified.parse::<Timestamp>().is_ok());
    for run in &runs {
        let members: Vec<_> = run["Metadata"].as_object().unwrap().keys().collect();
        for hidden in ["BlobTrigger", "DequeueCount"] {
            assert!(!members.contains(&&hidden.to_owned()), "{members:?}");
        }
    }
    assert_eq!(runs[1]["Data"], json!({ "blob": "" }));
    assert_eq!(runs[1]["Metadata"]["Properties"]["ContentLength"], 0);
    // Outside the pattern: invoked all the same, without its parameters.
    let metadata = runs[2]["Metadata"].as_object().unwrap();
    assert!(!metadata.contains_key("dataset") && !metadata.contains_key("name"));
    assert!(
        metadata["Uri"]
            .as_str()
            .unwrap()
            .ends_with("/incoming/top.csv\"")
    );
}

#[tokio::test]
async fn line_18_retries_count_from_0_and_share_one_id() {
    let mut function = timer("0 0 * * * *");
    function["retry"] =
        json!({ "strategy": "fixedDelay", "maxRetryCount": 2, "delayInterval": "00:01:00" });
    let mut app = App::new(&[("tick", function)]);
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let clock = ManualClock::new(at("2026-11-20T22:30:00Z"));
    app.options.clock = Arc::new(clock.clone());
    app.plan("tick", json!({ "status": 500 }));
    let host = app.start_ready().await;
    let is_over = |event: &HostEvent| matches!(event, HostEvent::InvocationFailed { .. });
    for minute in 0..3 {
        eventually("the host waits for the clock", || clock.sleepers() > 0).await;
        clock.set(at(&format!("2026-11-20T23:0{minute}:00Z")));
        app.until(minute + 1, is_over).await;
    }
    let is_scheduled = |event: &HostEvent| matches!(event, HostEvent::TimerScheduled { next, .. } if *next == Some(at("2026-11-21T00:00:00Z")));
    app.until(1, is_scheduled).await;
    host.stop().await;
    let runs = app.envelopes("tick");
    let contexts: Vec<&Value> = runs
        .iter()
        .map(|run| &run["Metadata"]["RetryContext"])
        .collect();
    let counts: Vec<_> = contexts
        .iter()
        .map(|one| one["RetryCount"].clone())
        .collect();
    assert_eq!(counts, [json!(0), json!(1), json!(2)]);
    assert!(contexts.iter().all(|one| one["MaxRetryCount"] == 2));
    assert!(contexts[0]["Exception"].is_null());
    let before = contexts[1]["Exception"]["Message"].as_str().unwrap();
    assert!(before.contains("500"), "{before}");
    let mut ids: Vec<_> = app
        .notes("seen")
        .iter()
        .map(|seen| seen_header(seen, "x-azure-functions-invocationid"))
        .collect();
    ids.dedup();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn line_18_without_a_policy_there_is_neither_context_nor_retry() {
    let app = app();
    app.plan("Tick-Weekly_1", json!({ "status": 500 }));
    let host = app.start_ready().await;
    assert!(host.invoke_timer("tick-weekly_1").await.is_err());
    host.stop().await;
    let runs = app.envelopes("Tick-Weekly_1");
    assert_eq!(runs.len(), 1);
    let metadata = runs[0]["Metadata"].as_object().unwrap();
    assert_eq!(metadata.keys().collect::<Vec<_>>(), ["sys"]);
}
