//! How a model is fitted: the section `training` of `sluice.toml`.

use serde::{Deserialize, Serialize};
use sluice_inference::TextFeatures;

/// How a model is fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingConfig {
    /// How a text becomes numbers.
    pub features: TextFeatures,
    /// The inverse strengths of the L2 penalty to try (scikit-learn's `C`; larger means weaker), ascending. The
    /// calibration rows choose.
    pub regularisation: Vec<f64>,
    /// Steps of L-BFGS for one model, at most.
    pub max_iterations: usize,
    /// A model is fitted when the norm of the gradient is below this share of its norm for a model without weights.
    pub tolerance: f64,
    /// Seed of everything random. Fitting has no randomness; the gate's resampling has.
    pub seed: u64,
    /// Threads to use, 0 for all cores. The fitted model does not depend on it.
    pub threads: usize,
    /// Training rows needed.
    pub min_train_rows: usize,
    /// Calibration rows needed.
    pub min_calibration_rows: usize,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            features: TextFeatures::default(),
            regularisation: vec![1.0, 3.0, 10.0, 30.0],
            max_iterations: 300,
            tolerance: 0.005,
            seed: 1,
            threads: 0,
            min_train_rows: 100,
            min_calibration_rows: 20,
        }
    }
}

impl TrainingConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// For each value that cannot be used: its key and what is expected there.
    pub fn validate(&self) -> Result<(), Vec<(String, String)>> {
        let mut problems = Vec::new();
        let mut expect = |holds: bool, key: &str, expected: String| {
            if !holds {
                problems.push((key.to_owned(), expected));
            }
        };
        expect(
            self.features.is_valid(),
            "features",
            format!(
                "expected bits from 10 to 24 and max_ngram from 1 to 3, got {} and {}",
                self.features.bits, self.features.max_ngram
            ),
        );
        let grid = &self.regularisation;
        expect(
            !grid.is_empty()
                && grid.iter().all(|c| (1e-6..=1e6).contains(c))
                && grid.is_sorted_by(|a, b| a < b),
            "regularisation",
            format!(
                "expected one or more ascending numbers from 0.000001 to 1000000, got {grid:?}"
            ),
        );
        expect(
            (1..=100_000).contains(&self.max_iterations),
            "max_iterations",
            format!(
                "expected a whole number from 1 to 100000, got {}",
                self.max_iterations
            ),
        );
        expect(
            (1e-9..=0.1).contains(&self.tolerance),
            "tolerance",
            format!(
                "expected a number from 0.000000001 to 0.1, got {}",
                self.tolerance
            ),
        );
        expect(
            self.threads <= 1024,
            "threads",
            format!(
                "expected a whole number from 0 (all cores) to 1024, got {}",
                self.threads
            ),
        );
        expect(
            self.min_train_rows >= 2,
            "min_train_rows",
            format!("expected 2 or more, got {}", self.min_train_rows),
        );
        expect(
            self.min_calibration_rows >= 1,
            "min_calibration_rows",
            format!("expected 1 or more, got {}", self.min_calibration_rows),
        );
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_right() {
        assert_eq!(TrainingConfig::default().validate(), Ok(()));
        assert_eq!(
            serde_json::from_str::<TrainingConfig>("{}").unwrap(),
            TrainingConfig::default()
        );
        assert!(serde_json::from_str::<TrainingConfig>(r#"{"regularization": [1]}"#).is_err());
    }

    #[test]
    fn each_wrong_value_is_named_with_what_is_expected() {
        let config = TrainingConfig {
            regularisation: vec![1.0, 1.0],
            max_iterations: 0,
            tolerance: f64::NAN,
            threads: 5000,
            min_train_rows: 0,
            min_calibration_rows: 0,
            ..TrainingConfig::default()
        };
        let problems = config.validate().unwrap_err();
        let keys: Vec<&str> = problems.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "regularisation",
                "max_iterations",
                "tolerance",
                "threads",
                "min_train_rows",
                "min_calibration_rows"
            ]
        );
        assert!(problems[0].1.contains("ascending numbers"));
        for grid in [vec![], vec![3.0, 1.0], vec![0.0], vec![f64::INFINITY]] {
            let config = TrainingConfig {
                regularisation: grid,
                ..TrainingConfig::default()
            };
            assert!(config.validate().is_err());
        }
    }
}
