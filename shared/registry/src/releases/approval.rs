//! From a registered model to a person's yes.

use super::{Releases, name_of, same_digest};
use crate::document;
use crate::error::Result;
use crate::paths::DocumentPath;
use crate::{Approval, Digest, ModelCard, ModelRef, Proposal, RegistryError};

impl Releases<'_> {
    /// Proposes a candidate that passed its gate. Proposing it again is a success and returns the first proposal.
    ///
    /// # Errors
    /// `NotFound`, `DifferentModel`, `GateFailed`, `ReadOnly`, `Storage`.
    pub async fn propose(&self, proposal: Proposal) -> Result<Proposal> {
        self.registry.auditor()?;
        self.check_candidate(&proposal.model, proposal.evidence)
            .await?;
        let path = proposal_path(&proposal.model);
        self.write_once(&path, "proposal", proposal, |stored, new| {
            stored.model == new.model && stored.evidence == new.evidence
        })
        .await
    }

    /// The proposal of a model, `None` when nobody proposed it.
    ///
    /// # Errors
    /// `Unreadable`, `Storage`.
    pub async fn proposal(&self, model: &ModelRef) -> Result<Option<Proposal>> {
        let stored =
            document::read(&**self.registry.store(), &proposal_path(model), "proposal").await?;
        Ok(stored.map(|stored| stored.document))
    }

    /// Approves exactly the registered file on exactly the evidence that was read. Approving it again is a success and
    /// returns the first approval.
    ///
    /// # Errors
    /// `NotProposed`, `DifferentModel` when a digest is not the registered one, `GateFailed`, `NotFound`, `ReadOnly`,
    /// `Storage`.
    pub async fn approve(&self, approval: Approval) -> Result<Approval> {
        self.registry.auditor()?;
        self.check_candidate(&approval.model, approval.evidence)
            .await?;
        let Some(proposal) = self.proposal(&approval.model).await? else {
            return Err(RegistryError::NotProposed {
                model: name_of(&approval.model),
            });
        };
        same_digest(
            &approval.model,
            "proposed model digest",
            proposal.model.digest,
            approval.model.digest,
        )?;
        same_digest(
            &approval.model,
            "proposed evidence digest",
            proposal.evidence,
            approval.evidence,
        )?;
        let path = DocumentPath::Approval {
            digest: approval.model.digest,
        };
        // The same bytes may have been registered twice: an approval is for the bytes, the first one stands.
        self.write_once(&path, "approval", approval, |stored, new| {
            stored.model.digest == new.model.digest
        })
        .await
    }

    /// The approval of a model's bytes, `None` when nobody approved them.
    ///
    /// # Errors
    /// `Unreadable`, `Storage`.
    pub async fn approval(&self, digest: Digest) -> Result<Option<Approval>> {
        let path = DocumentPath::Approval { digest };
        let stored = document::read(&**self.registry.store(), &path, "approval").await?;
        Ok(stored.map(|stored| stored.document))
    }

    /// The request speaks of the registered bytes and evidence, and the gate let them pass.
    pub(super) async fn check_candidate(
        &self,
        model: &ModelRef,
        evidence: Digest,
    ) -> Result<ModelCard> {
        let card = self
            .registry
            .models()
            .card(&model.name, model.version)
            .await?;
        same_digest(model, "model digest", card.file.digest, model.digest)?;
        same_digest(model, "evidence digest", card.gate.evidence, evidence)?;
        if !card.gate.passed {
            let failures = card.gate.failures.join("; ");
            return Err(RegistryError::GateFailed {
                model: name_of(model),
                failures,
            });
        }
        Ok(card)
    }
}

fn proposal_path(model: &ModelRef) -> DocumentPath {
    DocumentPath::Proposal {
        model: model.name.clone(),
        version: model.version,
    }
}
