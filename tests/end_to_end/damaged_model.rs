//! A released file that is not what was approved never answers.

use std::fs;

use rustix::process::Signal;

use crate::machine::Machine;
use crate::rows;

#[test]
fn the_old_model_goes_on_when_the_new_file_is_damaged() {
    let machine = Machine::released(&[]);
    machine.ingest("second.csv", rows::csv(2, 300));
    machine.train();
    let handler = machine.handler();
    assert_eq!(handler.predict(&["a storm"]).json()["model"]["version"], 1);

    // The handler looks away while the release is made and its file is damaged.
    handler.process.signal(Signal::STOP);
    machine
        .sluice(&["release", "approve", "2", "--promote"])
        .expect_success();
    let file = machine.blob("models/messages/000002/model.onnx");
    let whole = fs::read(&file).unwrap();
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(&file, damaged).unwrap();
    handler.process.signal(Signal::CONT);

    handler.eventually("a line about the damaged model", || {
        let output = handler.process.output();
        let line = output
            .lines()
            .find(|line| line.contains("the released model cannot be loaded"))?;
        assert!(
            line.contains("the one before goes on") && line.contains("digest"),
            "{line}"
        );
        Some(())
    });
    assert_eq!(handler.predict(&["a storm"]).json()["model"]["version"], 1);

    fs::write(&file, whole).unwrap();
    handler.eventually("an answer of the repaired model", || {
        (handler.predict(&["a storm"]).json()["model"]["version"] == 2).then_some(())
    });
}

#[test]
fn a_damaged_model_is_not_promoted_and_a_fresh_handler_says_why_it_has_none() {
    let machine = Machine::released(&[]);
    let file = machine.blob("models/messages/000001/model.onnx");
    let mut damaged = fs::read(&file).unwrap();
    damaged[100] ^= 1;
    fs::write(&file, damaged).unwrap();
    let refused = machine.sluice(&["release", "challenger", "1"]);
    assert_eq!(refused.code, 1, "{refused:?}");

    let answer = machine.handler().predict(&["a storm"]);
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.json()["error"]["code"], "model_not_loadable");
    assert!(
        answer.json()["error"]["message"]
            .to_string()
            .contains("digest"),
        "{answer:?}"
    );
}

#[test]
fn a_file_that_was_changed_after_its_approval_is_not_promoted() {
    let machine = Machine::released(&[]);
    machine.ingest("second.csv", rows::csv(2, 300));
    machine.train();
    machine
        .sluice(&["release", "approve", "2"])
        .expect_success();
    let file = machine.blob("models/messages/000002/model.onnx");
    let mut damaged = fs::read(&file).unwrap();
    damaged.push(0);
    fs::write(&file, damaged).unwrap();
    let refused = machine.sluice(&["release", "promote", "2"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("digest"), "{refused:?}");
    assert_eq!(
        machine.json(&["release", "status"])["serving"]["version"],
        1
    );
}
