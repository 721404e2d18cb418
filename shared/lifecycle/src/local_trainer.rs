//! Training runs as processes on this machine: `sluice train --run ID`, apart from the process that starts it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use async_trait::async_trait;
use sluice_registry::Run;

use crate::LifecycleError;
use crate::trainer::{JobStatus, Trainer};

/// Lines of a job's log that a failure report quotes.
const LOG_LINES: usize = 20;

/// Starts this executable as the training job. A job outlives the process that started it: the Functions host stops a
/// handler with SIGKILL at any time.
#[derive(Clone, Debug)]
pub struct LocalTrainer {
    /// The executable.
    pub executable: PathBuf,
    /// Its environment beside the inherited one.
    pub environment: BTreeMap<String, String>,
    /// Where job logs go.
    pub logs: PathBuf,
}

impl LocalTrainer {
    fn log_file(&self, run: &Run) -> PathBuf {
        self.logs.join(format!("{}.log", run.id))
    }

    fn start(&self, run: &Run) -> io::Result<String> {
        fs::create_dir_all(&self.logs)?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_file(run))?;
        let mut child = Command::new(&self.executable)
            .args(["train", "--run", &run.id])
            .envs(&self.environment)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Its own group: a signal to the handler's group does not reach it.
            .process_group(0)
            .spawn()?;
        let job = Job {
            pid: child.id(),
            started: start_ticks(child.id()).unwrap_or(0),
        };
        // Somebody must take the exit status, or the ended job would stay in the process table as a zombie.
        std::thread::spawn(move || child.wait());
        Ok(job.to_string())
    }
}

#[async_trait]
impl Trainer for LocalTrainer {
    async fn submit(&self, run: &Run) -> Result<String, LifecycleError> {
        let (trainer, run) = (self.clone(), run.clone());
        blocking(move || trainer.start(&run)).await
    }

    async fn status(&self, run: &Run, job: &str) -> Result<JobStatus, LifecycleError> {
        let running = Job::parse(job).is_some_and(|job| job.is_running());
        if running {
            return Ok(JobStatus::Running);
        }
        let file = self.log_file(run);
        blocking(move || {
            let log = fs::read(file).unwrap_or_default();
            Ok(JobStatus::Ended {
                log: last_lines(&String::from_utf8_lossy(&log), LOG_LINES),
            })
        })
        .await
    }

    async fn cancel(&self, _run: &Run, job: &str) -> Result<(), LifecycleError> {
        if let Some(job) = Job::parse(job)
            && job.is_running()
            && let Some(pid) = i32::try_from(job.pid)
                .ok()
                .and_then(rustix::process::Pid::from_raw)
        {
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).map_err(|error| {
                LifecycleError::Trainer {
                    reason: format!("job {} cannot be stopped: {error}", job.pid),
                }
            })?;
        }
        Ok(())
    }
}

/// A process, told apart from a later one with the same number by the time it started.
struct Job {
    pid: u32,
    started: u64,
}

impl std::fmt::Display for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process-{}-{}", self.pid, self.started)
    }
}

impl Job {
    fn parse(text: &str) -> Option<Self> {
        let (pid, started) = text.strip_prefix("process-")?.split_once('-')?;
        Some(Self {
            pid: pid.parse().ok()?,
            started: started.parse().ok()?,
        })
    }

    fn is_running(&self) -> bool {
        start_ticks(self.pid) == Some(self.started)
    }
}

/// When a process started, in clock ticks since boot; nothing when there is none or it has ended. Field 22 of
/// `/proc/{pid}/stat`, see proc(5).
fn start_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, also spaces and parentheses.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

fn last_lines(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, LifecycleError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| LifecycleError::Interrupted(error.to_string()))?
        .map_err(|error| LifecycleError::Trainer {
            reason: error.to_string(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_a_later_one_with_its_number() {
        let pid = std::process::id();
        let job = Job {
            pid,
            started: start_ticks(pid).unwrap(),
        };
        assert!(Job::parse(&job.to_string()).unwrap().is_running());
        assert!(
            !Job {
                started: job.started + 1,
                ..job
            }
            .is_running()
        );
        assert!(Job::parse("azureml-7").is_none());
    }

    #[test]
    fn a_log_is_quoted_from_its_end() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("", 2), "");
    }
}
