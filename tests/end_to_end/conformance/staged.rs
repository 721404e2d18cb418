//! Somebody else's custom handler, in Python's standard library: checked by `sluice host conformance`, served by
//! `sluice up --staged`.

use std::fs;
use std::path::Path;

use rustix::process::Signal;
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

fn check(machine: &Machine, fault: &str, more: &[&str]) -> (Said, Value) {
    let path = format!("PATH={}", std::env::var("PATH").unwrap());
    let fault = format!("FAULT={fault}");
    let usual = [
        "--setting",
        &path,
        "--setting",
        &fault,
        "--largest-envelope",
        "1000000",
    ];
    let said = conformance(machine, &machine.path("greeter"), &[&usual, more].concat());
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
    let (said, report) = check(&machine, "", &[]);
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

/// The line has this verdict and says so.
#[track_caller]
fn has(report: &Value, line: u64, verdict: &str, words: &str) {
    let findings = report["findings"].as_array().unwrap();
    let finding = findings
        .iter()
        .find(|finding| finding["line"] == line)
        .unwrap();
    assert_eq!(finding["verdict"], verdict, "{report:#}");
    assert!(
        finding["notes"].to_string().contains(words),
        "{words}: {finding:#}"
    );
}

#[test]
fn each_fault_fails_its_line_and_says_what_to_do() {
    let machine = machine();
    for (fault, line, words) in [
        ("quiet end", 31, "exit code 0"),
        ("ends at once", 31, "exit code 3"),
        ("moody probe", 32, "the statuses differ"),
        ("no chunks", 33, "Azure's host sends chunks"),
        ("empty answer", 34, "hangs until functionTimeout"),
        ("plain text", 34, "application/json"),
        ("undeclared output", 34, "not declared in function.json"),
        ("forgets nothing", 36, "500"),
        ("stale lock", 37, "500"),
        ("access log", 40, "x-functions-key"),
        ("no content type", 41, "no Content-Type"),
        ("crash on nonsense", 41, "broke"),
        ("writes beside itself", 44, "swept.txt"),
        ("unknown function", 46, "POST /sweep is 404"),
    ] {
        let (said, report) = check(&machine, fault, &[]);
        assert_eq!(said.code, 1, "{fault}: {said:?}");
        has(&report, line, "failed", words);
        // What a fault of one run leaves behind is not the next one's.
        let _ = fs::remove_file(machine.path("greeter/swept.txt"));
        let _ = fs::remove_file(machine.path("tmp/intake.lock"));
    }
}

#[test]
fn a_function_that_exceeds_its_time_fails_its_line() {
    let limit = [
        "--setting",
        "AzureFunctionsJobHost__functionTimeout=00:00:01",
    ];
    let (said, report) = check(&machine(), "slow", &limit);
    assert_eq!(said.code, 1, "{said:?}");
    has(&report, 38, "failed", "longer than functionTimeout");
}

#[test]
fn what_no_deployment_trips_over_is_only_noted() {
    let machine = machine();
    for (fault, line, words) in [
        ("takes anything", 43, "instead of 400"),
        ("no drain", 45, "broken before the answer"),
    ] {
        let (said, report) = check(&machine, fault, &[]);
        assert_eq!(said.code, 0, "{fault}: {said:?}");
        has(&report, line, "advised", words);
    }
}

#[test]
fn an_envelope_is_only_spared_where_http_is_forwarded() {
    let machine = machine();
    let (said, report) = check(&machine, "no envelopes", &[]);
    has(&report, 42, "passed", "");
    assert_eq!(said.code, 0, "{said:?}");
    let both = [
        "--setting",
        "AzureFunctionsJobHost__customHandler__enableForwardingHttpRequest=false",
        "--setting",
        "AzureFunctionsJobHost__customHandler__enableProxyingHttpRequest=false",
    ];
    let (said, report) = check(&machine, "no envelopes", &both);
    assert_eq!(said.code, 1, "{said:?}");
    has(&report, 41, "skipped", "no function is forwarded");
    has(&report, 42, "failed", "in envelopes only");
}

#[test]
fn successes_are_not_claimed_where_there_are_none() {
    let machine = machine();
    fs::remove_dir_all(machine.path("greeter/sweep")).unwrap();
    let (_, report) = check(&machine, "refuses", &[]);
    for line in [33, 34, 36, 37] {
        has(&report, line, "skipped", "refused the sample with 500");
    }
}

#[test]
fn a_handler_that_never_listens_leaves_the_rest_untried() {
    let limit = [
        "--setting",
        "AzureFunctionsJobHost__customHandler__initializationTimeout=00:00:01",
    ];
    let (said, report) = check(&machine(), "never listens", &limit);
    assert_eq!(said.code, 1, "{said:?}");
    has(&report, 31, "failed", "another port");
    has(&report, 34, "skipped", "never answered");
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
        "44",
        "--setting",
        &path,
        "--setting",
        "FAULT=writes beside itself",
    ]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.stdout.contains(" 44  skip  writes nothing"),
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
fn up_can_be_stopped_while_it_waits_for_the_handler() {
    let machine = machine();
    for signal in [Signal::INT, Signal::TERM] {
        let mut command =
            machine.command(&["up", "--staged", "greeter", "--port", "0", "--verbose"]);
        command
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("FAULT", "never listens");
        let mut process = Process::start(command);
        let starts = || process.output().contains("HandlerStarted").then_some(());
        eventually("the start of the handler", || process.output(), starts);
        process.signal(signal);
        let status = eventually("the end of sluice up", String::new, || process.ended());
        assert!(status.success(), "{status}: {}", process.output());
    }
}

#[test]
fn two_apps_of_one_name_do_not_share_what_the_host_remembers() {
    let machine = machine();
    fs::create_dir(machine.path("other")).unwrap();
    copy(Path::new(SECOND_HANDLER), &machine.path("other/greeter"));
    fs::create_dir_all(machine.path("data/letters")).unwrap();
    fs::write(machine.path("data/letters/a.txt"), "dear").unwrap();
    for app in ["greeter", "other/greeter"] {
        let mut command = machine.command(&["up", "--staged", app, "--port", "0", "--verbose"]);
        command.env("PATH", std::env::var_os("PATH").unwrap());
        let process = Process::start(command);
        let taken = || process.output().contains("taken").then_some(());
        eventually(app, || process.output(), taken);
        process.kill();
    }
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
