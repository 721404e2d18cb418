//! The evaluation of one window.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{MonitorConfig, Report, Rule, Signal, SliceFigure, Status};
use super::{drift_signals, quality_signals, service_signals, verdict};
use crate::performance::wilson;
use crate::profile::Histogram;
use crate::{Outcomes, Profile};

/// Draws are seeded with a constant: the same window gives the same report however often it is evaluated.
pub(super) const SEED: u64 = 0x51c1_ce00;
/// The level of the intervals that are shown.
pub(super) const SHOWN_CONFIDENCE: f64 = 0.95;

/// What the model's inputs, scores and results were on its held-out test rows. Made once at training time and stored beside the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// The profile of the test rows with the model's own predictions.
    pub profile: Profile,
    /// Those predictions against the true labels.
    pub outcomes: Outcomes,
}

/// What happened between two moments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// The first moment.
    pub from: Timestamp,
    /// The end.
    pub to: Timestamp,
    /// The profile of the predictions.
    pub profile: Profile,
    /// Those of them whose true label is known.
    pub outcomes: Outcomes,
    /// The time in the model of each request, in milliseconds.
    pub latency_ms: Histogram,
    /// Requests.
    pub requests: u64,
    /// Requests that failed by the server's fault.
    pub errors: u64,
    /// Labels that came back during the window, for whichever prediction.
    pub labels_received: u64,
}

impl Window {
    /// A window in which nothing has happened yet, for a model with these labels.
    #[must_use]
    pub fn new(from: Timestamp, to: Timestamp, labels: &[String]) -> Self {
        Self {
            from,
            to,
            profile: Profile::new(labels),
            outcomes: Outcomes::new(labels),
            latency_ms: Histogram::default(),
            requests: 0,
            errors: 0,
            labels_received: 0,
        }
    }
}

/// Holds a window against the baseline.
///
/// Labels outrank distributions: when they show that macro F1 holds (the whole interval of its fall is below the threshold, and every label of the
/// baseline came back ten times), inputs, scores and label shares that moved are still alerts, but do not ask for a retrain.
#[must_use]
pub fn evaluate(config: &MonitorConfig, baseline: &Baseline, window: &Window) -> Report {
    let mut signals = drift_signals::signals(config, baseline, window);
    signals.extend(quality_signals::signals(config, baseline, window));
    signals.extend(service_signals::signals(config, window));
    let mut figures = quality_signals::figures(baseline, window);
    figures.extend(service_signals::figures(window));

    let alerting: Vec<&Signal> = signals
        .iter()
        .filter(|signal| signal.status == Status::Alert)
        .collect();
    let reasons = |fires: &dyn Fn(Rule) -> bool| -> Option<String> {
        let firing = alerting.iter().filter(|signal| fires(signal.rule));
        let sentences: Vec<&str> = firing.map(|signal| signal.sentence.as_str()).collect();
        (!sentences.is_empty()).then(|| sentences.join(" "))
    };
    let holds = quality_signals::macro_f1_holds(baseline, window, &signals);
    let retrain = reasons(&|rule| {
        config.retrain_on.contains(&rule) && !(holds && rule.is_about_distributions())
    });
    let abort = reasons(&|rule| config.abort_on.contains(&rule));
    let predictions = window.profile.rows();
    let labelled = window.outcomes.rows();
    Report {
        from: window.from,
        to: window.to,
        status: signals
            .iter()
            .map(|signal| signal.status)
            .max()
            .unwrap_or(Status::NotEnoughData),
        verdict: verdict::verdict(
            predictions,
            &signals,
            holds,
            (retrain.is_some(), abort.is_some()),
        ),
        predictions,
        labelled,
        label_coverage: if predictions > 0 {
            (labelled as f64 / predictions as f64).min(1.0)
        } else {
            0.0
        },
        labels_received: window.labels_received,
        requests: window.requests,
        alerts: alerting
            .iter()
            .map(|signal| signal.sentence.clone())
            .collect(),
        figures,
        slices: slices(&window.outcomes),
        retrain,
        abort,
        signals,
    }
}

fn slices(outcomes: &Outcomes) -> Vec<SliceFigure> {
    let labels = outcomes.labels().len();
    let figure = |(slice, confusion): (&String, &crate::performance::Confusion)| SliceFigure {
        slice: slice.clone(),
        labels: confusion.rows(),
        accuracy: wilson(confusion.correct(), confusion.rows(), SHOWN_CONFIDENCE),
        macro_f1: confusion.macro_f1(labels),
    };
    outcomes.slices().iter().map(figure).collect()
}

/// Alert: the effect reaches its threshold and is significant. Warning: significant and at least half of it.
pub(super) fn decide(value: f64, threshold: f64, significant: bool) -> Status {
    match (significant, value) {
        (true, value) if value >= threshold => Status::Alert,
        (true, value) if value >= threshold / 2.0 => Status::Warning,
        _ => Status::Ok,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_needs_size_and_significance() {
        assert_eq!(decide(0.3, 0.25, true), Status::Alert);
        assert_eq!(decide(0.2, 0.25, true), Status::Warning);
        assert_eq!(decide(0.1, 0.25, true), Status::Ok);
        assert_eq!(decide(9.0, 0.25, false), Status::Ok);
    }
}
