//! A release in memory: its models, ready to answer.

use std::sync::Arc;

use sluice_inference::{Runtime, Scores, SessionOptions, TextClassifier};
use sluice_registry::{ChallengerMode, ModelRef, Registry, Serving};

use crate::ServingError;

/// One model, ready to answer.
#[derive(Debug)]
pub(crate) struct LoadedModel {
    pub(crate) model: ModelRef,
    pub(crate) labels: Arc<[String]>,
    classifier: TextClassifier,
}

/// What answers at one moment. Requests hold it while they run, so a swap drops none of them.
#[derive(Debug)]
pub(crate) struct LoadedRelease {
    pub(crate) serving: Serving,
    pub(crate) champion: Arc<LoadedModel>,
    pub(crate) challenger: Option<(Arc<LoadedModel>, ChallengerMode, f64)>,
}

impl LoadedModel {
    /// Reads a model's file, checks its digest, and makes its sessions.
    async fn load(
        registry: &Registry,
        runtime: &Runtime,
        model: &ModelRef,
        options: SessionOptions,
    ) -> Result<Self, ServingError> {
        let bytes = registry.models().model_bytes(model).await?;
        let runtime = runtime.clone();
        let classifier =
            tokio::task::spawn_blocking(move || TextClassifier::load(&runtime, &bytes, options))
                .await
                .map_err(|error| {
                    ServingError::NotLoadable(format!("loading was interrupted: {error}"))
                })??;
        Ok(Self {
            model: model.clone(),
            labels: classifier.labels().into(),
            classifier,
        })
    }

    /// The scores of every text. Many texts go to a thread where they block nobody; a few are done before a hop
    /// to another thread would be (ten microseconds each).
    pub(crate) async fn predict(
        self: &Arc<Self>,
        texts: &Arc<[String]>,
    ) -> Result<Vec<Scores>, ServingError> {
        const INLINE_BYTES: usize = 8 * 1024;
        let run = |model: &Self, texts: &[String]| {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            model.classifier.predict(&texts)
        };
        if texts.iter().map(String::len).sum::<usize>() + texts.len() * 256 <= INLINE_BYTES {
            return Ok(run(self, texts)?);
        }
        let (model, texts) = (self.clone(), texts.clone());
        let scores = tokio::task::spawn_blocking(move || run(&model, &texts))
            .await
            .map_err(|error| {
                ServingError::NotLoadable(format!("inference was interrupted: {error}"))
            })?;
        Ok(scores?)
    }
}

impl LoadedRelease {
    /// Loads the models of a release, keeping those that `before` has already.
    pub(crate) async fn load(
        registry: &Registry,
        runtime: &Runtime,
        serving: Serving,
        before: Option<&Self>,
        options: SessionOptions,
    ) -> Result<Self, ServingError> {
        let loaded = |model: &ModelRef| {
            let before = before?;
            let challenger = before
                .challenger
                .as_ref()
                .map(|(challenger, ..)| challenger);
            std::iter::once(&before.champion)
                .chain(challenger)
                .find(|loaded| loaded.model.digest == model.digest)
                .cloned()
        };
        let champion = match loaded(&serving.model) {
            Some(champion) => champion,
            None => Arc::new(LoadedModel::load(registry, runtime, &serving.model, options).await?),
        };
        // An aborted release is out of use as a whole, its challenger too.
        let challenger = serving
            .release
            .challenger
            .as_ref()
            .filter(|_| serving.aborted.is_none());
        let challenger = match challenger {
            None => None,
            Some(challenger) => {
                let model = match loaded(&challenger.model) {
                    Some(model) => model,
                    None => Arc::new(
                        LoadedModel::load(registry, runtime, &challenger.model, options).await?,
                    ),
                };
                Some((model, challenger.mode, challenger.weight))
            }
        };
        Ok(Self {
            serving,
            champion,
            challenger,
        })
    }
}
