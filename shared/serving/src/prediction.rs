//! An answer, as the caller sees it and as the log keeps it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sluice_inference::Scores;
use sluice_monitoring::text_features;
use sluice_registry::{ModelRef, Outcome, PredictionRecord, RequestId, content_hash, write_line};

use crate::LogInputs;
use crate::loaded::LoadedModel;

/// The answer to one request.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// The request's id; `id.input(i)` is the id of one prediction.
    pub id: RequestId,
    /// When it was answered.
    pub at: Timestamp,
    /// The model that answered.
    pub model: ModelRef,
    /// `champion`, `canary` or `shadow`.
    pub variant: &'static str,
    /// The release.
    pub release: u64,
    /// The labels, in the order of the scores.
    pub labels: Arc<[String]>,
    /// The calibrated scores of each input.
    pub scores: Vec<Scores>,
    /// Time in the model.
    pub latency: Duration,
}

impl Prediction {
    pub(crate) fn new(
        id: RequestId,
        at: Timestamp,
        model: &LoadedModel,
        variant: &'static str,
        release: u64,
        scores: Vec<Scores>,
        latency: Duration,
    ) -> Self {
        Self {
            id,
            at,
            model: model.model.clone(),
            variant,
            release,
            labels: model.labels.clone(),
            scores,
            latency,
        }
    }

    /// The index of the most probable label of an input, and its calibrated probability.
    #[must_use]
    pub fn top(scores: &Scores) -> (usize, f32) {
        let start = (0, f32::NEG_INFINITY);
        scores
            .probabilities
            .iter()
            .copied()
            .enumerate()
            .fold(
                start,
                |best, score| if score.1 > best.1 { score } else { best },
            )
    }
}

/// The lines of the prediction log for one answer, each with its newline.
pub(crate) fn log_lines(prediction: &Prediction, inputs: &[String], keep: LogInputs) -> Vec<u8> {
    let mut lines = Vec::with_capacity(inputs.len() * 512);
    for (index, (input, scores)) in inputs.iter().zip(&prediction.scores).enumerate() {
        let (label, confidence) = Prediction::top(scores);
        let record = PredictionRecord {
            id: prediction.id.input(index as u32).to_string(),
            at: prediction.at,
            input: (keep == LogInputs::Text).then(|| input.clone()),
            input_hash: format!("{:016x}", content_hash(input)),
            features: input_features(input),
            outcome: Outcome {
                label: prediction.labels[label].clone(),
                confidence: f64::from(confidence),
                scores: scores
                    .probabilities
                    .iter()
                    .map(|score| f64::from(*score))
                    .collect(),
            },
            model_version: prediction.model.version,
            model: prediction.model.digest,
            release: prediction.release,
            variant: prediction.variant.to_owned(),
            latency_us: u64::try_from(prediction.latency.as_micros()).unwrap_or(u64::MAX),
        };
        write_line(&mut lines, &record);
    }
    lines
}

fn input_features(input: &str) -> Vec<(String, f64)> {
    let mut features = Vec::new();
    text_features(input, &mut features);
    features
}
