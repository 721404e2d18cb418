//! SIGKILL at a chosen moment: what was accepted is there afterwards, once. Random moments are in [`crate::faults`].

use hyper::Method;
use rustix::process::Signal;
use serde_json::json;

use crate::http;
use crate::machine::Machine;
use crate::process::signal_to;
use crate::rows;
use crate::settings;
use crate::wait::eventually;

/// The event of a new blob, as the host sends it.
pub(crate) fn announce(handler_url: &str, name: &str) -> Result<http::Answer, String> {
    let event = json!({
        "Data": { "blob": "" },
        "Metadata": {
            "Uri": json!(format!("https://local.blob.core.windows.net/incoming/messages/{name}")).to_string(),
            "Properties": { "ContentLength": 1 },
            "Metadata": {},
            "sys": { "MethodName": "ingest", "UtcNow": "2026-01-01T00:00:00Z", "RandGuid": "5a9d6b8c-9f0e-4b57-a5c4-2f4b8f5a7d33" },
        },
    });
    http::try_send(http::request(
        Method::POST,
        &format!("{handler_url}/ingest"),
        "application/json",
        event.to_string(),
    ))
}

#[test]
fn the_host_goes_on_with_an_event_whose_handler_was_killed() {
    let up = Machine::new().up();
    let before = up.handler_pid();
    up.upload("rows.csv", rows::csv(1, 300));
    signal_to(before, Signal::KILL);
    up.eventually("the rows in the dataset", || {
        (up.dataset()["rows"] == 300).then_some(())
    });
    assert_ne!(up.handler_pid(), before);
}

#[test]
fn a_host_killed_with_its_handler_leaves_nothing_behind_and_goes_on_from_there() {
    let up = Machine::new().up();
    let handler = up.handler_pid();
    up.upload("rows.csv", rows::csv(1, 300));
    let machine = up.kill();
    eventually("the end of the handler", String::new, || {
        (!crate::process::is_running(handler)).then_some(())
    });
    machine.an_hour_passes();
    let up = machine.up();
    up.fire("reconcile");
    up.eventually("the rows in the dataset", || {
        (up.dataset()["rows"] == 300).then_some(())
    });
}

#[test]
fn a_killed_training_job_is_a_failed_run_and_the_next_one_works() {
    // Far more to search than the kill takes to come.
    let slow: Vec<f64> = (1..=60).map(f64::from).collect();
    let machine = Machine::with(&[("training.regularisation", slow.into())]);
    machine.ingest("rows.csv", rows::csv(1, 3_000));
    let started = machine.json(&["retrain"]);
    let job = started["run"]["job"].as_str().unwrap();
    let pid: u32 = job.split('-').nth(1).unwrap().parse().unwrap();
    signal_to(pid, Signal::KILL);

    machine.configure(&settings::quick());
    let reconciled = eventually("the end of the run", String::new, || {
        let reconciled = machine.json(&["reconcile"]);
        (reconciled["training"]["outcome"] != "running").then_some(reconciled)
    });
    assert_eq!(reconciled["training"]["outcome"], "failed", "{reconciled}");
    // There are rows that no run has seen: the next one starts by itself.
    assert_eq!(reconciled["started"]["outcome"], "started", "{reconciled}");
    let collected = eventually("the end of the run after it", String::new, || {
        let training = machine.json(&["reconcile"])["training"].take();
        (training["outcome"] != "running").then_some(training)
    });
    assert_eq!(collected["passed"], true, "{collected}");
    let status = machine.json(&["release", "status"]);
    assert_eq!(
        status["waiting"].as_array().map(Vec::len),
        Some(1),
        "{status}"
    );
}
