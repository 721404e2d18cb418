//! The temporary files of one open store: a folder `.sluice/sessions/{process}-{number}` that is locked while its
//! owner lives. The kernel drops the lock when the owner dies, however it dies; the next store that opens the root
//! then removes what it left.

use std::fs::{File, TryLockError};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::folder::{Access, Folder, Found};
use super::version;

/// The file in a session's folder that its owner keeps locked.
const OWNER: &str = "owner";

/// The temporary files of one open store.
#[derive(Debug)]
pub(super) struct Session {
    sessions: Folder,
    name: String,
    folder: Folder,
    _owner: File,
    staged: AtomicU64,
}

impl Session {
    /// Begins a session. The caller holds the lock of opening: a folder whose owner file is not locked yet would look
    /// abandoned to [`sweep`].
    pub(super) fn begin(sessions: Folder) -> io::Result<Self> {
        let process = std::process::id();
        let mut number = 0_u64;
        let name = loop {
            let name = format!("{process}-{number}");
            if sessions.make(&name)? {
                break name;
            }
            number += 1;
        };
        let folder = sessions.enter(&name)?.ok_or(io::ErrorKind::NotADirectory)?;
        let owner = folder.open_or_make_file(OWNER)?;
        owner.try_lock()?;
        // Tells now, not at the first write, that a file system does not keep times well enough.
        version::stamp(&owner, None)?;
        Ok(Self {
            sessions,
            name,
            folder,
            _owner: owner,
            staged: AtomicU64::new(0),
        })
    }

    /// Writes a temporary file with `fill`, stamps it later than `replaced` and makes its content durable.
    pub(super) fn stage(
        &self,
        replaced: Option<SystemTime>,
        fill: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<Staged<'_>> {
        let name = self.staged.fetch_add(1, Ordering::Relaxed).to_string();
        let mut file = self.folder.open_or_make_file(&name)?;
        let mut staged = Staged {
            folder: &self.folder,
            name,
            metadata: file.metadata()?,
        };
        fill(&mut file)?;
        staged.metadata = version::stamp(&file, replaced)?;
        file.sync_all()?;
        Ok(staged)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Best effort: what stays is swept at the next opening.
        if let Err(error) = clear(&self.sessions, &self.name, &self.folder) {
            tracing::debug!(session = self.name, %error, "temporary files were left behind");
        }
    }
}

/// Removes the sessions whose owners are dead. The caller holds the lock of opening.
pub(super) fn sweep(sessions: &Folder) -> io::Result<()> {
    for entry in sessions.entries()? {
        if let Err(error) = sweep_one(sessions, &entry.name) {
            tracing::debug!(session = entry.name, %error, "temporary files could not be removed");
        }
    }
    Ok(())
}

fn sweep_one(sessions: &Folder, name: &str) -> io::Result<()> {
    let Some(folder) = sessions.enter(name)? else {
        return Ok(());
    };
    let owner = folder.open_or_make_file(OWNER)?;
    match owner.try_lock() {
        Ok(()) => clear(sessions, name, &folder),
        Err(TryLockError::WouldBlock) => Ok(()),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn clear(sessions: &Folder, name: &str, folder: &Folder) -> io::Result<()> {
    for entry in folder.entries()? {
        absent_is_fine(folder.remove_file(&entry.name))?;
    }
    absent_is_fine(sessions.remove_folder(name))
}

/// A session that ends and one that sweeps may remove the same file.
fn absent_is_fine(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// A complete, durable file that has no blob's name yet. It is removed when dropped without being given one.
#[derive(Debug)]
pub(super) struct Staged<'a> {
    folder: &'a Folder,
    name: String,
    metadata: std::fs::Metadata,
}

impl Staged<'_> {
    /// The file's metadata: its version, whatever name it gets.
    pub(super) const fn metadata(&self) -> &std::fs::Metadata {
        &self.metadata
    }

    /// Stamps the file later than the version that it turns out to replace.
    pub(super) fn stamp_after(&mut self, replaced: SystemTime) -> io::Result<()> {
        let Found::File(file, _) = self.folder.find(&self.name, Access::ReadWrite)? else {
            return Err(io::ErrorKind::NotFound.into());
        };
        self.metadata = version::stamp(&file, Some(replaced))?;
        file.sync_all()
    }

    /// Gives the file its name if that is free, durably. Errors: of kind `AlreadyExists` when it is not.
    pub(super) fn publish_new(self, folder: &Folder, name: &str) -> io::Result<()> {
        self.folder.link(&self.name, folder, name)?;
        folder.sync()
    }

    /// Gives the file its name, over the file that has it, durably.
    pub(super) fn publish(self, folder: &Folder, name: &str) -> io::Result<()> {
        self.folder.rename(&self.name, folder, name)?;
        folder.sync()
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        // After a rename there is nothing left; any other failure is swept at the next opening.
        drop(self.folder.remove_file(&self.name));
    }
}
