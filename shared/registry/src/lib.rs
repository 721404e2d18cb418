//! The documents of the loop: dataset versions, models, runs, releases, predictions, audit; their paths and their rules.
//!
//! Knows storage, nothing of HTTP, ONNX or statistics. Documents are JSON, written once or behind a compare-and-swap.

pub mod audit;
mod clock;
mod content;
mod dataset;
mod datasets;
mod digest;
mod document;
mod error;
mod evidence;
mod lines;
mod model;
mod models;
mod names;
pub mod paths;
mod prediction;
mod prediction_id;
mod predictions;
mod registry;
mod release;
mod releases;
mod repair;
mod run;
mod runs;
mod schema;
mod sequence;
pub mod trace;

pub use audit::{AuditEvent, AuditLog, AuditStream};
pub use clock::Clock;
pub use content::{content_hash, normalise};
pub use dataset::{
    DatasetVersion, LedgerEntry, Part, Split, SplitCounts, SplitRule, UploadOutcome, UploadRef,
};
pub use datasets::Datasets;
pub use digest::{Digest, InvalidDigest};
pub use error::{RegistryError, Result};
pub use model::{
    CalibrationSummary, CodeVersion, DatasetRef, EvaluationSummary, GateSummary, ModelCard,
    ModelFile, ModelRef, TrainingSummary,
};
pub use models::Models;
pub use names::{check_dataset_name, check_model_name, check_run_id, check_writer_name};
pub use paths::{DocumentPath, ModelArtifact};
pub use prediction::{FeedbackRecord, Outcome, PredictionRecord};
pub use prediction_id::{InstanceId, InvalidPredictionId, PredictionId, RequestId, RequestIds};
pub use predictions::{Predictions, Records};
pub use registry::Registry;
pub use release::{Abort, Approval, Challenger, ChallengerMode, Proposal, Release, ReleaseKind};
pub use releases::{Candidate, Change, ReleaseStatus, Releases, Serving};
pub use repair::{DocumentsReport, RepairReport, RepairScope, settled_before};
pub use run::{Run, RunState, RunTrigger};
pub use runs::{Begin, Runs};
pub use schema::{Column, ColumnType, Label, Role, Schema};
pub use trace::Trace;
