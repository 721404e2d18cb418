//! A retrain that is asked for often runs once, and every no leaves its reason.

use crate::machine::{Machine, files};
use crate::process::Process;
use crate::rows;
use crate::wait::eventually;

/// Run documents, without results and the place of the run that is going.
fn runs(machine: &Machine) -> usize {
    machine.json(&["status"])["runs"].as_array().unwrap().len()
}

#[test]
fn ten_timers_at_once_start_one_run() {
    let machine = Machine::new();
    machine.ingest("rows.csv", rows::csv(1, 700));
    let up = machine.up();
    for _ in 0..10 {
        up.fire("retrain");
    }
    let skips = up.eventually("the reasons of nine skips", || {
        let mut events = up.audit_events();
        events.retain(|event| event["kind"] == "run_skipped");
        (events.len() >= 9).then_some(events)
    });
    assert_eq!((runs(&up), skips.len()), (1, 9), "{skips:?}");
    for skip in &skips {
        let reason = skip["reason"].as_str().unwrap();
        assert!(
            reason.contains("is still going")
                || reason.contains("nothing new")
                || reason.contains("has done the same"),
            "{skip}"
        );
        assert_eq!(skip["trigger"]["kind"], "schedule", "{skip}");
    }
    up.candidate(1);
    assert_eq!(runs(&up), 1);
}

#[test]
fn ten_people_at_once_start_one_run() {
    let machine = Machine::new();
    machine.ingest("rows.csv", rows::csv(1, 700));
    let mut commands: Vec<Process> = (0..10)
        .map(|_| Process::start(machine.command(&["retrain"])))
        .collect();
    for command in &mut commands {
        let status = eventually("the end of a retrain", String::new, || command.ended());
        assert!(status.success(), "{}", command.output());
    }
    assert_eq!(runs(&machine), 1);
    assert_eq!(files(&machine.path("logs")).len(), 1, "one job was started");
    let started = machine
        .audit_events()
        .iter()
        .filter(|event| event["kind"] == "run_created")
        .count();
    assert_eq!(started, 1);
}

#[test]
fn ten_reconciles_at_once_collect_one_run() {
    let machine = Machine::new();
    machine.ingest("rows.csv", rows::csv(1, 700));
    // Who writes the end first, and how closely the others follow, is a matter of luck: more than one try.
    for round in 1..=5 {
        let run = machine.json(&["retrain"])["run"]["id"].take();
        let run = run.as_str().unwrap();
        let result = machine.blob(&format!("runs/{run}.result.json"));
        eventually("the result of the job", String::new, || {
            result.is_file().then_some(())
        });
        let mut commands: Vec<Process> = (0..10)
            .map(|_| Process::start(machine.command(&["reconcile"])))
            .collect();
        for command in &mut commands {
            let status = eventually("the end of a reconcile", String::new, || command.ended());
            assert!(status.success(), "{}", command.output());
        }
        let ends = machine
            .audit_events()
            .iter()
            .filter(|event| event["kind"] == "run_succeeded")
            .count();
        assert_eq!(ends, round);
    }
    machine.sluice(&["audit", "verify"]).expect_success();
}

#[test]
fn nothing_new_is_no_reason_to_train() {
    let up = Machine::released(&[]).up();
    up.fire("retrain");
    let reason = up.eventually("the reason of the skip", || {
        let events = up.audit_events();
        Some(
            events.iter().find(|event| event["kind"] == "run_skipped")?["reason"]
                .as_str()?
                .to_owned(),
        )
    });
    assert!(reason.starts_with("nothing new"), "{reason}");
    assert_eq!(runs(&up), 1);
}

#[test]
fn no_data_is_no_reason_to_fail() {
    let machine = Machine::new();
    let skipped = machine.json(&["retrain"]);
    assert_eq!(skipped["outcome"], "skipped", "{skipped}");
    assert!(
        skipped["reason"]
            .as_str()
            .unwrap()
            .contains("incoming/messages/"),
        "{skipped}"
    );
}
