//! A wrong setting stops every command and the handler before anything is bound or written: one line, exit code 2.

use std::fs;

use crate::machine::{Machine, Said, files, said};

/// Runs a command and the start of the handler with this `sluice.toml`; both must say the same one line.
fn fault_of(machine: &Machine) -> String {
    let command = machine.sluice(&["status"]);
    let up = machine.sluice(&["up", "--port", "0"]);
    let mut handler = machine.command(&[]);
    handler.env("FUNCTIONS_CUSTOMHANDLER_PORT", "0");
    let handler = said(handler);
    let line = one_line(&command);
    assert_eq!(one_line(&up), line);
    assert_eq!(one_line(&handler), line);
    assert_eq!(
        files(&machine.path("data")),
        Vec::<std::path::PathBuf>::new(),
        "nothing is written"
    );
    line
}

#[track_caller]
fn one_line(said: &Said) -> String {
    assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{said:?}");
    assert_eq!(said.stderr.lines().count(), 1, "{said:?}");
    said.stderr.trim_end().to_owned()
}

/// Edits one line of the quick settings; gives its number.
fn edit(machine: &Machine, from: &str, to: &str) -> usize {
    let file = machine.path("sluice.toml");
    let text = fs::read_to_string(&file).unwrap();
    let line = text
        .lines()
        .position(|line| line.contains(from))
        .unwrap_or_else(|| panic!("{from} is not in\n{text}"));
    fs::write(&file, text.replacen(from, to, 1)).unwrap();
    line + 1
}

#[test]
fn an_unknown_key() {
    let machine = Machine::new();
    let line = edit(&machine, "poll_seconds", "pol_seconds");
    let fault = fault_of(&machine);
    assert!(
        fault.starts_with(&format!("sluice.toml:{line}: predict")),
        "{fault}"
    );
    assert!(
        fault.contains("`pol_seconds`") && fault.contains("`poll_seconds`"),
        "{fault}"
    );
}

#[test]
fn a_bad_schedule() {
    let machine = Machine::new();
    let line = edit(&machine, "\"0 0 3 * * 1\"", "\"every monday\"");
    let fault = fault_of(&machine);
    assert!(
        fault.starts_with(&format!(
            "sluice.toml:{line}: schedules.retrain: expected six NCrontab fields"
        )),
        "{fault}"
    );
}

#[test]
fn thresholds_out_of_range() {
    for (key, value, expected) in [
        ("gate.tolerance", 7.0, "1"),
        ("gate.slices.floor", -0.5, "0"),
        (
            "data.split.test",
            0.9,
            "expected a share from 0.01 to 0.4, got 0.9",
        ),
        (
            "data.checks.max_refused_share",
            2.0,
            "share above 0 and up to 1",
        ),
        (
            "retrain.early_growth",
            0.0,
            "expected a share from 0.01 to 100, got 0",
        ),
    ] {
        let machine = Machine::with(&[(key, value.into())]);
        let fault = fault_of(&machine);
        let (place, problem) = fault
            .split_once(&format!(": {key}: "))
            .unwrap_or_else(|| panic!("{key} is not named: {fault}"));
        let line: usize = place
            .strip_prefix("sluice.toml:")
            .and_then(|line| line.parse().ok())
            .unwrap_or_else(|| panic!("{fault}"));
        let text = fs::read_to_string(machine.path("sluice.toml")).unwrap();
        let name = key.rsplit('.').next().unwrap();
        assert!(
            text.lines().nth(line - 1).unwrap().starts_with(name),
            "line {line} is another: {fault}"
        );
        assert!(
            problem.contains(expected) && problem.contains("expected"),
            "{fault}"
        );
    }
}

#[test]
fn a_wrong_type_and_a_duration_that_is_none() {
    let machine = Machine::with(&[("retrain.cool_down", "soon".into())]);
    assert!(
        fault_of(&machine).contains(": retrain.cool_down: expected a duration as"),
        "{}",
        fault_of(&machine)
    );
    let machine = Machine::with(&[("predict.max_inputs", "many".into())]);
    assert!(
        fault_of(&machine).contains(": predict.max_inputs: "),
        "{}",
        fault_of(&machine)
    );
}

#[test]
fn a_file_that_is_no_toml() {
    let machine = Machine::new();
    fs::write(machine.path("sluice.toml"), "[model\nname = \"messages\"\n").unwrap();
    let fault = fault_of(&machine);
    assert!(fault.starts_with("sluice.toml:1: "), "{fault}");
}

#[test]
fn a_missing_file() {
    let machine = Machine::new();
    fs::remove_file(machine.path("sluice.toml")).unwrap();
    let fault = fault_of(&machine);
    assert!(fault.starts_with("sluice.toml: cannot be read"), "{fault}");
}

#[test]
fn a_wrong_variable() {
    let machine = Machine::new();
    let mut command = machine.command(&["status"]);
    command.env("SLUICE_STORAGE", "somewhere");
    let fault = one_line(&said(command));
    assert_eq!(
        fault,
        "environment: SLUICE_STORAGE: expected directory:PATH, got \"somewhere\""
    );
}

#[test]
fn a_right_file_is_called_right() {
    let machine = Machine::new();
    let checked = machine.json(&["check"]);
    assert_eq!(checked["labels"], serde_json::json!(["other", "disaster"]));
}
