//! `sluice host conformance` over our own staged app, once for all lines: its model serves, its samples are real.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::invocations::blob_event;
use crate::machine::{Machine, Said};
use crate::rows;

/// The finding of one line.
pub(super) fn finding(line: u8) -> Value {
    static REPORT: OnceLock<Value> = OnceLock::new();
    let report = REPORT.get_or_init(check);
    let findings = report["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["line"] == line);
    found
        .unwrap_or_else(|| panic!("no line {line}: {report:#}"))
        .clone()
}

/// The line was tried on our handler and holds.
#[track_caller]
pub(super) fn holds(line: u8) {
    let finding = finding(line);
    assert_eq!(finding["verdict"], "passed", "{finding:#}");
}

fn check() -> Value {
    let up = Machine::released(&[]).up();
    up.answers(1);
    let id = up.predict(&["the street is flooded"]).json()["predictions"][0]["id"].clone();
    up.eventually("its record in the log", || {
        let mut records = up.predictions().into_iter();
        records.find(|record| record["id"] == id)
    });
    // The host is gone, its staged folder stays.
    let machine = up.kill();
    machine.upload("more.csv", rows::csv(2, 100));
    machine.upload("bad.csv", "no,such,columns\n1,2,3\n");
    let samples = machine.path("samples");
    fs::create_dir(&samples).unwrap();
    let sample = |name: &str, value: Value| write(&samples.join(name), &value);
    sample(
        "predict.json",
        json!({ "body": { "inputs": ["the street is flooded"] } }),
    );
    sample(
        "feedback.json",
        json!({ "body": { "id": id, "label": "disaster" } }),
    );
    sample("ingest.json", blob_event("more.csv", "aWQ="));
    sample("ingest.bad.json", blob_event("bad.csv", "aWQ="));
    let said = conformance(&machine, &machine.path("app"), &["--samples", "samples"]);
    serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:?}"))
}

/// Runs the command on a staged folder.
pub(super) fn conformance(machine: &Machine, app: &Path, arguments: &[&str]) -> Said {
    let app = app.to_str().unwrap();
    machine.sluice(&[&["host", "conformance", app, "--json"], arguments].concat())
}

fn write(file: &Path, value: &Value) {
    fs::write(file, value.to_string()).unwrap();
}
