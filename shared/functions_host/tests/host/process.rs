//! The life of the handler's process.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sluice_functions_host::{
    FunctionStatus, HandlerEnd, HostError, HostEvent, Instances, InvocationFailure, ManualClock,
    OutputLevel, StopReason,
};

use crate::support::{App, PATIENCE, blob, eventually, get, http, is_alive, shared, timer};

fn app() -> App {
    App::new(&[
        ("hello", http("hello", "anonymous")),
        ("other", http("other", "anonymous")),
    ])
}

fn is_start(event: &HostEvent) -> bool {
    matches!(event, HostEvent::HandlerStarted { .. })
}

fn is_ready(event: &HostEvent) -> bool {
    matches!(event, HostEvent::HandlerReady { .. })
}

#[tokio::test]
async fn the_handler_gets_its_folder_arguments_and_environment() {
    let mut app = app();
    app.options
        .settings
        .insert("AzureWebJobs.other.Disabled".into(), "true".into());
    app.options
        .environment
        .push(("INHERITED".into(), "yes".into()));
    app.host_json(json!({ "customHandler": { "description": {
        "arguments": ["--port", "%FUNCTIONS_CUSTOMHANDLER_PORT%", "%UNSET%"], "workerArguments": ["\"two words\""] } } }));
    let host = app.start_ready().await;
    let start = &app.notes("starts")[0];
    let env = |name: &str| start["env"][name].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        start["cwd"],
        app.path("app").canonicalize().unwrap().to_str().unwrap()
    );
    assert_eq!(
        env("FUNCTIONS_CUSTOMHANDLER_PORT"),
        env("FUNCTIONS_HTTPWORKER_PORT")
    );
    assert_eq!(
        env("FUNCTIONS_CUSTOMHANDLER_WORKER_ID"),
        env("FUNCTIONS_HTTPWORKER_ID")
    );
    assert_eq!(env("FUNCTIONS_CUSTOMHANDLER_WORKER_ID").len(), 36);
    assert_eq!(
        env("FUNCTIONS_APP_ROOT_PATH"),
        start["cwd"].as_str().unwrap()
    );
    assert_eq!(
        (env("INHERITED"), env("AzureWebJobs.other.Disabled")),
        ("yes".into(), "true".into())
    );
    assert_eq!(
        start["args"],
        json!(["--port", env("FUNCTIONS_CUSTOMHANDLER_PORT"), "two words"])
    );
    assert_eq!(start["pid"].as_u64(), host.handler_pid().map(u64::from));
    assert!(
        host.functions()
            .iter()
            .any(|f| f.name == "other" && f.status == FunctionStatus::Disabled)
    );
    assert_eq!(get(&host, "/api/other").await.status, 404);
    host.stop().await;
}

#[tokio::test]
async fn without_a_function_no_handler_is_started() {
    let app = App::new(&[("broken", json!({ "bindings": [] }))]);
    let host = app.start_ready().await;
    assert_eq!(host.handler_pid(), None);
    assert!(
        matches!(&host.functions()[0].status, FunctionStatus::Rejected { reason } if reason.contains("at least one binding"))
    );
    assert_eq!(get(&host, "/").await.status, 200);
    host.stop().await;
    assert!(app.notes("starts").is_empty());
}

#[tokio::test]
async fn a_host_that_cannot_work_refuses_to_start() {
    let app = app();
    app.host_json(json!({ "version": "1.0" }));
    assert!(
        matches!(app.try_start().await, Err(HostError::Configuration { reason, .. }) if reason.contains("version"))
    );
    app.host_json(
        json!({ "customHandler": { "description": { "defaultExecutablePath": "missing" } } }),
    );
    assert!(matches!(
        app.try_start().await,
        Err(HostError::Executable { .. })
    ));
    app.host_json(json!({ "customHandler": { "http": { "routes": [{ "route": "{*route}" }] } } }));
    assert!(
        matches!(app.try_start().await, Err(HostError::Configuration { reason, .. }) if reason.contains("routes"))
    );
}

#[tokio::test]
async fn any_answer_is_ready_and_earlier_requests_wait_for_it() {
    let app = app();
    app.plan("start", json!({ "delay": 0.4 }));
    app.plan("probe", json!({ "status": 500 }));
    let host = app.start().await;
    assert_eq!(app.count(is_ready), 0);
    assert_eq!(get(&host, "/api/hello").await.status, 200);
    assert_eq!(app.count(is_ready), 1);
    host.stop().await;
}

#[tokio::test]
async fn a_handler_that_never_listens_is_started_three_times() {
    let app = app();
    app.host_json(json!({ "customHandler": { "initializationTimeout": "00:00:00.2" } }));
    app.plan("start", json!({ "silent": true }));
    let host = app.start().await;
    assert!(matches!(
        host.wait().await,
        StopReason::HandlerFailed {
            errors: 3,
            last: HandlerEnd::NotReady { .. },
            ..
        }
    ));
    assert_eq!(app.count(is_start), 3);
}

#[tokio::test]
async fn a_request_that_waits_too_long_for_the_handler_stops_the_host() {
    let app = app();
    app.host_json(json!({ "customHandler": { "initializationTimeout": "00:00:01" } }));
    app.plan("start", json!({ "hang": true }));
    let host = app.start().await;
    // The handler accepts the probe and never answers: neither ready nor failed.
    let answer = get(&host, "/api/hello");
    let (reason, _) = tokio::join!(host.wait(), async {
        tokio::time::timeout(PATIENCE, answer).await
    });
    assert!(matches!(reason, StopReason::NeverReady { .. }), "{reason}");
}

#[tokio::test]
async fn a_crash_restarts_on_the_same_port_and_the_third_stops_the_host() {
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
    let env = |index: usize, name: &str| starts[index]["env"][name].clone();
    assert_eq!(starts.len(), 3);
    assert_eq!(
        env(0, "FUNCTIONS_CUSTOMHANDLER_PORT"),
        env(2, "FUNCTIONS_CUSTOMHANDLER_PORT")
    );
    assert_ne!(
        env(0, "FUNCTIONS_CUSTOMHANDLER_WORKER_ID"),
        env(1, "FUNCTIONS_CUSTOMHANDLER_WORKER_ID")
    );
}

#[tokio::test]
async fn errors_are_forgotten_after_half_an_hour() {
    let mut app = app();
    let clock = ManualClock::new(Timestamp::now());
    app.options.clock = Arc::new(clock.clone());
    app.plan("api-hello", json!({ "exit": 3 }));
    let host = app.start_ready().await;
    for crashes in 1..=4 {
        if crashes == 3 {
            clock.set(jiff::Timestamp::now() + SignedDuration::from_mins(31));
        }
        get(&host, "/api/hello").await;
        app.until(crashes + 1, is_ready).await;
    }
    assert_eq!(get(&host, "/api/other").await.status, 200);
    host.stop().await;
}

#[tokio::test]
async fn exit_200_restarts_without_counting_and_exit_0_does_not_restart() {
    let app = app();
    app.plan("api-hello", json!({ "exit": 200 }));
    let host = app.start_ready().await;
    for exits in 1..=4 {
        get(&host, "/api/hello").await;
        app.until(exits + 1, is_ready).await;
    }
    assert_eq!(
        app.count(|event| matches!(event, HostEvent::HandlerRestarting { counted: false, .. })),
        4
    );
    app.plan("api-hello", json!({ "exit": 0 }));
    get(&host, "/api/hello").await;
    app.until(1, |event| {
        matches!(
            event,
            HostEvent::HandlerEnded {
                end: HandlerEnd::Exited { code: 0 },
                ..
            }
        )
    })
    .await;
    assert_eq!(get(&host, "/api/other").await.status, 500);
    assert_eq!((app.count(is_start), host.handler_pid()), (5, None));
    host.stop().await;
}

#[tokio::test]
async fn a_stop_is_a_kill_without_a_word() {
    let app = app();
    app.plan("api-hello", json!({ "delay": 600 }));
    let host = shared(app.start_ready().await);
    let pid = host.handler_pid().unwrap();
    let caller = host.clone();
    let waiting = tokio::spawn(async move {
        let url = format!("{}/api/hello", caller.url());
        let request = http::Request::get(url)
            .body(crate::support::sized(""))
            .unwrap();
        crate::support::send(request).await.is_err()
    });
    eventually("the request arrives", || !app.notes("seen").is_empty()).await;
    host.stop().await;
    assert!(!is_alive(pid));
    assert!(app.notes("signals").is_empty());
    assert!(waiting.await.unwrap(), "the caller's connection ends");
    assert_eq!(host.wait().await, StopReason::Requested);
}

#[tokio::test]
async fn lines_have_the_level_of_their_stream() {
    let app = app();
    app.plan(
        "start",
        json!({ "stdout": ["fine"], "stderr": ["a Warning", "boom"] }),
    );
    let host = app.start_ready().await;
    let line = |text: &'static str, wanted: OutputLevel| {
        app.until(1, move |event| matches!(event, HostEvent::HandlerOutput { line, level, .. } if line == text && *level == wanted))
    };
    line("fine", OutputLevel::Information).await;
    line("a Warning", OutputLevel::Warning).await;
    line("boom", OutputLevel::Error).await;
    host.stop().await;
}

#[tokio::test]
async fn a_function_time_out_kills_everything_in_flight_and_is_not_counted() {
    let app = app();
    app.host_json(json!({ "functionTimeout": "00:00:01" }));
    app.plan("api-hello", json!({ "delay": 600 }));
    let host = shared(app.start_ready().await);
    let slow = |host: Arc<sluice_functions_host::RunningHost>| {
        tokio::spawn(async move { get(&host, "/api/hello").await.status })
    };
    let first = slow(host.clone());
    app.until(1, |event| {
        matches!(event, HostEvent::InvocationStarted { .. })
    })
    .await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let second = slow(host.clone());
    assert_eq!(
        (first.await.unwrap(), second.await.unwrap()),
        (500.try_into().unwrap(), 500.try_into().unwrap())
    );
    app.until(2, is_ready).await;
    let reasons: Vec<_> = app
        .events()
        .into_iter()
        .filter_map(|event| match event {
            HostEvent::InvocationFailed { reason, .. } => Some(reason),
            _ => None,
        })
        .collect();
    assert!(
        matches!(reasons[0], InvocationFailure::TimedOut { .. }),
        "{reasons:?}"
    );
    assert!(
        matches!(reasons[1], InvocationFailure::Unreachable { .. }),
        "{reasons:?}"
    );
    assert_eq!(
        app.count(|event| matches!(
            event,
            HostEvent::HandlerEnded {
                end: HandlerEnd::TimedOut,
                ..
            }
        )),
        1
    );
    assert_eq!(
        app.count(|event| matches!(event, HostEvent::HandlerRestarting { counted: false, .. })),
        1
    );
    assert_eq!(get(&host, "/api/other").await.status, 200);
    host.stop().await;
}

#[tokio::test]
async fn scaling_groups_can_run_apart() {
    let mut app = App::new(&[
        ("hello", http("hello", "anonymous")),
        ("ingest", blob("incoming/{name}")),
        ("retrain", timer("0 0 3 * * 1")),
        ("monitor", timer("0 0 * * * *")),
    ]);
    app.options.instances = Instances::PerScalingGroup;
    let host = app.start_ready().await;
    let mut pids: Vec<_> = ["hello", "ingest", "retrain", "monitor"]
        .iter()
        .map(|name| host.handler_pid_of(name).unwrap())
        .collect();
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), 4);
    let mut folders: Vec<String> = app
        .notes("starts")
        .iter()
        .map(|start| start["env"]["TMPDIR"].to_string())
        .collect();
    folders.sort();
    folders.dedup();
    assert_eq!(folders.len(), 4);
    host.stop().await;
    assert!(pids.into_iter().all(|pid| !is_alive(pid)));
}

/// Run by the test below in a process of its own, which is then killed.
#[tokio::test]
#[ignore = "the body of another test"]
async fn a_host_to_be_killed() {
    let Ok(root) = std::env::var("HOST_TO_BE_KILLED") else {
        return;
    };
    let mut app = app();
    app.options.settings.insert("PLAN".into(), root);
    let host = app.start_ready().await;
    host.wait().await;
}

#[tokio::test]
async fn the_handler_dies_with_a_host_that_is_killed() {
    let plan = tempfile::tempdir().unwrap();
    let mut host = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "process::a_host_to_be_killed"])
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
