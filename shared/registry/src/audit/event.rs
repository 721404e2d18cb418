//! What can be recorded.

use serde::{Deserialize, Serialize};

use crate::audit::StreamHead;
use crate::{Challenger, DatasetRef, Digest, ModelRef, RunTrigger};

/// Something that happened, with the digests that pin it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "the fields are named for the documents that they quote"
)]
pub enum AuditEvent {
    /// Rows of an upload are in a dataset version.
    UploadIngested {
        dataset: String,
        upload: Digest,
        name: String,
        version: u64,
        accepted: u64,
        refused: u64,
    },
    /// Nothing of an upload was taken.
    UploadRefused {
        dataset: String,
        upload: Digest,
        name: String,
        reason: String,
    },
    /// A dataset has a new version.
    DatasetVersionCommitted {
        dataset: String,
        version: u64,
        digest: Digest,
        parent: Option<u64>,
        rows: u64,
    },
    /// A training run was recorded.
    RunCreated {
        run: String,
        model: String,
        model_version: u64,
        dataset: DatasetRef,
        trigger: RunTrigger,
    },
    /// A run was handed to the trainer.
    RunSubmitted { run: String, job: String },
    /// A run made a model.
    RunSucceeded { run: String, model_version: u64 },
    /// A run ended without a model.
    RunFailed { run: String, reason: String },
    /// No run was started, for this reason.
    RunSkipped {
        model: String,
        trigger: RunTrigger,
        reason: String,
    },
    /// A model version exists.
    ModelRegistered {
        model: ModelRef,
        run: String,
        dataset: DatasetRef,
        code: Digest,
    },
    /// The gate let a model pass.
    GatePassed { model: ModelRef, evidence: Digest },
    /// The gate stopped a model.
    GateFailed {
        model: ModelRef,
        evidence: Digest,
        failures: Vec<String>,
    },
    /// A candidate waits for a person.
    ReleaseProposed {
        model: ModelRef,
        evidence: Digest,
        by: String,
    },
    /// A person approved a candidate.
    ReleaseApproved {
        model: ModelRef,
        evidence: Digest,
        by: String,
    },
    /// A new champion serves.
    ReleasePromoted {
        release: u64,
        champion: ModelRef,
        previous: Option<ModelRef>,
        by: String,
        reason: String,
    },
    /// The previous champion serves again.
    ReleaseRolledBack {
        release: u64,
        champion: ModelRef,
        previous: Option<ModelRef>,
        by: String,
        reason: String,
    },
    /// A challenger takes part, or no longer does.
    ChallengerChanged {
        release: u64,
        champion: ModelRef,
        challenger: Option<Challenger>,
        by: String,
        reason: String,
    },
    /// A release must not serve any more.
    ReleaseAborted {
        release: u64,
        by: String,
        reason: String,
    },
    /// The monitor wrote a report.
    ReportWritten { report: String, digest: Digest },
    /// The monitor asked for an early retrain.
    RetrainRequested {
        model: String,
        reason: String,
        report: Option<String>,
    },
    /// A setting that decides what serves was changed.
    PolicyChanged {
        policy: String,
        digest: Digest,
        by: String,
    },
    /// How far the other streams were: shows later when one was cut off.
    HeadsWitnessed { heads: Vec<StreamHead> },
}

impl AuditEvent {
    /// The event's name in the line.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::UploadIngested { .. } => "upload_ingested",
            Self::UploadRefused { .. } => "upload_refused",
            Self::DatasetVersionCommitted { .. } => "dataset_version_committed",
            Self::RunCreated { .. } => "run_created",
            Self::RunSubmitted { .. } => "run_submitted",
            Self::RunSucceeded { .. } => "run_succeeded",
            Self::RunFailed { .. } => "run_failed",
            Self::RunSkipped { .. } => "run_skipped",
            Self::ModelRegistered { .. } => "model_registered",
            Self::GatePassed { .. } => "gate_passed",
            Self::GateFailed { .. } => "gate_failed",
            Self::ReleaseProposed { .. } => "release_proposed",
            Self::ReleaseApproved { .. } => "release_approved",
            Self::ReleasePromoted { .. } => "release_promoted",
            Self::ReleaseRolledBack { .. } => "release_rolled_back",
            Self::ChallengerChanged { .. } => "challenger_changed",
            Self::ReleaseAborted { .. } => "release_aborted",
            Self::ReportWritten { .. } => "report_written",
            Self::RetrainRequested { .. } => "retrain_requested",
            Self::PolicyChanged { .. } => "policy_changed",
            Self::HeadsWitnessed { .. } => "heads_witnessed",
        }
    }
}
