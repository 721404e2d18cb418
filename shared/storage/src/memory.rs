//! A store in memory.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, stream};
use jiff::Timestamp;

use crate::name::BlobName;
use crate::{BlobInfo, ByteStream, Container, ETag, InfoStream, Result, Store};

/// A store in memory, for tests and for trying things out. Clones share the blobs; the last one takes them with it.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    blobs: Arc<Mutex<Blobs>>,
}

#[derive(Debug, Default)]
struct Blobs {
    entries: BTreeMap<BlobName, Entry>,
    /// How many versions have been written, of all blobs.
    versions: u64,
}

#[derive(Debug)]
struct Entry {
    bytes: Bytes,
    version: u64,
    modified: Timestamp,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// No change is made in two steps, so the blobs are whole even if a thread that held them panicked.
    fn blobs(&self) -> MutexGuard<'_, Blobs> {
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Blobs {
    fn entry(&self, blob: &BlobName) -> Result<&Entry> {
        self.entries.get(blob).ok_or_else(|| blob.not_found())
    }

    fn write(&mut self, blob: BlobName, bytes: Bytes) -> ETag {
        self.versions += 1;
        let entry = Entry {
            bytes,
            version: self.versions,
            modified: Timestamp::now(),
        };
        let etag = entry.etag();
        self.entries.insert(blob, entry);
        etag
    }

    fn create(&mut self, blob: BlobName, bytes: Bytes) -> Result<ETag> {
        if self.entries.contains_key(&blob) {
            return Err(blob.already_exists());
        }
        Ok(self.write(blob, bytes))
    }

    fn append(&mut self, blob: BlobName, added: &[u8], at: Option<u64>) -> Result<u64> {
        let old = self.entries.get_mut(&blob).map(|entry| &mut entry.bytes);
        let length = old.as_ref().map_or(0, |old| old.len() as u64);
        if at.is_some_and(|at| at != length) {
            return Err(blob.conflict());
        }
        if added.is_empty() && old.is_some() {
            return Ok(length);
        }
        // Grows in place unless a reader still has the old bytes.
        let mut bytes = old
            .map(std::mem::take)
            .map_or_else(BytesMut::new, BytesMut::from);
        bytes.extend_from_slice(added);
        self.write(blob, bytes.freeze());
        Ok(length + added.len() as u64)
    }
}

impl Entry {
    fn etag(&self) -> ETag {
        ETag(self.version.to_string())
    }

    fn info(&self, name: &str) -> BlobInfo {
        BlobInfo {
            name: name.to_owned(),
            size_bytes: self.bytes.len() as u64,
            etag: self.etag(),
            modified: self.modified,
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn read(&self, container: Container, name: &str) -> Result<(Bytes, ETag)> {
        let blob = BlobName::new(container, name)?;
        let blobs = self.blobs();
        let entry = blobs.entry(&blob)?;
        Ok((entry.bytes.clone(), entry.etag()))
    }

    async fn read_range(
        &self,
        container: Container,
        name: &str,
        range: Range<u64>,
    ) -> Result<Bytes> {
        let (bytes, _) = self.read(container, name).await?;
        let place = |offset: u64| {
            usize::try_from(offset)
                .unwrap_or(usize::MAX)
                .min(bytes.len())
        };
        let (start, end) = (place(range.start), place(range.end));
        Ok(bytes.slice(start..end.max(start)))
    }

    async fn read_stream(
        &self,
        container: Container,
        name: &str,
    ) -> Result<(BlobInfo, ByteStream)> {
        let blob = BlobName::new(container, name)?;
        let blobs = self.blobs();
        let entry = blobs.entry(&blob)?;
        let bytes = entry.bytes.clone();
        Ok((entry.info(name), stream::iter([Ok(bytes)]).boxed()))
    }

    async fn info(&self, container: Container, name: &str) -> Result<BlobInfo> {
        let blob = BlobName::new(container, name)?;
        Ok(self.blobs().entry(&blob)?.info(name))
    }

    async fn list(&self, container: Container, prefix: &str) -> Result<InfoStream> {
        let first = BlobName {
            container,
            name: prefix.to_owned(),
        };
        let blobs = self.blobs();
        let infos: Vec<_> = blobs
            .entries
            .range(first..)
            .take_while(|(blob, _)| blob.container == container && blob.name.starts_with(prefix))
            .map(|(blob, entry)| Ok(entry.info(&blob.name)))
            .collect();
        Ok(stream::iter(infos).boxed())
    }

    async fn create(&self, container: Container, name: &str, bytes: Bytes) -> Result<ETag> {
        let blob = BlobName::new(container, name)?;
        self.blobs().create(blob, bytes)
    }

    async fn create_from_file(
        &self,
        container: Container,
        name: &str,
        file: &Path,
    ) -> Result<ETag> {
        let blob = BlobName::new(container, name)?;
        let bytes = local_file(&blob, file).await?;
        self.blobs().create(blob, bytes)
    }

    async fn put(&self, container: Container, name: &str, bytes: Bytes) -> Result<ETag> {
        let blob = BlobName::new(container, name)?;
        Ok(self.blobs().write(blob, bytes))
    }

    async fn put_from_file(&self, container: Container, name: &str, file: &Path) -> Result<ETag> {
        let blob = BlobName::new(container, name)?;
        let bytes = local_file(&blob, file).await?;
        Ok(self.blobs().write(blob, bytes))
    }

    async fn replace(
        &self,
        container: Container,
        name: &str,
        bytes: Bytes,
        if_match: &ETag,
    ) -> Result<ETag> {
        let blob = BlobName::new(container, name)?;
        let mut blobs = self.blobs();
        if blobs.entry(&blob)?.etag() != *if_match {
            return Err(blob.conflict());
        }
        Ok(blobs.write(blob, bytes))
    }

    async fn append(
        &self,
        container: Container,
        name: &str,
        bytes: Bytes,
        at: Option<u64>,
    ) -> Result<u64> {
        let blob = BlobName::new(container, name)?;
        self.blobs().append(blob, &bytes, at)
    }

    async fn delete(&self, container: Container, name: &str) -> Result<()> {
        let blob = BlobName::new(container, name)?;
        self.blobs().entries.remove(&blob);
        Ok(())
    }
}

async fn local_file(blob: &BlobName, file: &Path) -> Result<Bytes> {
    let file = file.to_owned();
    let read = tokio::task::spawn_blocking(move || std::fs::read(file))
        .await
        .map_err(io::Error::from)
        .flatten();
    read.map(Bytes::from)
        .map_err(|error| blob.io("reading of the local file", error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn conforms() {
        conformance::run(Arc::new(MemoryStore::new())).await;
    }

    #[tokio::test]
    async fn lists_more_than_one_page() {
        conformance::lists_more_than_one_page(&MemoryStore::new()).await;
    }

    #[tokio::test]
    async fn clones_share_their_blobs() {
        let store = MemoryStore::new();
        let clone = store.clone();
        let bytes = Bytes::from_static(b"x");
        store
            .put(Container::Models, "a", bytes.clone())
            .await
            .unwrap();
        assert_eq!(bytes, clone.read(Container::Models, "a").await.unwrap().0);
    }
}
