//! Which files of a container had their event, so that a restart does not raise all of them again.
//!
//! A receipt is written after its message is on the queue. A kill between the two gives a second event, as Event Grid may too.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::state_file;

/// What tells one version of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) size_bytes: u64,
    pub(crate) modified_ns: i128,
}

#[derive(Serialize, Deserialize)]
struct Line {
    name: String,
    #[serde(flatten)]
    version: StoredVersion,
}

/// JSON readers agree on 64 bits only.
#[derive(Serialize, Deserialize)]
struct StoredVersion {
    size_bytes: u64,
    modified_ns: String,
}

/// The receipts of one container: a journal of JSON lines.
#[derive(Debug)]
pub(crate) struct Receipts {
    journal: PathBuf,
    versions: HashMap<String, Version>,
}

impl Receipts {
    /// Reads the journal and rewrites it without lines that are torn, outdated or about files that are gone.
    pub(crate) fn open(journal: PathBuf, container: &Path) -> io::Result<Self> {
        let mut versions = HashMap::new();
        let content = state_file::read(&journal)?.unwrap_or_default();
        for line in content.split(|byte| *byte == b'\n') {
            let Ok(line) = serde_json::from_slice::<Line>(line) else {
                continue;
            };
            let Ok(modified_ns) = line.version.modified_ns.parse() else {
                continue;
            };
            versions.insert(
                line.name,
                Version {
                    size_bytes: line.version.size_bytes,
                    modified_ns,
                },
            );
        }
        versions.retain(|name, _| container.join(name).exists());
        if let Some(folder) = journal.parent() {
            fs::create_dir_all(folder)?;
        }
        let kept = versions
            .iter()
            .map(|(name, version)| (name.as_str(), *version));
        state_file::replace(&journal, &lines(kept)?)?;
        Ok(Self { journal, versions })
    }

    pub(crate) fn has(&self, name: &str, version: Version) -> bool {
        self.versions.get(name) == Some(&version)
    }

    /// Adds receipts; they are on disk when this returns.
    pub(crate) fn add(&mut self, added: &[(String, Version)]) -> io::Result<()> {
        if added.is_empty() {
            return Ok(());
        }
        let lines = lines(
            added
                .iter()
                .map(|(name, version)| (name.as_str(), *version)),
        )?;
        let mut journal = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.journal)?;
        journal.write_all(&lines)?;
        journal.sync_data()?;
        self.versions.extend(added.iter().cloned());
        Ok(())
    }
}

fn lines<'a>(receipts: impl Iterator<Item = (&'a str, Version)>) -> io::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for (name, version) in receipts {
        let version = StoredVersion {
            size_bytes: version.size_bytes,
            modified_ns: version.modified_ns.to_string(),
        };
        serde_json::to_writer(
            &mut lines,
            &Line {
                name: name.to_owned(),
                version,
            },
        )
        .map_err(io::Error::other)?;
        lines.push(b'\n');
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_outlive_a_restart_and_a_torn_line() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, container) = (
            folder.path().join("r/incoming.jsonl"),
            folder.path().join("incoming"),
        );
        fs::create_dir_all(&container).unwrap();
        fs::write(container.join("a"), "1").unwrap();
        let version = Version {
            size_bytes: 1,
            modified_ns: i128::from(i64::MAX) + 7,
        };
        let mut receipts = Receipts::open(journal.clone(), &container).unwrap();
        receipts
            .add(&[("a".into(), version), ("gone".into(), version)])
            .unwrap();
        OpenOptions::new()
            .append(true)
            .open(&journal)
            .unwrap()
            .write_all(b"{\"name\":\"b")
            .unwrap();

        let receipts = Receipts::open(journal.clone(), &container).unwrap();
        assert!(receipts.has("a", version) && !receipts.has("gone", version));
        assert!(!receipts.has(
            "a",
            Version {
                size_bytes: 2,
                ..version
            }
        ));
        assert_eq!(fs::read_to_string(journal).unwrap().lines().count(), 1);
    }
}
