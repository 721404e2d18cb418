//! Performance without labels: what calibrated probabilities expect of themselves.
//!
//! Confidence-based performance estimation (NannyML's CBPE): a prediction with calibrated probability p of its label is right with probability p, so
//! sums of probabilities are expected counts. It sees harder inputs. It cannot see that the meaning of the labels changed, nor that the
//! model is sure and wrong about a new kind of input: for that, labels must come back.

use crate::Profile;

/// What the probabilities of a profile's predictions expect.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// Predictions with scores.
    pub rows: u64,
    /// Expected share of right predictions.
    pub accuracy: f64,
    /// Expected F1 of each label in the model's order: 2·E\[TP\] / (2·E\[TP\] + E\[FP\] + E\[FN\]).
    pub f1: Vec<f64>,
    /// The mean of those.
    pub macro_f1: f64,
}

/// Estimates from the sums in a profile. `None` when no prediction had scores.
#[must_use]
pub fn estimate(profile: &Profile) -> Option<Estimate> {
    let counts: Vec<(f64, f64, f64)> = profile.expected_counts().collect();
    let rows: f64 = counts.iter().map(|(_, _, predicted)| predicted).sum();
    if rows == 0.0 {
        return None;
    }
    let accuracy = counts.iter().map(|(_, correct, _)| correct).sum::<f64>() / rows;
    // E[TP] + E[FP] is the number predicted, E[TP] + E[FN] the expected number that has the label.
    let f1: Vec<f64> = counts
        .iter()
        .map(|(expected, correct, predicted)| {
            if expected + predicted > 0.0 {
                2.0 * correct / (expected + predicted)
            } else {
                0.0
            }
        })
        .collect();
    let macro_f1 = f1.iter().sum::<f64>() / f1.len() as f64;
    Some(Estimate {
        rows: rows as u64,
        accuracy,
        f1,
        macro_f1,
    })
}

/// The expected figures of a binary classifier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BinaryEstimate {
    /// (E\[TP\] + E\[TN\]) / n.
    pub accuracy: f64,
    /// E\[TP\] / (E\[TP\] + E\[FP\]).
    pub precision: f64,
    /// E\[TP\] / (E\[TP\] + E\[FN\]).
    pub recall: f64,
    /// E\[TN\] / (E\[TN\] + E\[FP\]).
    pub specificity: f64,
    /// E\[TP\] / (E\[TP\] + ½ (E\[FP\] + E\[FN\])).
    pub f1: f64,
}

/// Estimates from rows of (calibrated probability of the positive label, whether positive was predicted). `None` without rows; `NaN` where a
/// figure has no denominator.
#[must_use]
pub fn estimate_binary(rows: &[(f64, bool)]) -> Option<BinaryEstimate> {
    if rows.is_empty() {
        return None;
    }
    let sum = |positive: bool, of: fn(f64) -> f64| -> f64 {
        rows.iter()
            .filter(|row| row.1 == positive)
            .map(|row| of(row.0))
            .sum()
    };
    let (tp, fp) = (sum(true, |p| p), sum(true, |p| 1.0 - p));
    let (fn_, tn) = (sum(false, |p| p), sum(false, |p| 1.0 - p));
    Some(BinaryEstimate {
        accuracy: (tp + tn) / rows.len() as f64,
        precision: tp / (tp + fp),
        recall: tp / (tp + fn_),
        specificity: tn / (tn + fp),
        f1: tp / (tp + (fp + fn_) / 2.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Observation;

    #[test]
    fn the_profile_and_the_rows_give_the_same_estimate() {
        let scores = [0.9, 0.8, 0.6, 0.4, 0.2, 0.05, 0.99];
        let mut profile = Profile::new(&["no".to_owned(), "yes".to_owned()]);
        for score in scores {
            profile.observe(&Observation {
                at: None,
                features: &[],
                label: if score >= 0.5 { "yes" } else { "no" },
                scores: &[1.0 - score, score],
                slice: None,
            });
        }
        let rows: Vec<(f64, bool)> = scores.iter().map(|score| (*score, *score >= 0.5)).collect();
        let (whole, binary) = (estimate(&profile).unwrap(), estimate_binary(&rows).unwrap());
        assert_eq!(whole.rows, 7);
        assert!(
            (whole.accuracy - binary.accuracy).abs() < 1e-6
                && (whole.f1[1] - binary.f1).abs() < 1e-6
        );
        assert!(estimate(&Profile::new(&[])).is_none() && estimate_binary(&[]).is_none());
    }
}
