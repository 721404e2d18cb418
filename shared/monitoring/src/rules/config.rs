//! The settings of the monitor.

use serde::{Deserialize, Serialize};

use super::Rule;

/// Windows, thresholds and what follows from an alert: the `[monitor]` table of `sluice.toml`.
///
/// Every field has a default; an unknown key is an error. The defaults were chosen on a real stream of messages: quiet when both sides come from one law,
/// loud within some hundred predictions of a new kind of input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MonitorConfig {
    /// How far back a window reaches, in hours.
    pub window_hours: u32,
    /// Predictions that a window needs before drift is judged.
    pub min_predictions: u64,
    /// Rows that the baseline needs before anything is compared with it.
    pub min_baseline: u64,
    /// Labelled predictions that a window needs before accuracy and calibration are judged.
    pub min_labels: u64,
    /// Requests that a window needs before latency and errors are judged.
    pub min_requests: u64,
    /// The significance level of every signal; drift signals are corrected for their number by Benjamini and Hochberg.
    pub significance: f64,
    /// Population stability index of the score from which it has drifted.
    pub score_drift_psi: f64,
    /// Population stability index of an input feature from which it has drifted.
    pub input_drift_psi: f64,
    /// Share of the predictions that would have to change their label to be distributed as in the baseline; true labels likewise.
    pub prevalence_shift: f64,
    /// Fall of the macro F1 below that on the model's test rows, absolute.
    pub macro_f1_drop: f64,
    /// Fall of the accuracy that the model expects of itself, absolute.
    pub estimated_accuracy_drop: f64,
    /// Rise of the expected calibration error above that on the model's test rows, absolute.
    pub calibration_rise: f64,
    /// The time that 99 of 100 requests must stay under, in milliseconds.
    pub latency_p99_ms: f64,
    /// The share of failed requests that is tolerated.
    pub error_rate: f64,
    /// Rules whose alert asks for an early retrain.
    pub retrain_on: Vec<Rule>,
    /// Rules whose alert asks to abort the release: to fall back to the one before it.
    pub abort_on: Vec<Rule>,
}

impl Default for MonitorConfig {
    fn default() -> Self {
        Self {
            window_hours: 24,
            min_predictions: 200,
            min_baseline: 200,
            min_labels: 30,
            min_requests: 100,
            significance: 0.01,
            score_drift_psi: 0.25,
            input_drift_psi: 0.25,
            prevalence_shift: 0.15,
            macro_f1_drop: 0.1,
            estimated_accuracy_drop: 0.05,
            calibration_rise: 0.1,
            latency_p99_ms: 500.0,
            error_rate: 0.02,
            retrain_on: vec![Rule::ScoreDrift, Rule::PrevalenceShift, Rule::MacroF1],
            // What drifts in the world drifts for the previous release too: only what the release itself can have broken falls back.
            abort_on: vec![Rule::ErrorRate],
        }
    }
}

impl MonitorConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// The keys that are out of range, each with what was expected, in the order of the fields.
    pub fn validate(&self) -> Result<(), Vec<(&'static str, String)>> {
        let mut problems = Vec::new();
        let mut whole = |key, value: u64, low: u64, high: u64| {
            if !(low..=high).contains(&value) {
                problems.push((
                    key,
                    format!("a whole number from {low} to {high}, not {value}"),
                ));
            }
        };
        whole("window_hours", self.window_hours.into(), 1, 24 * 366);
        whole("min_predictions", self.min_predictions, 50, 1_000_000_000);
        whole("min_baseline", self.min_baseline, 50, 1_000_000_000);
        whole("min_labels", self.min_labels, 10, 1_000_000_000);
        whole("min_requests", self.min_requests, 20, 1_000_000_000);
        let mut number = |key, value: f64, low: f64, high: f64| {
            // Written so that NaN is refused too.
            if !(value > low && value <= high) {
                problems.push((
                    key,
                    format!("a number above {low} and at most {high}, not {value}"),
                ));
            }
        };
        number("significance", self.significance, 0.0, 0.2);
        number("score_drift_psi", self.score_drift_psi, 0.0, 10.0);
        number("input_drift_psi", self.input_drift_psi, 0.0, 10.0);
        number("prevalence_shift", self.prevalence_shift, 0.0, 1.0);
        number("macro_f1_drop", self.macro_f1_drop, 0.0, 1.0);
        number(
            "estimated_accuracy_drop",
            self.estimated_accuracy_drop,
            0.0,
            1.0,
        );
        number("calibration_rise", self.calibration_rise, 0.0, 1.0);
        number("latency_p99_ms", self.latency_p99_ms, 0.0, 600_000.0);
        number("error_rate", self.error_rate, 0.0, 1.0);
        for (key, rules) in [
            ("retrain_on", &self.retrain_on),
            ("abort_on", &self.abort_on),
        ] {
            if rules.contains(&Rule::EstimatedAccuracy) {
                problems.push((
                    key,
                    "rules that can alert; estimated_accuracy only warns".to_owned(),
                ));
            }
        }
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
    fn the_defaults_are_valid_and_an_empty_document_means_them() {
        assert_eq!(MonitorConfig::default().validate(), Ok(()));
        assert_eq!(
            serde_json::from_str::<MonitorConfig>("{}").unwrap(),
            MonitorConfig::default()
        );
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let error = serde_json::from_str::<MonitorConfig>(r#"{"psi": 1}"#)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("psi") && error.contains("score_drift_psi"),
            "{error}"
        );
        assert!(serde_json::from_str::<MonitorConfig>(r#"{"retrain_on": ["feelings"]}"#).is_err());
    }

    #[test]
    fn every_value_out_of_range_is_named() {
        let config = MonitorConfig {
            window_hours: 0,
            significance: f64::NAN,
            macro_f1_drop: 1.5,
            abort_on: vec![Rule::EstimatedAccuracy],
            ..MonitorConfig::default()
        };
        let keys: Vec<&str> = config
            .validate()
            .unwrap_err()
            .iter()
            .map(|(key, _)| *key)
            .collect();
        assert_eq!(
            keys,
            ["window_hours", "significance", "macro_f1_drop", "abort_on"]
        );
    }
}
