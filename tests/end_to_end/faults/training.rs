//! Whoever collects a finished training run dies: the handler, or the command.

use std::thread;

use serde_json::{Value, json};

use super::background::Background;
use super::books::{Books, jobs_are_done};
use super::moment::{Moment, Watch, in_peace};
use super::onwards::the_loop_goes_on;
use super::{Faults, trains_by_hand};
use crate::machine::{Machine, read_json};
use crate::process::Process;
use crate::up::Handler;
use crate::wait::eventually;

const ROWS: usize = 700;
const WRITES: [&str; 3] = ["runs", "models", "audit"];

#[test]
fn a_training_run_is_collected_once_whoever_dies_meanwhile() {
    let mut faults = Faults::of("training");
    let machine = Machine::with(&[trains_by_hand()]);
    let reader = Background::reader(machine.path("data"));
    let mut books = Books::default();
    machine.ingest("rows.csv", books.new_rows("rows.csv", ROWS));

    finished_run(&machine);
    let by_command = in_peace(watch(&machine), || {
        machine.sluice(&["reconcile"]).expect_success();
    });
    let run = finished_run(&machine);
    let handler = machine.handler();
    let by_handler = in_peace(watch(&machine), || {
        drop(tick(&handler.url));
    });
    handler.process.kill();
    is_collected(&machine, &run);

    let mut run = finished_run(&machine);
    for _ in 0..faults.kills {
        if faults.flip() {
            kill_the_command(&machine, faults.moment(&by_command));
        } else {
            kill_the_handler(&machine, faults.moment(&by_handler));
        }
        books.right_after_a_kill(&machine);
        // Otherwise the next one to die finds what this one left.
        if nothing_is_left(&machine, &run) || faults.flip() {
            books.after_recovery(&machine);
            is_collected(&machine, &run);
            run = finished_run(&machine);
        }
    }
    books.after_recovery(&machine);
    is_collected(&machine, &run);
    assert!(reader.stop() > 0);
    the_loop_goes_on(machine);
}

fn watch(machine: &Machine) -> Watch {
    Watch::start(&machine.path("data"), &WRITES)
}

/// A new training run whose job has ended and that nobody collected.
fn finished_run(machine: &Machine) -> String {
    let started = machine.json(&["retrain"]);
    assert_eq!(started["outcome"], "started", "{started}");
    let run = started["run"]["id"].as_str().unwrap().to_owned();
    let result = machine.blob(&format!("runs/{run}.result.json"));
    eventually("the result of the job", String::new, || {
        result.is_file().then_some(())
    });
    jobs_are_done(machine);
    run
}

fn kill_the_command(machine: &Machine, moment: Moment) {
    let watch = watch(machine);
    let mut command = Process::start(machine.command(&["reconcile"]));
    moment.wait(watch, || command.ended().is_some());
    command.kill();
}

fn kill_the_handler(machine: &Machine, moment: Moment) {
    let handler = Handler::start(machine);
    let (watch, url) = (watch(machine), handler.url.clone());
    let event = thread::spawn(move || tick(&url));
    moment.wait(watch, || event.is_finished());
    handler.process.kill();
    drop(event.join().unwrap());
}

/// The event of the reconcile timer, as the host sends it.
fn tick(handler_url: &str) -> Result<crate::http::Answer, String> {
    let event = json!({
        "Data": { "timer": { "Schedule": { "AdjustForDST": false }, "ScheduleStatus": null, "IsPastDue": false } },
        "Metadata": {
            "sys": { "MethodName": "reconcile", "UtcNow": "2026-01-01T00:00:00Z", "RandGuid": "5a9d6b8c-9f0e-4b57-a5c4-2f4b8f5a7d33" },
        },
    });
    crate::http::try_send(crate::http::request(
        hyper::Method::POST,
        &format!("{handler_url}/reconcile"),
        "application/json",
        event.to_string(),
    ))
}

/// Whether whoever was killed had done all its work before.
fn nothing_is_left(machine: &Machine, run: &str) -> bool {
    let document = read_json(&machine.blob(&format!("runs/{run}.json")));
    document["registered_version"]
        .as_u64()
        .is_some_and(|version| {
            let proposal = format!("models/messages/{version:06}/proposal.json");
            machine.blob(&proposal).is_file()
        })
}

/// The run succeeded, once; its model is registered, judged, proposed.
fn is_collected(machine: &Machine, run: &str) {
    let document = read_json(&machine.blob(&format!("runs/{run}.json")));
    assert_eq!(document["state"], "succeeded", "{document}");
    let version = document["registered_version"].as_u64().unwrap();
    let model = machine.blob(&format!("models/messages/{version:06}"));
    let card = read_json(&model.join("model.json"));
    assert_eq!(card["gate"]["passed"], true, "{card}");
    let proposal = read_json(&model.join("proposal.json"));
    assert_eq!(proposal["model"]["digest"], card["file"]["digest"]);
    let evidence = std::fs::read(model.join("evidence.json")).unwrap();
    let evidence = sluice_registry::Digest::of(&evidence).to_string();
    assert_eq!(proposal["evidence"], evidence);
    let events = machine.audit_events();
    let count = |matches: &dyn Fn(&Value) -> bool| events.iter().filter(|e| matches(e)).count();
    for (what, lines) in [
        (
            "run_succeeded",
            count(&|event| event["kind"] == "run_succeeded" && event["run"] == run),
        ),
        (
            "model_registered",
            count(&|event| event["kind"] == "model_registered" && event["run"] == run),
        ),
        (
            "release_proposed",
            count(&|event| {
                event["kind"] == "release_proposed" && event["model"]["version"] == version
            }),
        ),
    ] {
        assert_eq!(lines, 1, "{what} of run {run}");
    }
}
