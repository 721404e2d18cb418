//! The overview for people.

use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use sluice_storage::Container;

use super::{Releases, Serving};
use crate::document;
use crate::error::Result;
use crate::paths::DocumentPath;
use crate::{Approval, Proposal, Release};

/// A proposed model that was never released.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its proposal.
    pub proposal: Proposal,
    /// Its approval, when somebody gave it.
    pub approval: Option<Approval>,
}

/// What serves, what waits, what was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReleaseStatus {
    /// What answers now.
    pub serving: Option<Serving>,
    /// Models that wait for approval or for promotion, newest proposal first.
    pub candidates: Vec<Candidate>,
    /// All releases, newest first.
    pub history: Vec<Release>,
}

impl Releases<'_> {
    /// What serves, what waits for a person, and all releases.
    ///
    /// # Errors
    /// `Unreadable`, `Storage`.
    pub async fn status(&self) -> Result<ReleaseStatus> {
        let serving = self.serving().await?;
        let newest = serving.as_ref().map_or(0, |serving| serving.release.number);
        let mut history = Vec::new();
        for number in (1..=newest).rev() {
            history.extend(self.get(number).await?);
        }
        let mut candidates = Vec::new();
        for proposal in self.proposals().await? {
            if !history
                .iter()
                .any(|release| release.champion.digest == proposal.model.digest)
            {
                let approval = self.approval(proposal.model.digest).await?;
                candidates.push(Candidate { proposal, approval });
            }
        }
        candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.proposal.proposed_at));
        Ok(ReleaseStatus {
            serving,
            candidates,
            history,
        })
    }

    async fn proposals(&self) -> Result<Vec<Proposal>> {
        let store = self.registry.store();
        let mut proposals = Vec::new();
        let mut list = store.list(Container::Models, "").await?;
        while let Some(info) = list.try_next().await? {
            if let Some(path @ DocumentPath::Proposal { .. }) =
                DocumentPath::parse(Container::Models, &info.name)
            {
                let stored = document::read::<Proposal>(&**store, &path, "proposal").await?;
                proposals.extend(stored.map(|stored| stored.document));
            }
        }
        Ok(proposals)
    }
}
