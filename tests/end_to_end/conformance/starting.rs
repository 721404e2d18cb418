//! Lines 1 to 4: how the handler is started and when it is ready.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use ::http::Request;
use serde_json::json;
use sluice_functions_host::{HandlerEnd, HostError, HostEvent, RunningHost, StopReason};

use super::calls::{get, send, sized};
use super::functions::{http, timer};
use super::support::{App, eventually, is_ready, is_start, reason};

fn app() -> App {
    App::new(&[
        ("hello", http("hello", "anonymous")),
        ("tick", timer("0 0 3 * * 1")),
    ])
}

#[tokio::test]
async fn line_01_the_handler_gets_its_folder_arguments_and_environment() {
    let mut app = app();
    app.options
        .settings
        .insert("A_SETTING".into(), "own".into());
    app.options
        .environment
        .push(("INHERITED".into(), "yes".into()));
    app.host_json(json!({ "customHandler": { "description": {
        "arguments": ["--port", "%FUNCTIONS_CUSTOMHANDLER_PORT%", "%UNSET%"], "workerArguments": ["\"two words\""] } } }));
    let host = app.start_ready().await;
    host.stop().await;
    let start = &app.notes("starts")[0];
    let env = |name: &str| start["env"][name].as_str().unwrap_or_default().to_owned();
    let root = app.path("app").canonicalize().unwrap();
    assert_eq!(start["cwd"], root.to_str().unwrap());
    assert_eq!(
        (env("INHERITED"), env("A_SETTING")),
        ("yes".into(), "own".into())
    );
    assert_eq!(env("FUNCTIONS_APP_ROOT_PATH"), root.to_str().unwrap());
    let port = env("FUNCTIONS_CUSTOMHANDLER_PORT");
    assert_eq!(port, env("FUNCTIONS_HTTPWORKER_PORT"));
    let worker = env("FUNCTIONS_CUSTOMHANDLER_WORKER_ID");
    assert_eq!(worker, env("FUNCTIONS_HTTPWORKER_ID"));
    assert_eq!(
        worker.split('-').map(str::len).collect::<Vec<_>>(),
        [8, 4, 4, 4, 12]
    );
    assert_eq!(start["args"], json!(["--port", port, "two words"]));
    // The port was free: the handler listens on it. The events tell the same start.
    let told = app.events().into_iter().find_map(|event| match event {
        HostEvent::HandlerStarted {
            pid,
            port,
            worker_id,
            ..
        } => Some((u64::from(pid), port.to_string(), worker_id)),
        _ => None,
    });
    assert_eq!(told, Some((start["pid"].as_u64().unwrap(), port, worker)));
    assert_eq!(app.count(is_ready), 1);
}

#[tokio::test]
async fn line_01_the_working_directory_may_be_another() {
    let app = app();
    fs::create_dir(app.path("app/elsewhere")).unwrap();
    app.host_json(
        json!({ "customHandler": { "description": { "workingDirectory": "elsewhere" } } }),
    );
    let host = app.start_ready().await;
    host.stop().await;
    let folder = app.path("app/elsewhere").canonicalize().unwrap();
    assert_eq!(app.notes("starts")[0]["cwd"], folder.to_str().unwrap());
}

#[tokio::test]
async fn line_01_an_executable_that_cannot_be_run_is_named() {
    let app = app();
    app.host_json(
        json!({ "customHandler": { "description": { "defaultExecutablePath": "missing" } } }),
    );
    assert!(
        matches!(app.try_start().await, Err(HostError::Executable { path, .. }) if path.ends_with("app/missing"))
    );
}

#[tokio::test]
async fn line_02_without_a_function_no_handler_is_started() {
    let app = App::new(&[("broken", json!({ "bindings": [] }))]);
    let host = app.start_ready().await;
    assert_eq!(host.handler_pid(), None);
    assert!(reason(&host, "broken").contains("at least one binding"));
    assert_eq!(get(&host, "/").await.status, 200);
    host.stop().await;
    assert_eq!((app.count(is_start), app.notes("starts").len()), (0, 0));
}

#[tokio::test]
async fn line_03_any_answer_to_the_probe_is_ready() {
    for probe in [
        json!({ "status": 200, "body": "hello" }),
        json!({ "status": 404 }),
        json!({ "status": 500 }),
        json!({ "status": 302, "headers": { "Location": "/elsewhere" } }),
        json!({ "break": true }),
    ] {
        let app = app();
        app.plan("probe", probe.clone());
        let host = app.start_ready().await;
        host.stop().await;
        let probes = app.notes("probes");
        assert_eq!(probes.len(), 1, "{probe}");
        assert_eq!(
            (&probes[0]["method"], &probes[0]["peer"]),
            (&json!("GET"), &json!("127.0.0.1"))
        );
        // Nothing but what HTTP itself asks for.
        let headers: Vec<_> = probes[0]["headers"].as_array().unwrap().iter().collect();
        assert!(
            matches!(headers.as_slice(), [one] if one[0] == "host"),
            "{headers:?}"
        );
        assert!(app.notes("seen").is_empty(), "the redirect was followed");
    }
}

#[tokio::test]
async fn line_03_a_handler_that_never_listens_is_not_ready_after_its_own_limit() {
    let app = app();
    app.host_json(json!({ "customHandler": { "initializationTimeout": "00:00:00.2" } }));
    app.plan("start", json!({ "silent": true }));
    let host = app.start().await;
    let StopReason::HandlerFailed { errors, last, .. } = host.wait().await else {
        panic!("{:?}", host.wait().await)
    };
    let within = Duration::from_millis(200);
    assert_eq!((errors, last), (3, HandlerEnd::NotReady { within }));
    assert_eq!((app.count(is_start), app.count(is_ready)), (3, 0));
}

#[tokio::test]
async fn line_03_the_limit_is_30_seconds_unless_told_otherwise() {
    let app = app();
    app.plan("start", json!({ "silent": true }));
    let host = app.start().await;
    let is_over = |event: &HostEvent| matches!(event, HostEvent::HandlerEnded { .. });
    app.until(1, is_over).await;
    host.stop().await;
    let end = app.events().into_iter().find_map(|event| match event {
        HostEvent::HandlerEnded { end, .. } => Some(end),
        _ => None,
    });
    let within = Duration::from_secs(30);
    assert_eq!(end, Some(HandlerEnd::NotReady { within }));
}

#[tokio::test]
async fn line_04_invocations_wait_for_a_ready_handler() {
    let app = app();
    app.plan("start", json!({ "wait_for": "go" }));
    app.plan(
        "tick",
        json!({ "headers": { "Content-Type": "application/json" }, "body": "{}" }),
    );
    let host = Arc::new(app.start().await);
    let caller = host.clone();
    let http = tokio::spawn(async move { get(&caller, "/api/hello").await.status });
    let caller = host.clone();
    let timer = tokio::spawn(async move { caller.invoke_timer("tick").await.is_ok() });
    eventually("the handler starts", || !app.notes("starts").is_empty()).await;
    assert_eq!(app.count(is_ready), 0);
    assert!(!http.is_finished() && !timer.is_finished());
    app.release("go");
    assert_eq!(http.await.unwrap(), 200);
    assert!(timer.await.unwrap());
    assert_eq!((app.count(is_ready), app.notes("seen").len()), (1, 2));
    host.stop().await;
}

#[tokio::test]
async fn line_04_a_request_that_waits_four_limits_for_the_handler_stops_the_host() {
    let app = app();
    app.host_json(json!({ "customHandler": { "initializationTimeout": "00:00:03" } }));
    app.plan("start", json!({ "hang": true }));
    let host = app.start().await;
    // The handler accepts the probe and never answers: neither ready nor failed.
    let answer = get_or_none(&host);
    let (reason, _) = tokio::join!(host.wait(), answer);
    let waited = Duration::from_secs(12);
    assert_eq!(reason, StopReason::NeverReady { waited });
    assert_eq!(app.count(is_ready), 0);
    assert!(matches!(host.ready().await, Err(HostError::Stopped(_))));
}

/// The stopping host may answer or cut the connection.
async fn get_or_none(host: &RunningHost) {
    let request = Request::get(format!("{}/api/hello", host.url()));
    let _ = send(request.body(sized("")).unwrap()).await;
}
