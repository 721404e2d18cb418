//! Lines 16, 26 and 27: timers, on a clock that the test moves.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use sluice_functions_host::{HostError, HostEvent, InvocationFailure, ManualClock};

use super::functions::timer;
use super::support::{App, eventually, is_log, reason};

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
async fn line_16_a_timer_shows_the_status_before_the_run() {
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
        runs[0]["Data"],
        json!({ "timer": {
            "Schedule": { "AdjustForDST": true },
            "ScheduleStatus": { "Last": "0001-01-01T00:00:00", "Next": "2026-11-20T23:00:00+00:00", "LastUpdated": "0001-01-01T00:00:00" },
            "IsPastDue": false,
        } })
    );
    assert_eq!(
        runs[1]["Data"]["timer"]["ScheduleStatus"],
        json!({ "Last": "2026-11-20T23:00:00.25+00:00", "Next": "2026-11-21T00:00:00+00:00", "LastUpdated": "2026-11-20T23:00:00.25+00:00" })
    );
    let metadata = runs[0]["Metadata"].as_object().unwrap();
    assert_eq!(metadata.keys().collect::<Vec<_>>(), ["sys"]);
    assert_eq!(app.count(is_log), 2);
    host.stop().await;
}

#[tokio::test]
async fn line_16_without_a_monitor_there_is_no_status() {
    let mut unmonitored = timer("0 0 3 * * 1");
    unmonitored["bindings"][0]["useMonitor"] = json!(false);
    // A schedule that fires more often than each minute has no monitor either.
    for function in [unmonitored, timer("*/30 * * * * *"), timer("00:00:30")] {
        let adjusts = function["bindings"][0]["schedule"] != "00:00:30";
        let (mut app, _) = app(function, "2026-11-20T22:30:00Z");
        app.options.start_timers = false;
        let host = app.start_ready().await;
        host.invoke_timer("Tick").await.unwrap();
        host.stop().await;
        assert_eq!(
            app.envelopes("tick")[0]["Data"]["timer"],
            json!({ "Schedule": { "AdjustForDST": adjusts }, "ScheduleStatus": null, "IsPastDue": false })
        );
    }
}

#[tokio::test]
async fn line_16_a_timer_can_be_run_by_hand_and_says_why_it_failed() {
    let (app, _) = app(timer("0 0 3 * * 1"), "2026-11-20T22:30:00Z");
    let host = app.start_ready().await;
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
async fn line_26_schedules_are_ncrontabs_in_utc() {
    // A Friday, exactly at one of the times.
    let now = "2026-11-20T22:30:00Z";
    let schedules = [
        ("six", "0 0 3 * * 1", Some("2026-11-23T03:00:00Z")),
        ("five", "0 3 * * 1", Some("2026-11-23T03:00:00Z")),
        ("strictly", "0 30 22 * * *", Some("2026-11-21T22:30:00Z")),
        ("sunday", "0 0 0 * * 0", Some("2026-11-22T00:00:00Z")),
        ("saturday", "0 0 0 * * 6", Some("2026-11-21T00:00:00Z")),
        ("both", "0 0 0 13 * 5", Some("2027-08-13T00:00:00Z")),
        ("steps", "0 0 12 1/10 * *", Some("2026-11-21T12:00:00Z")),
        ("names", "0 0 9 * DEC Mon-Fri", Some("2026-12-01T09:00:00Z")),
        ("lists", "15,45 59 23 31 12 *", Some("2026-12-31T23:59:15Z")),
        ("span", "02:00:00", Some("2026-11-21T00:30:00Z")),
        ("never", "0 0 0 30 2 *", None),
    ];
    let wrong = [
        ("seven", "0 0 3 * * 7"),
        ("last", "0 0 3 L * *"),
        ("nearest", "0 0 3 15W * *"),
        ("hash", "0 0 3 * * 1#2"),
        ("question", "0 0 3 ? * 1"),
        ("four", "0 3 * *"),
        ("day0", "0 0 3 0 * *"),
        ("second60", "60 0 3 * * *"),
    ];
    let functions: Vec<(&str, Value)> = schedules
        .iter()
        .map(|(name, schedule, _)| (*name, timer(schedule)))
        .chain(
            wrong
                .iter()
                .map(|(name, schedule)| (*name, timer(schedule))),
        )
        .collect();
    let mut app = App::new(&functions);
    app.options.clock = Arc::new(ManualClock::new(at(now)));
    for variable in ["TZ", "WEBSITE_TIME_ZONE"] {
        let elsewhere = "America/New_York".into();
        app.options.settings.insert(variable.into(), elsewhere);
    }
    let host = app.start().await;
    for (name, schedule, expected) in schedules {
        let wanted = expected.map(at);
        let is_its = |event: &HostEvent| matches!(event, HostEvent::TimerScheduled { function, .. } if &**function == name);
        app.until(1, is_its).await;
        let is_right = |event: &HostEvent| matches!(event, HostEvent::TimerScheduled { function, next } if &**function == name && *next == wanted);
        assert_eq!(app.count(is_right), 1, "{schedule}: {:?}", app.events());
    }
    for (name, schedule) in wrong {
        let reason = reason(&host, name);
        assert!(reason.contains(schedule), "{reason}");
    }
    host.stop().await;
}

#[tokio::test]
async fn line_27_the_first_start_runs_nothing_unless_asked_to() {
    let (mut app, clock) = app(timer("0 0 3 * * 1"), "2026-11-20T22:30:00Z");
    let host = app.start_ready().await;
    app.until(1, is_scheduled("2026-11-23T03:00:00Z")).await;
    eventually("the host waits for the clock", || clock.sleepers() > 0).await;
    host.stop().await;
    assert!(app.envelopes("tick").is_empty());

    let mut function = timer("0 0 3 * * 1");
    function["bindings"][0]["runOnStartup"] = json!(true);
    std::fs::write(app.path("app/tick/function.json"), function.to_string()).unwrap();
    let host = app.start_ready().await;
    app.until(1, is_over).await;
    host.stop().await;
    app.options.start_timers = false;
    let host = app.start_ready().await;
    host.stop().await;
    assert_eq!(app.envelopes("tick").len(), 1);
}

#[tokio::test]
async fn line_27_a_missed_time_gives_one_late_run_and_a_changed_schedule_none() {
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
    let changed = timer("0 0 4 * * 2");
    std::fs::write(app.path("app/tick/function.json"), changed.to_string()).unwrap();
    app.options.clock = Arc::new(ManualClock::new(at("2027-03-01T10:00:00Z")));
    let host = app.start_ready().await;
    app.until(1, is_scheduled("2027-03-02T04:00:00Z")).await;
    host.stop().await;
    assert_eq!(app.envelopes("tick").len(), 1);
}

#[tokio::test]
async fn line_27_a_failed_run_advances_the_status() {
    let (mut app, clock) = app(timer("0 0 * * * *"), "2026-11-20T22:30:00Z");
    app.plan("tick", json!({ "status": 500 }));
    let host = app.start_ready().await;
    app.until(1, is_scheduled("2026-11-20T23:00:00Z")).await;
    clock.set(at("2026-11-20T23:00:00Z"));
    app.until(1, is_scheduled("2026-11-21T00:00:00Z")).await;
    host.stop().await;
    assert_eq!(app.failures(), [InvocationFailure::Status { status: 500 }]);

    // Also for the next host: nothing was missed.
    app.forget_events();
    app.options.clock = Arc::new(ManualClock::new(at("2026-11-20T23:30:00Z")));
    let host = app.start_ready().await;
    app.until(1, is_scheduled("2026-11-21T00:00:00Z")).await;
    host.stop().await;
    assert_eq!(app.envelopes("tick").len(), 1);
}

#[tokio::test]
async fn line_27_runs_never_overlap() {
    let (app, clock) = app(timer("0 * * * * *"), "2026-11-20T22:30:30Z");
    app.plan("tick", json!({ "wait_for": "go", "headers": { "Content-Type": "application/json" }, "body": "{}" }));
    let host = app.start_ready().await;
    app.until(1, is_scheduled("2026-11-20T22:31:00Z")).await;
    clock.set(at("2026-11-20T22:31:00Z"));
    eventually("the run begins", || app.notes("seen").len() == 1).await;
    // Four more times pass during the run: they become one.
    clock.set(at("2026-11-20T22:35:30Z"));
    app.release("go");
    app.until(1, is_scheduled("2026-11-20T22:36:00Z")).await;
    let runs = app.envelopes("tick");
    assert_eq!(
        (runs.len(), &runs[1]["Data"]["timer"]["IsPastDue"]),
        (2, &json!(false))
    );
    host.stop().await;
}

#[tokio::test]
async fn line_27_one_instance_at_a_time_holds_the_lock() {
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
