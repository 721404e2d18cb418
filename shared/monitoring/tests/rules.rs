//! The default rules on streams as a text classifier meets them.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use jiff::{Timestamp, ToSpan as _};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sluice_monitoring::{
    Baseline, JoinedOutcome, MonitorConfig, Observation, Report, Rule, Status, Window, evaluate,
};

/// What a stream of messages is like to the model.
#[derive(Clone, Copy)]
struct Stream {
    /// The share of positive messages.
    positive: f64,
    /// The share of the positive ones that the model recognises.
    recognised: f64,
    /// The mean share of known n-grams.
    known: f64,
}

const AS_TRAINED: Stream = Stream {
    positive: 0.6,
    recognised: 0.95,
    known: 0.8,
};
/// A new disaster: as many positive messages, in words that the model has not seen.
const NEW_EVENT: Stream = Stream {
    positive: 0.5,
    recognised: 0.15,
    known: 0.55,
};
/// The event is over: few positive messages, recognised as before.
const CALM: Stream = Stream {
    positive: 0.2,
    recognised: 0.95,
    known: 0.8,
};

fn labels() -> Vec<String> {
    vec!["other".to_owned(), "disaster".to_owned()]
}

fn moment() -> Timestamp {
    "2013-04-15T12:00:00Z".parse().unwrap()
}

fn observe(stream: Stream, rows: usize, coverage: f64, seed: u64) -> Window {
    let mut random = StdRng::seed_from_u64(seed);
    let names = labels();
    let mut window = Window::new(moment(), moment() + 24.hours(), &names);
    for _ in 0..rows {
        let truth = random.random_bool(stream.positive);
        let looks = if truth {
            random.random_bool(stream.recognised)
        } else {
            random.random_bool(0.04)
        };
        // Sure of itself, and about as often right as it says on the stream that it was trained for.
        let sure: f64 = 1.0 - 0.1 * random.random::<f64>();
        let score = if looks { sure } else { 1.0 - sure };
        let known = (stream.known + 0.3 * (random.random::<f64>() - 0.5)).clamp(0.0, 1.0);
        let predicted = &names[usize::from(score >= 0.5)];
        let features = [
            (
                "words".to_owned(),
                (4.0 + 20.0 * random.random::<f64>()).round(),
            ),
            ("known_share".to_owned(), known),
        ];
        let scores = [1.0 - score, score];
        window.profile.observe(&Observation {
            at: Some(moment()),
            features: &features,
            label: predicted,
            scores: &scores,
            slice: None,
        });
        if random.random_bool(coverage) {
            let truth = &names[usize::from(truth)];
            window.outcomes.add(&JoinedOutcome {
                predicted,
                truth,
                scores: &scores,
                slice: Some("west"),
            });
            window.labels_received += 1;
        }
        window.latency_ms.add(1.0 + random.random::<f64>());
        window.requests += 1;
    }
    window
}

fn baseline() -> Baseline {
    let window = observe(AS_TRAINED, 1_500, 1.0, 1);
    Baseline {
        profile: window.profile,
        outcomes: window.outcomes,
    }
}

fn report(window: &Window) -> Report {
    evaluate(&MonitorConfig::default(), &baseline(), window)
}

fn status(report: &Report, rule: Rule) -> Status {
    report.signal(rule).unwrap().status
}

#[test]
fn a_stable_stream_stays_quiet_at_every_size_and_label_coverage() {
    let mut alerts = Vec::new();
    for seed in 0..40 {
        for (rows, coverage) in [(200, 0.05), (300, 0.2), (1_000, 0.2), (3_000, 1.0)] {
            let report = report(&observe(AS_TRAINED, rows, coverage, 1_000 + seed));
            assert_eq!(
                (&report.retrain, &report.abort),
                (&None, &None),
                "{rows} {coverage} {seed}: {:?}",
                report.alerts
            );
            alerts.extend(report.alerts);
        }
    }
    assert!(alerts.len() <= 1, "{alerts:?}");
}

#[test]
fn a_new_event_is_noticed_within_some_hundred_predictions_without_labels() {
    for seed in 0..10 {
        let report = report(&observe(NEW_EVENT, 250, 0.0, seed));
        assert_eq!(status(&report, Rule::ScoreDrift), Status::Alert);
        assert_eq!(status(&report, Rule::PrevalenceShift), Status::Alert);
        assert_eq!(status(&report, Rule::MacroF1), Status::NotEnoughData);
        assert!(report.retrain.unwrap().contains("score"));
        assert_eq!(report.abort, None);
    }
}

#[test]
fn with_labels_macro_f1_says_so_too() {
    for seed in 0..10 {
        let report = report(&observe(NEW_EVENT, 400, 0.2, seed));
        assert_eq!(
            status(&report, Rule::MacroF1),
            Status::Alert,
            "{:?}",
            report.signal(Rule::MacroF1)
        );
        assert!(report.retrain.unwrap().contains("Macro F1 fell"));
    }
}

#[test]
fn where_accuracy_looks_fine_macro_f1_still_falls() {
    let rare = Stream {
        positive: 0.12,
        ..NEW_EVENT
    };
    let report = report(&observe(rare, 2_000, 0.5, 3));
    assert!(report.figure("accuracy").unwrap().value.unwrap() > 0.85);
    assert_eq!(status(&report, Rule::MacroF1), Status::Alert);
}

#[test]
fn labels_that_show_macro_f1_holding_outrank_a_shift_of_the_mix() {
    let with_labels = report(&observe(CALM, 3_000, 1.0, 4));
    assert_eq!(status(&with_labels, Rule::PrevalenceShift), Status::Alert);
    assert_eq!(with_labels.retrain, None, "{}", with_labels.verdict);
    assert!(with_labels.verdict.contains("macro F1 holds"));
    // Without labels nobody knows, and the shift speaks for itself.
    assert!(report(&observe(CALM, 3_000, 0.0, 4)).retrain.is_some());
}

#[test]
fn ten_labels_decide_nothing() {
    let mut window = observe(AS_TRAINED, 500, 0.0, 5);
    for _ in 0..10 {
        window.outcomes.add(&JoinedOutcome {
            predicted: "other",
            truth: "disaster",
            scores: &[0.6, 0.4],
            slice: None,
        });
    }
    let report = report(&window);
    assert_eq!(status(&report, Rule::MacroF1), Status::NotEnoughData);
    assert_eq!(report.retrain, None);
}

#[test]
fn thirty_labels_with_a_few_more_errors_than_usual_decide_nothing_either() {
    let mut window = observe(AS_TRAINED, 500, 0.0, 5);
    for row in 0..30 {
        let truth = if row % 2 == 0 { "other" } else { "disaster" };
        let predicted = if row % 6 == 0 { "disaster" } else { truth };
        window.outcomes.add(&JoinedOutcome {
            predicted,
            truth,
            scores: &[],
            slice: None,
        });
    }
    let report = report(&window);
    let signal = report.signal(Rule::MacroF1).unwrap();
    assert!(signal.value.unwrap() > signal.threshold, "{signal:?}");
    assert_eq!(signal.status, Status::Ok);
}

#[test]
fn failing_requests_ask_for_an_abort_and_not_for_a_retrain() {
    let mut window = observe(AS_TRAINED, 400, 0.2, 6);
    window.errors = 60;
    let report = report(&window);
    assert_eq!(status(&report, Rule::ErrorRate), Status::Alert);
    assert!(
        report.abort.unwrap().contains("60 of 400 requests failed") && report.retrain.is_none()
    );
    assert!(report.verdict.contains("should be aborted"));
}

#[test]
fn one_failure_in_a_hundred_requests_is_no_alert() {
    let mut window = observe(AS_TRAINED, 200, 0.0, 6);
    (window.requests, window.errors) = (100, 3);
    assert_eq!(status(&report(&window), Rule::ErrorRate), Status::Warning);
}

#[test]
fn slow_requests_alert_when_they_are_more_than_one_in_a_hundred() {
    let mut window = observe(AS_TRAINED, 400, 0.0, 7);
    assert_eq!(status(&report(&window), Rule::LatencyP99), Status::Ok);
    (0..40).for_each(|_| window.latency_ms.add(900.0));
    assert_eq!(status(&report(&window), Rule::LatencyP99), Status::Alert);
}

#[test]
fn an_empty_window_is_not_enough_data_and_says_what_is_missing() {
    let report = report(&Window::new(moment(), moment(), &labels()));
    assert!(
        report
            .signals
            .iter()
            .all(|signal| signal.status == Status::NotEnoughData && signal.value.is_none())
    );
    assert_eq!(
        (report.status, report.label_coverage),
        (Status::NotEnoughData, 0.0)
    );
    assert_eq!(
        report.verdict,
        "Too little has happened to judge: 0 predictions."
    );
}

#[test]
fn a_feature_that_stops_coming_is_not_enough_data_and_one_that_is_missing_alerts() {
    let mut window = Window::new(moment(), moment(), &labels());
    for row in 0..300 {
        let features = [("words".to_owned(), f64::NAN)];
        let score = f64::from(row % 10) / 10.0;
        let label = if score >= 0.5 { "disaster" } else { "other" };
        window.profile.observe(&Observation {
            at: None,
            features: &features,
            label,
            scores: &[1.0 - score, score],
            slice: None,
        });
    }
    let report = report(&window);
    let of = |subject: &str| {
        report
            .signals
            .iter()
            .find(|signal| signal.subject.as_deref() == Some(subject))
            .unwrap()
            .status
    };
    assert_eq!(
        (of("words"), of("known_share")),
        (Status::Alert, Status::NotEnoughData)
    );
}

#[test]
fn reports_survive_json_and_repeat_exactly() {
    let window = observe(NEW_EVENT, 400, 0.2, 8);
    let first = report(&window);
    assert_eq!(first, report(&window));
    let json = serde_json::to_string(&first).unwrap();
    let back: Report = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (back.verdict, back.signals.len(), back.retrain),
        (first.verdict, first.signals.len(), first.retrain)
    );
    let stored: Baseline =
        serde_json::from_str(&serde_json::to_string(&baseline()).unwrap()).unwrap();
    assert_eq!(
        evaluate(&MonitorConfig::default(), &stored, &window)
            .alerts
            .len(),
        first.alerts.len()
    );
}
