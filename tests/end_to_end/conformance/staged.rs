//! Somebody else's custom handler, in Python's standard library: checked by `sluice host conformance`, served by
//! `sluice up --staged`.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::checked::conformance;
use crate::http;
use crate::machine::{Machine, Said};
use crate::process::Process;
use crate::wait::eventually;

const SECOND_HANDLER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/end_to_end/conformance/second_handler"
);

/// A machine with a copy of the app, since the checks must not see each other's traces.
fn machine() -> Machine {
    let machine = Machine::new();
    fs::remove_file(machine.path("sluice.toml")).unwrap();
    copy(Path::new(SECOND_HANDLER), &machine.path("greeter"));
    machine
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &place);
        } else {
            fs::copy(entry.path(), place).unwrap();
        }
    }
}

fn check(machine: &Machine, fault: &str) -> (Said, Value) {
    let path = format!("PATH={}", std::env::var("PATH").unwrap());
    let fault = format!("FAULT={fault}");
    let said = conformance(
        machine,
        &machine.path("greeter"),
        &[
            "--setting",
            &path,
            "--setting",
            &fault,
            "--largest-envelope",
            "1000000",
        ],
    );
    let report =
        serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    (said, report)
}

fn failed(report: &Value) -> Vec<u64> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["verdict"] == "failed")
        .map(|finding| finding["line"].as_u64().unwrap())
        .collect()
}

#[test]
fn a_second_handler_passes_every_line() {
    let machine = machine();
    let (said, report) = check(&machine, "");
    assert_eq!(failed(&report), [] as [u64; 0], "{report:#}");
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(report["functions"], json!(["greet", "intake", "sweep"]));
    let lines: Vec<u64> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["line"].as_u64().unwrap())
        .collect();
    assert_eq!(
        lines,
        [
            31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46
        ]
    );
}

#[test]
fn each_fault_fails_its_line_and_says_what_to_do() {
    let machine = machine();
    for (fault, line, words) in [
        ("quiet end", 31, "exit code 0"),
        ("no chunks", 33, "Content-Length"),
        ("empty answer", 34, "hangs until functionTimeout"),
        ("plain text", 34, "application/json"),
        ("undeclared output", 34, "not declared in function.json"),
        ("access log", 40, "x-functions-key"),
        ("no content type", 41, "no Content-Type"),
        ("crash on nonsense", 41, "broke"),
        ("writes beside itself", 44, "swept.txt"),
        ("no drain", 45, "broken before the answer"),
    ] {
        let (said, report) = check(&machine, fault);
        assert_eq!(said.code, 1, "{fault}: {said:?}");
        let findings = report["findings"].as_array().unwrap();
        let finding = findings
            .iter()
            .find(|finding| finding["line"] == line)
            .unwrap();
        assert_eq!(finding["verdict"], "failed", "{fault}: {report:#}");
        assert!(
            finding["notes"].to_string().contains(words),
            "{fault}: {finding:#}"
        );
    }
}

#[test]
fn a_line_can_be_ignored_and_the_page_is_for_people() {
    let machine = machine();
    let path = format!("PATH={}", std::env::var("PATH").unwrap());
    let said = machine.sluice(&[
        "host",
        "conformance",
        "greeter",
        "--ignore",
        "45",
        "--setting",
        &path,
        "--setting",
        "FAULT=no drain",
    ]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.stdout.contains(" 45  skip  SIGTERM"),
        "{}",
        said.stdout
    );
    assert!(said.stdout.contains(" 0 failed, "), "{}", said.stdout);
}

#[test]
fn what_no_host_could_start_is_an_error_that_says_why() {
    let machine = machine();
    let refused = |words: &str| {
        let said = machine.sluice(&["host", "conformance", "greeter"]);
        assert_eq!(said.code, 1, "{said:?}");
        assert!(said.stderr.contains(words), "{words}: {said:?}");
    };
    fs::write(machine.path("greeter/host.json"), r#"{"version":"1.0"}"#).unwrap();
    refused("the property \"version\" must be \"2.0\"");
    fs::remove_dir_all(machine.path("greeter")).unwrap();
    refused("greeter");
}

#[test]
fn up_serves_any_staged_app() {
    let machine = machine();
    let mut command = machine.command(&["up", "--staged", "greeter", "--port", "0", "--verbose"]);
    command.env("PATH", std::env::var_os("PATH").unwrap());
    let mut process = Process::start(command);
    let url = eventually("the url of the function", String::new, || {
        let output = process.output();
        assert!(process.ended().is_none(), "sluice up ended:\n{output}");
        let (_, rest) = output.split_once("POST http://")?;
        Some(format!("http://{}", rest.split_once("/api/greet")?.0))
    });
    let answer = http::post(&format!("{url}/api/greet"), &json!({ "name": "Sluice" }));
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({ "greeting": "hello Sluice" }))
    );

    let fired = http::post(&format!("{url}/admin/functions/sweep"), &json!({}));
    assert_eq!(fired.status, 202, "{fired:?}");
    let prints = |text: &str| {
        eventually(
            text,
            || process.output(),
            || process.output().contains(text).then_some(()),
        );
    };
    prints("swept");
    fs::create_dir_all(machine.path("data/letters")).unwrap();
    fs::write(machine.path("data/letters/a.txt"), "dear").unwrap();
    prints("taken");
}
