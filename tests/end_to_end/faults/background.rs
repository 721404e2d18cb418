//! Work that goes on beside the kills: a reader that must never meet half a document, a caller that must never get an
//! answer which nobody approved.

use std::fs;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

use crate::machine::files;

const PAUSE: Duration = Duration::from_millis(5);

/// Containers whose JSON documents are read.
const DOCUMENTS: [&str; 6] = [
    "datasets", "models", "runs", "releases", "aborts", "reports",
];
/// Containers of logs.
const LOGS: [&str; 4] = ["audit", "predictions", "feedback", "quarantine"];

/// Something that is done over and over, in a thread, until it is stopped or fails.
pub(super) struct Background {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<usize>>,
}

impl Background {
    /// `turn` says how much it did.
    pub(super) fn start(mut turn: impl FnMut() -> usize + Send + 'static) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let is_over = over.clone();
        let thread = thread::spawn(move || {
            let mut done = 0;
            while !is_over.load(Ordering::Relaxed) {
                done += turn();
                thread::sleep(PAUSE);
            }
            done
        });
        Self {
            over,
            thread: Some(thread),
        }
    }

    /// Reads every document and every log through the file system, again and again.
    pub(super) fn reader(data: PathBuf) -> Self {
        Self::start(move || read_everything(&data))
    }

    /// Ends it, fails when it failed, and says how much it did.
    pub(super) fn stop(mut self) -> usize {
        self.over.store(true, Ordering::Relaxed);
        let done = self.thread.take().unwrap().join();
        done.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // It must not outlive the folder of the test; a test that fails has said why already.
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// Every document is whole whenever it is there; of a log only the last line may be unfinished.
fn read_everything(data: &Path) -> usize {
    let mut read = 0;
    for container in DOCUMENTS {
        for file in files(&data.join(container)) {
            if file
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                // Replaced or gone between the two looks is fine.
                let Ok(text) = fs::read(&file) else { continue };
                let parsed = serde_json::from_slice::<Value>(&text);
                assert!(
                    parsed.is_ok(),
                    "{} is not whole: {parsed:?}",
                    file.display()
                );
                read += 1;
            }
        }
    }
    for file in LOGS.iter().flat_map(|log| files(&data.join(log))) {
        let Ok(text) = fs::read(&file) else { continue };
        let whole = text.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
        for line in text[..whole].split(|byte| *byte == b'\n') {
            let parsed = serde_json::from_slice::<Value>(line);
            assert!(
                line.is_empty() || parsed.is_ok(),
                "{} has a torn line before its last one: {:?}",
                file.display(),
                String::from_utf8_lossy(line)
            );
        }
        read += 1;
    }
    read
}
