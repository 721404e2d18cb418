//! ONNX Runtime never reports to its maker: not from a process of ours.
//!
//! The official Linux library writes a device id and a queue of events into the user's home as soon as it starts, and
//! then looks for its maker's server. The files are the proof that it may not. (It also stays quiet when it sees a
//! variable of a CI system: the child gets none.)

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sluice_inference::{RuntimeError, SessionOptions, TELEMETRY_VARIABLE, TextClassifier};

use crate::support::{MODEL, runtime, try_runtime};

/// Runs one ignored test of this file in a process of its own, with nothing in its environment but a home and `extra`.
fn run_child(test: &str, home: &Path, extra: &[(&str, &str)]) -> Output {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", &format!("telemetry::{test}"), "--ignored"]);
    child
        .env_clear()
        .env("HOME", home)
        .env("ORT_DYLIB_PATH", runtime().path())
        .envs(extra.iter().copied());
    child.output().unwrap()
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

#[test]
fn a_prediction_leaves_no_trace_in_the_home() {
    let home = tempfile::tempdir().unwrap();
    let output = run_child("child_predicts", home.path(), &[(TELEMETRY_VARIABLE, "1")]);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && stdout.contains("1 passed"),
        "{stdout}"
    );
    assert_eq!(files_in(home.path()), Vec::<PathBuf>::new());
}

#[test]
fn without_the_variable_nothing_is_loaded() {
    let home = tempfile::tempdir().unwrap();
    let output = run_child("child_is_refused", home.path(), &[]);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && stdout.contains("1 passed"),
        "{stdout}"
    );
    assert_eq!(files_in(home.path()), Vec::<PathBuf>::new());
}

#[test]
#[ignore = "runs in a child process of another test"]
fn child_predicts() {
    let classifier = TextClassifier::load(&runtime(), MODEL, SessionOptions::default()).unwrap();
    classifier.predict(&["flood in town"]).unwrap();
}

#[test]
#[ignore = "runs in a child process of another test"]
fn child_is_refused() {
    assert!(matches!(try_runtime(), Err(RuntimeError::TelemetryOn)));
}
