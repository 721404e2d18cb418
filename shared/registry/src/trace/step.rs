//! One step of the way back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Digest;

/// What a step of the way is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepKind {
    /// The prediction's record.
    Prediction,
    /// The release it was answered in.
    Release,
    /// The model file.
    Model,
    /// The model card.
    ModelCard,
    /// The evidence of the gate.
    Evidence,
    /// The person's yes.
    Approval,
    /// The training run.
    Run,
    /// The code that trained it.
    Code,
    /// The dataset version it was trained on.
    Dataset,
    /// A part of the dataset.
    Part,
    /// An upload behind the rows.
    Upload,
}

/// How far a step can be trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum StepStatus {
    /// Stored, and its bytes have the digest that another document pins.
    Verified,
    /// Stored or recorded; nothing pins its bytes, or they were not read.
    Recorded,
    /// Not there.
    Missing {
        /// What that means.
        detail: String,
    },
    /// There, with another content than the one that is pinned.
    Different {
        /// What differs.
        detail: String,
    },
}

/// One step of the way back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceStep {
    /// What it is.
    pub kind: StepKind,
    /// One line for people.
    pub title: String,
    /// How far it can be trusted.
    #[serde(flatten)]
    pub status: StepStatus,
    /// The digest that pins it.
    pub digest: Option<Digest>,
    /// The blob, `{container}/{name}`.
    pub path: Option<String>,
    /// When it happened.
    pub at: Option<Timestamp>,
}

impl TraceStep {
    pub(super) fn missing(&mut self, detail: impl Into<String>) {
        self.status = StepStatus::Missing {
            detail: detail.into(),
        };
    }

    pub(super) fn different(&mut self, detail: impl Into<String>) {
        self.status = StepStatus::Different {
            detail: detail.into(),
        };
    }

    /// Compares what is stored with what is pinned.
    pub(super) fn compare(&mut self, pinned: Digest, stored: Option<Digest>) {
        self.digest = Some(pinned);
        match stored {
            Some(stored) if stored == pinned => self.status = StepStatus::Verified,
            Some(stored) => self.different(format!("pinned as {pinned}, stored as {stored}")),
            None => self.missing("the file is not stored any more"),
        }
    }
}
