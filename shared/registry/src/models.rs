//! Model versions: files first, the card last.

use bytes::Bytes;
use futures::TryStreamExt as _;
use sluice_storage::Container;

use crate::document::{self, Created, check_digest, create, digest_of, encode};
use crate::error::Result;
use crate::names::check_model_name;
use crate::paths::{self, DocumentPath, ModelArtifact};
use crate::registry::Registry;
use crate::{Digest, ModelCard, ModelRef, RegistryError};

/// The model documents of a registry.
#[derive(Clone, Copy, Debug)]
pub struct Models<'a> {
    pub(crate) registry: &'a Registry,
}

impl Models<'_> {
    /// Stores a file of a model version that has no card yet and returns its digest. A run that is tried again may
    /// replace what its first attempt left behind; once the card exists nothing changes any more.
    ///
    /// # Errors
    /// `InvalidName`, `AlreadyExists` when the version is registered with another file, `Storage`.
    pub async fn put_artifact(
        &self,
        model: &str,
        version: u64,
        artifact: ModelArtifact,
        bytes: Bytes,
    ) -> Result<Digest> {
        check_model_name(model)?;
        let store = &**self.registry.store();
        let path = artifact_path(model, version, artifact);
        let digest = Digest::of(&bytes);
        if create(store, &path, &bytes).await? != Created::Different {
            return Ok(digest);
        }
        if document::found(
            store
                .info(Container::Models, &card_path(model, version).to_string())
                .await,
        )?
        .is_some()
        {
            return Err(RegistryError::AlreadyExists { what: path.full() });
        }
        store
            .put(Container::Models, &path.to_string(), bytes)
            .await?;
        Ok(digest)
    }

    /// A stored file of a model version.
    ///
    /// # Errors
    /// `InvalidName`, `NotFound`, `Storage`.
    pub async fn artifact(
        &self,
        model: &str,
        version: u64,
        artifact: ModelArtifact,
    ) -> Result<Bytes> {
        check_model_name(model)?;
        let path = artifact_path(model, version, artifact);
        let found = document::found(
            self.registry
                .store()
                .read(Container::Models, &path.to_string())
                .await,
        )?;
        Ok(found
            .ok_or_else(|| RegistryError::NotFound {
                what: "model file",
                name: path.full(),
            })?
            .0)
    }

    /// Registers a model version whose files are stored: from here on it exists and never changes. The same card again
    /// is a success.
    ///
    /// # Errors
    /// `NotFound` or `DigestMismatch` when a stored file is not the one on the card, `Inconsistent` when the card
    /// contradicts itself, `AlreadyExists` when the version has another card, `ReadOnly`, `Storage`.
    pub async fn register(&self, card: ModelCard) -> Result<ModelCard> {
        check_model_name(&card.name)?;
        self.registry.auditor()?;
        check_card(&card)?;
        let size = self
            .check_artifact(&card, ModelArtifact::Model, card.file.digest)
            .await?;
        if size != card.file.size_bytes {
            let reason = format!(
                "the stored model has {size} bytes, the card says {}",
                card.file.size_bytes
            );
            return Err(RegistryError::inconsistent(name_of(&card), reason));
        }
        self.check_artifact(&card, ModelArtifact::Evidence, card.gate.evidence)
            .await?;
        self.check_artifact(&card, ModelArtifact::Baseline, card.baseline)
            .await?;
        let path = card_path(&card.name, card.version);
        let bytes = encode(&name_of(&card), &card)?;
        match create(&**self.registry.store(), &path, &bytes).await? {
            Created::New => self.registry.recorded(&path, &bytes).await?,
            Created::Same => {}
            Created::Different => return Err(RegistryError::AlreadyExists { what: path.full() }),
        }
        Ok(card)
    }

    /// The card of a model version.
    ///
    /// # Errors
    /// `InvalidName`, `NotFound`, `Unreadable`, `Storage`.
    pub async fn card(&self, model: &str, version: u64) -> Result<ModelCard> {
        check_model_name(model)?;
        self.find_card(model, version)
            .await?
            .ok_or_else(|| RegistryError::NotFound {
                what: "model",
                name: format!("{model}/{version}"),
            })
    }

    /// The newest registered version of a model.
    ///
    /// # Errors
    /// `InvalidName`, `Unreadable`, `Storage`.
    pub async fn latest(&self, model: &str) -> Result<Option<ModelCard>> {
        match self.versions(model).await?.last() {
            Some(version) => self.card(model, *version).await.map(Some),
            None => Ok(None),
        }
    }

    /// Every registered version of a model, oldest first.
    ///
    /// # Errors
    /// `InvalidName`, `Unreadable`, `Storage`.
    pub async fn list(&self, model: &str) -> Result<Vec<ModelCard>> {
        let mut cards = Vec::new();
        for version in self.versions(model).await? {
            cards.push(self.card(model, version).await?);
        }
        Ok(cards)
    }

    /// The registered model with a digest; the newest when the same bytes were registered more than once.
    ///
    /// # Errors
    /// `Unreadable`, `Storage`.
    pub async fn find_by_digest(&self, digest: Digest) -> Result<Option<ModelCard>> {
        let mut newest: Option<ModelCard> = None;
        for (model, version) in self.registered("").await? {
            if let Some(card) = self.find_card(&model, version).await?
                && card.file.digest == digest
                && newest
                    .as_ref()
                    .is_none_or(|newest| newest.created_at <= card.created_at)
            {
                newest = Some(card);
            }
        }
        Ok(newest)
    }

    /// The bytes of a model, checked against the digest that pins it.
    ///
    /// # Errors
    /// `NotFound`, `DigestMismatch` naming both digests, `Storage`.
    pub async fn model_bytes(&self, model: &ModelRef) -> Result<Bytes> {
        let bytes = self
            .artifact(&model.name, model.version, ModelArtifact::Model)
            .await?;
        let path = artifact_path(&model.name, model.version, ModelArtifact::Model);
        let found = document::digest_off_thread(&path.full(), &bytes).await?;
        check_digest(Container::Models, &path.to_string(), model.digest, found)?;
        Ok(bytes)
    }

    /// The version for the next run: one more than every version that has files or that a run was promised.
    ///
    /// # Errors
    /// `InvalidName`, `Unreadable`, `Storage`.
    pub async fn next_version(&self, model: &str) -> Result<u64> {
        check_model_name(model)?;
        let mut newest = 0;
        let mut list = self
            .registry
            .store()
            .list(Container::Models, &format!("{model}/"))
            .await?;
        while let Some(info) = list.try_next().await? {
            let version = info.name.split('/').nth(1).and_then(paths::number);
            newest = newest.max(version.unwrap_or(0));
        }
        for run in self.registry.runs().list().await? {
            if run.model == model {
                newest = newest.max(run.model_version);
            }
        }
        Ok(newest.saturating_add(1))
    }

    pub(crate) async fn find_card(&self, model: &str, version: u64) -> Result<Option<ModelCard>> {
        let card = document::read(
            &**self.registry.store(),
            &card_path(model, version),
            "model card",
        )
        .await?;
        Ok(card.map(|card| card.document))
    }

    async fn versions(&self, model: &str) -> Result<Vec<u64>> {
        check_model_name(model)?;
        let mut versions: Vec<u64> = self
            .registered(&format!("{model}/"))
            .await?
            .into_iter()
            .map(|(_, version)| version)
            .collect();
        versions.sort_unstable();
        Ok(versions)
    }

    async fn registered(&self, prefix: &str) -> Result<Vec<(String, u64)>> {
        let mut models = Vec::new();
        let mut list = self
            .registry
            .store()
            .list(Container::Models, prefix)
            .await?;
        while let Some(info) = list.try_next().await? {
            if let Some(DocumentPath::ModelCard { model, version }) =
                DocumentPath::parse(Container::Models, &info.name)
            {
                models.push((model, version));
            }
        }
        Ok(models)
    }

    /// Checks the digest of a stored file and returns its size.
    async fn check_artifact(
        &self,
        card: &ModelCard,
        artifact: ModelArtifact,
        expected: Digest,
    ) -> Result<u64> {
        let path = artifact_path(&card.name, card.version, artifact);
        let (digest, size) = digest_of(
            &**self.registry.store(),
            Container::Models,
            &path.to_string(),
        )
        .await?
        .ok_or_else(|| RegistryError::NotFound {
            what: "model file",
            name: path.full(),
        })?;
        check_digest(Container::Models, &path.to_string(), expected, digest)?;
        Ok(size)
    }
}

fn name_of(card: &ModelCard) -> String {
    format!("model {}/{}", card.name, card.version)
}

pub(crate) fn card_path(model: &str, version: u64) -> DocumentPath {
    DocumentPath::ModelCard {
        model: model.to_owned(),
        version,
    }
}

pub(crate) fn artifact_path(model: &str, version: u64, artifact: ModelArtifact) -> DocumentPath {
    DocumentPath::Artifact {
        model: model.to_owned(),
        version,
        artifact,
    }
}

fn check_card(card: &ModelCard) -> Result<()> {
    if card.version == 0 {
        return Err(RegistryError::inconsistent(
            name_of(card),
            "versions start at 1",
        ));
    }
    if card.gate.passed != card.gate.failures.is_empty() {
        let reason = "its gate's verdict and its list of failed rules contradict each other";
        return Err(RegistryError::inconsistent(name_of(card), reason));
    }
    Ok(())
}
