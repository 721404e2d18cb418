//! Lines 15 to 18: the host's own envelopes against literal ones. `payloads/README.md` tells where each comes from.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use ::http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use sluice_functions_host::{HostEvent, ManualClock};

use super::calls::{call, sized};
use super::functions::{blob, http, queue_output, timer, with_binding};
use super::support::{App, eventually, is_success};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn read(path: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap()
}

fn own(name: &str) -> Value {
    read(&format!("tests/end_to_end/conformance/payloads/{name}"))
}

/// One that the handler's crate is tested with.
fn shared(name: &str) -> Value {
    read(&format!("shared/azure_functions/tests/data/{name}"))
}

/// Compares, except for what is random: there the literal one's value is taken.
fn assert_same(mut built: Value, literal: &Value) {
    let guid = built["Metadata"]["sys"]["RandGuid"].as_str().unwrap();
    assert_eq!(guid.len(), 36);
    built["Metadata"]["sys"]["RandGuid"] = literal["Metadata"]["sys"]["RandGuid"].clone();
    assert_eq!(&built, literal, "built:\n{built:#}\nliteral:\n{literal:#}");
}

fn at_time(functions: &[(&str, Value)], now: &str) -> (App, ManualClock) {
    let mut app = App::new(functions);
    let clock = ManualClock::new(at(now));
    app.options.clock = Arc::new(clock.clone());
    for (name, _) in functions {
        app.plan_answer(name, json!({ "Outputs": {} }));
    }
    (app, clock)
}

#[tokio::test]
async fn line_16_a_captured_timer() {
    let literal = shared("timer_captured.json");
    let timer_of = |schedule: &str, at_startup: bool| {
        let mut function = timer(schedule);
        function["bindings"][0]["name"] = json!("myTimer");
        function["bindings"][0]["runOnStartup"] = json!(at_startup);
        function
    };
    let name = literal["Metadata"]["sys"]["MethodName"].as_str().unwrap();
    let status = &literal["Data"]["myTimer"]["ScheduleStatus"];
    let now = status["LastUpdated"].as_str().unwrap();
    // So it comes about: the schedule was changed, and the function runs at the start.
    let (mut app, _) = at_time(
        &[(name, timer_of("0 0 3 * * *", false))],
        "2024-11-29T00:00:00Z",
    );
    let host = app.start_ready().await;
    let is_scheduled = |event: &HostEvent| matches!(event, HostEvent::TimerScheduled { .. });
    app.until(1, is_scheduled).await;
    host.stop().await;
    let function = timer_of("51 45 * * * *", true).to_string();
    fs::write(app.path("app").join(name).join("function.json"), function).unwrap();
    app.options.clock = Arc::new(ManualClock::new(at(now)));
    let host = app.start_ready().await;
    app.until(1, is_success).await;
    host.stop().await;
    let mut built = app.envelopes(name).remove(0);
    // The captured one was sent 60 ms after its status was written; this clock stands still.
    let sent = built["Metadata"]["sys"]["UtcNow"].take();
    assert_eq!(at(sent.as_str().unwrap()), at(now));
    built["Metadata"]["sys"]["UtcNow"] = literal["Metadata"]["sys"]["UtcNow"].clone();
    assert_same(built, &literal);
}

#[tokio::test]
async fn line_16_the_first_run_of_a_timer() {
    let (app, clock) = at_time(&[("retrain", timer("0 0 3 * * 1"))], "2026-02-27T12:00:00Z");
    let host = app.start_ready().await;
    eventually("the host waits for the clock", || clock.sleepers() > 0).await;
    clock.set(at("2026-03-02T03:00:00.0412Z"));
    app.until(1, is_success).await;
    host.stop().await;
    assert_same(app.envelopes("retrain").remove(0), &own("timer_first.json"));
}

#[tokio::test]
async fn line_18_the_second_attempt_of_a_timer() {
    let mut function = timer("0 0 3 * * 1");
    function["retry"] =
        json!({ "strategy": "fixedDelay", "maxRetryCount": 2, "delayInterval": "00:05:00" });
    let (mut app, clock) = at_time(&[("retrain", function)], "2026-02-20T12:00:00Z");
    let host = app.start_ready().await;
    eventually("the host waits for the clock", || clock.sleepers() > 0).await;
    clock.set(at("2026-02-23T03:00:00.0121Z"));
    app.until(1, is_success).await;
    host.stop().await;
    app.plan("retrain", json!({ "status": 500 }));
    let clock = ManualClock::new(at("2026-03-01T00:00:00Z"));
    app.options.clock = Arc::new(clock.clone());
    let host = app.start_ready().await;
    for (attempt, now) in ["2026-03-02T03:00:00.2Z", "2026-03-02T03:05:00.2Z"]
        .iter()
        .enumerate()
    {
        eventually("the host waits for the clock", || clock.sleepers() > 0).await;
        clock.set(at(now));
        eventually("the attempt", || app.failures().len() == attempt + 1).await;
    }
    host.stop().await;
    assert_same(
        app.envelopes("retrain").remove(2),
        &own("timer_retried.json"),
    );
}

#[tokio::test]
async fn line_17_a_blob_with_a_nested_name() {
    let (app, _) = at_time(
        &[("ingest", blob("incoming/{dataset}/{name}"))],
        "2026-03-02T03:00:01Z",
    );
    let host = app.start_ready().await;
    let fresh = app.path("data/incoming/.fresh-blob");
    fs::write(&fresh, b"id,\xff\n").unwrap();
    let modified = std::time::SystemTime::from(at("2026-03-02T02:59:58Z"));
    File::options()
        .write(true)
        .open(&fresh)
        .unwrap()
        .set_modified(modified)
        .unwrap();
    fs::create_dir(app.path("data/incoming/tweets")).unwrap();
    fs::rename(fresh, app.path("data/incoming/tweets/week 12 ü.csv")).unwrap();
    app.until(1, is_success).await;
    host.stop().await;
    let built = app.envelopes("ingest").remove(0);
    assert_same(built.clone(), &own("blob.json"));
    // The captured one has nothing that this host leaves out, and every value is of the same kind.
    let captured = shared("blob_captured.json");
    let (captured, built) = (&captured["Metadata"], &built["Metadata"]);
    for (name, value) in captured["Properties"].as_object().unwrap() {
        let same = match name.as_str() {
            // Of a blob that was written in blocks it is null.
            "ContentHash" => built["Properties"][name].is_null(),
            _ => {
                std::mem::discriminant(value) == std::mem::discriminant(&built["Properties"][name])
            }
        };
        assert!(same, "{name}: {value} and {}", built["Properties"][name]);
    }
    for name in ["Uri", "Properties", "Metadata", "name", "sys"] {
        assert_eq!(
            std::mem::discriminant(&captured[name]),
            std::mem::discriminant(&built[name]),
            "{name}"
        );
    }
}

#[tokio::test]
async fn line_15_http_that_is_not_forwarded() {
    let function = with_binding(http("items/{id}", "function"), queue_output("note"));
    let (app, _) = at_time(&[("item", function)], "2026-03-02T03:00:00Z");
    let host = app.start_ready().await;
    let headers = [
        ("host", "app.example"),
        ("content-type", "application/json"),
        ("x-tag", "a"),
        ("x-tag", "b"),
    ];
    let url = format!("{}/api/items/7?x=1&x=2", host.url());
    call(Method::POST, url, &headers, sized(r#"{"a":1}"#)).await;
    host.stop().await;
    assert_same(app.envelopes("item").remove(0), &own("http.json"));
}
