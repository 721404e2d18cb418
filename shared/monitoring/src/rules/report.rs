//! What an evaluation found, as a document.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Rule, Status};
use crate::performance::Interval;

/// One signal: a rule applied to one thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// The rule.
    pub rule: Rule,
    /// What it was applied to, where a rule has several: the feature's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What `value` and `threshold` measure: `population stability index`, `fall of macro F1`…
    pub measure: String,
    /// The effect. `None` when there is not enough data.
    pub value: Option<f64>,
    /// The effect from which it alerts.
    pub threshold: f64,
    /// The interval of the effect, where the decision is made on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// The probability of such an effect by chance.
    pub p_value: Option<f64>,
    /// The same corrected for the number of drift signals (Benjamini–Hochberg); the decision is made on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_value_adjusted: Option<f64>,
    /// Rows, labels or requests of the window that it rests on.
    pub n: u64,
    /// Rows of the baseline that it rests on, where there is one.
    pub baseline_n: Option<u64>,
    /// How it stands.
    pub status: Status,
    /// The same in one plain sentence.
    pub sentence: String,
}

impl Signal {
    /// The rule's title and the subject: `Input drift: words`.
    #[must_use]
    pub fn title(&self) -> String {
        match &self.subject {
            Some(subject) => format!("{}: {subject}", self.rule.title()),
            None => self.rule.title().to_owned(),
        }
    }
}

/// A figure of the window beside that of the baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// `accuracy`, `macro_f1`, `f1:{label}`, `brier`, `expected_calibration_error`, `estimated_accuracy`, `latency_p50_ms`…
    pub name: String,
    /// In the window.
    pub value: Option<f64>,
    /// Its 95 % interval, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// On the model's test rows.
    pub baseline: Option<f64>,
    /// Rows, labels or requests of the window that it rests on.
    pub n: u64,
}

/// How the labelled predictions of one slice went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SliceFigure {
    /// The slice.
    pub slice: String,
    /// Labelled predictions.
    pub labels: u64,
    /// Accuracy with its 95 % interval.
    pub accuracy: Option<Interval>,
    /// Macro F1.
    pub macro_f1: Option<f64>,
}

/// Everything an evaluation found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The window's first moment.
    pub from: Timestamp,
    /// The window's end.
    pub to: Timestamp,
    /// The worst status of all signals.
    pub status: Status,
    /// The verdict in one sentence.
    pub verdict: String,
    /// Predictions in the window.
    pub predictions: u64,
    /// Predictions of the window whose true label is known.
    pub labelled: u64,
    /// Their share, 0 to 1.
    pub label_coverage: f64,
    /// Labels that came back during the window, for whichever prediction.
    pub labels_received: u64,
    /// Requests in the window.
    pub requests: u64,
    /// Every signal, in a fixed order.
    pub signals: Vec<Signal>,
    /// Figures beside the baseline's.
    pub figures: Vec<Figure>,
    /// How each slice went.
    pub slices: Vec<SliceFigure>,
    /// The sentences of the signals that alert.
    pub alerts: Vec<String>,
    /// Why an early retrain is asked for, if it is.
    pub retrain: Option<String>,
    /// Why the release should be aborted, if it should.
    pub abort: Option<String>,
}

impl Report {
    /// The figure with this name.
    #[must_use]
    pub fn figure(&self, name: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.name == name)
    }

    /// The first signal of this rule; of the worst status where it has several.
    #[must_use]
    pub fn signal(&self, rule: Rule) -> Option<&Signal> {
        let mut worst: Option<&Signal> = None;
        for signal in self.signals.iter().filter(|signal| signal.rule == rule) {
            if worst.is_none_or(|worst| signal.status > worst.status) {
                worst = Some(signal);
            }
        }
        worst
    }
}
