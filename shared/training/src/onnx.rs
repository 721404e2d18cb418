//! Writes a linear text model as an ONNX file.
//!
//! The graph takes the hashed n-grams of a text and not the text itself, so a prediction touches only the rows of the
//! weight table that the text needs:
//!
//! ```text
//! ids [batch, tokens] ──────► Gather(table) ─► [batch, tokens, classes] ─┐
//! weights [batch, tokens] ──► Unsqueeze ─────► [batch, 1, tokens] ────────┴► MatMul ─► Squeeze ─► + bias ─► logits
//!                                                                    probabilities ◄─ Softmax ◄─ / temperature ◄─┘
//! ```
//! A shorter row of a batch is filled up with id 0 and weight 0, which adds nothing.

mod graph;
mod messages;

use prost::Message as _;
use sluice_inference::metadata::{Calibration, TextMetadata, check_labels};
use sluice_inference::{MetadataError, TextFeatures};
use thiserror::Error;

/// A protobuf message cannot be larger; this leaves room for the graph around the table.
const MAX_TABLE_BYTES: usize = i32::MAX as usize - (1 << 20);

/// A softmax regression over hashed n-grams with calibrated confidence.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearTextModel {
    /// How a text becomes a row of the regression.
    pub features: TextFeatures,
    /// The classes. At least two, all different.
    pub labels: Vec<String>,
    /// The weight table `[features.dimension()][labels.len()]`, row by row.
    pub weights: Vec<f32>,
    /// One value for each class.
    pub bias: Vec<f32>,
    /// The logits are divided by it before the softmax that gives the probabilities. Above 0.
    pub temperature: f32,
}

/// Why a model cannot be written as ONNX.
#[derive(Debug, Error)]
pub enum OnnxError {
    /// A field of the model contradicts another or its own rules.
    #[error("the model cannot be written as ONNX: {field}: {reason}")]
    Invalid {
        /// The field of [`LinearTextModel`].
        field: &'static str,
        /// What was expected and what was found.
        reason: String,
    },
    /// The description of the model cannot be written.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
}

/// The model as the bytes of an ONNX file (opset 17, IR version 8). Equal models give equal bytes.
///
/// Inputs: `ids`, int64 `[batch, tokens]`, and `weights`, float `[batch, tokens]`. Outputs, float `[batch, classes]`:
/// `logits` and `probabilities` (the calibrated ones). `metadata_props` hold labels, features and calibration.
///
/// # Errors
/// When the sizes of the fields do not fit together, a number is not finite, or the table is larger than a protobuf
/// message may be.
pub fn to_onnx(model: &LinearTextModel) -> Result<Vec<u8>, OnnxError> {
    check(model)?;
    let metadata = TextMetadata {
        labels: model.labels.clone(),
        features: model.features,
        calibration: Calibration::Temperature {
            temperature: model.temperature,
        },
    };
    Ok(graph::model(model, metadata.to_entries()?).encode_to_vec())
}

fn check(model: &LinearTextModel) -> Result<(), OnnxError> {
    let refuse = |field, reason| Err(OnnxError::Invalid { field, reason });

    if !model.features.is_valid() {
        return refuse("features", format!("out of range: {:?}", model.features));
    }
    if let Err(reason) = check_labels(&model.labels) {
        return refuse("labels", reason);
    }
    let (rows, classes) = (model.features.dimension(), model.labels.len());
    if model.bias.len() != classes {
        let found = model.bias.len();
        return refuse(
            "bias",
            format!("expected {classes} values, one for each label, got {found}"),
        );
    }
    if model.weights.len() != rows * classes {
        let found = model.weights.len();
        return refuse(
            "weights",
            format!("expected {rows} x {classes} values, got {found}"),
        );
    }
    if size_of_val(model.weights.as_slice()) > MAX_TABLE_BYTES {
        return refuse(
            "weights",
            format!(
                "{rows} x {classes} values are more than an ONNX file can hold (2 GiB); use fewer bits"
            ),
        );
    }
    if let Some(index) = model.weights.iter().position(|value| !value.is_finite()) {
        return refuse("weights", format!("value {index} is not finite"));
    }
    if let Some(index) = model.bias.iter().position(|value| !value.is_finite()) {
        return refuse("bias", format!("value {index} is not finite"));
    }
    if !(model.temperature.is_normal() && model.temperature > 0.0) {
        return refuse(
            "temperature",
            format!("expected a number above 0, got {}", model.temperature),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests;
