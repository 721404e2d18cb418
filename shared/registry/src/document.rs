//! JSON documents in storage: how they are written, read and pinned.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sluice_storage::{Container, ETag, StorageError, Store};

use crate::error::{Result, blob_path};
use crate::paths::DocumentPath;
use crate::{Digest, RegistryError};

/// Prints a document for people and machines, and makes sure that it can be read again: JSON has no NaN.
pub(crate) fn encode<T: Serialize + DeserializeOwned>(what: &str, document: &T) -> Result<Bytes> {
    let print = || {
        let mut bytes = serde_json::to_vec_pretty(document)?;
        bytes.push(b'\n');
        serde_json::from_slice::<T>(&bytes)?;
        Ok(Bytes::from(bytes))
    };
    print().map_err(|error: serde_json::Error| {
        RegistryError::inconsistent(
            what,
            format!("it would not be readable after writing: {error}"),
        )
    })
}

/// Reads a document's bytes.
pub(crate) fn decode<T: DeserializeOwned>(
    path: &DocumentPath,
    what: &'static str,
    bytes: &[u8],
) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|source| RegistryError::Unreadable {
        path: path.full(),
        what,
        source,
    })
}

/// A document as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct Stored<T> {
    pub(crate) document: T,
    pub(crate) bytes: Bytes,
    pub(crate) etag: ETag,
}

impl<T> Stored<T> {
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }
}

/// Reads a document, `None` when there is none.
pub(crate) async fn read<T: DeserializeOwned>(
    store: &dyn Store,
    path: &DocumentPath,
    what: &'static str,
) -> Result<Option<Stored<T>>> {
    let Some((bytes, etag)) = found(store.read(path.container(), &path.to_string()).await)? else {
        return Ok(None);
    };
    Ok(Some(Stored {
        document: decode(path, what, &bytes)?,
        bytes,
        etag,
    }))
}

/// A numbered document says the same number as its name.
pub(crate) fn check_number(path: &DocumentPath, expected: u64, found: Option<u64>) -> Result<()> {
    match found {
        Some(found) if found != expected => Err(RegistryError::inconsistent(
            path.full(),
            format!("it says that its number is {found}: restore it from a copy"),
        )),
        _ => Ok(()),
    }
}

/// `None` for a blob that does not exist.
pub(crate) fn found<T>(result: Result<T, StorageError>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What became of a create-only write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Created {
    /// This call wrote it.
    New,
    /// It was there with the same bytes: an earlier attempt whose answer was lost.
    Same,
    /// It is there with other bytes.
    Different,
}

/// Writes bytes that are written once.
pub(crate) async fn create(
    store: &dyn Store,
    path: &DocumentPath,
    bytes: &Bytes,
) -> Result<Created> {
    let name = path.to_string();
    match store.create(path.container(), &name, bytes.clone()).await {
        Ok(_) => Ok(Created::New),
        Err(StorageError::AlreadyExists { .. }) => {
            let (stored, _) = store.read(path.container(), &name).await?;
            Ok(if stored == *bytes {
                Created::Same
            } else {
                Created::Different
            })
        }
        Err(error) => Err(error.into()),
    }
}

/// The digest and the size of a blob, read at constant memory. `None` when there is none.
pub(crate) async fn digest_of(
    store: &dyn Store,
    container: Container,
    name: &str,
) -> Result<Option<(Digest, u64)>> {
    use futures::StreamExt as _;
    use sha2::Digest as _;

    let Some((info, mut stream)) = found(store.read_stream(container, name).await)? else {
        return Ok(None);
    };
    let mut hasher = sha2::Sha256::new();
    while let Some(piece) = stream.next().await {
        hasher.update(&piece?);
    }
    Ok(Some((
        Digest::from_bytes(hasher.finalize().into()),
        info.size_bytes,
    )))
}

/// The digest of a blob that may be large: hashing takes a while, and nothing else may wait for it.
pub(crate) async fn digest_off_thread(path: &str, bytes: &Bytes) -> Result<Digest> {
    let bytes = bytes.clone();
    let digest = tokio::task::spawn_blocking(move || Digest::of(&bytes)).await;
    digest.map_err(|error| {
        RegistryError::inconsistent(path, format!("its digest could not be computed: {error}"))
    })
}

/// Fails when stored bytes are not the pinned ones.
pub(crate) fn check_digest(
    container: Container,
    name: &str,
    expected: Digest,
    found: Digest,
) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(RegistryError::DigestMismatch {
        path: blob_path(container, name),
        expected,
        found,
    })
}
