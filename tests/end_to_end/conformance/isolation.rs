//! Line 30: scaling groups that share nothing, as on Flex Consumption.

use serde_json::json;
use sluice_functions_host::{HostEvent, Instances};

use super::calls::get;
use super::functions::{blob, http, timer};
use super::support::{App, is_alive, is_success};

fn app() -> App {
    let mut app = App::new(&[
        ("predict", http("predict", "anonymous")),
        ("feedback", http("feedback", "anonymous")),
        ("ingest", blob("incoming/{name}")),
        ("retrain", timer("0 0 3 * * 1")),
        ("monitor", timer("0 0 * * * *")),
    ]);
    app.options.instances = Instances::PerScalingGroup;
    for function in ["ingest", "retrain", "monitor"] {
        app.plan_answer(function, json!({ "Outputs": {} }));
    }
    app
}

#[tokio::test]
async fn line_30_predict_ingest_and_each_timer_run_apart() {
    let app = app();
    let host = app.start_ready().await;
    let pid = |function: &str| host.handler_pid_of(function).unwrap();
    assert_eq!(
        pid("predict"),
        pid("feedback"),
        "HTTP functions are one group"
    );
    let mut pids = ["predict", "ingest", "retrain", "monitor"].map(pid);

    // Each function is called in the process of its group, which sees nobody's files but its own.
    assert_eq!(get(&host, "/api/predict").await.status, 200);
    host.invoke_timer("retrain").await.unwrap();
    host.invoke_timer("monitor").await.unwrap();
    app.put_blob("a.csv", "x");
    app.until(4, is_success).await;
    let seen = app.notes("seen");
    for (target, function) in [
        ("/api/predict", "predict"),
        ("/ingest", "ingest"),
        ("/retrain", "retrain"),
        ("/monitor", "monitor"),
    ] {
        let call = seen.iter().find(|seen| seen["target"] == target).unwrap();
        let own = pid(function);
        assert_eq!(
            (&call["pid"], &call["temporary"]),
            (&json!(own), &json!([format!("pid-{own}")])),
            "{target}"
        );
    }
    let mut ports: Vec<_> = app
        .notes("starts")
        .iter()
        .map(|start| start["env"]["FUNCTIONS_CUSTOMHANDLER_PORT"].to_string())
        .collect();
    host.stop().await;
    assert!(pids.iter().all(|pid| !is_alive(*pid)));
    pids.sort_unstable();
    ports.sort();
    ports.dedup();
    assert!(pids.windows(2).all(|two| two[0] != two[1]) && ports.len() == 4);
}

#[tokio::test]
async fn line_30_a_crash_or_time_out_of_one_group_leaves_the_others_alone() {
    let app = app();
    app.plan("api-predict", json!({ "exit": 3 }));
    let host = app.start_ready().await;
    let others = || ["ingest", "retrain", "monitor"].map(|name| host.handler_pid_of(name));
    let (before, predict) = (others(), host.handler_pid_of("predict"));
    assert_eq!(get(&host, "/api/predict").await.status, 500);
    let is_ready = |event: &HostEvent| matches!(event, HostEvent::HandlerReady { instance, .. } if &**instance == "http");
    app.until(2, is_ready).await;
    assert_eq!(others(), before);
    assert_ne!(host.handler_pid_of("predict"), predict);
    host.stop().await;
}

#[tokio::test]
async fn line_30_without_isolation_one_process_serves_all() {
    let mut app = app();
    app.options.instances = Instances::One;
    let host = app.start_ready().await;
    let pid = host.handler_pid();
    for function in ["predict", "ingest", "retrain", "monitor"] {
        assert_eq!(host.handler_pid_of(function), pid);
    }
    host.stop().await;
    assert_eq!(app.notes("starts").len(), 1);
}
