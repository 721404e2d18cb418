//! Temperature scaling: one number that makes a model as sure as it is right.
//!
//! Guo, Pleiss, Sun & Weinberger, *On Calibration of Modern Neural Networks* (2017), section 4.2. The temperature
//! minimises the log loss on the calibration rows. The same rows chose the regularisation, so the log loss there is a
//! little too good; one parameter on top of a choice among a few cannot bend it far, and what the model card and the gate
//! say about confidence is measured on the test rows, which neither choice saw.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sluice_registry::CalibrationSummary;

use crate::evaluate::Confidence;
use crate::logistic::loss_and_residuals;

/// Temperatures that are considered. On rows that are all answered right, the log loss falls for ever with the
/// temperature; a model that is never wrong on few rows is still not ten times surer than it says.
const TEMPERATURES: std::ops::RangeInclusive<f64> = 0.1..=20.0;

/// Halvings of the range: the answer is right to 2⁻⁴⁰ of it.
const HALVINGS: usize = 40;

/// Rows whose losses one thread sums.
const ROWS_AT_A_TIME: usize = 4096;

/// The confidence of a model before and after calibration, on the test rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The logits are divided by it.
    pub temperature: f64,
    /// With temperature 1.
    pub before: Confidence,
    /// With the temperature.
    pub after: Confidence,
}

impl Calibration {
    /// What the model card says.
    #[must_use]
    pub fn summary(&self) -> CalibrationSummary {
        CalibrationSummary {
            method: "temperature".to_owned(),
            parameters: BTreeMap::from([("temperature".to_owned(), self.temperature)]),
            brier_before: self.before.brier,
            brier_after: self.after.brier,
            ece_before: self.before.ece,
            ece_after: self.after.ece,
        }
    }
}

/// The temperature with the least log loss. `logits` is `[rows][classes]`.
pub(crate) fn best_temperature(logits: &[f64], classes: usize, labels: &[u32]) -> f64 {
    // The loss is convex in the inverse temperature: halve on the sign of its slope.
    let (mut least, mut most) = (1.0 / TEMPERATURES.end(), 1.0 / TEMPERATURES.start());
    if slope(logits, classes, labels, most) <= 0.0 {
        return *TEMPERATURES.start();
    }
    for _ in 0..HALVINGS {
        let middle = 0.5 * (least + most);
        if slope(logits, classes, labels, middle) > 0.0 {
            most = middle;
        } else {
            least = middle;
        }
    }
    2.0 / (least + most)
}

/// The mean log loss at an inverse temperature.
pub(crate) fn log_loss(logits: &[f64], classes: usize, labels: &[u32], inverse: f64) -> f64 {
    sum_rows(logits, classes, labels, inverse, |_, loss, _| loss) / labels.len() as f64
}

/// The derivative of the summed log loss by the inverse temperature.
fn slope(logits: &[f64], classes: usize, labels: &[u32], inverse: f64) -> f64 {
    sum_rows(logits, classes, labels, inverse, |logits, _, residuals| {
        residuals.iter().zip(logits).map(|(r, z)| r * z).sum()
    })
}

/// Sums `of_row(logits, loss, residuals)` over the rows, in an order that does not depend on the number of threads.
fn sum_rows(
    logits: &[f64],
    classes: usize,
    labels: &[u32],
    inverse: f64,
    of_row: impl Fn(&[f64], f64, &[f64]) -> f64 + Sync,
) -> f64 {
    let pieces: Vec<f64> = logits
        .par_chunks(ROWS_AT_A_TIME * classes)
        .zip(labels.par_chunks(ROWS_AT_A_TIME))
        .map(|(logits, labels)| {
            let (mut scaled, mut residuals) = (vec![0.0; classes], vec![0.0; classes]);
            let mut sum = 0.0;
            for (logits, &label) in logits.chunks_exact(classes).zip(labels) {
                for (scaled, logit) in scaled.iter_mut().zip(logits) {
                    *scaled = logit * inverse;
                }
                let loss = loss_and_residuals(&scaled, label as usize, &mut residuals);
                sum += of_row(logits, loss, &residuals);
            }
            sum
        })
        .collect();
    pieces.iter().sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng as _;
    use rand::rngs::Xoshiro256PlusPlus;

    use super::*;

    /// Rows whose labels are drawn from the softmax of their logits.
    fn honest_rows(rows: usize, classes: usize, seed: u64) -> (Vec<f64>, Vec<u32>) {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let logits: Vec<f64> = (0..rows * classes)
            .map(|_| random.random_range(-3.0..3.0))
            .collect();
        let draw = |logits: &[f64]| {
            let sum: f64 = logits.iter().map(|z| z.exp()).sum();
            let mut left = random.random_range(0.0..1.0) * sum;
            let mut label = 0;
            while label + 1 < classes && left > logits[label].exp() {
                left -= logits[label].exp();
                label += 1;
            }
            label as u32
        };
        let labels = logits.chunks_exact(classes).map(draw).collect();
        (logits, labels)
    }

    #[test]
    fn a_temperature_that_was_put_in_is_found() {
        for (classes, factor) in [(2, 1.0), (2, 3.0), (4, 0.4)] {
            let (logits, labels) = honest_rows(20_000, classes, 7);
            let logits: Vec<f64> = logits.iter().map(|z| z * factor).collect();
            let temperature = best_temperature(&logits, classes, &labels);
            assert!(
                (temperature / factor - 1.0).abs() < 0.05,
                "{temperature} for {factor}"
            );
        }
    }

    #[test]
    fn extremes_stay_in_the_range() {
        assert_eq!(best_temperature(&[3.0, 0.0, 0.0, 5.0], 2, &[0, 1]), 0.1);
        let always_wrong = best_temperature(&[3.0, 0.0, 0.0, 5.0], 2, &[1, 0]);
        assert!((always_wrong - 20.0).abs() < 1e-6);
        assert!(best_temperature(&[0.0, 0.0], 2, &[1]).is_finite());
    }

    proptest! {
        #[test]
        fn no_other_temperature_has_less_loss(seed in 0_u64..1000, classes in 2_usize..5, factor in 0.3_f64..4.0, other in 0.1_f64..20.0) {
            let (logits, labels) = honest_rows(200, classes, seed);
            let logits: Vec<f64> = logits.iter().map(|z| z * factor).collect();
            let best = best_temperature(&logits, classes, &labels);
            let least = log_loss(&logits, classes, &labels, 1.0 / best);
            prop_assert!(least <= log_loss(&logits, classes, &labels, 1.0 / other) + 1e-9);
        }
    }
}
