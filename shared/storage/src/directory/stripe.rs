//! The locks: 256 files `.sluice/locks/{00..ff}`, chosen by the hash of a blob's name. The kernel frees a lock when its
//! holder dies, however it dies. A lock file also holds the journal of its holder (see [`super::journal`]).

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt as _;

use sha2::{Digest as _, Sha256};

use super::Tree;
use super::folder::{Access, Folder, Found};
use super::journal::{FileIdentity, Intent, Record, hexadecimal};
use crate::name::BlobName;

/// How many locks there are.
pub(super) const STRIPES: usize = 256;

/// How often a reader looks again, beside a busy writer, before it queues for the lock.
const GLANCES: usize = 4;

/// How much is read at once when the digest of appended bytes is checked.
const PIECE_BYTES: u64 = 1 << 20;

/// Which lock guards a blob.
pub(super) fn stripe_of(blob: &BlobName) -> usize {
    let name = format!("{}/{}", blob.container, blob.name);
    Sha256::digest(name.as_bytes())[0].into()
}

fn file_name(stripe: usize) -> String {
    format!("{stripe:02x}")
}

/// A lock that is held. While it is held no other writer, in this process or another, changes the stripe's blobs, and
/// no append of a dead writer is pending.
#[derive(Debug)]
pub(super) struct Held {
    file: File,
    record: Record,
}

impl Held {
    /// Notes durably that an append begins.
    pub(super) fn begin(&mut self, intent: Intent) -> io::Result<()> {
        self.note(Record::Appending {
            generation: self.record.next_generation(),
            intent,
        })?;
        self.file.sync_data()
    }

    /// Notes that the append is complete or taken back. Need not be durable: who finds the old record after a loss of
    /// power finds the appended bytes to be complete and keeps them.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.note(Record::Idle {
            generation: self.record.next_generation(),
        })
    }

    fn note(&mut self, record: Record) -> io::Result<()> {
        record.write(&self.file)?;
        self.record = record;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Explicitly: a child process being started at this moment may share the file for an instant.
        drop(self.file.unlock());
    }
}

impl Tree {
    /// Waits for the lock of a blob.
    pub(super) fn hold(&self, blob: &BlobName) -> io::Result<Held> {
        let file = self.locks.open_or_make_file(&file_name(stripe_of(blob)))?;
        lock(&file)?;
        self.settled(file)
    }

    /// Settles what killed writers left in all stripes. A lock that is held belongs to a living process.
    pub(super) fn settle_all(&self) -> io::Result<()> {
        for stripe in 0..STRIPES {
            let name = file_name(stripe);
            let Found::File(file, _) = self.locks.find(&name, Access::ReadWrite)? else {
                continue;
            };
            match file.try_lock() {
                Ok(()) => drop(self.settled(file)?),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Ok(())
    }

    /// Keeps or takes back the append that a killed holder of this lock had begun.
    fn settled(&self, file: File) -> io::Result<Held> {
        let record = Record::parse(&Record::read_raw(&file)?);
        let mut held = Held { file, record };
        if let Record::Appending { intent, .. } = &held.record {
            self.settle(intent)?;
            held.finish()?;
        }
        Ok(held)
    }

    fn settle(&self, intent: &Intent) -> io::Result<()> {
        let blob = &intent.blob;
        let Some(folder) = self.folder_of(blob)? else {
            return Ok(());
        };
        let Found::File(file, metadata) = folder.find(blob.leaf(), Access::ReadWrite)? else {
            return Ok(());
        };
        let length = metadata.len();
        // Another file, or a length that the append cannot have left: somebody else's doing, nothing to take back.
        if FileIdentity::of(&metadata) != intent.file
            || length <= intent.length
            || length > intent.end()
        {
            return Ok(());
        }
        if length < intent.end() || digest_of(&file, intent)? != intent.digest {
            tracing::warn!(container = %blob.container, blob = blob.name, "took back an unfinished append");
            file.set_len(intent.length)?;
        }
        file.sync_all()
    }

    /// What `look` finds at a moment at which no append to the blob is under way. Takes the lock only if it must.
    pub(super) fn while_settled<T>(
        &self,
        blob: &BlobName,
        look: impl Fn() -> io::Result<T>,
    ) -> io::Result<T> {
        for _ in 0..GLANCES {
            let before = self.glance(blob)?;
            if !before.is_settled {
                break;
            }
            let found = look()?;
            // The same record before and after: no append began in between.
            if self.glance(blob)? == before {
                return Ok(found);
            }
        }
        // Waits for a living writer; finishes the work of a killed one.
        let _held = self.hold(blob)?;
        look()
    }

    /// Looks at the lock of a blob without taking it.
    fn glance(&self, blob: &BlobName) -> io::Result<Glance> {
        let raw = match self.locks.find(&file_name(stripe_of(blob)), Access::Read)? {
            Found::File(file, _) => Record::read_raw(&file)?,
            Found::Nothing | Found::Other => Vec::new(),
        };
        let is_settled = match Record::parse(&raw) {
            Record::Idle { .. } => true,
            Record::Appending { intent, .. } => intent.blob != *blob,
            Record::Torn => false,
        };
        Ok(Glance { raw, is_settled })
    }
}

/// What a lock file said at one moment.
#[derive(Debug, PartialEq, Eq)]
struct Glance {
    raw: Vec<u8>,
    /// Whether no append to the blob was under way.
    is_settled: bool,
}

/// Waits for the lock on a file, however many signals arrive.
fn lock(file: &File) -> io::Result<()> {
    loop {
        match file.lock() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// The lock under which stores open a root, one at a time.
pub(super) fn hold_opening(locks: &Folder) -> io::Result<File> {
    let file = locks.open_or_make_file("open")?;
    lock(&file)?;
    Ok(file)
}

/// The digest of the bytes at an append's place.
fn digest_of(file: &File, intent: &Intent) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut at = intent.length;
    while at < intent.end() {
        let mut piece = vec![0; (intent.end() - at).min(PIECE_BYTES) as usize];
        file.read_exact_at(&mut piece, at)?;
        digest.update(&piece);
        at += piece.len() as u64;
    }
    Ok(hexadecimal(&digest.finalize()))
}
