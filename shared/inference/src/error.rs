//! What can go wrong, named for what the caller can do about it.

use std::fmt::Write as _;
use std::path::PathBuf;

use thiserror::Error;

use crate::MetadataError;
use crate::library::Place;
use crate::runtime::TELEMETRY_VARIABLE;

/// What fetches the library into the user's cache.
const FIX: &str = "run `make onnxruntime`, or set SLUICE_ONNXRUNTIME to a libonnxruntime.so of version 1.24 or newer";

/// Why ONNX Runtime cannot be used.
#[derive(Debug, Error)]
pub enum RuntimeError {
    /// The library would report to its maker: it was not loaded.
    #[error(
        "{TELEMETRY_VARIABLE} is not 1: ONNX Runtime would report to its maker, so it was not loaded; start the process with {TELEMETRY_VARIABLE}=1"
    )]
    TelemetryOn,
    /// The library is in no place that was looked at.
    #[error("the ONNX Runtime library was not found; tried {}; {FIX}", list(.tried))]
    NotFound {
        /// Every place, in the order of the search.
        tried: Vec<(Place, PathBuf)>,
    },
    /// A file is there, or was asked for by name, and cannot be loaded.
    #[error("cannot load ONNX Runtime from {} ({place}): {reason}; {FIX}", path.display())]
    Unusable {
        /// Who named the file.
        place: Place,
        /// The file.
        path: PathBuf,
        /// What the loader says.
        reason: String,
    },
    /// The library is loaded and refuses to start.
    #[error("ONNX Runtime from {} does not start: {reason}; {FIX}", path.display())]
    Start {
        /// The library.
        path: PathBuf,
        /// What the library says.
        reason: String,
    },
}

fn list(tried: &[(Place, PathBuf)]) -> String {
    let mut text = String::new();
    for (index, (place, path)) in tried.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        let _ = write!(text, "{comma}{} ({place})", path.display());
    }
    if text.is_empty() {
        "no place at all".to_owned()
    } else {
        text
    }
}

/// Why a model cannot be loaded or cannot answer.
#[derive(Debug, Error)]
pub enum InferenceError {
    /// The bytes are no model that ONNX Runtime can run.
    #[error("the model cannot be loaded by ONNX Runtime ({} bytes): {reason}; restore the file or train the model again", .bytes)]
    Model {
        /// The size of the model in bytes.
        bytes: usize,
        /// What ONNX Runtime says.
        reason: String,
    },
    /// The model is no text classifier of Sluice, or its description is damaged.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The graph does not do what the model's own description says.
    #[error(
        "the graph of the model does not match its metadata: {reason}; restore the file or train the model again"
    )]
    Mismatch {
        /// What was expected and what was found.
        reason: String,
    },
    /// The options make no sense.
    #[error("session options: {field} must be at least 1, got 0")]
    Options {
        /// The field of [`SessionOptions`](crate::SessionOptions).
        field: &'static str,
    },
    /// A prediction failed inside ONNX Runtime.
    #[error("the prediction failed in ONNX Runtime: {reason}")]
    Run {
        /// What ONNX Runtime says.
        reason: String,
    },
    /// The graph gave an answer that is no number.
    #[error(
        "the model answered text {index} with a value that is not finite; roll back to the previous release"
    )]
    NotFinite {
        /// Which text of the call.
        index: usize,
    },
}

impl InferenceError {
    pub(crate) fn run(error: ort::Error) -> Self {
        Self::Run {
            reason: one_line(error.message()),
        }
    }
}

/// The first line of a message of ONNX Runtime: the others are paths of its source.
pub(crate) fn one_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().trim().to_owned()
}
