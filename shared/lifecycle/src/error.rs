//! Why a verb of the loop could not be finished.

use sluice_dataset::DatasetError;
use sluice_inference::{InferenceError, RuntimeError};
use sluice_registry::RegistryError;
use sluice_storage::StorageError;
use sluice_training::{OnnxError, TrainingError};

/// A failure of a verb.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LifecycleError {
    /// Others were faster, again and again.
    #[error("{what} was changed by others {attempts} times in a row: try again")]
    Busy {
        /// What.
        what: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// Rows of another shape cannot join the dataset.
    #[error(
        "the columns, labels or split in sluice.toml differ from version {version} of dataset {dataset}: set data.dataset to a new name, or take the change back"
    )]
    SchemaChanged {
        /// The dataset.
        dataset: String,
        /// Its newest version.
        version: u64,
    },
    /// There is no dataset yet.
    #[error(
        "dataset {dataset} has no version yet: put a file with labelled rows into incoming/{dataset}/"
    )]
    NoDataset {
        /// The dataset.
        dataset: String,
    },
    /// The champion has changed since the gate compared with it.
    #[error(
        "model version {version} was compared with {compared}, and {serving} answers now: retrain to compare again"
    )]
    StaleCandidate {
        /// The candidate.
        version: u64,
        /// What the gate compared with.
        compared: String,
        /// What answers.
        serving: String,
    },
    /// A stored document cannot be read.
    #[error("the {what} cannot be read")]
    Unreadable {
        /// What it is.
        what: String,
        /// Where reading stopped.
        #[source]
        source: serde_json::Error,
    },
    /// A document cannot be written as JSON.
    #[error("a document cannot be written as JSON")]
    Encode(#[source] serde_json::Error),
    /// The trainer cannot be started.
    #[error("the trainer cannot be started: {reason}")]
    Trainer {
        /// Why.
        reason: String,
    },
    /// A temporary file cannot be used.
    #[error("a temporary folder cannot be used")]
    Temporary(#[source] std::io::Error),
    /// A blocking task was stopped.
    #[error("work was interrupted: {0}")]
    Interrupted(String),
    /// Rows cannot be read or written.
    #[error("rows cannot be read or written")]
    Dataset(#[from] DatasetError),
    /// Profiles cannot be merged, or a report cannot be drawn.
    #[error("the monitor's numbers cannot be used")]
    Profile(#[from] sluice_monitoring::MonitoringError),
    /// Training failed.
    #[error("training failed")]
    Training(#[from] TrainingError),
    /// The model cannot be written as ONNX.
    #[error("the model cannot be written as ONNX")]
    Onnx(#[from] OnnxError),
    /// Inference failed.
    #[error("inference failed")]
    Inference(#[from] InferenceError),
    /// ONNX Runtime cannot be used.
    #[error("ONNX Runtime cannot be used")]
    Runtime(#[from] RuntimeError),
    /// The registry failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl LifecycleError {
    pub(crate) const fn encode(error: serde_json::Error) -> Self {
        Self::Encode(error)
    }
}
