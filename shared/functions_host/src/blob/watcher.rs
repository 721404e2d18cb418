//! Finds new and changed files in the containers: the local stand-in for Event Grid.
//!
//! A file gives an event when two looks in a row found it with the same size and time, so a file still being copied waits.
//! Names that begin with a dot, and what is in folders of such names, are not blobs.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use jiff::Timestamp;

use super::receipts::{Receipts, Version};
use super::{LARGEST_INLINED_BYTES, Message, Queue};
use crate::event::HostEvent;

/// Watches every container that a blob trigger names.
#[derive(Debug)]
pub(crate) struct Watcher {
    containers: Vec<Container>,
}

#[derive(Debug)]
struct Container {
    name: String,
    folder: PathBuf,
    functions: Vec<Arc<str>>,
    receipts: Receipts,
    /// What the last look found.
    seen: HashMap<String, Version>,
}

impl Watcher {
    /// `triggers` are functions with their containers.
    pub(crate) fn open<'a>(
        data_root: &Path,
        state_root: &Path,
        triggers: impl Iterator<Item = (Arc<str>, &'a str)>,
    ) -> io::Result<Self> {
        let mut containers: Vec<Container> = Vec::new();
        for (function, name) in triggers {
            if let Some(known) = containers
                .iter_mut()
                .find(|container| container.name == name)
            {
                known.functions.push(function);
                continue;
            }
            let folder = data_root.join(name);
            let journal = state_root
                .join("blobs")
                .join("receipts")
                .join(format!("{name}.jsonl"));
            containers.push(Container {
                name: name.to_owned(),
                receipts: Receipts::open(journal, &folder)?,
                folder,
                functions: vec![function],
                seen: HashMap::new(),
            });
        }
        Ok(Self { containers })
    }

    /// Looks once and queues an event for each file that is new and at rest. Blocks.
    pub(crate) fn look(&mut self, queue: &Queue, now: Timestamp) -> Vec<HostEvent> {
        let mut events = Vec::new();
        for container in &mut self.containers {
            if let Err(error) = container.look(queue, now, &mut events) {
                let reason = format!(
                    "cannot raise the events of {}: {error}",
                    container.folder.display()
                );
                events.push(HostEvent::StateFault { reason });
            }
        }
        events
    }
}

impl Container {
    fn look(
        &mut self,
        queue: &Queue,
        now: Timestamp,
        events: &mut Vec<HostEvent>,
    ) -> io::Result<()> {
        let mut found = HashMap::new();
        walk(&self.folder, "", &mut found)?;
        let before = std::mem::take(&mut self.seen);
        let mut due: Vec<(String, Version)> = found
            .iter()
            .filter(|(name, version)| {
                before.get(*name) == Some(version) && !self.receipts.has(name, **version)
            })
            .map(|(name, version)| (name.clone(), *version))
            .collect();
        self.seen = found;
        due.sort_by(|one, other| (one.1.modified_ns, &one.0).cmp(&(other.1.modified_ns, &other.0)));
        for (name, version) in &due {
            if version.size_bytes > LARGEST_INLINED_BYTES {
                let blob = format!("{}/{name}", self.name);
                events.push(HostEvent::BlobTooLarge {
                    blob,
                    size_bytes: version.size_bytes,
                });
                continue;
            }
            for function in &self.functions {
                let message = Message::new(function, &self.name, name, &etag(*version));
                let blob = message.path();
                queue.put(message, now)?;
                events.push(HostEvent::BlobQueued {
                    function: function.clone(),
                    blob,
                });
            }
        }
        self.receipts.add(&due)
    }
}

/// An ETag that changes with the file, in the shape of the service's.
pub(crate) fn etag(version: Version) -> String {
    format!(
        "0x{:X}",
        version.modified_ns.unsigned_abs() ^ (u128::from(version.size_bytes) << 64)
    )
}

/// Collects the blobs below a folder. What disappears while it is looked at is not there.
fn walk(folder: &Path, prefix: &str, found: &mut HashMap<String, Version>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let file_name = entry.file_name();
        let Some(name) = file_name.to_str().filter(|name| !name.starts_with('.')) else {
            continue;
        };
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        let blob = format!("{prefix}{name}");
        if metadata.is_dir() {
            walk(&entry.path(), &format!("{blob}/"), found)?;
        } else if metadata.is_file() {
            found.insert(blob, version(&metadata)?);
        }
    }
    Ok(())
}

fn version(metadata: &fs::Metadata) -> io::Result<Version> {
    let modified = metadata.modified()?;
    let modified_ns = match modified.duration_since(UNIX_EPOCH) {
        Ok(after) => i128::try_from(after.as_nanos()).unwrap_or(i128::MAX),
        Err(before) => -i128::try_from(before.duration().as_nanos()).unwrap_or(i128::MAX),
    };
    Ok(Version {
        size_bytes: metadata.len(),
        modified_ns,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixture {
        folder: tempfile::TempDir,
        queue: Queue,
        watcher: Watcher,
    }

    fn watcher(folder: &Path) -> Watcher {
        Watcher::open(
            &folder.join("data"),
            &folder.join("state"),
            [("ingest".into(), "incoming")].into_iter(),
        )
        .unwrap()
    }

    fn fixture() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("data/incoming/tweets")).unwrap();
        let queue = Queue::open(&folder.path().join("state")).unwrap();
        let watcher = watcher(folder.path());
        Fixture {
            folder,
            queue,
            watcher,
        }
    }

    impl Fixture {
        fn write(&self, name: &str, content: &str) {
            fs::write(self.folder.path().join("data/incoming").join(name), content).unwrap();
        }

        fn queued(&mut self) -> Vec<String> {
            let events = self.watcher.look(&self.queue, Timestamp::UNIX_EPOCH);
            let blobs = events.into_iter().map(|event| match event {
                HostEvent::BlobQueued { blob, .. } => blob,
                other => panic!("{other:?}"),
            });
            blobs.collect()
        }
    }

    #[test]
    fn a_file_gives_one_event_once_it_is_at_rest() {
        let mut fixture = fixture();
        fixture.write("tweets/a.csv", "1");
        assert!(fixture.queued().is_empty());
        fixture.write("tweets/a.csv", "12");
        assert!(fixture.queued().is_empty(), "it changed between two looks");
        assert_eq!(fixture.queued(), ["incoming/tweets/a.csv"]);
        assert!(fixture.queued().is_empty());
        fixture.write("tweets/a.csv", "123");
        assert!(fixture.queued().is_empty());
        assert_eq!(
            fixture.queued(),
            ["incoming/tweets/a.csv"],
            "a changed blob gives another event"
        );
    }

    #[test]
    fn a_restart_raises_nothing_again_and_finds_what_came_meanwhile() {
        let mut fixture = fixture();
        fixture.write("a.csv", "1");
        fixture.queued();
        assert_eq!(fixture.queued().len(), 1);
        fixture.write("b.csv", "1");
        fixture.watcher = watcher(fixture.folder.path());
        fixture.queued();
        assert_eq!(fixture.queued(), ["incoming/b.csv"]);
    }

    #[test]
    fn dot_files_and_dot_folders_are_not_blobs() {
        let mut fixture = fixture();
        fs::create_dir_all(fixture.folder.path().join("data/incoming/.tmp")).unwrap();
        fixture.write(".hidden", "1");
        fixture.write(".tmp/x", "1");
        fixture.queued();
        assert!(fixture.queued().is_empty());
    }
}
