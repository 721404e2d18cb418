//! Numbered documents, each written once, with a pointer to the newest as a hint.
//!
//! The create-only write of document n+1 is the commit point. The pointer is switched afterwards, only forwards; after
//! a crash between the two it lags, so every reader also looks whether the next number exists.

use bytes::Bytes;
use serde::Deserialize;
use sluice_storage::{StorageError, Store};

use crate::document::{self, Created};
use crate::error::Result;
use crate::paths::{DocumentPath, MAX_NUMBER};

/// A sequence of documents numbered 1, 2, 3….
pub(crate) struct Sequence<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) pointer: DocumentPath,
    pub(crate) document: &'a (dyn Fn(u64) -> DocumentPath + Send + Sync),
}

/// What the pointers of all sequences have in common.
#[derive(Deserialize)]
struct Pointer {
    #[serde(alias = "number")]
    version: u64,
}

impl Sequence<'_> {
    /// The newest document's number, 0 when there is none.
    pub(crate) async fn newest(&self) -> Result<u64> {
        let mut number = match self.pointed().await? {
            // A pointer that names no document would hide those that exist: without its hint they are still found.
            Some((number, _)) if number <= MAX_NUMBER && self.exists(number).await? => number,
            _ => 0,
        };
        while self.exists(number + 1).await? {
            number += 1;
        }
        Ok(number)
    }

    /// Whether document `number` exists.
    pub(crate) async fn exists(&self, number: u64) -> Result<bool> {
        let path = (self.document)(number);
        Ok(document::found(self.store.info(path.container(), &path.to_string()).await)?.is_some())
    }

    /// Commits document `number`.
    pub(crate) async fn commit(&self, number: u64, bytes: &Bytes) -> Result<Created> {
        document::create(self.store, &(self.document)(number), bytes).await
    }

    /// Switches the pointer to `number`, unless it is there or further already.
    pub(crate) async fn point(&self, number: u64, pointer: &Bytes) -> Result<()> {
        let (container, name) = (self.pointer.container(), self.pointer.to_string());
        loop {
            let written = match self.pointed().await? {
                Some((current, _)) if current >= number => return Ok(()),
                Some((_, etag)) => {
                    self.store
                        .replace(container, &name, pointer.clone(), &etag)
                        .await
                }
                None => self.store.create(container, &name, pointer.clone()).await,
            };
            match written {
                Ok(_) => return Ok(()),
                // Another writer moved it: at every turn somebody got further, so this ends.
                Err(
                    StorageError::Conflict { .. }
                    | StorageError::AlreadyExists { .. }
                    | StorageError::NotFound { .. },
                ) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn pointed(&self) -> Result<Option<(u64, sluice_storage::ETag)>> {
        let stored = document::read::<Pointer>(self.store, &self.pointer, "pointer").await?;
        Ok(stored.map(|stored| (stored.document.version, stored.etag)))
    }
}
