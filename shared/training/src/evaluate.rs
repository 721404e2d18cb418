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
        check_shape("the model", predictions, rows.len(), classes)?;
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
    what: &str,
    predictions: &Predictions,
    rows: usize,
    classes: usize,
) -> Result<(), TrainingError> {
    if predictions.len() == rows && predictions.classes() == classes {
        return Ok(());
    }
    Err(TrainingError::UnusablePredictions {
        what: what.to_owned(),
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

#[cfg(test)]
mod tests {
    use sluice_registry::Split;

    use super::*;

    /// Ten rows over four labels of which the last never occurs; the expected numbers are scikit-learn 1.9.1's for the
    /// same 32-bit probabilities, the calibration error that of the formula in numpy.
    fn golden() -> (TrainingData, Predictions) {
        let truth = [0, 1, 2, 1, 0, 0, 2, 0, 0, 0];
        let probabilities = [
            [0.5, 0.25, 0.25, 0.0],
            [0.125, 0.75, 0.125, 0.0],
            [0.25, 0.25, 0.5, 0.0],
            [0.0625, 0.875, 0.0625, 0.0],
            [0.375, 0.5, 0.125, 0.0],
            [1.0, 0.0, 0.0, 0.0],
            [0.75, 0.125, 0.125, 0.0],
            [0.25, 0.5, 0.25, 0.0],
            [0.4375, 0.4375, 0.125, 0.0],
            [0.0, 0.9375, 0.0625, 0.0],
        ];
        let mut data = TrainingData::new(["a", "b", "c", "d"].map(str::to_owned).to_vec());
        for (index, label) in truth.into_iter().enumerate() {
            let slice = ["z", "y"].get(index / 4).copied();
            data.push(Split::Test, "text", label, slice).unwrap();
        }
        (data, Predictions::new("golden", 4, probabilities).unwrap())
    }

    fn close(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-9, "{value} is not {expected}");
    }

    #[test]
    fn the_numbers_are_scikit_learns() {
        let (data, predictions) = golden();
        let evaluation = Evaluation::new(&data, data.test(), &predictions, Some(1)).unwrap();
        close(evaluation.accuracy, 0.6);
        close(evaluation.macro_f1, 0.612_698_412_698_412_6);
        // scikit-learn takes the logarithm in 32 bits.
        assert!((evaluation.log_loss - 2.302_313_566).abs() < 1e-6);
        close(evaluation.confidence.brier, 0.614_843_75);
        close(evaluation.confidence.ece, 0.2125);
        let column =
            |of: fn(&LabelEvaluation) -> f64| evaluation.labels.iter().map(of).collect::<Vec<_>>();
        assert_eq!(column(|label| label.precision), [0.75, 0.4, 1.0, 0.0]);
        assert_eq!(column(|label| label.recall), [0.5, 1.0, 0.5, 0.0]);
        for (f1, expected) in
            column(|label| label.f1)
                .into_iter()
                .zip([0.6, 4.0 / 7.0, 2.0 / 3.0, 0.0])
        {
            close(f1, expected);
        }
        assert_eq!(
            evaluation.confusion,
            [[3, 3, 0, 0], [0, 2, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
        );
    }

    #[test]
    fn bins_are_fifteenths_of_the_confidence() {
        let probabilities = [[0.2, 0.2, 0.2, 0.2, 0.2], [1.0, 0.0, 0.0, 0.0, 0.0]];
        let predictions = Predictions::new("edges", 5, probabilities).unwrap();
        let confidence = Confidence::new([0, 0], &predictions);
        let ranges: Vec<(f64, f64)> = confidence
            .reliability
            .iter()
            .map(|bin| (bin.from * 15.0, bin.to * 15.0))
            .collect();
        // 0.2 as a 32-bit number is a little above 3/15.
        assert_eq!(ranges, [(3.0, 4.0), (14.0, 15.0)]);
        assert_eq!(
            Confidence::new([], &Predictions::new("none", 2, [[0.5; 2]; 0]).unwrap()),
            Confidence::default()
        );
    }

    #[test]
    fn slices_are_evaluated_by_themselves_and_rows_without_one_in_none() {
        let (data, predictions) = golden();
        let evaluation = Evaluation::new(&data, data.test(), &predictions, Some(1)).unwrap();
        let slices: Vec<_> = evaluation
            .slices
            .iter()
            .map(|slice| (slice.slice.as_str(), slice.rows, slice.accuracy))
            .collect();
        assert_eq!(slices, [("y", 4, 0.25), ("z", 4, 1.0)]);
        assert_eq!(evaluation.slices[0].metric(Metric::F1), None);
        assert_eq!(evaluation.slices[1].metric(Metric::F1), Some(1.0));
        // In "y" the truth is "a" three times and "c" once; "b" is only answered.
        assert_eq!(evaluation.slices[0].true_labels, 2);

        let summary = evaluation.summary(Metric::MacroF1, 1);
        assert_eq!(summary.slices.len(), 2);
        close(summary.metrics["f1:b"], 4.0 / 7.0);
        assert!(evaluation.summary(Metric::MacroF1, 5).slices.is_empty());
    }

    #[test]
    fn predictions_of_another_shape_are_refused() {
        let (data, predictions) = golden();
        let error = Evaluation::new(&data, data.test(), &predictions.head(9), None).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("9 rows of 4 labels for 10 test rows of 4 labels"),
            "{error}"
        );
    }
}
