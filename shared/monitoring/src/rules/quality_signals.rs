//! Signals from true labels: macro F1 and calibration.

use super::evaluate::{SEED, SHOWN_CONFIDENCE, decide};
use super::{Baseline, Figure, MonitorConfig, Rule, Signal, Status, Window};
use crate::performance::{bootstrap_macro_f1, estimate, macro_f1_difference, wilson};

pub(super) fn signals(config: &MonitorConfig, baseline: &Baseline, window: &Window) -> Vec<Signal> {
    vec![
        macro_f1(config, baseline, window),
        calibration(config, baseline, window),
    ]
}

/// How often each label must have come back before macro F1 can be said to hold.
const TRUTHS_OF_EACH_LABEL: u64 = 10;

/// Whether labels show that macro F1 has not fallen by as much as the threshold.
pub(super) fn macro_f1_holds(baseline: &Baseline, window: &Window, signals: &[Signal]) -> bool {
    let below = |signal: &Signal| {
        signal
            .interval
            .is_some_and(|fall| fall.high < signal.threshold)
    };
    let mut truths = baseline
        .outcomes
        .truths()
        .into_iter()
        .zip(window.outcomes.truths());
    signals
        .iter()
        .any(|signal| signal.rule == Rule::MacroF1 && below(signal))
        && truths.all(|(before, now)| before == 0 || now >= TRUTHS_OF_EACH_LABEL)
}

fn macro_f1(config: &MonitorConfig, baseline: &Baseline, window: &Window) -> Signal {
    let (before, now) = (&baseline.outcomes, &window.outcomes);
    let rows = (before.rows(), now.rows());
    let enough = rows.0 >= config.min_baseline && rows.1 >= config.min_labels;
    // One-sided at the level of significance is two-sided at twice that.
    let level = 1.0 - 2.0 * config.significance;
    let labels = before.labels().len();
    let difference = enough
        .then(|| macro_f1_difference(before.confusion(), now.confusion(), labels, level, SEED))
        .flatten();
    let threshold = config.macro_f1_drop;
    let status = difference.map_or(Status::NotEnoughData, |difference| {
        decide(-difference.value, threshold, difference.high < 0.0)
    });
    let sentence = match difference {
        None => not_enough("Macro F1", config, rows),
        Some(_) => {
            let (before, now) = (
                before.macro_f1().unwrap_or(0.0),
                now.macro_f1().unwrap_or(0.0),
            );
            let moved = match status {
                Status::Alert | Status::Warning => "fell",
                _ => "holds",
            };
            format!(
                "Macro F1 {moved}: {now:.3} on {} labels, {before:.3} on the test rows; a fall of {threshold:.2} alerts.",
                rows.1
            )
        }
    };
    Signal {
        rule: Rule::MacroF1,
        subject: None,
        measure: "fall of macro F1".to_owned(),
        value: difference.map(|difference| -difference.value),
        threshold,
        interval: difference.map(|it| crate::performance::Interval {
            value: -it.value,
            low: -it.high,
            high: -it.low,
        }),
        p_value: None,
        p_value_adjusted: None,
        n: rows.1,
        baseline_n: Some(rows.0),
        status,
        sentence,
    }
}

fn calibration(config: &MonitorConfig, baseline: &Baseline, window: &Window) -> Signal {
    let (before, now) = (
        baseline.outcomes.reliability(),
        window.outcomes.reliability(),
    );
    let rows = (before.rows(), now.rows());
    let enough = rows.0 >= config.min_baseline && rows.1 >= config.min_labels;
    let errors = before
        .expected_calibration_error()
        .zip(now.expected_calibration_error())
        .filter(|_| enough);
    let p_value = now.calibration_p_value().filter(|_| enough);
    let threshold = config.calibration_rise;
    let status = errors.map_or(Status::NotEnoughData, |(before, now)| {
        decide(
            now - before,
            threshold,
            p_value.is_some_and(|p| p <= config.significance),
        )
    });
    let sentence = match errors {
        None => not_enough("Calibration", config, rows),
        Some((before, now)) => {
            let verdict = match status {
                Status::Alert | Status::Warning => "Confidence no longer means what it says",
                _ => "Confidence means what it says",
            };
            format!(
                "{verdict}: it is off by {:.1} points on {} labels, {:.1} on the test rows; a rise of {:.1} alerts.",
                now * 100.0,
                rows.1,
                before * 100.0,
                threshold * 100.0
            )
        }
    };
    Signal {
        rule: Rule::Calibration,
        subject: None,
        measure: "rise of the expected calibration error".to_owned(),
        value: errors.map(|(before, now)| now - before),
        threshold,
        interval: None,
        p_value,
        p_value_adjusted: None,
        n: rows.1,
        baseline_n: Some(rows.0),
        status,
        sentence,
    }
}

fn not_enough(what: &str, config: &MonitorConfig, rows: (u64, u64)) -> String {
    if rows.0 < config.min_baseline {
        return format!(
            "{what} cannot be judged: the baseline has {} test rows and needs {}.",
            rows.0, config.min_baseline
        );
    }
    format!(
        "{what} cannot be judged yet: {} of the {} labels that it needs.",
        rows.1, config.min_labels
    )
}

pub(super) fn figures(baseline: &Baseline, window: &Window) -> Vec<Figure> {
    let (before, now) = (&baseline.outcomes, &window.outcomes);
    let (table, labels, n) = (now.confusion(), now.labels(), now.rows());
    let figure = |name: &str, value, interval, baseline| Figure {
        name: name.to_owned(),
        value,
        interval,
        baseline,
        n,
    };
    let accuracy = wilson(table.correct(), n, SHOWN_CONFIDENCE);
    let macro_f1 = bootstrap_macro_f1(table, labels.len(), SHOWN_CONFIDENCE, SEED);
    let mut figures = vec![
        figure(
            "accuracy",
            table.accuracy(),
            accuracy,
            before.confusion().accuracy(),
        ),
        figure("macro_f1", now.macro_f1(), macro_f1, before.macro_f1()),
    ];
    let (f1_before, f1) = (
        before.confusion().f1_scores(labels.len()),
        table.f1_scores(labels.len()),
    );
    for (label, (value, baseline)) in labels.iter().zip(f1.into_iter().zip(f1_before)) {
        figures.push(figure(&format!("f1:{label}"), value, None, baseline));
    }
    let (reliable_before, reliable) = (before.reliability(), now.reliability());
    figures.push(figure(
        "brier",
        reliable.brier(),
        None,
        reliable_before.brier(),
    ));
    let errors = (
        reliable.expected_calibration_error(),
        reliable_before.expected_calibration_error(),
    );
    figures.push(figure(
        "expected_calibration_error",
        errors.0,
        None,
        errors.1,
    ));
    let (expected_before, expected) = (estimate(&baseline.profile), estimate(&window.profile));
    let rows = expected.as_ref().map_or(0, |it| it.rows);
    let mut estimated = |name: &str, of: fn(&crate::performance::Estimate) -> f64| {
        let (value, baseline) = (expected.as_ref().map(of), expected_before.as_ref().map(of));
        figures.push(Figure {
            name: name.to_owned(),
            value,
            interval: None,
            baseline,
            n: rows,
        });
    };
    estimated("estimated_accuracy", |it| it.accuracy);
    estimated("estimated_macro_f1", |it| it.macro_f1);
    figures
}
