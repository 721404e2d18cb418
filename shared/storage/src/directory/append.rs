//! Appending, all or nothing: note the intent durably, write the bytes and make them durable, clear the note.
//!
//! Readers look at the note and count nothing of an append that is under way. Whoever next takes the lock of a killed
//! writer finds the note and takes the torn bytes back, or keeps them when they are complete. Two syncs for each append.

use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;

use super::Tree;
use super::folder::{Access, Folder};
use super::journal::{FileIdentity, Intent, sha256};
use super::write::existing_file;
use crate::Result;
use crate::name::BlobName;

impl Tree {
    pub(super) fn append(&self, blob: &BlobName, bytes: &[u8], at: Option<u64>) -> Result<u64> {
        let failed = |error| blob.io("append", error);
        let mut held = self.hold(blob).map_err(failed)?;
        let folder = self.folder_for(blob)?;
        let Some((file, metadata)) = existing_file(blob, &folder, Access::ReadWrite)? else {
            if at.is_some_and(|at| at != 0) {
                return Err(blob.conflict());
            }
            return self.begin_blob(blob, &folder, bytes);
        };
        let length = metadata.len();
        if at.is_some_and(|at| at != length) {
            return Err(blob.conflict());
        }
        if bytes.is_empty() {
            return Ok(length);
        }
        let intent = Intent {
            blob: blob.clone(),
            file: FileIdentity::of(&metadata),
            length,
            added: bytes.len() as u64,
            digest: sha256(bytes),
        };
        let end = intent.end();
        held.begin(intent).map_err(failed)?;
        let written = file
            .write_all_at(bytes, length)
            .and_then(|()| file.sync_data());
        if let Err(error) = written {
            // A full disk, most likely. When even taking back fails, the note stays, and the next to come tries.
            if file.set_len(length).is_ok() && file.sync_data().is_ok() {
                drop(held.finish());
            }
            return Err(failed(error));
        }
        // The bytes are durable: a note that stays costs the next to come a look, not the bytes.
        drop(held.finish());
        Ok(end)
    }

    /// The first append makes the blob, like any other new blob.
    fn begin_blob(&self, blob: &BlobName, folder: &Folder, bytes: &[u8]) -> Result<u64> {
        let begin = || {
            let staged = self.session.stage(None, |file| file.write_all(bytes))?;
            staged.publish_new(folder, blob.leaf())
        };
        match begin() {
            Ok(()) => Ok(bytes.len() as u64),
            // The lock is held: only something that is not the store can have made the file in this moment.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(blob.conflict()),
            Err(error) => Err(blob.io("append", error)),
        }
    }
}
