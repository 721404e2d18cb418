//! How good the predictions were, once true labels came back, and how good they probably are before.
//!
//! [`Outcomes`] counts (prediction, true label) pairs at constant memory and merges exactly. Every figure comes with an interval, because a week with ten
//! labels says little: Wilson's for accuracy, a seeded bootstrap of the rows for F1.

mod bootstrap;
mod confusion;
mod estimate;
mod isotonic;
mod outcomes;
mod reliability;

pub use self::bootstrap::{bootstrap_macro_f1, macro_f1_difference};
pub use self::confusion::Confusion;
pub use self::estimate::{BinaryEstimate, Estimate, estimate, estimate_binary};
pub use self::isotonic::Isotonic;
pub use self::outcomes::{JoinedOutcome, MAX_SLICES, Outcomes};
pub use self::reliability::{Reliability, ReliabilityBin};

use serde::{Deserialize, Serialize};

/// A figure with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The figure itself.
    pub value: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// Wilson's score interval (1927) of a share at a two-sided `confidence` such as 0.95. `None` without trials.
#[must_use]
pub fn wilson(successes: u64, trials: u64, confidence: f64) -> Option<Interval> {
    if trials == 0 {
        return None;
    }
    let n = trials as f64;
    let share = successes as f64 / n;
    let z = crate::drift::normal_quantile(0.5 + confidence / 2.0);
    let middle = (share + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    Some(Interval {
        value: share,
        low: (middle - half).clamp(0.0, share),
        high: (middle + half).clamp(share, 1.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R: `binom::binom.wilson(8, 10)`.
    #[test]
    fn wilson_agrees_with_r() {
        let interval = wilson(8, 10, 0.95).unwrap();
        assert!(
            (interval.low - 0.490_162_4).abs() < 1e-6 && (interval.high - 0.943_317_8).abs() < 1e-6,
            "{interval:?}"
        );
        assert!(wilson(0, 0, 0.95).is_none());
        assert_eq!(wilson(0, 10, 0.95).unwrap().low, 0.0);
    }
}
