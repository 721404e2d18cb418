//! Why a prediction or a label could not be taken.

use sluice_inference::{InferenceError, RuntimeError};
use sluice_registry::RegistryError;
use sluice_storage::StorageError;

use crate::append_log::LogFull;

/// A failure of the online side, named for what the caller can do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServingError {
    /// Nothing was released yet.
    #[error(
        "no model has been released yet: upload labelled rows, wait for a candidate, then approve and promote it (sluice release status)"
    )]
    NoChampion,
    /// The released model is still being loaded.
    #[error("the released model is still being loaded: try again in a few seconds")]
    Loading,
    /// The released model cannot be loaded.
    #[error("the released model cannot be loaded: {0}")]
    NotLoadable(String),
    /// There is no prediction of that id.
    #[error("there is no prediction {id:?}: {reason}")]
    UnknownPrediction {
        /// The id as given.
        id: String,
        /// What is known.
        reason: String,
    },
    /// The label is none of the model's.
    #[error("there is no label {label:?}: expected one of {expected}")]
    UnknownLabel {
        /// The label as given.
        label: String,
        /// The labels, joined by commas.
        expected: String,
    },
    /// The prediction log cannot be written, so predictions could not be traced.
    #[error("predictions cannot be logged at present: {0}")]
    Log(#[from] LogFull),
    /// Inference failed.
    #[error("inference failed")]
    Inference(#[from] InferenceError),
    /// The ONNX Runtime library cannot be used.
    #[error("ONNX Runtime cannot be used")]
    Runtime(#[from] RuntimeError),
    /// The registry failed.
    #[error("the registry failed")]
    Registry(#[from] RegistryError),
    /// Storage failed.
    #[error("storage failed")]
    Storage(#[from] StorageError),
}
