//! The one trait that every store implements.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use jiff::Timestamp;

use crate::{Container, Result};

/// An opaque version of a blob's content: it changes whenever the blob does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct ETag(pub String);

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a store says of a blob without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobInfo {
    /// The full name inside the container, `/` between its parts.
    pub name: String,
    /// Length in bytes.
    pub size_bytes: u64,
    /// The version of the content.
    pub etag: ETag,
    /// When it was last written.
    pub modified: Timestamp,
}

/// The bytes of a blob, in order, in pieces of the store's choosing.
pub type ByteStream = BoxStream<'static, Result<Bytes>>;

/// Blobs of a listing, in ascending byte order of their names.
pub type InfoStream = BoxStream<'static, Result<BlobInfo>>;

/// Blobs in containers. All methods may be called at once from many tasks and many processes.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Reads a whole blob and the version that was read. Errors: `NotFound`.
    async fn read(&self, container: Container, name: &str) -> Result<(Bytes, ETag)>;

    /// Reads the bytes of `range`, cut at the blob's end (a range that starts at or past the end gives no bytes).
    /// Errors: `NotFound`.
    async fn read_range(
        &self,
        container: Container,
        name: &str,
        range: Range<u64>,
    ) -> Result<Bytes>;

    /// Opens a blob for reading piece by piece at constant memory. The whole stream is of one version.
    /// Errors: `NotFound`.
    async fn read_stream(&self, container: Container, name: &str)
    -> Result<(BlobInfo, ByteStream)>;

    /// Says what a blob is without reading it. Errors: `NotFound`.
    async fn info(&self, container: Container, name: &str) -> Result<BlobInfo>;

    /// Lists the blobs whose names start with `prefix` (a plain string prefix, not a folder), by name ascending.
    async fn list(&self, container: Container, prefix: &str) -> Result<InfoStream>;

    /// Writes a blob that must not exist yet. Errors: `AlreadyExists`.
    async fn create(&self, container: Container, name: &str, bytes: Bytes) -> Result<ETag>;

    /// Writes a blob that must not exist yet from a local file, streamed at constant memory. Errors: `AlreadyExists`.
    async fn create_from_file(&self, container: Container, name: &str, file: &Path)
    -> Result<ETag>;

    /// Writes a blob whatever was there before.
    async fn put(&self, container: Container, name: &str, bytes: Bytes) -> Result<ETag>;

    /// Writes a blob from a local file, streamed at constant memory, whatever was there before: until it is whole, the
    /// old one stays.
    async fn put_from_file(&self, container: Container, name: &str, file: &Path) -> Result<ETag>;

    /// Replaces a blob if it is still the version `if_match`. Errors: `NotFound`, `Conflict`.
    async fn replace(
        &self,
        container: Container,
        name: &str,
        bytes: Bytes,
        if_match: &ETag,
    ) -> Result<ETag>;

    /// Appends to a blob, creating it when absent, and returns its new length in bytes. All of `bytes` or none is
    /// appended and it is durable when this returns. With `at`, appends only if the blob is exactly `at` bytes long
    /// (0: absent or empty). Errors: `Conflict`.
    async fn append(
        &self,
        container: Container,
        name: &str,
        bytes: Bytes,
        at: Option<u64>,
    ) -> Result<u64>;

    /// Deletes a blob; it is no error when there is none.
    async fn delete(&self, container: Container, name: &str) -> Result<()>;
}
