//! Dataset versions: a history that only grows.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sluice_storage::{Container, ETag};

use crate::document::{self, Created, check_digest, create, encode};
use crate::error::{Result, blob_path};
use crate::names::check_dataset_name;
use crate::paths::DocumentPath;
use crate::registry::Registry;
use crate::sequence::Sequence;
use crate::{DatasetVersion, Digest, LedgerEntry, RegistryError, UploadOutcome};

/// The dataset documents of a registry.
#[derive(Clone, Copy, Debug)]
pub struct Datasets<'a> {
    pub(crate) registry: &'a Registry,
}

/// `{dataset}/current.json`: a hint to the newest version.
#[derive(Debug, Serialize, Deserialize)]
struct Pointer {
    version: u64,
    digest: Digest,
}

/// `{dataset}/seen/{sha256 of the name}.json`: a hint that a blob was ingested in this state already.
#[derive(Debug, Serialize, Deserialize)]
struct Seen {
    name: String,
    etag: ETag,
    upload: Digest,
}

impl Datasets<'_> {
    /// The newest version and the digest of its manifest, `None` before the first.
    ///
    /// # Errors
    /// `InvalidName`, `DigestMismatch`, `Unreadable`, `Storage`.
    pub async fn current(&self, dataset: &str) -> Result<Option<(DatasetVersion, Digest)>> {
        check_dataset_name(dataset)?;
        match self.newest(dataset).await? {
            0 => Ok(None),
            number => self.version(dataset, number).await.map(Some),
        }
    }

    /// One version and the digest of its manifest.
    ///
    /// # Errors
    /// `InvalidName`, `NotFound`, `DigestMismatch` (against the pointer, when that speaks of this version),
    /// `Unreadable`, `Storage`.
    pub async fn version(&self, dataset: &str, version: u64) -> Result<(DatasetVersion, Digest)> {
        check_dataset_name(dataset)?;
        let store = &**self.registry.store();
        let path = version_path(dataset, version);
        let manifest = document::read::<DatasetVersion>(store, &path, "dataset version")
            .await?
            .ok_or_else(|| RegistryError::NotFound {
                what: "dataset version",
                name: format!("{dataset}/{version}"),
            })?;
        let pointer = document::read::<Pointer>(store, &pointer_path(dataset), "pointer").await?;
        if let Some(pointer) = pointer.filter(|pointer| pointer.document.version == version) {
            check_digest(
                path.container(),
                &path.to_string(),
                pointer.document.digest,
                manifest.digest(),
            )?;
        }
        let digest = manifest.digest();
        Ok((manifest.document, digest))
    }

    /// Makes `new` the newest version. Its parts and its profile must be stored already. The creation of
    /// `versions/{n}.json` is the commit; committing the same manifest again is a success.
    ///
    /// # Errors
    /// `LostRace` when another version was committed on the same parent: ingest again on top of the newest.
    /// `Inconsistent` when the manifest contradicts itself, its parent, or what is stored. `ReadOnly`, `Storage`.
    pub async fn commit(&self, new: DatasetVersion) -> Result<(DatasetVersion, Digest)> {
        check_dataset_name(&new.dataset)?;
        self.registry.auditor()?;
        let bytes = encode(
            &format!("dataset version {}/{}", new.dataset, new.version),
            &new,
        )?;
        let lost = || RegistryError::LostRace {
            what: format!("dataset {}", new.dataset),
        };
        let newest = self.newest(&new.dataset).await?;
        let parent = match new.parent {
            None => None,
            Some(parent) if parent <= newest => Some(self.version(&new.dataset, parent).await?.0),
            Some(parent) => {
                return Err(RegistryError::NotFound {
                    what: "dataset version",
                    name: format!("{}/{parent}", new.dataset),
                });
            }
        };
        check_manifest(&new, parent.as_ref())?;
        if newest < new.version {
            self.check_stored(&new, parent.as_ref()).await?;
        }
        let document = |version| version_path(&new.dataset, version);
        let sequence = self.sequence(&new.dataset, &document);
        match sequence.commit(new.version, &bytes).await? {
            Created::New | Created::Same => {}
            Created::Different => return Err(lost()),
        }
        let digest = Digest::of(&bytes);
        let pointer = encode(
            "dataset pointer",
            &Pointer {
                version: new.version,
                digest,
            },
        )?;
        sequence.point(new.version, &pointer).await?;
        self.registry
            .recorded(&document(new.version), &bytes)
            .await?;
        Ok((new, digest))
    }

    /// The profile of a version's rows.
    ///
    /// # Errors
    /// `NotFound`, `DigestMismatch`, `Storage`.
    pub async fn profile(&self, dataset: &str, digest: Digest) -> Result<Bytes> {
        check_dataset_name(dataset)?;
        let path = DocumentPath::Profile {
            dataset: dataset.to_owned(),
            digest,
        };
        let (bytes, _) = document::found(
            self.registry
                .store()
                .read(path.container(), &path.to_string())
                .await,
        )?
        .ok_or_else(|| RegistryError::NotFound {
            what: "profile",
            name: path.full(),
        })?;
        check_digest(
            path.container(),
            &path.to_string(),
            digest,
            Digest::of(&bytes),
        )?;
        Ok(bytes)
    }

    /// Stores a profile under its digest. Storing it again is a success.
    ///
    /// # Errors
    /// `InvalidName`, `Storage`.
    pub async fn put_profile(&self, dataset: &str, bytes: Bytes) -> Result<Digest> {
        check_dataset_name(dataset)?;
        let digest = Digest::of(&bytes);
        let path = DocumentPath::Profile {
            dataset: dataset.to_owned(),
            digest,
        };
        self.put_content(&path, digest, &bytes).await?;
        Ok(digest)
    }

    /// The name of a part in the datasets container.
    ///
    /// # Errors
    /// `InvalidName`.
    pub fn part_path(&self, dataset: &str, digest: Digest) -> Result<String> {
        check_dataset_name(dataset)?;
        Ok(DocumentPath::Part {
            dataset: dataset.to_owned(),
            digest,
        }
        .to_string())
    }

    /// Stores a part from a local file under its digest. Storing it again is a success.
    ///
    /// # Errors
    /// `InvalidName`, `Storage`.
    pub async fn put_part(
        &self,
        dataset: &str,
        digest: Digest,
        file: &std::path::Path,
    ) -> Result<()> {
        let name = self.part_path(dataset, digest)?;
        match self
            .registry
            .store()
            .create_from_file(Container::Datasets, &name, file)
            .await
        {
            Ok(_) | Err(sluice_storage::StorageError::AlreadyExists { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// What became of an upload, `None` when it was never seen to its end.
    ///
    /// An upload whose rows were committed by a process that died before it wrote the entry gets its entry now. The
    /// reasons of its refused rows are then only in the quarantine.
    ///
    /// # Errors
    /// `InvalidName`, `Unreadable`, `ReadOnly` (when an entry must be written), `Storage`.
    pub async fn ledger_entry(&self, dataset: &str, upload: Digest) -> Result<Option<LedgerEntry>> {
        check_dataset_name(dataset)?;
        let path = DocumentPath::Ledger {
            dataset: dataset.to_owned(),
            upload,
        };
        if let Some(entry) = document::read(&**self.registry.store(), &path, "ledger entry").await?
        {
            return Ok(Some(entry.document));
        }
        let Some((newest, _)) = self.current(dataset).await? else {
            return Ok(None);
        };
        let Some(upload) = newest
            .uploads
            .iter()
            .find(|known| known.digest == upload)
            .cloned()
        else {
            return Ok(None);
        };
        let mut version = newest.version;
        while version > 1 {
            let (earlier, _) = self.version(dataset, version - 1).await?;
            if !earlier
                .uploads
                .iter()
                .any(|known| known.digest == upload.digest)
            {
                break;
            }
            version -= 1;
        }
        let refused_by_reason = match upload.refused {
            0 => BTreeMap::new(),
            refused => BTreeMap::from([("see quarantine".to_owned(), refused)]),
        };
        let outcome = UploadOutcome::Ingested { version };
        let entry = LedgerEntry {
            upload,
            outcome,
            refused_by_reason,
            quarantine: None,
        };
        self.record_upload(dataset, entry).await.map(Some)
    }

    /// Writes down what became of an upload, once: the first entry stays, and is returned.
    ///
    /// # Errors
    /// `InvalidName`, `ReadOnly`, `Storage`.
    pub async fn record_upload(&self, dataset: &str, entry: LedgerEntry) -> Result<LedgerEntry> {
        check_dataset_name(dataset)?;
        self.registry.auditor()?;
        let path = DocumentPath::Ledger {
            dataset: dataset.to_owned(),
            upload: entry.upload.digest,
        };
        let bytes = encode(&path.full(), &entry)?;
        let store = &**self.registry.store();
        match create(store, &path, &bytes).await? {
            Created::New => {
                self.registry.recorded(&path, &bytes).await?;
                Ok(entry)
            }
            Created::Same => Ok(entry),
            Created::Different => {
                let stored = document::read::<LedgerEntry>(store, &path, "ledger entry").await?;
                Ok(stored.map_or(entry, |stored| stored.document))
            }
        }
    }

    /// The digest of the upload at `name`, when it was ingested while the blob had this `etag`: then it need not be
    /// read again.
    ///
    /// # Errors
    /// `InvalidName`, `Unreadable`, `Storage`.
    pub async fn seen(&self, dataset: &str, name: &str, etag: &ETag) -> Result<Option<Digest>> {
        check_dataset_name(dataset)?;
        let seen = document::read::<Seen>(
            &**self.registry.store(),
            &seen_path(dataset, name),
            "seen upload",
        )
        .await?;
        Ok(seen
            .filter(|seen| seen.document.etag == *etag)
            .map(|seen| seen.document.upload))
    }

    /// Remembers that the blob `name`, at `etag`, is the upload `upload` and is at the end of its way. Call it after
    /// [`Datasets::record_upload`].
    ///
    /// # Errors
    /// `InvalidName`, `Storage`.
    pub async fn mark_seen(
        &self,
        dataset: &str,
        name: &str,
        etag: &ETag,
        upload: Digest,
    ) -> Result<()> {
        check_dataset_name(dataset)?;
        let path = seen_path(dataset, name);
        let seen = encode(
            "seen upload",
            &Seen {
                name: name.to_owned(),
                etag: etag.clone(),
                upload,
            },
        )?;
        self.registry
            .store()
            .put(path.container(), &path.to_string(), seen)
            .await?;
        Ok(())
    }

    async fn newest(&self, dataset: &str) -> Result<u64> {
        let document = |version| version_path(dataset, version);
        self.sequence(dataset, &document).newest().await
    }

    fn sequence<'b>(
        &'b self,
        dataset: &str,
        document: &'b (dyn Fn(u64) -> DocumentPath + Send + Sync),
    ) -> Sequence<'b> {
        Sequence {
            store: &**self.registry.store(),
            pointer: pointer_path(dataset),
            document,
        }
    }

    async fn put_content(&self, path: &DocumentPath, digest: Digest, bytes: &Bytes) -> Result<()> {
        match create(&**self.registry.store(), path, bytes).await? {
            Created::New | Created::Same => Ok(()),
            Created::Different => {
                let name = path.to_string();
                let found =
                    document::digest_of(&**self.registry.store(), path.container(), &name).await?;
                check_digest(
                    path.container(),
                    &name,
                    digest,
                    found.map_or(digest, |(found, _)| found),
                )
            }
        }
    }

    /// New parts and the profile must be there before a manifest names them.
    async fn check_stored(
        &self,
        new: &DatasetVersion,
        parent: Option<&DatasetVersion>,
    ) -> Result<()> {
        let store = self.registry.store();
        let what = || format!("dataset version {}/{}", new.dataset, new.version);
        let added = &new.parts[parent.map_or(0, |parent| parent.parts.len())..];
        for part in added {
            let name = self.part_path(&new.dataset, part.digest)?;
            let info = document::found(store.info(Container::Datasets, &name).await)?;
            if info.is_none_or(|info| info.size_bytes != part.size_bytes) {
                let reason = format!(
                    "part {} of {} bytes is not stored: write the parts first",
                    blob_path(Container::Datasets, &name),
                    part.size_bytes
                );
                return Err(RegistryError::inconsistent(what(), reason));
            }
        }
        let profile = DocumentPath::Profile {
            dataset: new.dataset.clone(),
            digest: new.profile,
        };
        if document::found(store.info(profile.container(), &profile.to_string()).await)?.is_none() {
            let reason = format!("profile {} is not stored: write it first", profile.full());
            return Err(RegistryError::inconsistent(what(), reason));
        }
        Ok(())
    }
}

fn version_path(dataset: &str, version: u64) -> DocumentPath {
    DocumentPath::DatasetVersion {
        dataset: dataset.to_owned(),
        version,
    }
}

fn pointer_path(dataset: &str) -> DocumentPath {
    DocumentPath::DatasetPointer {
        dataset: dataset.to_owned(),
    }
}

fn seen_path(dataset: &str, name: &str) -> DocumentPath {
    DocumentPath::Seen {
        dataset: dataset.to_owned(),
        name: Digest::of(name.as_bytes()),
    }
}

/// A manifest adds up, and adds to its parent.
fn check_manifest(new: &DatasetVersion, parent: Option<&DatasetVersion>) -> Result<()> {
    let expect = |holds: bool, reason: String| {
        if holds {
            return Ok(());
        }
        Err(RegistryError::inconsistent(
            format!("dataset version {}/{}", new.dataset, new.version),
            reason,
        ))
    };
    let parent_version = new.parent.unwrap_or(0);
    expect(
        new.version == parent_version + 1,
        format!(
            "it follows version {parent_version}, so it must be version {}",
            parent_version + 1
        ),
    )?;
    let rows: u64 = new.parts.iter().map(|part| part.rows).sum();
    expect(
        rows == new.rows,
        format!("its parts hold {rows} rows, it says {}", new.rows),
    )?;
    let classes: u64 = new.class_counts.values().sum();
    expect(
        classes == new.rows,
        format!("its labels count {classes} rows, it says {}", new.rows),
    )?;
    let sides = new.split_counts.train + new.split_counts.calibration + new.split_counts.test;
    expect(
        sides == new.rows,
        format!("its split counts {sides} rows, it says {}", new.rows),
    )?;
    if let Some(parent) = parent {
        expect(
            new.parts.starts_with(&parent.parts),
            "its parts do not start with those of its parent".into(),
        )?;
        expect(
            new.uploads.starts_with(&parent.uploads),
            "its uploads do not start with those of its parent".into(),
        )?;
    }
    Ok(())
}
