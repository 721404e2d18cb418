//! The documents of the loop: dataset versions, models, runs, releases, predictions, audit; their paths and their rules.
//!
//! Knows storage, nothing of HTTP, ONNX or statistics. Documents are JSON, written once or behind a compare-and-swap.

mod content;
mod dataset;
mod digest;
mod model;
mod prediction;
mod release;
mod run;
mod schema;

pub use content::{content_hash, normalise};
pub use dataset::{DatasetVersion, LedgerEntry, Part, Split, SplitCounts, SplitRule, UploadOutcome, UploadRef};
pub use digest::Digest;
pub use model::{
    CalibrationSummary, CodeVersion, DatasetRef, EvaluationSummary, GateSummary, ModelCard, ModelFile, ModelRef, TrainingSummary,
};
pub use prediction::{FeedbackRecord, Outcome, PredictionRecord};
pub use release::{Abort, Approval, Challenger, ChallengerMode, Proposal, Release};
pub use run::{Run, RunState, RunTrigger};
pub use schema::{Column, ColumnType, Label, Role, Schema};
