//! A process that a test started: what it prints is kept, and it never outlives the test.

use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

const PAUSE: Duration = Duration::from_millis(5);

/// A running process with everything it printed so far.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    output: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = Arc::new(Mutex::new(String::new()));
        let readers = vec![
            keep(child.stdout.take().unwrap(), output.clone()),
            keep(child.stderr.take().unwrap(), output.clone()),
        ];
        Self {
            child,
            output,
            readers,
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it printed so far, standard output and standard error together.
    pub(crate) fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        signal_to(self.child.id(), signal);
    }

    /// Whether it has ended by itself.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// SIGKILL; returns when it is gone.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // Not there any more is fine, too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
        if thread::panicking() {
            // The streams may be held open by a training job, so the readers are not waited for.
            println!("--- process {} printed:\n{}", self.id(), self.output());
        }
        self.readers.clear();
    }
}

/// Sends a signal to a process that the tests started, or that one of theirs did.
pub(crate) fn signal_to(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// Kills a process that one of the tests' own started, and waits until it is gone.
pub(crate) fn end(pid: u32) {
    let pid_of_it = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    // Gone already is fine, too.
    let _ = kill_process(pid_of_it, Signal::KILL);
    while is_running(pid) {
        thread::sleep(PAUSE);
    }
}

/// The children of a process that run our executable.
pub(crate) fn sluice_children(parent: u32) -> Vec<u32> {
    let is_child = |pid: &u32| {
        let stat = stat(*pid).unwrap_or_default();
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        fields.split_whitespace().nth(1) == Some(&parent.to_string())
    };
    sluices().into_iter().filter(is_child).collect()
}

/// The processes of our executable that work in `folder`: those that a test started, and what they started.
pub(crate) fn sluices_in(folder: &Path) -> Vec<u32> {
    let folder = folder.as_os_str().as_encoded_bytes();
    let works_there = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment
            .windows(folder.len())
            .any(|bytes| bytes == folder)
    };
    sluices().into_iter().filter(works_there).collect()
}

/// Every process of our executable that has not ended.
fn sluices() -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid| {
        stat(*pid).is_some_and(|stat| stat.contains("(sluice) ") && !stat.contains(") Z "))
    })
    .collect()
}

/// Number, name, state, parent and more of a process, see proc(5).
fn stat(pid: u32) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/stat")).ok()
}

/// Whether there is such a process. One that has ended and waits for its parent counts as gone.
pub(crate) fn is_running(pid: u32) -> bool {
    stat(pid).is_some_and(|stat| !stat.contains(") Z "))
}

fn keep(stream: impl Read + Send + 'static, output: Arc<Mutex<String>>) -> JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut output = output.lock().unwrap();
            output.push_str(&line);
            output.push('\n');
        }
    })
}
