//! ONNX Runtime never reports to its maker from a process of ours.

use std::fs;

use crate::machine::{Machine, files};
use crate::up::Up;

#[test]
fn the_process_that_loads_the_library_has_told_it_to_stay_quiet() {
    let machine = Machine::released(&[]);
    // The environment of the test's own commands does not have the variable.
    let handler = machine.handler();
    assert_eq!(handler.predict(&["a storm"]).status, 200);
    let pid = handler.process.id();
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    assert!(
        maps.contains("onnxruntime"),
        "this process has not loaded the library: this test shows nothing"
    );
    assert_eq!(telemetry_setting(pid).as_deref(), Some("1"));
}

#[test]
fn a_setting_that_allows_it_is_overruled() {
    let machine = Machine::released(&[]);
    let mut command = machine.command(&["up", "--port", "0", "--no-timers", "--empty"]);
    command.env("ORT_DISABLE_TELEMETRY", "0");
    let up = Up::launch(machine, command);
    up.answers(1);
    assert_eq!(telemetry_setting(up.handler_pid()).as_deref(), Some("1"));
}

#[test]
fn a_whole_loop_leaves_no_trace_in_the_home() {
    // Training, gate, and predictions, every process with a home of its own.
    let machine = Machine::released(&[]);
    let up = machine.up();
    up.answers(1);
    assert_eq!(up.predict(&["a storm", "a lunch"]).status, 200);
    let machine = up.kill();
    for folder in ["home", "home/.cache", "home/.config", "home/.local"] {
        let found = files_and_hidden(&machine, folder);
        assert!(found.is_empty(), "{found:?}");
    }
}

/// The value of the variable in a process's environment.
fn telemetry_setting(pid: u32) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap();
    let mut variables = environment.split(|byte| *byte == 0);
    variables.find_map(|variable| {
        Some(
            str::from_utf8(variable)
                .ok()?
                .strip_prefix("ORT_DISABLE_TELEMETRY=")?
                .to_owned(),
        )
    })
}

fn files_and_hidden(machine: &Machine, folder: &str) -> Vec<std::path::PathBuf> {
    let folder = machine.path(folder);
    let hidden = fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path());
    hidden.chain(files(&folder)).collect()
}
