//! ONNX Runtime: finding the library, sessions, the text task and its features.
//!
//! - [`features`] turns a text into hashed n-grams; training and serving both call it, so they cannot differ.
//! - [`metadata`] is what a model file says about itself: labels, features, calibration.
//! - [`Runtime`] finds and loads the ONNX Runtime library, and refuses to while the library would report to its maker.
//! - [`TextClassifier`] answers texts with logits and calibrated probabilities, from many threads at once.

pub mod features;
pub mod metadata;

mod batch;
mod classifier;
mod error;
mod library;
mod runtime;
mod sessions;

pub use classifier::{Scores, TextClassifier};
pub use error::{InferenceError, RuntimeError};
pub use features::{SparseRow, TextFeatures};
pub use library::{LibrarySearch, ONNXRUNTIME_VERSION, Place};
pub use metadata::MetadataError;
pub use runtime::{Runtime, TELEMETRY_VARIABLE, telemetry_is_off};
pub use sessions::SessionOptions;
