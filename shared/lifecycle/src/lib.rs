//! The verbs of the loop: ingest an upload, start and collect training, release, abort, report, reconcile.
//!
//! Every verb is idempotent and safe to stop at any line: state is only in storage, and each step is committed by one
//! create-only or compare-and-swap write. Knows nothing of HTTP and of the Functions host.

mod collect;
mod error;
mod ingest;
mod labels;
mod lifecycle;
mod local_trainer;
mod monitor;
mod policy;
mod profile;
mod reconcile;
mod release;
mod retrain;
mod train;
mod trainer;

pub use collect::{CollectOutcome, JobResult};
pub use error::LifecycleError;
pub use ingest::IngestOutcome;
pub use lifecycle::{Lifecycle, LoopConfig};
pub use local_trainer::LocalTrainer;
pub use monitor::Monitored;
pub use policy::{RetrainFacts, RetrainPolicy, parse_duration};
pub use reconcile::Reconciled;
pub use retrain::{StartOutcome, trigger_name};
pub use train::TrainingJob;
pub use trainer::{JobStatus, Trainer};
