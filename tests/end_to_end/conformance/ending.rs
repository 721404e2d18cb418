//! Lines 5 to 8: how the handler ends, what follows, and what its lines are worth.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use ::http::{Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sluice_functions_host::{
    HandlerEnd, HostEvent, InvocationFailure, ManualClock, OutputLevel, RunningHost, StopReason,
};

use super::calls::{get, send, sized};
use super::functions::http;
use super::support::{App, eventually, is_alive, is_ready, is_start};

fn app() -> App {
    App::new(&[
        ("hello", http("hello", "anonymous")),
        ("other", http("other", "anonymous")),
    ])
}

fn restarts(app: &App, wanted: bool) -> usize {
    app.count(
        |event| matches!(event, HostEvent::HandlerRestarting { counted, .. } if *counted == wanted),
    )
}

#[tokio::test]
async fn line_05_a_crash_restarts_on_the_same_port_and_the_third_stops_the_host() {
    let app = app();
    app.plan("api-hello", json!({ "exit": 3 }));
    let host = app.start_ready().await;
    for crashes in 1..=3 {
        assert_eq!(get(&host, "/api/hello").await.status, 500);
        if crashes < 3 {
            app.until(crashes + 1, is_ready).await;
        }
    }
    let reason = host.wait().await;
    let StopReason::HandlerFailed {
        errors: 3,
        last: HandlerEnd::Exited { code: 3 },
        error_lines,
    } = reason
    else {
        panic!("{reason}")
    };
    assert_eq!(error_lines, ["going down"]);
    let starts = app.notes("starts");
    let all = |name: &str| -> Vec<_> {
        let values = starts.iter().map(|start| start["env"][name].to_string());
        values.collect()
    };
    let ports = all("FUNCTIONS_CUSTOMHANDLER_PORT");
    assert_eq!(
        (ports.len(), &ports[0], &ports[0]),
        (3, &ports[1], &ports[2])
    );
    let workers = all("FUNCTIONS_CUSTOMHANDLER_WORKER_ID");
    assert!(workers[0] != workers[1] && workers[1] != workers[2] && workers[0] != workers[2]);
    assert_eq!((restarts(&app, true), restarts(&app, false)), (2, 0));
}

#[tokio::test]
async fn line_05_a_signal_counts_as_a_crash() {
    let app = app();
    app.plan("api-hello", json!({ "signal": 9 }));
    let host = app.start_ready().await;
    assert_eq!(get(&host, "/api/hello").await.status, 500);
    app.until(2, is_ready).await;
    let is_signal = |event: &HostEvent| {
        matches!(
            event,
            HostEvent::HandlerEnded {
                end: HandlerEnd::Signalled { signal: 9 },
                ..
            }
        )
    };
    assert_eq!((app.count(is_signal), restarts(&app, true)), (1, 1));
    host.stop().await;
}

#[tokio::test]
async fn line_05_errors_are_forgotten_after_half_an_hour() {
    let mut app = app();
    let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
    app.options.clock = Arc::new(clock.clone());
    app.plan("api-hello", json!({ "exit": 3 }));
    let host = app.start_ready().await;
    for crashes in 1..=4 {
        if crashes == 3 {
            clock.set(Timestamp::UNIX_EPOCH + SignedDuration::from_mins(31));
        }
        get(&host, "/api/hello").await;
        app.until(crashes + 1, is_ready).await;
    }
    // 29 minutes after the last, the third of the new count is the end.
    clock.set(Timestamp::UNIX_EPOCH + SignedDuration::from_mins(60));
    get(&host, "/api/hello").await;
    assert!(matches!(
        host.wait().await,
        StopReason::HandlerFailed { errors: 3, .. }
    ));
}

#[tokio::test]
async fn line_05_exit_200_restarts_without_counting_and_exit_0_does_not_restart() {
    let app = app();
    app.plan("api-hello", json!({ "exit": 200 }));
    let host = app.start_ready().await;
    for exits in 1..=4 {
        get(&host, "/api/hello").await;
        app.until(exits + 1, is_ready).await;
    }
    assert_eq!((restarts(&app, false), restarts(&app, true)), (4, 0));
    app.plan("api-hello", json!({ "exit": 0 }));
    get(&host, "/api/hello").await;
    let is_clean = |event: &HostEvent| {
        matches!(
            event,
            HostEvent::HandlerEnded {
                end: HandlerEnd::Exited { code: 0 },
                ..
            }
        )
    };
    app.until(1, is_clean).await;
    for _ in 0..2 {
        assert_eq!(get(&host, "/api/other").await.status, 500);
    }
    assert_eq!((app.count(is_start), host.handler_pid()), (5, None));
    host.stop().await;
}

#[tokio::test]
async fn line_06_a_stop_is_a_kill_without_a_word() {
    let app = app();
    app.plan("api-hello", json!({ "delay": 600 }));
    let host = Arc::new(app.start_ready().await);
    let pid = host.handler_pid().unwrap();
    let caller = host.clone();
    let waiting = tokio::spawn(async move {
        let url = format!("{}/api/hello", caller.url());
        send(Request::get(url).body(sized("")).unwrap())
            .await
            .is_err()
    });
    eventually("the request arrives", || !app.notes("seen").is_empty()).await;
    host.stop().await;
    assert!(!is_alive(pid));
    assert!(app.notes("signals").is_empty());
    assert_eq!((app.notes("probes").len(), app.notes("seen").len()), (1, 1));
    assert!(waiting.await.unwrap(), "the caller's connection ends");
    assert_eq!(host.wait().await, StopReason::Requested);
    let is_killed = |event: &HostEvent| {
        matches!(
            event,
            HostEvent::HandlerEnded {
                end: HandlerEnd::HostStopped,
                ..
            }
        )
    };
    assert_eq!(app.count(is_killed), 1);
}

/// Run by the test below in a process of its own, which is then killed.
#[tokio::test]
#[ignore = "the body of another test"]
async fn line_06_a_host_to_be_killed() {
    let Ok(root) = std::env::var("HOST_TO_BE_KILLED") else {
        return;
    };
    let mut app = app();
    app.options.settings.insert("PLAN".into(), root);
    let host = app.start_ready().await;
    host.wait().await;
}

#[tokio::test]
async fn line_06_the_handler_dies_with_a_host_that_is_killed() {
    let plan = tempfile::tempdir().unwrap();
    let body = "conformance::ending::line_06_a_host_to_be_killed";
    let mut host = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", body])
        .env("HOST_TO_BE_KILLED", plan.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let notes = plan.path().join("starts.jsonl");
    let pid = || {
        let text = std::fs::read_to_string(&notes).ok()?;
        let start: serde_json::Value = serde_json::from_str(text.lines().next()?).ok()?;
        u32::try_from(start["pid"].as_u64()?).ok()
    };
    eventually("the handler starts", || pid().is_some()).await;
    let pid = pid().unwrap();
    assert!(is_alive(pid));
    host.kill().unwrap();
    host.wait().unwrap();
    eventually("the handler ends", || !is_alive(pid)).await;
}

#[tokio::test]
async fn line_07_lines_have_the_level_of_their_stream() {
    let app = app();
    app.plan(
        "start",
        json!({ "stdout": ["fine", "error and warning"], "stderr": ["a WARNing", "boom"] }),
    );
    let host = app.start_ready().await;
    for (text, wanted) in [
        ("fine", OutputLevel::Information),
        ("error and warning", OutputLevel::Information),
        ("a WARNing", OutputLevel::Warning),
        ("boom", OutputLevel::Error),
    ] {
        let is_line = |event: &HostEvent| matches!(event, HostEvent::HandlerOutput { line, level, .. } if line == text && *level == wanted);
        app.until(1, is_line).await;
    }
    host.stop().await;
}

#[tokio::test]
async fn line_08_a_time_out_kills_everything_in_flight_and_is_not_counted() {
    let app = app();
    app.host_json(json!({ "functionTimeout": "00:00:04" }));
    app.plan("api-hello", json!({ "delay": 600 }));
    let host = Arc::new(app.start_ready().await);
    let pid = host.handler_pid().unwrap();
    let first = slow(&host);
    eventually("the first request arrives", || app.notes("seen").len() == 1).await;
    // Not a wait for anything: it only brings the second one's own limit far behind the first one's.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let second = slow(&host);
    eventually("the second request arrives", || {
        app.notes("seen").len() == 2
    })
    .await;
    assert_eq!(
        (first.await.unwrap(), second.await.unwrap()),
        (
            StatusCode::INTERNAL_SERVER_ERROR,
            StatusCode::INTERNAL_SERVER_ERROR
        )
    );
    app.until(2, is_ready).await;
    let failures = app.failures();
    let limit = Duration::from_secs(4);
    assert_eq!(failures[0], InvocationFailure::TimedOut { limit });
    assert!(
        matches!(failures[1], InvocationFailure::Unreachable { .. }),
        "{failures:?}"
    );
    let is_killed = |event: &HostEvent| {
        matches!(
            event,
            HostEvent::HandlerEnded {
                end: HandlerEnd::TimedOut,
                ..
            }
        )
    };
    assert_eq!(app.count(is_killed), 1);
    assert!(!is_alive(pid));
    assert_eq!((restarts(&app, false), restarts(&app, true)), (1, 0));
    assert_eq!(get(&host, "/api/other").await.status, 200);
    host.stop().await;
}

fn slow(host: &Arc<RunningHost>) -> tokio::task::JoinHandle<StatusCode> {
    let host = host.clone();
    tokio::spawn(async move { get(&host, "/api/hello").await.status })
}
