//! Blobs: one trait ([`Store`]), a store on a local directory, a store in memory, and one conformance suite for all.
//!
//! Knows containers and names, nothing of what is inside. Every write is all-or-nothing under SIGKILL: a reader sees
//! the old bytes or the new bytes, never half of them.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod container;
mod directory;
mod error;
mod memory;
mod name;
mod store;

pub use container::Container;
pub use directory::DirectoryStore;
pub use error::StorageError;
pub use memory::MemoryStore;
pub use store::{BlobInfo, ByteStream, ETag, InfoStream, Store};

/// The result of a storage call.
pub type Result<T, E = StorageError> = std::result::Result<T, E>;
