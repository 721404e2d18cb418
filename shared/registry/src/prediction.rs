//! The prediction log and the labels that come back: one JSON line each.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Digest;

/// What the model said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The most probable label.
    pub label: String,
    /// Its calibrated probability.
    pub confidence: f64,
    /// The calibrated probability of every label, in the model's order.
    pub scores: Vec<f64>,
}

/// One line of the prediction log: one input of one request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictionRecord {
    /// `{request id}.{index of the input}`.
    pub id: String,
    /// When it was answered.
    pub at: Timestamp,
    /// The input itself, when the configuration lets it be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// xxh3-64 of the normalised input, 16 hexadecimal digits: recognises repeats without keeping the text.
    pub input_hash: String,
    /// Numbers about the input that the monitor compares: `characters`, `words`, `known_share`…
    pub features: Vec<(String, f64)>,
    /// What the model said.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The model's version.
    pub model_version: u64,
    /// The model's digest.
    pub model: Digest,
    /// The release it answered in.
    pub release: u64,
    /// `champion`, `canary` or `shadow`.
    pub variant: String,
    /// Time in the model for the whole request, in microseconds.
    pub latency_us: u64,
}

/// One line of feedback: the true label of a prediction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeedbackRecord {
    /// The prediction's id, `{request id}.{index}`.
    pub id: String,
    /// The true label's name.
    pub label: String,
    /// When it was received.
    pub at: Timestamp,
}

/// One line of the request log: the requests of one instance since its line before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestCounts {
    /// When the line was written.
    pub at: Timestamp,
    /// Requests answered with predictions.
    pub served: u64,
    /// Requests refused because of the caller (4xx).
    pub refused: u64,
    /// Requests that failed because of us (5xx).
    pub failed: u64,
}
