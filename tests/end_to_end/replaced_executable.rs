//! The executable is replaced by a new version while it starts, as a deployment or a build does.

use std::process::Command;

use crate::machine::{Machine, said};

#[test]
fn a_command_whose_file_is_gone_by_the_time_it_looks_still_runs() {
    let machine = Machine::new();
    let environment = machine.command(&[]);
    // Holds the file open, removes it, and starts what it still holds.
    let script = r#"cp "$0" copy && exec 3<copy && rm copy && exec /proc/self/fd/3 status"#;
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", script, env!("CARGO_BIN_EXE_sluice")])
        .current_dir(machine.path(""))
        .env_clear();
    for (name, value) in environment.get_envs() {
        shell.env(name, value.unwrap());
    }
    shell.env("PATH", "/usr/bin:/bin");
    let said = said(shell);
    said.expect_success();
    assert!(said.stdout.contains("no version yet"), "{said:?}");
}
