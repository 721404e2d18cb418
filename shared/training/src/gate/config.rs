//! What a candidate must satisfy: the section `gate` of `sluice.toml`.

use serde::{Deserialize, Serialize};

use crate::Metric;

/// What a candidate must satisfy before a person is asked to approve it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GateConfig {
    /// The metric by which candidate and champion are compared.
    pub metric: Metric,
    /// Test rows needed for a verdict.
    pub min_test_rows: u64,
    /// The least improvement over the champion, in units of the metric. 0: as good is good enough.
    pub min_improvement: f64,
    /// How far below 0 the confidence interval of the improvement may reach: a loss this small does not matter.
    pub tolerance: f64,
    /// The level of that interval.
    pub confidence_level: f64,
    /// Resamplings of the test rows for that interval.
    pub bootstrap_samples: u32,
    /// The largest 99th percentile of the time for one text, in microseconds.
    pub max_latency_us: f64,
    /// The largest model file, in bytes.
    pub max_size_bytes: u64,
    /// The first test rows on which the file must say what the trainer says.
    pub parity_rows: usize,
    /// The largest difference of a probability there.
    pub parity_tolerance: f64,
    /// What every slice must satisfy.
    pub slices: SliceRules,
    /// What changes of the text may do.
    pub behaviour: BehaviourRules,
}

/// What every slice that is large enough must satisfy.
///
/// A slice counts when it has `min_rows` rows and the metric says something about it: macro F1 needs two labels in its
/// rows, F1 a row of the positive label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SliceRules {
    /// Rows that a slice needs to count.
    pub min_rows: u64,
    /// The worst value of the metric: the least one, or for log loss the largest.
    pub floor: f64,
    /// How much worse than the champion a slice may be. A slice fails when it is worse by more than this and the
    /// confidence interval of the difference lies below 0 entirely, so that chance on few rows fails nobody.
    pub max_drop: f64,
}

/// How large a share of the labels may flip when the text is changed in a way that should not matter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BehaviourRules {
    /// The first test rows that are changed.
    pub rows: usize,
    /// All in capitals.
    pub upper_case: f64,
    /// All in small letters.
    pub lower_case: f64,
    /// White space around the text and doubled between words.
    pub added_whitespace: f64,
    /// A link at the end.
    pub trailing_url: f64,
}

impl Default for GateConfig {
    fn default() -> Self {
        Self {
            metric: Metric::default(),
            min_test_rows: 100,
            min_improvement: 0.0,
            tolerance: 0.01,
            confidence_level: 0.95,
            bootstrap_samples: 1000,
            max_latency_us: 2000.0,
            max_size_bytes: 256 * 1024 * 1024,
            parity_rows: 1000,
            parity_tolerance: 1e-5,
            slices: SliceRules::default(),
            behaviour: BehaviourRules::default(),
        }
    }
}

impl Default for SliceRules {
    fn default() -> Self {
        Self {
            min_rows: 50,
            floor: 0.5,
            max_drop: 0.05,
        }
    }
}

impl Default for BehaviourRules {
    fn default() -> Self {
        Self {
            rows: 1000,
            upper_case: 0.01,
            lower_case: 0.01,
            added_whitespace: 0.01,
            trailing_url: 0.05,
        }
    }
}

impl GateConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// For each value that cannot be used: its key and what is expected there.
    pub fn validate(&self) -> Result<(), Vec<(String, String)>> {
        let mut problems = Problems::default();
        problems.at_least("min_test_rows", self.min_test_rows, 1);
        problems.within("min_improvement", self.min_improvement, -1.0, 1.0);
        problems.within("tolerance", self.tolerance, 0.0, 1.0);
        problems.within("confidence_level", self.confidence_level, 0.5, 0.999);
        if !(100..=100_000).contains(&self.bootstrap_samples) {
            problems.add(
                "bootstrap_samples",
                format!(
                    "expected a whole number from 100 to 100000, got {}",
                    self.bootstrap_samples
                ),
            );
        }
        problems.within("max_latency_us", self.max_latency_us, 1.0, 6e7);
        problems.at_least("max_size_bytes", self.max_size_bytes, 1024);
        problems.at_least("parity_rows", self.parity_rows as u64, 1);
        problems.within("parity_tolerance", self.parity_tolerance, 1e-7, 0.1);
        problems.at_least("slices.min_rows", self.slices.min_rows, 1);
        let worst = if self.metric.higher_is_better() {
            1.0
        } else {
            f64::MAX
        };
        problems.within("slices.floor", self.slices.floor, 0.0, worst);
        problems.within("slices.max_drop", self.slices.max_drop, 0.0, worst);
        problems.at_least("behaviour.rows", self.behaviour.rows as u64, 1);
        problems.within("behaviour.upper_case", self.behaviour.upper_case, 0.0, 1.0);
        problems.within("behaviour.lower_case", self.behaviour.lower_case, 0.0, 1.0);
        problems.within(
            "behaviour.added_whitespace",
            self.behaviour.added_whitespace,
            0.0,
            1.0,
        );
        problems.within(
            "behaviour.trailing_url",
            self.behaviour.trailing_url,
            0.0,
            1.0,
        );
        if problems.0.is_empty() {
            Ok(())
        } else {
            Err(problems.0)
        }
    }
}

#[derive(Default)]
struct Problems(Vec<(String, String)>);

impl Problems {
    fn add(&mut self, key: &str, expected: String) {
        self.0.push((key.to_owned(), expected));
    }

    fn within(&mut self, key: &str, value: f64, from: f64, to: f64) {
        if (from..=to).contains(&value) {
            return;
        }
        let range = if to == f64::MAX {
            format!("{from} or more")
        } else {
            format!("from {from} to {to}")
        };
        self.add(key, format!("expected a number {range}, got {value}"));
    }

    fn at_least(&mut self, key: &str, value: u64, least: u64) {
        if value < least {
            self.add(
                key,
                format!("expected a whole number, {least} or more, got {value}"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_right() {
        assert_eq!(GateConfig::default().validate(), Ok(()));
        assert_eq!(
            serde_json::from_str::<GateConfig>("{}").unwrap(),
            GateConfig::default()
        );
    }

    #[test]
    fn unknown_keys_are_refused_everywhere() {
        for json in [
            r#"{"metrics": "f1"}"#,
            r#"{"slices": {"x": 1}}"#,
            r#"{"behaviour": {"x": 1}}"#,
            r#"{"metric": "auc"}"#,
        ] {
            assert!(serde_json::from_str::<GateConfig>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn each_wrong_value_is_named_with_what_is_expected() {
        for (json, key, expected) in [
            (
                r#"{"confidence_level": 1.0}"#,
                "confidence_level",
                "expected a number from 0.5 to 0.999, got 1",
            ),
            (
                r#"{"bootstrap_samples": 10}"#,
                "bootstrap_samples",
                "expected a whole number from 100 to 100000, got 10",
            ),
            (
                r#"{"min_test_rows": 0}"#,
                "min_test_rows",
                "expected a whole number, 1 or more, got 0",
            ),
            (
                r#"{"slices": {"floor": 1.5}}"#,
                "slices.floor",
                "expected a number from 0 to 1, got 1.5",
            ),
            (
                r#"{"metric": "log_loss", "slices": {"floor": -1}}"#,
                "slices.floor",
                "expected a number 0 or more, got -1",
            ),
            (
                r#"{"behaviour": {"upper_case": 2}}"#,
                "behaviour.upper_case",
                "expected a number from 0 to 1, got 2",
            ),
        ] {
            let problems = serde_json::from_str::<GateConfig>(json)
                .unwrap()
                .validate()
                .unwrap_err();
            assert_eq!(problems, [(key.to_owned(), expected.to_owned())]);
        }
    }
}
