//! How good a model's answers and its confidence are on labelled rows.
//!
//! Formulas are scikit-learn's where it has them, with `zero_division=0`. The expected calibration error is that of Guo,
//! Pleiss, Sun & Weinberger, *On Calibration of Modern Neural Networks* (2017), equation 3.

mod confidence;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sluice_registry::EvaluationSummary;

use crate::TrainingError;
use crate::data::{Row, TrainingData};
use crate::metric::{Confusion, Metric};
use crate::predictions::{Predictions, most_probable};

pub use confidence::{Confidence, ReliabilityBin};

/// Probabilities are brought into `[ε, 1-ε]` before the logarithm; ε is that of 32-bit numbers, as in scikit-learn.
const CLIP: f64 = f32::EPSILON as f64;

/// How good a model is on some rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Rows.
    pub rows: u64,
    /// Right answers over all answers.
    pub accuracy: f64,
    /// The mean of the labels' F1 scores, over the labels that are the truth or the answer of some row.
    pub macro_f1: f64,
    /// The mean of `-ln p(true label)`, with p in `[ε, 1-ε]`, ε = 2⁻²³.
    pub log_loss: f64,
    /// Brier score and calibration.
    #[serde(flatten)]
    pub confidence: Confidence,
    /// Each label by itself, in the order of the model's outputs.
    pub labels: Vec<LabelEvaluation>,
    /// How often each true label (outer) got each answer (inner).
    pub confusion: Vec<Vec<u64>>,
    /// Each slice by itself, in the order of its name. Rows without a slice are in none.
    pub slices: Vec<SliceEvaluation>,
}

/// One label by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelEvaluation {
    /// The label.
    pub label: String,
    /// Right answers over all rows with this answer.
    pub precision: f64,
    /// Right answers over all rows with this truth.
    pub recall: f64,
    /// The harmonic mean of the two: `2 TP / (2 TP + FP + FN)`.
    pub f1: f64,
    /// Rows with this truth.
    pub support: u64,
}

/// One slice by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SliceEvaluation {
    /// The slice.
    pub slice: String,
    /// Its rows.
    pub rows: u64,
    /// How many labels are the truth of some row.
    pub true_labels: usize,
    /// Right answers over all answers.
    pub accuracy: f64,
    /// As for all rows.
    pub macro_f1: f64,
    /// The F1 score of the positive label, when there is one and a row of the slice has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positive_f1: Option<f64>,
    /// As for all rows.
    pub log_loss: f64,
}

impl SliceEvaluation {
    /// The value of a metric, `None` when the slice says nothing about it: F1 without a row of the positive label,
    /// macro F1 with one label only.
    #[must_use]
    pub fn metric(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::MacroF1 => (self.true_labels > 1).then_some(self.macro_f1),
            Metric::Accuracy => Some(self.accuracy),
            Metric::F1 => self.positive_f1,
            Metric::LogLoss => Some(self.log_loss),
        }
    }
}

impl Evaluation {
    /// Compares predictions with the truth of `rows`, which belong to `data`. `positive_label` is an index.
    ///
    /// # Errors
    /// [`TrainingError::UnusablePredictions`] when there is not one prediction for each row and each label.
    pub fn new(
        data: &TrainingData,
        rows: &[Row],
        predictions: &Predictions,
        positive_label: Option<u32>,
    ) -> Result<Self, TrainingError> {
        let classes = data.labels().len();
        check_shape(predictions, rows.len(), classes)?;
        let mut all = Tally::new(classes);
        let mut by_slice: BTreeMap<u32, Tally> = BTreeMap::new();
        for (row, probabilities) in rows.iter().zip(predictions.rows()) {
            all.add(row.label, probabilities);
            if let Some(slice) = row.slice {
                by_slice
                    .entry(slice)
                    .or_insert_with(|| Tally::new(classes))
                    .add(row.label, probabilities);
            }
        }
        let mut slices: Vec<SliceEvaluation> = by_slice
            .into_iter()
            .map(|(slice, tally)| tally.into_slice(&data.slices()[slice as usize], positive_label))
            .collect();
        slices.sort_by(|a, b| a.slice.cmp(&b.slice));
        let labels = data.labels().iter().enumerate().map(|(index, label)| {
            let scores = all.confusion.label(index);
            LabelEvaluation {
                label: label.clone(),
                precision: scores.precision,
                recall: scores.recall,
                f1: scores.f1,
                support: scores.support,
            }
        });
        Ok(Self {
            rows: all.rows,
            accuracy: all.confusion.accuracy(),
            macro_f1: all.confusion.macro_f1(),
            log_loss: all.log_loss(),
            confidence: Confidence::new(rows.iter().map(|row| row.label), predictions),
            labels: labels.collect(),
            confusion: all.confusion.rows(),
            slices,
        })
    }

    /// The value of a metric; F1 without a positive label is 0.
    #[must_use]
    pub fn metric(&self, metric: Metric, positive_label: Option<u32>) -> f64 {
        match metric {
            Metric::MacroF1 => self.macro_f1,
            Metric::Accuracy => self.accuracy,
            Metric::F1 => positive_label.map_or(0.0, |label| self.labels[label as usize].f1),
            Metric::LogLoss => self.log_loss,
        }
    }

    /// What the model card says: all metrics, and `metric` for each slice of `min_rows` or more that it can be computed
    /// for.
    #[must_use]
    pub fn summary(&self, metric: Metric, min_rows: u64) -> EvaluationSummary {
        let mut metrics = BTreeMap::from([
            ("accuracy".to_owned(), self.accuracy),
            ("macro_f1".to_owned(), self.macro_f1),
            ("log_loss".to_owned(), self.log_loss),
            ("brier".to_owned(), self.confidence.brier),
            ("ece".to_owned(), self.confidence.ece),
        ]);
        for label in &self.labels {
            metrics.insert(format!("f1:{}", label.label), label.f1);
        }
        let slices = self.slices.iter().filter(|slice| slice.rows >= min_rows);
        EvaluationSummary {
            rows: self.rows,
            metrics,
            slices: slices
                .filter_map(|slice| Some((slice.slice.clone(), slice.metric(metric)?)))
                .collect(),
        }
    }
}

/// `-ln p`, with p brought into `[ε, 1-ε]`.
pub(crate) fn loss(probability: f32) -> f64 {
    -f64::from(probability).clamp(CLIP, 1.0 - CLIP).ln()
}

pub(crate) fn check_shape(
    predictions: &Predictions,
    rows: usize,
    classes: usize,
) -> Result<(), TrainingError> {
    if predictions.len() == rows && predictions.classes() == classes {
        return Ok(());
    }
    Err(TrainingError::UnusablePredictions {
        what: "the model".to_owned(),
        problem: format!(
            "{} rows of {} labels for {rows} test rows of {classes} labels",
            predictions.len(),
            predictions.classes()
        ),
    })
}

struct Tally {
    rows: u64,
    loss: f64,
    confusion: Confusion,
}

impl Tally {
    fn new(classes: usize) -> Self {
        Self {
            rows: 0,
            loss: 0.0,
            confusion: Confusion::new(classes),
        }
    }

    fn add(&mut self, truth: u32, probabilities: &[f32]) {
        self.rows += 1;
        self.loss += loss(probabilities[truth as usize]);
        self.confusion.add(truth, most_probable(probabilities));
    }

    fn log_loss(&self) -> f64 {
        if self.rows == 0 {
            0.0
        } else {
            self.loss / self.rows as f64
        }
    }

    fn into_slice(self, slice: &str, positive_label: Option<u32>) -> SliceEvaluation {
        let positive = positive_label.map(|label| self.confusion.label(label as usize));
        SliceEvaluation {
            slice: slice.to_owned(),
            rows: self.rows,
            true_labels: self.confusion.true_labels(),
            accuracy: self.confusion.accuracy(),
            macro_f1: self.confusion.macro_f1(),
            positive_f1: positive
                .filter(|scores| scores.support > 0)
                .map(|scores| scores.f1),
            log_loss: self.log_loss(),
        }
    }
}
