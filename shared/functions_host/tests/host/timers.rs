//! Timers, on a clock that the test moves.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use sluice_functions_host::{HostError, HostEvent, InvocationFailure, ManualClock};

use crate::support::{App, eventually, timer};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn app(function: Value, now: &str) -> (App, ManualClock) {
    let mut app = App::new(&[("tick", function)]);
    let clock = ManualClock::new(at(now));
    app.options.clock = Arc::new(clock.clone());
    app.plan_answer("tick", json!({ "Outputs": {}, "Logs": ["ran"] }));
    (app, clock)
}

fn is_scheduled(next: &str) -> impl Fn(&HostEvent) -> bool {
    let wanted = at(next);
    move |event| matches!(event, HostEvent::TimerScheduled { next: Some(next), .. } if *next == wanted)
}

fn is_over(event: &HostEvent) -> bool {
    matches!(
        event,
        HostEvent::InvocationSucceeded { .. } | HostEvent::InvocationFailed { .. }
    )
}

#[tokio::test]
async fn a_timer_fires_at_its_times_and_shows_the_status_before_the_run() {
    let (app, clock) = app(timer("0 0 * * * *"), "2026-11-20T22:30:00Z");
    let host = app.start_ready().await;
    app.until(1, is_scheduled("2026-11-20T23:00:00Z")).await;
    clock.set(at("2026-11-20T22:59:59.9Z"));
    assert!(app.envelopes("tick").is_empty());
    clock.set(at("2026-11-20T23:00:00.25Z"));
    app.until(1, is_scheduled("2026-11-21T00:00:00Z")).await;
    clock.set(at("2026-11-21T00:00:00Z"));
    app.until(2, is_over).await;
    let runs = app.envelopes("tick");
    assert_eq!(
        runs[0]["Data"]["timer"],
        json!({
            "Schedule": { "AdjustForDST": true },
            "ScheduleStatus": { "Last": "0001-01-01T00:00:00", "Next": "2026-11-20T23:00:00+00:00", "LastUpdated": "0001-01-01T00:00:00" },
            "IsPastDue": false,
        })
    );
    assert_eq!(
        runs[1]["Data"]["timer"]["ScheduleStatus"],
        json!({ "Last": "2026-11-20T23:00:00.25+00:00", "Next": "2026-11-21T00:00:00+00:00", "LastUpdated": "2026-11-20T23:00:00.25+00:00" })
    );
    let metadata = runs[0]["Metadata"].as_object().unwrap();
    assert_eq!(metadata.keys().collect::<Vec<_>>(), ["sys"]);
    assert_eq!(metadata["sys"]["MethodName"], "tick");
    assert_eq!(
        app.count(|event| matches!(event, HostEvent::InvocationLog { line, .. } if line == "ran")),
        2
    );
    host.stop().await;
}

#[tokio::test]
async fn a_missed_time_gives_one_late_run_and_a_changed_schedule_none() {
    let (mut app, _) = app(timer("0 0 3 * * 1"), "2026-11-20T22:30:00Z");
    let host = app.start_ready().await;
    app.until(1, is_scheduled("2026-11-23T03:00:00Z")).await;
    host.stop().await;

    // Three Mondays later.
    app.forget_events();
    app.options.clock = Arc::new(ManualClock::new(at("2026-12-10T10:00:00Z")));
    let host = app.start_ready().await;
    app.until(1, is_scheduled("2026-12-14T03:00:00Z")).await;
    host.stop().await;
    let runs = app.envelopes("tick");
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0]["Data"]["timer"]["IsPastDue"], true);

    app.forget_events();
    std::fs::write(
        app.path("app/tick/function.json"),
        timer("0 0 4 * * 2").to_string(),
    )
    .unwrap();
    app.options.clock = Arc::new(ManualClock::new(at("2027-03-01T10:00:00Z")));
    let host = app.start_ready().await;
    app.until(1, is_scheduled("2027-03-02T04:00:00Z")).await;
    host.stop().await;
    assert_eq!(app.envelopes("tick").len(), 1);
}

#[tokio::test]
async fn a_failed_run_advances_the_status_and_retries_carry_one_id() {
    let mut function = timer("0 0 * * * *");
    function["retry"] =
        json!({ "strategy": "fixedDelay", "maxRetryCount": 2, "delayInterval": "00:01:00" });
    let (app, clock) = app(function, "2026-11-20T22:30:00Z");
    app.plan("tick", json!({ "status": 500 }));
    let host = app.start_ready().await;
    for (attempts, now) in [
        "2026-11-20T23:00:00Z",
        "2026-11-20T23:01:00Z",
        "2026-11-20T23:02:00Z",
    ]
    .into_iter()
    .enumerate()
    {
        eventually("the host waits for the clock", || clock.sleepers() > 0).await;
        clock.set(at(now));
        app.until(attempts + 1, is_over).await;
    }
    // The next time counts from the beginning of the run, not from its last retry.
    app.until(1, is_scheduled("2026-11-21T00:00:00Z")).await;
    host.stop().await;
    let contexts: Vec<Value> = app
        .envelopes("tick")
        .iter()
        .map(|run| run["Metadata"]["RetryContext"].clone())
        .collect();
    let counts: Vec<_> = contexts
        .iter()
        .map(|context| context["RetryCount"].as_u64().unwrap())
        .collect();
    assert_eq!(
        (counts, &contexts[2]["MaxRetryCount"]),
        (vec![0, 1, 2], &json!(2))
    );
    assert!(
        contexts[0]["Exception"].is_null()
            && contexts[1]["Exception"]["Message"]
                .as_str()
                .unwrap()
                .contains("500")
    );
    let mut ids: Vec<_> = app
        .notes("seen")
        .iter()
        .map(|seen| crate::support::seen_header(seen, "x-azure-functions-invocationid"))
        .collect();
    ids.dedup();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn runs_never_overlap() {
    let (app, clock) = app(timer("0 * * * * *"), "2026-11-20T22:30:30Z");
    app.plan("tick", json!({ "wait_for": "go", "headers": { "Content-Type": "application/json" }, "body": "{}" }));
    let host = app.start_ready().await;
    app.until(1, is_scheduled("2026-11-20T22:31:00Z")).await;
    clock.set(at("2026-11-20T22:31:00Z"));
    eventually("the run begins", || app.notes("seen").len() == 1).await;
    // Four more times pass during the run: they become one.
    clock.set(at("2026-11-20T22:35:30Z"));
    std::fs::write(app.path("plan/go"), "").unwrap();
    app.until(1, is_scheduled("2026-11-20T22:36:00Z")).await;
    assert_eq!(app.envelopes("tick").len(), 2);
    assert_eq!(
        app.envelopes("tick")[1]["Data"]["timer"]["IsPastDue"],
        false
    );
    host.stop().await;
}

#[tokio::test]
async fn one_host_at_a_time_runs_a_timer() {
    let (app, clock) = app(timer("0 0 * * * *"), "2026-11-20T22:30:00Z");
    let first = app.start_ready().await;
    app.until(1, is_scheduled("2026-11-20T23:00:00Z")).await;
    let second = app.start_ready().await;
    app.until(1, |event| {
        matches!(event, HostEvent::TimerHeldElsewhere { .. })
    })
    .await;
    clock.set(at("2026-11-20T23:00:00Z"));
    app.until(1, is_scheduled("2026-11-21T00:00:00Z")).await;
    assert_eq!(app.envelopes("tick").len(), 1);
    // The second takes over once the first is gone, at its next look a minute later.
    first.stop().await;
    eventually("the second waits", || clock.sleepers() > 0).await;
    clock.set(at("2026-11-20T23:05:00Z"));
    app.until(2, is_scheduled("2026-11-21T00:00:00Z")).await;
    clock.set(at("2026-11-21T00:00:00Z"));
    app.until(2, is_over).await;
    second.stop().await;
}

#[tokio::test]
async fn a_timer_can_be_run_by_hand_and_without_a_monitor_has_no_status() {
    let mut function = timer("0 0 3 * * 1");
    function["bindings"][0]["useMonitor"] = json!(false);
    let (app, _) = app(function, "2026-11-20T22:30:00Z");
    let host = app.start_ready().await;
    host.invoke_timer("Tick").await.unwrap();
    assert!(app.envelopes("tick")[0]["Data"]["timer"]["ScheduleStatus"].is_null());
    app.plan("tick", json!({ "status": 500 }));
    let failed = host.invoke_timer("tick").await;
    assert!(matches!(
        failed,
        Err(HostError::Invocation {
            reason: InvocationFailure::Status { status: 500 },
            ..
        })
    ));
    assert!(matches!(
        host.invoke_timer("tock").await,
        Err(HostError::UnknownFunction { .. })
    ));
    host.stop().await;
}

#[tokio::test]
async fn a_timer_may_run_at_startup_or_not_at_all() {
    let mut function = timer("0 0 3 * * 1");
    function["bindings"][0]["runOnStartup"] = json!(true);
    let (mut app, _) = app(function, "2026-11-20T22:30:00Z");
    let host = app.start_ready().await;
    app.until(1, is_over).await;
    host.stop().await;
    app.options.start_timers = false;
    let host = app.start_ready().await;
    host.stop().await;
    assert_eq!(app.envelopes("tick").len(), 1);
}
