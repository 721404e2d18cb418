//! Reading: one complete version, however often the blob is written meanwhile.
//!
//! An open file is never changed by the store except that an append makes it longer, so the length at the time of
//! opening is the version. Only that length needs care: it must not count an append that is under way.

use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, stream};

use super::Tree;
use super::folder::{Access, Found};
use super::version::{etag, info};
use crate::name::BlobName;
use crate::{BlobInfo, ByteStream, ETag, Result, StorageError};

/// The size of the pieces of a stream.
const PIECE_BYTES: u64 = 256 * 1_024;

impl Tree {
    /// Opens a blob: the file, and metadata whose length counts complete appends only.
    pub(super) fn open_blob(&self, blob: &BlobName) -> Result<(File, Metadata)> {
        self.while_settled(blob, || self.find_file(blob))
            .map_err(|error| blob.io("read", error))?
            .ok_or_else(|| blob.not_found())
    }

    fn find_file(&self, blob: &BlobName) -> io::Result<Option<(File, Metadata)>> {
        let Some(folder) = self.folder_of(blob)? else {
            return Ok(None);
        };
        match folder.find(blob.leaf(), Access::Read)? {
            Found::File(file, metadata) => Ok(Some((file, metadata))),
            Found::Nothing | Found::Other => Ok(None),
        }
    }

    pub(super) fn read(&self, blob: &BlobName) -> Result<(Bytes, ETag)> {
        let (file, metadata) = self.open_blob(blob)?;
        let bytes = read_at(&file, 0..metadata.len()).map_err(|error| blob.io("read", error))?;
        Ok((bytes, etag(&metadata)))
    }

    pub(super) fn read_range(&self, blob: &BlobName, range: Range<u64>) -> Result<Bytes> {
        let (file, metadata) = self.open_blob(blob)?;
        let range = range.start..range.end.min(metadata.len());
        read_at(&file, range).map_err(|error| blob.io("read", error))
    }

    pub(super) fn info(&self, blob: &BlobName) -> Result<BlobInfo> {
        let (_, metadata) = self.open_blob(blob)?;
        info(blob.name.clone(), &metadata).map_err(|error| blob.io("read", error))
    }
}

/// The bytes of a range; none when it ends before it starts.
fn read_at(file: &File, range: Range<u64>) -> io::Result<Bytes> {
    let length = range.end.saturating_sub(range.start);
    let length = usize::try_from(length).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, range.start)
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file was cut while it was read, by something that is not the store",
            ),
            _ => error,
        })?;
    Ok(bytes.into())
}

/// The first `length` bytes of an open blob, piece by piece.
pub(super) fn stream_of(blob: BlobName, file: File, length: u64) -> ByteStream {
    let state = (Arc::new(file), blob);
    stream::try_unfold((state, 0), move |(state, at)| async move {
        if at >= length {
            return Ok::<_, StorageError>(None);
        }
        let end = length.min(at + PIECE_BYTES);
        let (file, blob) = state;
        let opened = Arc::clone(&file);
        let piece = tokio::task::spawn_blocking(move || read_at(&opened, at..end))
            .await
            .map_err(io::Error::from)
            .flatten()
            .map_err(|error| blob.io("read", error))?;
        Ok(Some((piece, ((file, blob), end))))
    })
    .boxed()
}
