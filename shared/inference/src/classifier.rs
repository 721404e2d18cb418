//! The text classification task.

use ort::session::Session;
use ort::value::TensorRef;

use crate::batch::Batch;
use crate::error::InferenceError;
use crate::metadata::{Calibration, TextMetadata};
use crate::sessions::{SessionOptions, SessionPool};
use crate::{Runtime, SparseRow, TextFeatures};

const INPUTS: [&str; 2] = ["ids", "weights"];
const OUTPUTS: [&str; 2] = ["logits", "probabilities"];

/// Texts whose features are held at once: bounds the memory of a call with very many texts.
const TEXTS_AT_ONCE: usize = 256;

/// The answer for one text.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// One value for each label, before calibration.
    pub logits: Vec<f32>,
    /// One value for each label: calibrated, from 0 to 1, together 1.
    pub probabilities: Vec<f32>,
}

impl Scores {
    /// The index of the most probable label; the first of equals.
    pub fn best(&self) -> usize {
        let first_best = |best, (index, score): (usize, &f32)| {
            if *score > self.logits[best] {
                index
            } else {
                best
            }
        };
        self.logits.iter().enumerate().fold(0, first_best)
    }
}

/// A text classifier, ready to answer from many threads at once.
#[derive(Debug)]
pub struct TextClassifier {
    metadata: TextMetadata,
    sessions: SessionPool,
}

impl TextClassifier {
    /// Loads a model file and asks it once, so that a model which cannot answer is refused here.
    ///
    /// Labels, features and calibration come from the file itself. Blocks for some milliseconds.
    ///
    /// # Errors
    /// When the bytes are no ONNX model, no text classifier written by Sluice, or a damaged one.
    pub fn load(
        runtime: &Runtime,
        model: &[u8],
        options: SessionOptions,
    ) -> Result<Self, InferenceError> {
        let sessions = SessionPool::load(runtime, model, options)?;
        let metadata = describe(&sessions.take())?;
        let classifier = Self { metadata, sessions };
        classifier.try_out()?;
        Ok(classifier)
    }

    /// The classes, in the order of the scores.
    pub fn labels(&self) -> &[String] {
        &self.metadata.labels
    }

    /// How a text becomes n-grams for this model.
    pub fn features(&self) -> &TextFeatures {
        &self.metadata.features
    }

    /// How this model's logits become probabilities.
    pub fn calibration(&self) -> &Calibration {
        &self.metadata.calibration
    }

    /// The scores of each text, in the order of the texts. Blocks: about ten microseconds for one short text.
    ///
    /// # Errors
    /// When ONNX Runtime cannot run the model, or an answer is not finite.
    pub fn predict(&self, texts: &[&str]) -> Result<Vec<Scores>, InferenceError> {
        let mut scores = Vec::with_capacity(texts.len());
        let mut rows = vec![SparseRow::default(); texts.len().min(TEXTS_AT_ONCE)];
        let mut batch = Batch::default();
        for texts in texts.chunks(TEXTS_AT_ONCE) {
            for (text, row) in texts.iter().zip(&mut rows) {
                self.metadata.features.vectorise(text, row);
            }
            let mut left = &rows[..texts.len()];
            while !left.is_empty() {
                let (next, rest) = left.split_at(Batch::split(left));
                batch.fill(next);
                self.answer(&batch, &mut scores)?;
                left = rest;
            }
        }
        Ok(scores)
    }

    /// Runs one batch and appends its scores.
    fn answer(&self, batch: &Batch, scores: &mut Vec<Scores>) -> Result<(), InferenceError> {
        let classes = self.metadata.labels.len();
        let shape = [batch.rows, batch.width];
        let ids = TensorRef::from_array_view((shape, batch.ids.as_slice()))
            .map_err(InferenceError::run)?;
        let weights = TensorRef::from_array_view((shape, batch.weights.as_slice()))
            .map_err(InferenceError::run)?;

        let mut session = self.sessions.take();
        let outputs = session
            .run(ort::inputs![ids, weights])
            .map_err(InferenceError::run)?;
        let values = |index: usize| {
            outputs[index]
                .try_extract_tensor::<f32>()
                .map(|(_, values)| values)
        };
        let (logits, probabilities) = (
            values(0).map_err(InferenceError::run)?,
            values(1).map_err(InferenceError::run)?,
        );
        for output in [logits, probabilities] {
            if output.len() != batch.rows * classes {
                let reason = format!(
                    "expected {} x {classes} scores, got {}",
                    batch.rows,
                    output.len()
                );
                return Err(InferenceError::Mismatch { reason });
            }
        }
        for (logits, probabilities) in logits
            .chunks_exact(classes)
            .zip(probabilities.chunks_exact(classes))
        {
            if logits
                .iter()
                .chain(probabilities)
                .any(|value| !value.is_finite())
            {
                return Err(InferenceError::NotFinite {
                    index: scores.len(),
                });
            }
            scores.push(Scores {
                logits: logits.to_vec(),
                probabilities: probabilities.to_vec(),
            });
        }
        Ok(())
    }

    /// Asks for the first and the last column: proves that the weight table has the size that the features need.
    fn try_out(&self) -> Result<(), InferenceError> {
        let last = self.metadata.features.dimension() - 1;
        let row = SparseRow {
            ids: vec![0, last as u32],
            weights: vec![0.5, 0.5],
        };
        let mut batch = Batch::default();
        batch.fill(&[row]);
        self.answer(&batch, &mut Vec::new())
            .map_err(|error| match error {
                InferenceError::Run { reason } => InferenceError::Mismatch { reason },
                InferenceError::NotFinite { .. } => InferenceError::Mismatch {
                    reason: "it gives scores that are not finite".to_owned(),
                },
                other => other,
            })
    }
}

/// Reads what the model says about itself and checks that its inputs and outputs are the expected ones.
fn describe(session: &Session) -> Result<TextMetadata, InferenceError> {
    let entries = session.metadata().map_err(InferenceError::run)?;
    let metadata = TextMetadata::from_entries(|key| entries.custom(key))?;
    for (kind, outlets, expected) in [
        ("inputs", session.inputs(), INPUTS),
        ("outputs", session.outputs(), OUTPUTS),
    ] {
        let names: Vec<&str> = outlets.iter().map(|outlet| outlet.name()).collect();
        if names != expected {
            let reason = format!("expected the {kind} {expected:?}, got {names:?}");
            return Err(InferenceError::Mismatch { reason });
        }
    }
    Ok(metadata)
}
