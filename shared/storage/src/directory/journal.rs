//! The record in a lock file that says which append its holder has begun: what is needed to tell, after a SIGKILL or a
//! power cut, whether the append is complete, and to take it back when it is not.
//!
//! A record is two lines of text, padded to a fixed length so that rewriting it never changes the file's size:
//! `{generation} idle` or `{generation} append {file} {length} {added} {sha256 of the added bytes} {container}/{name}`,
//! then the SHA-256 of that line. The generation grows with every record, so that a reader that finds the same record
//! before and after looking at a blob knows that no append began in between.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::time::UNIX_EPOCH;

use sha2::{Digest as _, Sha256};

use crate::Container;
use crate::name::BlobName;

/// More than the longest record: a name of 1,024 bytes and some 300 for everything else.
const RECORD_BYTES: usize = 2_048;

/// An append that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Intent {
    pub(super) blob: BlobName,
    pub(super) file: FileIdentity,
    /// The blob's length in bytes before the append.
    pub(super) length: u64,
    /// How many bytes are appended.
    pub(super) added: u64,
    /// The digest of the appended bytes.
    pub(super) digest: String,
}

impl Intent {
    /// Where the appended bytes end.
    pub(super) const fn end(&self) -> u64 {
        self.length.saturating_add(self.added)
    }
}

/// Tells one file from another that later has the same name: inode and, where the file system knows it, time of birth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileIdentity(String);

impl FileIdentity {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let born = metadata.created().ok();
        let born = born.and_then(|born| born.duration_since(UNIX_EPOCH).ok());
        Self(format!(
            "{:x}-{:x}",
            metadata.ino(),
            born.map_or(0, |born| born.as_nanos())
        ))
    }
}

/// What a lock file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// No append is under way.
    Idle { generation: u64 },
    /// An append has begun: by a living holder of the lock, or by one that was killed.
    Appending { generation: u64, intent: Intent },
    /// Unreadable: being written at this moment, or cut by a loss of power. The append had then not begun.
    Torn,
}

impl Record {
    /// The generation that follows this one. It may begin anew after a loss of power, which no reader outlives.
    pub(super) const fn next_generation(&self) -> u64 {
        match self {
            Self::Idle { generation } | Self::Appending { generation, .. } => {
                generation.wrapping_add(1)
            }
            Self::Torn => 1,
        }
    }

    /// Writes the record, not yet durably.
    pub(super) fn write(&self, file: &File) -> io::Result<()> {
        let line = match self {
            Self::Idle { generation } => format!("{generation} idle"),
            Self::Appending { generation, intent } => format!(
                "{generation} append {} {} {} {} {}/{}",
                intent.file.0,
                intent.length,
                intent.added,
                intent.digest,
                intent.blob.container,
                intent.blob.name
            ),
            Self::Torn => String::new(),
        };
        let mut bytes = format!("{line}\n{}\n", sha256(line.as_bytes())).into_bytes();
        bytes.resize(RECORD_BYTES, b'\n');
        file.write_all_at(&bytes, 0)
    }

    /// Reads a lock file's record, as it is.
    pub(super) fn read_raw(file: &File) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; RECORD_BYTES];
        let mut filled = 0;
        while filled < RECORD_BYTES {
            match file.read_at(&mut bytes[filled..], filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    pub(super) fn parse(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self::Idle { generation: 0 };
        }
        Self::parse_text(bytes).unwrap_or(Self::Torn)
    }

    fn parse_text(bytes: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(bytes).ok()?.lines();
        let line = lines.next()?;
        if lines.next()? != sha256(line.as_bytes()) {
            return None;
        }
        let (generation, rest) = line.split_once(' ')?;
        let generation = generation.parse().ok()?;
        if rest == "idle" {
            return Some(Self::Idle { generation });
        }
        let mut fields = rest.strip_prefix("append ")?.splitn(5, ' ');
        let file = FileIdentity(fields.next()?.to_owned());
        let length = fields.next()?.parse().ok()?;
        let added = fields.next()?.parse().ok()?;
        let digest = fields.next()?.to_owned();
        let (container, name) = fields.next()?.split_once('/')?;
        let container = Container::ALL
            .into_iter()
            .find(|known| known.name() == container)?;
        Some(Self::Appending {
            generation,
            intent: Intent {
                blob: BlobName::new(container, name).ok()?,
                file,
                length,
                added,
                digest,
            },
        })
    }
}

/// The SHA-256 of `bytes` in hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn appending(generation: u64, name: &str, length: u64, added: u64) -> Record {
        Record::Appending {
            generation,
            intent: Intent {
                blob: BlobName::new(Container::Predictions, name).unwrap(),
                file: FileIdentity("1f-0".to_owned()),
                length,
                added,
                digest: sha256(b"bytes"),
            },
        }
    }

    fn bytes_of(record: &Record) -> Vec<u8> {
        let file = tempfile::tempfile().unwrap();
        record.write(&file).unwrap();
        Record::read_raw(&file).unwrap()
    }

    #[test]
    fn a_new_lock_file_is_idle() {
        assert_eq!(Record::Idle { generation: 0 }, Record::parse(b""));
    }

    #[test]
    fn a_shorter_record_replaces_a_longer_one() {
        let file = tempfile::tempfile().unwrap();
        let long = "a/".repeat(511) + "bc";
        appending(7, &long, 1, 2).write(&file).unwrap();
        Record::Idle { generation: 8 }.write(&file).unwrap();
        let record = Record::parse(&Record::read_raw(&file).unwrap());
        assert_eq!(Record::Idle { generation: 8 }, record);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(generation: u64, name in "[a-z0-9é][a-z0-9é .]{0,30}(/[a-z][a-z0-9 ]{0,5}){0,3}", length: u64, added: u64) {
            let record = appending(generation, &name, length, added);
            prop_assert_eq!(&record, &Record::parse(&bytes_of(&record)));
        }

        #[test]
        fn a_damaged_record_is_never_taken_for_a_whole_one(at in 0..150_usize, flip in 1..=255_u8) {
            let record = appending(3, "a/b.jsonl", 1_000, 50);
            let mut bytes = bytes_of(&record);
            bytes[at] ^= flip;
            prop_assert_eq!(Record::Torn, Record::parse(&bytes));
        }
    }
}
