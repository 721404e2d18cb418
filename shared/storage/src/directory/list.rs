//! Listing in ascending byte order of full names, folder by folder: memory holds the names of the folders on the way
//! down, not those of a whole container.

use std::io;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::Tree;
use super::folder::{Entry, Folder};
use super::version::info;
use crate::name::{self, BlobName};
use crate::{BlobInfo, Container, InfoStream, Result};

/// How many blobs are looked up at a time, away from the async executor.
const BATCH: usize = 256;

/// A walk through a container, in order.
pub(super) struct Walk {
    tree: Arc<Tree>,
    container: Container,
    prefix: String,
    /// The folders on the way down.
    levels: Vec<Level>,
}

struct Level {
    folder: Folder,
    /// The folder's path inside the container: empty, or ending in a slash.
    path: String,
    /// The order keys of the entries still to come, in descending order: the next is the last.
    keys: Vec<String>,
}

impl Walk {
    /// Starts at the deepest folder that all names with the prefix share.
    pub(super) fn begin(tree: Arc<Tree>, container: Container, prefix: String) -> io::Result<Self> {
        let mut walk = Self {
            tree,
            container,
            prefix,
            levels: Vec::new(),
        };
        let shared = walk.prefix.rfind('/').map_or(0, |slash| slash + 1);
        let mut folder = walk.tree.root.enter(container.name())?;
        for name in walk.prefix[..shared].split_terminator('/') {
            // No blob's name has such a part. Nor may a listing go up by `..`.
            if !name::is_valid(name) {
                return Ok(walk);
            }
            folder = match folder {
                Some(parent) => parent.enter(name)?,
                None => None,
            };
        }
        if let Some(folder) = folder {
            let path = walk.prefix[..shared].to_owned();
            walk.descend(folder, path)?;
        }
        Ok(walk)
    }

    fn descend(&mut self, folder: Folder, path: String) -> io::Result<()> {
        let mut keys: Vec<String> = folder.entries()?.into_iter().map(order_key).collect();
        keys.retain(|key| {
            let full = format!("{path}{key}");
            full.starts_with(&self.prefix) || (key.ends_with('/') && self.prefix.starts_with(&full))
        });
        keys.sort_unstable();
        // A folder that changes while it is read may show an entry twice.
        keys.dedup();
        keys.reverse();
        self.levels.push(Level { folder, path, keys });
        Ok(())
    }

    /// The next blobs; none at the end.
    fn next_batch(&mut self) -> Result<Vec<BlobInfo>> {
        let mut batch = Vec::new();
        while batch.len() < BATCH
            && let Some(level) = self.levels.last_mut()
        {
            let Some(key) = level.keys.pop() else {
                self.levels.pop();
                continue;
            };
            let full = format!("{}{key}", level.path);
            if let Some(name) = key.strip_suffix('/') {
                let entered = level.folder.enter(name);
                if let Some(folder) = entered.map_err(|error| self.failed(error))? {
                    self.descend(folder, full)
                        .map_err(|error| self.failed(error))?;
                }
            } else if let Some(info) = self.look_up(&full)? {
                batch.push(info);
            }
        }
        Ok(batch)
    }

    /// `None` when the name is too long for a blob's, or the blob is gone meanwhile.
    fn look_up(&self, full: &str) -> Result<Option<BlobInfo>> {
        let Ok(blob) = BlobName::new(self.container, full) else {
            return Ok(None);
        };
        match self.tree.open_blob(&blob) {
            Ok((_, metadata)) => info(blob.name, &metadata)
                .map(Some)
                .map_err(|error| self.failed(error)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn failed(&self, error: io::Error) -> crate::StorageError {
        listing_failed(self.container, &self.prefix, error)
    }

    /// The walk's blobs as a stream.
    pub(super) fn into_stream(self) -> InfoStream {
        stream::try_unfold(self, |mut walk| async move {
            let (container, prefix) = (walk.container, walk.prefix.clone());
            let (batch, walk) = tokio::task::spawn_blocking(move || (walk.next_batch(), walk))
                .await
                .map_err(|error| listing_failed(container, &prefix, error.into()))?;
            let batch = batch?;
            Ok((!batch.is_empty()).then_some((batch, walk)))
        })
        .map_ok(|batch| stream::iter(batch).map(Ok))
        .try_flatten()
        .boxed()
    }
}

pub(super) fn listing_failed(
    container: Container,
    prefix: &str,
    source: io::Error,
) -> crate::StorageError {
    crate::StorageError::Io {
        operation: "list",
        container,
        name: prefix.to_owned(),
        source,
    }
}

/// What orders an entry among its siblings as the full names of the blobs are ordered: all names in the folder `a`
/// begin with `a/`, so that they come after `a-b` and before `a0`.
fn order_key(entry: Entry) -> String {
    let slash = if entry.is_folder { "/" } else { "" };
    entry.name + slash
}
