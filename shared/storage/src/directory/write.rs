//! Writing whole blobs: a temporary file that is complete and durable, then one atomic step that gives it its name.

use std::fs::{File, Metadata};
use std::io::{self, Write as _};
use std::path::Path;

use super::Tree;
use super::folder::{Access, Folder, Found};
use super::version::etag;
use crate::name::BlobName;
use crate::{ETag, Result};

/// Why a name cannot be written although it is valid.
const IN_THE_WAY: &str = "a folder or a symbolic link has this name in the store's directory";
const PART_IN_THE_WAY: &str =
    "a part of it is a blob or a symbolic link in the store's directory, not a folder";

impl Tree {
    pub(super) fn create(&self, blob: &BlobName, bytes: &[u8]) -> Result<ETag> {
        self.create_with(blob, |file| file.write_all(bytes))
    }

    pub(super) fn create_from_file(&self, blob: &BlobName, source: &Path) -> Result<ETag> {
        let mut source =
            File::open(source).map_err(|error| blob.io("reading of the local file", error))?;
        self.create_with(blob, |file| io::copy(&mut source, file).map(drop))
    }

    fn create_with(
        &self,
        blob: &BlobName,
        fill: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<ETag> {
        let failed = |error| blob.io("write", error);
        let folder = self.folder_for(blob)?;
        // Spares the copy of a large file; the link below decides.
        if existing(blob, &folder)?.is_some() {
            return Err(blob.already_exists());
        }
        let staged = self.session.stage(None, fill).map_err(failed)?;
        let etag = etag(staged.metadata());
        let _held = self.hold(blob).map_err(failed)?;
        match staged.publish_new(&folder, blob.leaf()) {
            Ok(()) => Ok(etag),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                existing(blob, &folder)?;
                Err(blob.already_exists())
            }
            Err(error) => Err(failed(error)),
        }
    }

    pub(super) fn put(&self, blob: &BlobName, bytes: &[u8]) -> Result<ETag> {
        let _held = self.hold(blob).map_err(|error| blob.io("write", error))?;
        let folder = self.folder_for(blob)?;
        let replaced = existing(blob, &folder)?;
        self.write_over(blob, &folder, replaced.as_ref(), bytes)
    }

    pub(super) fn put_from_file(&self, blob: &BlobName, source: &Path) -> Result<ETag> {
        let failed = |error| blob.io("write", error);
        let mut source =
            File::open(source).map_err(|error| blob.io("reading of the local file", error))?;
        let folder = self.folder_for(blob)?;
        // Spares the copy of a large file when something else has the name.
        existing(blob, &folder)?;
        let mut staged = self
            .session
            .stage(None, |file| io::copy(&mut source, file).map(drop))
            .map_err(failed)?;
        let _held = self.hold(blob).map_err(failed)?;
        let replaced = existing(blob, &folder)?;
        let publish = || {
            if let Some(replaced) = replaced {
                staged.stamp_after(replaced.modified()?)?;
            }
            let etag = etag(staged.metadata());
            staged.publish(&folder, blob.leaf())?;
            Ok(etag)
        };
        publish().map_err(failed)
    }

    pub(super) fn replace(&self, blob: &BlobName, bytes: &[u8], if_match: &ETag) -> Result<ETag> {
        let failed = |error| blob.io("write", error);
        let _held = self.hold(blob).map_err(failed)?;
        let folder = self.folder_of(blob).map_err(failed)?;
        let folder = folder.ok_or_else(|| blob.not_found())?;
        let replaced = existing(blob, &folder)?.ok_or_else(|| blob.not_found())?;
        if etag(&replaced) != *if_match {
            return Err(blob.conflict());
        }
        self.write_over(blob, &folder, Some(&replaced), bytes)
    }

    fn write_over(
        &self,
        blob: &BlobName,
        folder: &Folder,
        replaced: Option<&Metadata>,
        bytes: &[u8],
    ) -> Result<ETag> {
        let write = || {
            let replaced = replaced.map(Metadata::modified).transpose()?;
            let staged = self.session.stage(replaced, |file| file.write_all(bytes))?;
            let etag = etag(staged.metadata());
            staged.publish(folder, blob.leaf())?;
            Ok(etag)
        };
        write().map_err(|error: io::Error| blob.io("write", error))
    }

    pub(super) fn delete(&self, blob: &BlobName) -> Result<()> {
        let delete = || {
            let _held = self.hold(blob)?;
            let Some(folder) = self.folder_of(blob)? else {
                return Ok(());
            };
            // What is not a blob is not ours to delete.
            if let Found::File(..) = folder.find(blob.leaf(), Access::Read)? {
                folder.remove_file(blob.leaf())?;
                folder.sync()?;
            }
            Ok(())
        };
        delete().map_err(|error: io::Error| blob.io("delete", error))
    }

    /// The folder that a blob is in; `None` when there is none.
    pub(super) fn folder_of(&self, blob: &BlobName) -> io::Result<Option<Folder>> {
        let mut folder = self.root.enter(blob.container.name())?;
        for name in blob.folders() {
            let Some(parent) = folder else {
                return Ok(None);
            };
            folder = parent.enter(name)?;
        }
        Ok(folder)
    }

    /// The folder that a blob is to be in, made when absent.
    pub(super) fn folder_for(&self, blob: &BlobName) -> Result<Folder> {
        let walk = || {
            let mut folder = self.root.enter_or_make(blob.container.name())?;
            for name in blob.folders() {
                let Some(parent) = folder else {
                    return Ok(None);
                };
                folder = parent.enter_or_make(name)?;
            }
            Ok(folder)
        };
        walk()
            .map_err(|error: io::Error| blob.io("write", error))?
            .ok_or_else(|| blob.invalid(PART_IN_THE_WAY))
    }
}

/// The blob of that name, if any. Errors: `InvalidName` when something else has the name.
pub(super) fn existing(blob: &BlobName, folder: &Folder) -> Result<Option<Metadata>> {
    Ok(existing_file(blob, folder, Access::Read)?.map(|(_, metadata)| metadata))
}

/// Like [`existing`], opened.
pub(super) fn existing_file(
    blob: &BlobName,
    folder: &Folder,
    access: Access,
) -> Result<Option<(File, Metadata)>> {
    match folder.find(blob.leaf(), access) {
        Ok(Found::Nothing) => Ok(None),
        Ok(Found::File(file, metadata)) => Ok(Some((file, metadata))),
        Ok(Found::Other) => Err(blob.invalid(IN_THE_WAY)),
        Err(error) => Err(blob.io("write", error)),
    }
}
