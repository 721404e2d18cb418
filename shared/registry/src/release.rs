//! Releases: what serves, who said so, and the way back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Digest, ModelRef};

/// How a challenger takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChallengerMode {
    /// It predicts, and only the log sees it.
    Shadow,
    /// It answers its share of the callers.
    Canary,
}

/// A second model beside the champion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Challenger {
    /// The model.
    pub model: ModelRef,
    /// How it takes part.
    pub mode: ChallengerMode,
    /// Its share of the requests, 0 to 1.
    pub weight: f64,
}

/// `{model}/{version}/proposal.json` in the models container: a candidate that passed its gate waits for a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// The candidate.
    pub model: ModelRef,
    /// The digest of the evidence that the approver will read.
    pub evidence: Digest,
    /// Who or what proposed it.
    pub proposed_by: String,
    /// When.
    pub proposed_at: Timestamp,
}

/// `approvals/{digest hex}.json` in the releases container: a person said yes to exactly this file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// The candidate.
    pub model: ModelRef,
    /// The digest of the evidence that was read.
    pub evidence: Digest,
    /// Who approved.
    pub approved_by: String,
    /// When.
    pub approved_at: Timestamp,
    /// What the approver wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// `{n}.json` in the releases container: one release. `current.json` holds the same document for the newest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Release {
    /// 1, 2, 3…
    pub number: u64,
    /// What answers.
    pub champion: ModelRef,
    /// What answered before: where an abort falls back to.
    pub previous: Option<ModelRef>,
    /// A second model, if one takes part.
    pub challenger: Option<Challenger>,
    /// Who approved the champion, when, on which evidence.
    pub approval: Approval,
    /// `promote` or `rollback`, and why.
    pub reason: String,
    /// Who released.
    pub released_by: String,
    /// When.
    pub released_at: Timestamp,
}

/// `{release}.json` in the aborts container: fall back from this release to its previous champion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Abort {
    /// The release to fall back from.
    pub release: u64,
    /// Why.
    pub reason: String,
    /// Who or what asked: the monitor or a person.
    pub requested_by: String,
    /// When.
    pub requested_at: Timestamp,
}

/// Why a release was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseKind {
    /// An approved candidate became champion.
    Promote,
    /// The previous champion came back.
    Rollback,
    /// The challenger changed, the champion stayed.
    Challenger,
}

impl ReleaseKind {
    /// The first word of a release's reason.
    const fn word(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Rollback => "rollback",
            Self::Challenger => "challenger",
        }
    }

    /// The text of [`Release::reason`].
    pub(crate) fn reason(self, why: &str) -> String {
        format!("{}: {why}", self.word())
    }
}

impl Release {
    /// Why it was made: the first word of its reason.
    #[must_use]
    pub fn kind(&self) -> ReleaseKind {
        let word = self.reason.split(':').next().unwrap_or_default();
        [ReleaseKind::Rollback, ReleaseKind::Challenger]
            .into_iter()
            .find(|kind| kind.word() == word)
            .unwrap_or(ReleaseKind::Promote)
    }
}
