//! Whether a model is as sure as it is right.

use serde::{Deserialize, Serialize};

use crate::predictions::{Predictions, most_probable};

/// Equal-width bins of the confidence.
const BINS: usize = 15;

/// How good the probabilities are as probabilities.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Confidence {
    /// The mean over rows of the squared distance between probabilities and truth, summed over labels (Brier 1950): 0
    /// to 2. It is scikit-learn's `brier_score_loss(scale_by_half=False)`.
    pub brier: f64,
    /// The expected calibration error: the mean over bins, weighted by rows, of `|accuracy - confidence|`.
    pub ece: f64,
    /// The bins that have rows. The confidence is the largest probability; a bin includes its upper end.
    pub reliability: Vec<ReliabilityBin>,
}

/// The rows whose confidence is in one range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// The lower end of the range, exclusive.
    pub from: f64,
    /// The upper end of the range, inclusive.
    pub to: f64,
    /// Rows.
    pub rows: u64,
    /// The mean confidence.
    pub confidence: f64,
    /// The share of right answers.
    pub accuracy: f64,
}

#[derive(Clone, Copy, Default)]
struct Bin {
    rows: u64,
    confidence: f64,
    right: u64,
}

impl Confidence {
    /// Compares probabilities with the truth; without rows, everything is 0.
    #[must_use]
    pub fn new(truth: impl IntoIterator<Item = u32>, predictions: &Predictions) -> Self {
        let mut bins = [Bin::default(); BINS];
        let mut squares = 0.0;
        for (truth, probabilities) in truth.into_iter().zip(predictions.rows()) {
            let answer = most_probable(probabilities);
            let confidence = f64::from(probabilities[answer as usize]);
            let bin = &mut bins[bin_of(confidence)];
            bin.rows += 1;
            bin.confidence += confidence;
            bin.right += u64::from(answer == truth);
            for (label, probability) in probabilities.iter().enumerate() {
                let truth = if label == truth as usize { 1.0 } else { 0.0 };
                squares += (f64::from(*probability) - truth).powi(2);
            }
        }
        let rows: u64 = bins.iter().map(|bin| bin.rows).sum();
        if rows == 0 {
            return Self::default();
        }
        let gap = |bin: &Bin| (bin.right as f64 - bin.confidence).abs();
        Self {
            brier: squares / rows as f64,
            ece: bins.iter().map(gap).sum::<f64>() / rows as f64,
            reliability: bins.iter().enumerate().filter_map(described).collect(),
        }
    }
}

fn bin_of(confidence: f64) -> usize {
    ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1
}

fn described((index, bin): (usize, &Bin)) -> Option<ReliabilityBin> {
    let rows = bin.rows as f64;
    (bin.rows > 0).then(|| ReliabilityBin {
        from: index as f64 / BINS as f64,
        to: (index + 1) as f64 / BINS as f64,
        rows: bin.rows,
        confidence: bin.confidence / rows,
        accuracy: bin.right as f64 / rows,
    })
}
