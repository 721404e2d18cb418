//! A folder held open. Every step goes from an open folder to a name inside it and follows no symbolic link, so no
//! name, and no folder moved meanwhile, can lead outside the root.

use std::fs::{File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

/// An open folder.
#[derive(Debug)]
pub(super) struct Folder(OwnedFd);

/// What is found under a name.
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// A folder, a symbolic link, a socket…: never a blob.
    Other,
    /// A plain file.
    File(File, Metadata),
}

/// Whether a found file is only to be read.
#[derive(Clone, Copy)]
pub(super) enum Access {
    Read,
    ReadWrite,
}

/// One entry of a folder, as far as it can be a blob or lead to one.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) is_folder: bool,
}

impl Folder {
    /// Opens the folder at `path`, following symbolic links: the root is where the user says.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::open(path, flags, Mode::empty())?))
    }

    /// The folder `name` in this one; `None` when there is none.
    pub(super) fn enter(&self, name: &str) -> io::Result<Option<Self>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.0, name, flags, Mode::empty()) {
            Ok(folder) => Ok(Some(Self(folder))),
            // A link is "not a directory" on Linux and "a loop" elsewhere.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The folder `name` in this one, made durably when absent; `None` when a file or a link has that name.
    pub(super) fn enter_or_make(&self, name: &str) -> io::Result<Option<Self>> {
        if let Some(folder) = self.enter(name)? {
            return Ok(Some(folder));
        }
        if self.make(name)? {
            self.sync()?;
        }
        self.enter(name)
    }

    /// Makes the folder `name`, not yet durably, and says whether it was absent.
    pub(super) fn make(&self, name: &str) -> io::Result<bool> {
        match rustix::fs::mkdirat(&self.0, name, Mode::from_raw_mode(0o777)) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// What is under `name`.
    pub(super) fn find(&self, name: &str, access: Access) -> io::Result<Found> {
        let access = match access {
            Access::Read => OFlags::RDONLY,
            Access::ReadWrite => OFlags::RDWR,
        };
        // NONBLOCK: opening a named pipe must not wait for its other end.
        let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.0, name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(Found::Nothing),
            Err(Errno::LOOP | Errno::MLINK | Errno::ISDIR | Errno::NXIO) => {
                return Ok(Found::Other);
            }
            Err(error) => return Err(error.into()),
        };
        let metadata = file.metadata()?;
        if metadata.is_file() {
            Ok(Found::File(file, metadata))
        } else {
            Ok(Found::Other)
        }
    }

    /// Opens the file `name` for reading and writing, made when absent. Only for the store's own bookkeeping.
    pub(super) fn open_or_make_file(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o666);
        Ok(rustix::fs::openat(&self.0, name, flags, mode)?.into())
    }

    /// Gives a file of this folder its name in another, if that name is free there.
    pub(super) fn link(&self, name: &str, to: &Self, new_name: &str) -> io::Result<()> {
        Ok(rustix::fs::linkat(
            &self.0,
            name,
            &to.0,
            new_name,
            AtFlags::empty(),
        )?)
    }

    /// Moves a file of this folder to a name in another, over what has that name there.
    pub(super) fn rename(&self, name: &str, to: &Self, new_name: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.0, name, &to.0, new_name)?)
    }

    /// Removes a file.
    pub(super) fn remove_file(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Removes an empty folder.
    pub(super) fn remove_folder(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    /// Makes what was made, renamed and removed in this folder durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.0)?)
    }

    /// The folder's entries, in no order, without those that cannot be part of a blob's name.
    pub(super) fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if !crate::name::is_valid(name) {
                continue;
            }
            let is_folder = match entry.file_type() {
                FileType::Directory => true,
                FileType::RegularFile => false,
                // Some file systems do not say.
                FileType::Unknown => self.enter(name)?.is_some(),
                _ => continue,
            };
            entries.push(Entry {
                name: name.to_owned(),
                is_folder,
            });
        }
        Ok(entries)
    }
}
