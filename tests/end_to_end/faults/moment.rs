//! When to kill: after some time, or after some write.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// Far less than a durable write takes.
const PAUSE: Duration = Duration::from_micros(200);

/// How long some work is when nobody disturbs it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole {
    pub(super) took: Duration,
    pub(super) writes: usize,
}

/// A moment in some work.
#[derive(Clone, Copy, Debug)]
pub(super) enum Moment {
    /// So long after its beginning.
    After(Duration),
    /// Right after its so-manieth write.
    Write(usize),
}

impl Moment {
    /// Waits for the moment, or for the end of the work if that comes first.
    pub(super) fn wait(self, mut watch: Watch, mut is_over: impl FnMut() -> bool) {
        let begun = Instant::now();
        loop {
            let has_come = match self {
                Self::After(time) => begun.elapsed() >= time,
                Self::Write(number) => watch.writes() >= number,
            };
            if has_come || is_over() {
                return;
            }
            thread::sleep(PAUSE);
        }
    }
}

/// Does some work without a disturbance and measures it.
pub(super) fn in_peace(mut watch: Watch, work: impl FnOnce() + Send) -> Whole {
    let begun = Instant::now();
    thread::scope(|scope| {
        let work = scope.spawn(work);
        while !work.is_finished() {
            watch.writes();
            thread::sleep(PAUSE);
        }
        work.join().unwrap();
    });
    Whole {
        took: begun.elapsed(),
        writes: watch.writes(),
    }
}

/// Counts the writes below some folders: files that appear, grow or are replaced.
pub(super) struct Watch {
    folders: Vec<PathBuf>,
    files: HashMap<PathBuf, (u64, u64)>,
    writes: usize,
}

impl Watch {
    /// Begins to watch containers of the data folder, and the files that are to be written and have no name yet.
    pub(super) fn start(data: &Path, containers: &[&str]) -> Self {
        let names = containers.iter().chain(&[".sluice/sessions"]);
        let mut watch = Self {
            folders: names.map(|name| data.join(name)).collect(),
            files: HashMap::new(),
            writes: 0,
        };
        watch.writes();
        watch.writes = 0;
        watch
    }

    /// Looks; says how many writes there were so far.
    fn writes(&mut self) -> usize {
        let mut waiting = self.folders.clone();
        while let Some(folder) = waiting.pop() {
            // Folders come and go.
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let Ok(metadata) = entry.metadata() else {
                    continue;
                };
                if metadata.is_dir() {
                    waiting.push(entry.path());
                } else {
                    let now = (metadata.ino(), metadata.len());
                    self.writes += usize::from(self.files.insert(entry.path(), now) != Some(now));
                }
            }
        }
        self.writes
    }
}
