//! A store that dies or stutters at a chosen write.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use sluice_storage::{
    BlobInfo, ByteStream, Container, ETag, InfoStream, Result, StorageError, Store,
};

/// What happens at the chosen write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process dies before the write: nothing works any more.
    DiesBefore,
    /// The process dies after the write: nothing works any more.
    DiesAfter,
    /// The write happens, its answer is lost, and everything else works.
    LosesAnswer,
    /// The write does not happen, and everything else works.
    Refuses,
}

pub(crate) const FAULTS: [Fault; 4] = [
    Fault::DiesBefore,
    Fault::DiesAfter,
    Fault::LosesAnswer,
    Fault::Refuses,
];

#[derive(Debug)]
pub(crate) struct FaultyStore {
    inner: Arc<dyn Store>,
    fault: Fault,
    at: u64,
    writes: AtomicU64,
}

impl FaultyStore {
    /// Breaks at write number `at`, from 0.
    pub(crate) fn new(inner: Arc<dyn Store>, fault: Fault, at: u64) -> Self {
        Self {
            inner,
            fault,
            at,
            writes: AtomicU64::new(0),
        }
    }

    /// Whether the chosen write was reached.
    pub(crate) fn broke(&self) -> bool {
        self.writes.load(Ordering::SeqCst) > self.at
    }

    fn error(container: Container, name: &str) -> StorageError {
        let source = std::io::Error::other("injected");
        StorageError::Io {
            operation: "call",
            container,
            name: name.to_owned(),
            source,
        }
    }

    fn alive(&self, container: Container, name: &str) -> Result<()> {
        let dead = self.broke() && matches!(self.fault, Fault::DiesBefore | Fault::DiesAfter);
        if dead {
            Err(Self::error(container, name))
        } else {
            Ok(())
        }
    }

    async fn write<T>(
        &self,
        container: Container,
        name: &str,
        write: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.alive(container, name)?;
        if self.writes.fetch_add(1, Ordering::SeqCst) != self.at {
            return write.await;
        }
        if matches!(self.fault, Fault::DiesAfter | Fault::LosesAnswer) {
            // What the store would have said is lost, whatever it was.
            drop(write.await);
        }
        Err(Self::error(container, name))
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn read(&self, container: Container, name: &str) -> Result<(Bytes, ETag)> {
        self.alive(container, name)?;
        self.inner.read(container, name).await
    }

    async fn read_range(
        &self,
        container: Container,
        name: &str,
        range: Range<u64>,
    ) -> Result<Bytes> {
        self.alive(container, name)?;
        self.inner.read_range(container, name, range).await
    }

    async fn read_stream(
        &self,
        container: Container,
        name: &str,
    ) -> Result<(BlobInfo, ByteStream)> {
        self.alive(container, name)?;
        self.inner.read_stream(container, name).await
    }

    async fn info(&self, container: Container, name: &str) -> Result<BlobInfo> {
        self.alive(container, name)?;
        self.inner.info(container, name).await
    }

    async fn list(&self, container: Container, prefix: &str) -> Result<InfoStream> {
        self.alive(container, prefix)?;
        self.inner.list(container, prefix).await
    }

    async fn create(&self, container: Container, name: &str, bytes: Bytes) -> Result<ETag> {
        self.write(container, name, self.inner.create(container, name, bytes))
            .await
    }

    async fn create_from_file(
        &self,
        container: Container,
        name: &str,
        file: &Path,
    ) -> Result<ETag> {
        self.write(
            container,
            name,
            self.inner.create_from_file(container, name, file),
        )
        .await
    }

    async fn put(&self, container: Container, name: &str, bytes: Bytes) -> Result<ETag> {
        self.write(container, name, self.inner.put(container, name, bytes))
            .await
    }

    async fn put_from_file(&self, container: Container, name: &str, file: &Path) -> Result<ETag> {
        self.write(
            container,
            name,
            self.inner.put_from_file(container, name, file),
        )
        .await
    }

    async fn replace(
        &self,
        container: Container,
        name: &str,
        bytes: Bytes,
        if_match: &ETag,
    ) -> Result<ETag> {
        self.write(
            container,
            name,
            self.inner.replace(container, name, bytes, if_match),
        )
        .await
    }

    async fn append(
        &self,
        container: Container,
        name: &str,
        bytes: Bytes,
        at: Option<u64>,
    ) -> Result<u64> {
        self.write(
            container,
            name,
            self.inner.append(container, name, bytes, at),
        )
        .await
    }

    async fn delete(&self, container: Container, name: &str) -> Result<()> {
        self.write(container, name, self.inner.delete(container, name))
            .await
    }
}
