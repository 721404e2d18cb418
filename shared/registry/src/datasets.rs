//! Dataset versions: a history that only grows.

mod ledger;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sluice_storage::Container;

use crate::document::{self, Created, check_digest, check_number, create, encode};
use crate::error::{Result, blob_path};
use crate::names::check_dataset_name;
use crate::paths::DocumentPath;
use crate::registry::Registry;
use crate::sequence::Sequence;
use crate::{DatasetVersion, Digest, RegistryError};

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
        check_number(&path, version, Some(manifest.document.version))?;
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
        let created = sequence.commit(new.version, &bytes).await?;
        if created == Created::Different {
            return Err(lost());
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
        if created == Created::New {
            self.registry
                .recorded(&document(new.version), &bytes)
                .await?;
        }
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

    /// The bytes of a part, checked against its digest.
    ///
    /// # Errors
    /// `InvalidName`, `NotFound`, `DigestMismatch`, `Storage`.
    pub async fn part(&self, dataset: &str, digest: Digest) -> Result<Bytes> {
        let name = self.part_path(dataset, digest)?;
        let stored = self.registry.store().read(Container::Datasets, &name).await;
        let (bytes, _) = document::found(stored)?.ok_or_else(|| RegistryError::NotFound {
            what: "part",
            name: format!("datasets/{name}"),
        })?;
        check_digest(
            Container::Datasets,
            &name,
            digest,
            document::digest_off_thread(&name, &bytes).await?,
        )?;
        Ok(bytes)
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
