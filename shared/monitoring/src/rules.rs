//! When to be worried: a window of predictions held against the baseline that was made at training time.
//!
//! [`evaluate()`] is a pure function of its three arguments. A signal alerts when two things hold at once: the effect is at least its threshold, and
//! chance does not explain it at the configured significance. Huge windows so do not alarm about nothing, and small ones not about noise.

mod config;
mod drift_signals;
mod evaluate;
mod quality_signals;
mod report;
mod service_signals;
mod verdict;

pub use self::config::MonitorConfig;
pub use self::evaluate::{Baseline, Window, evaluate};
pub use self::report::{Figure, Report, Signal, SliceFigure};

use serde::{Deserialize, Serialize};

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The distribution of the model's score. Needs no labels.
    ScoreDrift,
    /// The distribution of a number about the input. Needs no labels.
    InputDrift,
    /// The shares of the predicted labels. Needs no labels.
    PrevalenceShift,
    /// The accuracy that the model's own probabilities expect. Needs no labels; warns at most, for it trusts the model about itself.
    EstimatedAccuracy,
    /// The shares of the true labels.
    LabelShift,
    /// Macro F1 on labelled predictions.
    MacroF1,
    /// Whether confidence means what it says.
    Calibration,
    /// The time that one in a hundred requests exceeds.
    LatencyP99,
    /// The share of requests that failed.
    ErrorRate,
}

impl Rule {
    /// Whether it compares distributions, and not how good the predictions were.
    #[must_use]
    pub fn is_about_distributions(self) -> bool {
        matches!(
            self,
            Self::ScoreDrift | Self::InputDrift | Self::PrevalenceShift | Self::LabelShift
        )
    }

    /// The rule's name in words.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::ScoreDrift => "Score drift",
            Self::InputDrift => "Input drift",
            Self::PrevalenceShift => "Prevalence of predictions",
            Self::EstimatedAccuracy => "Estimated accuracy",
            Self::LabelShift => "Prevalence of true labels",
            Self::MacroF1 => "Macro F1",
            Self::Calibration => "Calibration",
            Self::LatencyP99 => "Latency",
            Self::ErrorRate => "Error rate",
        }
    }
}

/// How a signal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// There are too few rows, labels or requests to say.
    NotEnoughData,
    /// Nothing to see.
    Ok,
    /// Something moved, by less than the threshold or not beyond doubt.
    Warning,
    /// It moved by at least the threshold, and chance does not explain it.
    Alert,
}

impl Status {
    /// The status in words.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::NotEnoughData => "not enough data",
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Alert => "alert",
        }
    }
}
