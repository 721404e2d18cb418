//! One operating system process of the handler.
//!
//! The handler must not outlive the host, even when the host gets SIGKILL. So each handler joins the process group of a
//! *guard*: a shell that waits on a pipe from the host and, at its end, kills its own group. The guard exists before the
//! handler does, and the handler is in the group before it runs, so there is no moment at which it could be left behind. The
//! group is also what a stop kills: the handler with everything that it started. A child that must outlive the handler
//! starts a group of its own. The guard keeps the group's id from being reused, so a late kill cannot hit a stranger.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use crate::handler::output::OutputLog;

/// Waits for the end of its input, then kills its process group. `kill 0` is "my own group".
const GUARD_SCRIPT: &str = "read -r _; kill -9 0";

/// How long the last lines of a dead handler are waited for.
const LAST_LINES: Duration = Duration::from_secs(1);

/// "No such file" of a script that is there means its interpreter.
fn explained(error: io::Error, executable: &Path) -> io::Error {
    if error.kind() != io::ErrorKind::NotFound {
        return error;
    }
    let mut start = [0; 128];
    let read = std::fs::File::open(executable).and_then(|mut file| file.read(&mut start));
    let first = String::from_utf8_lossy(&start[..read.unwrap_or_default()]).into_owned();
    match first.lines().next() {
        Some(line) if line.starts_with("#!") => {
            // A file from Windows asks for an interpreter whose name ends in a carriage return.
            let hint = if first.contains("\r\n") {
                " (the file has Windows line ends)"
            } else {
                ""
            };
            io::Error::new(
                error.kind(),
                format!("its interpreter {line} is not there{hint}"),
            )
        }
        _ => error,
    }
}

#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    guard: Child,
    group: Pid,
    pid: u32,
    output: JoinSet<()>,
}

impl Process {
    /// Starts the handler with exactly this environment.
    pub(crate) fn spawn(
        executable: &Path,
        arguments: &[OsString],
        working_directory: &Path,
        environment: &[(OsString, OsString)],
        log: &OutputLog,
    ) -> io::Result<Self> {
        let guard = Command::new("/bin/sh")
            .args(["-c", GUARD_SCRIPT])
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let group = guard
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .ok_or_else(|| io::Error::other("the guard process ended at once"))?;
        let mut child = Command::new(executable)
            .args(arguments)
            .current_dir(working_directory)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .process_group(group)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| explained(error, executable))?;
        let mut output = JoinSet::new();
        if let Some(stdout) = child.stdout.take() {
            output.spawn(log.clone().read(stdout, false));
        }
        if let Some(stderr) = child.stderr.take() {
            output.spawn(log.clone().read(stderr, true));
        }
        Ok(Self {
            pid: child
                .id()
                .ok_or_else(|| io::Error::other("the handler ended at once"))?,
            group: Pid::from_raw(group)
                .ok_or_else(|| io::Error::other("the guard has no process id"))?,
            child,
            guard,
            output,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits for the handler to end by itself. May be dropped and called again.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// SIGKILL without a word, to the handler and all it started; returns when it is gone and its last lines are read.
    pub(crate) async fn kill(mut self) {
        if let Err(error) = kill_process_group(self.group, Signal::KILL) {
            tracing::debug!(%error, pid = self.pid, "the handler's process group was gone already");
        }
        let reaped = futures::future::join(self.child.wait(), self.guard.wait()).await;
        if let (Err(error), _) | (_, Err(error)) = reaped {
            tracing::debug!(%error, pid = self.pid, "the handler could not be waited for");
        }
        // A process in a group of its own may hold the streams open: do not wait for it.
        let lines = async { while self.output.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LAST_LINES, lines).await;
    }
}
