//! Whether confidence means what it says.

use serde::{Deserialize, Serialize};

use crate::drift::chi_squared_upper;

/// Equal-width bins of the confidence, as in the model card.
const BINS: usize = 15;
const MILLIONTHS: f64 = 1e6;
/// Bins with a smaller variance than this say nothing about calibration: the χ² law does not hold there.
const MIN_VARIANCE: f64 = 1.0;

/// Counts for a reliability diagram: 15 equal bins of the confidence in the predicted label. Merging is exact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reliability {
    bins: Vec<Sums>,
    /// Σ over rows and labels of the squared error of the probability, in millionths.
    squared_error: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Sums {
    rows: u64,
    correct: u64,
    /// In millionths.
    confidence: u64,
    /// Σ p(1 − p), in millionths.
    variance: u64,
}

/// One bar of a reliability diagram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReliabilityBin {
    /// Rows in it.
    pub rows: u64,
    /// Their mean confidence.
    pub confidence: f64,
    /// The share of them that was right.
    pub accuracy: f64,
}

impl Default for Reliability {
    fn default() -> Self {
        Self {
            bins: vec![Sums::default(); BINS],
            squared_error: 0,
        }
    }
}

impl Reliability {
    /// Adds a row: the probabilities of all labels, the predicted label and the true one.
    pub fn add(&mut self, scores: &[f64], predicted: usize, truth: usize) {
        let Some(confidence) = scores.get(predicted).map(|score| score.clamp(0.0, 1.0)) else {
            return;
        };
        let bin = ((confidence * BINS as f64) as usize).min(BINS - 1);
        if let Some(sums) = self.bins.get_mut(bin) {
            sums.rows += 1;
            sums.correct += u64::from(predicted == truth);
            sums.confidence += (confidence * MILLIONTHS).round() as u64;
            sums.variance += (confidence * (1.0 - confidence) * MILLIONTHS).round() as u64;
        }
        let error: f64 = scores
            .iter()
            .enumerate()
            .map(|(label, score)| (score - f64::from(u8::from(label == truth))).powi(2))
            .sum();
        self.squared_error += (error * MILLIONTHS).round() as u64;
    }

    /// Adds the rows of another.
    pub fn merge(&mut self, other: &Self) {
        for (ours, theirs) in self.bins.iter_mut().zip(&other.bins) {
            ours.rows += theirs.rows;
            ours.correct += theirs.correct;
            ours.confidence += theirs.confidence;
            ours.variance += theirs.variance;
        }
        self.squared_error += other.squared_error;
    }

    /// Rows whose probabilities were known.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.bins.iter().map(|sums| sums.rows).sum()
    }

    /// The bins with rows, in rising order of confidence.
    pub fn bins(&self) -> impl Iterator<Item = ReliabilityBin> + '_ {
        self.bins.iter().filter(|sums| sums.rows > 0).map(|sums| {
            let rows = sums.rows as f64;
            ReliabilityBin {
                rows: sums.rows,
                confidence: sums.confidence as f64 / MILLIONTHS / rows,
                accuracy: sums.correct as f64 / rows,
            }
        })
    }

    /// Brier's score (1950): the mean over rows of the squared error of the probabilities, summed over labels. 0 is perfect, 2 the worst.
    #[must_use]
    pub fn brier(&self) -> Option<f64> {
        let rows = self.rows();
        (rows > 0).then(|| self.squared_error as f64 / MILLIONTHS / rows as f64)
    }

    /// Expected calibration error (Naeini et al. 2015): Σ share of the bin · |confidence − accuracy|. Biased upwards when rows are few.
    #[must_use]
    pub fn expected_calibration_error(&self) -> Option<f64> {
        let rows = self.rows();
        let gap: f64 = self
            .bins()
            .map(|bin| bin.rows as f64 * (bin.confidence - bin.accuracy).abs())
            .sum();
        (rows > 0).then(|| gap / rows as f64)
    }

    /// The p-value of Hosmer and Lemeshow's test that the confidences are right: Σ (right − Σp)² / Σp(1 − p) over the bins against χ².
    ///
    /// Neighbouring bins with hardly any variance are put together. `None` when there is too little to test.
    #[must_use]
    pub fn calibration_p_value(&self) -> Option<f64> {
        let (mut statistic, mut degrees) = (0.0, 0);
        let (mut correct, mut expected, mut variance) = (0.0, 0.0, 0.0);
        for sums in &self.bins {
            correct += sums.correct as f64;
            expected += sums.confidence as f64 / MILLIONTHS;
            variance += sums.variance as f64 / MILLIONTHS;
            if variance >= MIN_VARIANCE {
                statistic += (correct - expected).powi(2) / variance;
                degrees += 1;
                (correct, expected, variance) = (0.0, 0.0, 0.0);
            }
        }
        // What is left over is the surest rows, with hardly any variance: wrong ones among them must count.
        if variance > 0.0 && (degrees == 0 || (correct - expected).abs() > 0.5) {
            statistic += (correct - expected).powi(2) / variance.max(MIN_VARIANCE);
            degrees += 1;
        }
        (self.rows() > 0 && degrees > 0).then(|| chi_squared_upper(statistic, degrees))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_worked_by_hand() {
        let mut reliability = Reliability::default();
        for right in [true, true, true, false] {
            reliability.add(&[0.1, 0.9], 1, usize::from(right));
        }
        assert!((reliability.expected_calibration_error().unwrap() - 0.15).abs() < 1e-6);
        // Three times 0.02, once 0.81 + 0.81.
        assert!((reliability.brier().unwrap() - (3.0 * 0.02 + 1.62) / 4.0).abs() < 1e-6);
        assert_eq!(reliability.bins().count(), 1);
    }

    #[test]
    fn right_confidence_is_not_called_wrong_and_overconfidence_is() {
        let (mut honest, mut boastful) = (Reliability::default(), Reliability::default());
        for row in 0..600u32 {
            let confidence = [0.55, 0.7, 0.8, 0.95][row as usize % 4];
            // A fixed sequence that spreads evenly over 0 to 1.
            let right = (f64::from(row / 4) * 0.618_033_988_75).fract() < confidence;
            honest.add(&[1.0 - confidence, confidence], 1, usize::from(right));
            boastful.add(&[0.01, 0.99], 1, usize::from(right));
        }
        assert!(honest.calibration_p_value().unwrap() > 0.05);
        assert!(boastful.calibration_p_value().unwrap() < 1e-6);
        assert!(boastful.expected_calibration_error().unwrap() > 0.2);
        assert_eq!(Reliability::default().calibration_p_value(), None);
    }
}
