//! `promote`: an approved candidate answers, if it was compared with what answers now.

use sluice_registry::{Change, ModelCard, ModelRef};

use crate::{Lifecycle, LifecycleError};

impl Lifecycle {
    /// Promotes an approved candidate. Doing it twice changes nothing.
    ///
    /// # Errors
    /// `StaleCandidate` when another model answers than the one the gate compared with: its evidence says nothing about
    /// that one. The registry's errors: no approval, another digest than the approved one.
    pub async fn promote(
        &self,
        card: &ModelCard,
        by: &str,
        reason: &str,
    ) -> Result<Change, LifecycleError> {
        let releases = self.registry.releases();
        let serving = releases.serving().await?.map(|serving| serving.model);
        let answers_already = serving
            .as_ref()
            .is_some_and(|serving| serving.digest == card.file.digest);
        if !answers_already && digest(serving.as_ref()) != digest(card.gate.champion.as_ref()) {
            let name = |model: Option<&ModelRef>| {
                model.map_or_else(
                    || "no champion".to_owned(),
                    |model| format!("version {}", model.version),
                )
            };
            return Err(LifecycleError::StaleCandidate {
                version: card.version,
                compared: name(card.gate.champion.as_ref()),
                serving: name(serving.as_ref()),
            });
        }
        Ok(releases.promote(card.file.digest, by, reason).await?)
    }
}

fn digest(model: Option<&ModelRef>) -> Option<sluice_registry::Digest> {
    model.map(|model| model.digest)
}
