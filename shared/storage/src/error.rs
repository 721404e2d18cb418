//! What can go wrong with a blob, named for what the caller can do about it.

use std::path::PathBuf;

use crate::Container;

/// A storage failure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// There is no such blob.
    #[error("{container}/{name} does not exist")]
    NotFound {
        /// Where it was looked for.
        container: Container,
        /// The blob's name.
        name: String,
    },
    /// A create-only write found a blob of that name.
    #[error("{container}/{name} exists already")]
    AlreadyExists {
        /// Where it was to be written.
        container: Container,
        /// The blob's name.
        name: String,
    },
    /// Somebody else wrote in between: read again, decide again.
    #[error("{container}/{name} was changed by another writer")]
    Conflict {
        /// Where the write was refused.
        container: Container,
        /// The blob's name.
        name: String,
    },
    /// The name cannot be a blob's name (empty, a part that begins with a dot, a backslash, a control character, over 1,024 bytes).
    #[error("{name:?} cannot name a blob in {container}: {reason}")]
    InvalidName {
        /// The container of the call.
        container: Container,
        /// The name as given.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Anything else: worth trying again later.
    #[error("{operation} of {container}/{name} failed")]
    Io {
        /// What was tried: `read`, `write`, `list`…
        operation: &'static str,
        /// The container of the call.
        container: Container,
        /// The blob's name or the prefix of a listing.
        name: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A directory cannot hold a store: choose another, or repair what the cause names.
    #[error("{} cannot hold a store", root.display())]
    Unusable {
        /// The directory as given.
        root: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

impl StorageError {
    /// Whether the blob was not there.
    #[must_use]
    pub const fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// Whether another writer was first: `AlreadyExists` or `Conflict`.
    #[must_use]
    pub const fn is_lost_race(&self) -> bool {
        matches!(self, Self::AlreadyExists { .. } | Self::Conflict { .. })
    }
}
