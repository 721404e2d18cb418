//! The functions under the local host, and the handler by itself.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Deref;
use std::process::Command;

use serde_json::{Value, json};

use crate::http::{self, Answer};
use crate::machine::Machine;
use crate::process::{Process, sluice_children};
use crate::wait::eventually;

/// `sluice up` on a machine. Everything that the machine can do, it can do, too.
#[derive(Debug)]
pub(crate) struct Up {
    // First, so that the process is gone before its folder is.
    pub(crate) process: Process,
    pub(crate) url: String,
    machine: Machine,
}

impl Deref for Up {
    type Target = Machine;

    fn deref(&self) -> &Machine {
        &self.machine
    }
}

impl Up {
    /// Starts it, with no timers and on a free port; returns when callers can connect.
    pub(crate) fn start(machine: Machine, arguments: &[&str]) -> Self {
        let command = machine.command(&[&["up", "--port", "0", "--no-timers"], arguments].concat());
        Self::launch(machine, command)
    }

    /// As [`Up::start`], with a command of the machine that was changed before.
    pub(crate) fn launch(machine: Machine, command: Command) -> Self {
        let mut process = Process::start(command);
        let url = loop_until_url(&mut process);
        Self {
            process,
            url,
            machine,
        }
    }

    /// Stops it with SIGKILL; the machine stays.
    pub(crate) fn kill(self) -> Machine {
        self.process.kill();
        self.machine
    }

    /// The process of the handler.
    pub(crate) fn handler_pid(&self) -> u32 {
        let look = || sluice_children(self.process.id()).into_iter().next();
        self.eventually("a handler process", look)
    }

    pub(crate) fn predict(&self, inputs: &[&str]) -> Answer {
        http::post(
            &format!("{}/api/predict", self.url),
            &json!({ "inputs": inputs }),
        )
    }

    pub(crate) fn feedback(&self, body: &Value) -> Answer {
        http::post(&format!("{}/api/feedback", self.url), body)
    }

    /// Fires a timer function, as the host's management interface does.
    pub(crate) fn fire(&self, function: &str) {
        let answer = http::post(
            &format!("{}/admin/functions/{function}", self.url),
            &json!({}),
        );
        assert_eq!(answer.status, 202, "{answer:?}");
    }

    /// Waits, with what the host printed in the message.
    pub(crate) fn eventually<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> T {
        eventually(what, || self.process.output(), look)
    }

    /// Waits for a line in what it prints.
    pub(crate) fn prints(&self, text: &str) {
        self.eventually(&format!("the line {text:?}"), || {
            self.process.output().contains(text).then_some(())
        });
    }

    /// Waits until a model has passed its gate and waits for a person.
    pub(crate) fn candidate(&self, version: u64) {
        self.prints(&format!(
            "model version {version} passed its gate and waits for a person"
        ));
    }

    /// Approves and promotes a candidate and waits until it answers.
    pub(crate) fn release(&self, version: u64) {
        self.sluice(&["release", "approve", &version.to_string(), "--promote"])
            .expect_success();
        self.answers(version);
    }

    /// Waits until this model version answers.
    pub(crate) fn answers(&self, version: u64) {
        self.eventually(&format!("an answer of model version {version}"), || {
            let answer = self.predict(&["the street is flooded"]);
            (answer.status == 200 && answer.json()["model"]["version"] == version).then_some(())
        });
    }
}

fn loop_until_url(process: &mut Process) -> String {
    eventually("the url of the host", String::new, || {
        let output = process.output();
        assert!(process.ended().is_none(), "sluice up ended:\n{output}");
        let (_, rest) = output.split_once("predict    POST ")?;
        Some(rest.split_once("/api/predict")?.0.to_owned())
    })
}

/// The custom handler alone, started as the Functions host starts it.
#[derive(Debug)]
pub(crate) struct Handler {
    pub(crate) process: Process,
    pub(crate) url: String,
}

impl Handler {
    /// Starts it on a port that was free a moment ago; returns when it answers.
    pub(crate) fn start(machine: &Machine) -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut command = machine.command(&[]);
        command.env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string());
        let mut process = Process::start(command);
        let url = format!("http://127.0.0.1:{port}");
        eventually("the handler's first answer", String::new, || {
            let output = process.output();
            assert!(process.ended().is_none(), "the handler ended:\n{output}");
            http::get(&url).ok()
        });
        Self { process, url }
    }

    pub(crate) fn predict(&self, inputs: &[&str]) -> Answer {
        http::post(
            &format!("{}/api/predict", self.url),
            &json!({ "inputs": inputs }),
        )
    }

    /// Waits, with what the handler printed in the message.
    pub(crate) fn eventually<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> T {
        eventually(what, || self.process.output(), look)
    }
}
