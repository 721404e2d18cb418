//! Signals that need no labels: scores, inputs, predicted labels; and the shares of the true labels.

use super::evaluate::decide;
use super::{Baseline, MonitorConfig, Rule, Signal, Status, Window};
use crate::drift::{Comparison, benjamini_hochberg, compare_categories, compare_values};
use crate::performance::estimate;
use crate::profile::Counts;

/// A comparison before its p-value has been corrected.
struct Draft {
    rule: Rule,
    subject: Option<String>,
    rows: (u64, u64),
    needed: u64,
    comparison: Option<Comparison>,
}

pub(super) fn signals(config: &MonitorConfig, baseline: &Baseline, window: &Window) -> Vec<Signal> {
    let drafts = drafts(config, baseline, window);
    let p_values: Vec<f64> = drafts
        .iter()
        .filter_map(|draft| Some(draft.comparison?.chi_squared.p_value))
        .collect();
    let mut adjusted = benjamini_hochberg(&p_values).into_iter();
    let mut signals = Vec::new();
    for draft in drafts {
        let adjusted = draft.comparison.and_then(|_| adjusted.next());
        signals.push(signal(config, draft, adjusted));
    }
    signals.push(estimated_accuracy(config, baseline, window));
    signals
}

fn drafts(config: &MonitorConfig, baseline: &Baseline, window: &Window) -> Vec<Draft> {
    let draft =
        |rule, subject, rows: (u64, u64), needed, compare: &dyn Fn() -> Option<Comparison>| {
            let enough = rows.0 >= config.min_baseline && rows.1 >= needed;
            Draft {
                rule,
                subject,
                rows,
                needed,
                comparison: if enough { compare() } else { None },
            }
        };
    let (before, now) = (&baseline.profile, &window.profile);
    let mut drafts = vec![draft(
        Rule::ScoreDrift,
        None,
        (before.score().count(), now.score().count()),
        config.min_predictions,
        &|| compare_values(before.score(), now.score()),
    )];
    for (name, histogram) in before.features() {
        let other = now.features().get(name).cloned().unwrap_or_default();
        drafts.push(draft(
            Rule::InputDrift,
            Some(name.clone()),
            (
                histogram.count() + histogram.missing(),
                other.count() + other.missing(),
            ),
            config.min_predictions,
            &|| compare_values(histogram, &other),
        ));
    }
    drafts.push(draft(
        Rule::PrevalenceShift,
        None,
        (before.predicted().total(), now.predicted().total()),
        config.min_predictions,
        &|| compare_categories(before.predicted(), now.predicted()),
    ));
    let (truths, truths_now) = (truths(&baseline.outcomes), truths(&window.outcomes));
    drafts.push(draft(
        Rule::LabelShift,
        None,
        (truths.total(), truths_now.total()),
        config.min_labels,
        &|| compare_categories(&truths, &truths_now),
    ));
    drafts
}

fn truths(outcomes: &crate::Outcomes) -> Counts {
    let mut counts = Counts::default();
    for (label, count) in outcomes.labels().iter().zip(outcomes.truths()) {
        counts.add_many(label, count);
    }
    counts
}

fn signal(config: &MonitorConfig, draft: Draft, adjusted: Option<f64>) -> Signal {
    let Draft {
        rule,
        subject,
        rows,
        needed,
        comparison,
    } = draft;
    let (threshold, measure) = match rule {
        Rule::ScoreDrift => (config.score_drift_psi, "population stability index"),
        Rule::InputDrift => (config.input_drift_psi, "population stability index"),
        _ => (config.prevalence_shift, "total variation of the shares"),
    };
    let what = match (rule, &subject) {
        (Rule::ScoreDrift, _) => "The score's distribution".to_owned(),
        (Rule::InputDrift, Some(feature)) => format!("The distribution of {feature}"),
        (Rule::PrevalenceShift, _) => "The mix of predicted labels".to_owned(),
        _ => "The mix of true labels".to_owned(),
    };
    let is_share = matches!(rule, Rule::PrevalenceShift | Rule::LabelShift);
    let value = comparison.map(|comparison| {
        if is_share {
            comparison.total_variation
        } else {
            comparison.psi
        }
    });
    let significant = adjusted.is_some_and(|p| p <= config.significance);
    let status = value.map_or(Status::NotEnoughData, |value| {
        decide(value, threshold, significant)
    });
    let sentence = match value {
        None if rows.0 < config.min_baseline => {
            format!(
                "{what} cannot be judged: the baseline has {} rows and needs {}.",
                rows.0, config.min_baseline
            )
        }
        None => format!(
            "{what} cannot be judged yet: {} of the {needed} rows that it needs.",
            rows.1
        ),
        Some(value) => {
            let moved = match status {
                Status::Alert => "moved away from the baseline",
                Status::Warning => "moved a little",
                _ => "is as before",
            };
            let size = if is_share {
                format!(
                    "the shares moved by {:.0} points on {} rows, the limit is {:.0}",
                    value * 100.0,
                    rows.1,
                    threshold * 100.0
                )
            } else {
                format!(
                    "population stability index {value:.2} on {} rows, the limit is {threshold:.2}",
                    rows.1
                )
            };
            format!("{what} {moved}: {size}.")
        }
    };
    Signal {
        rule,
        subject,
        measure: measure.to_owned(),
        value,
        threshold,
        interval: None,
        p_value: comparison.map(|comparison| comparison.chi_squared.p_value),
        p_value_adjusted: adjusted,
        n: rows.1,
        baseline_n: Some(rows.0),
        status,
        sentence,
    }
}

fn estimated_accuracy(config: &MonitorConfig, baseline: &Baseline, window: &Window) -> Signal {
    let (before, now) = (estimate(&baseline.profile), estimate(&window.profile));
    let rows = (
        before.as_ref().map_or(0, |it| it.rows),
        now.as_ref().map_or(0, |it| it.rows),
    );
    let enough = rows.0 >= config.min_baseline && rows.1 >= config.min_predictions;
    let threshold = config.estimated_accuracy_drop;
    let drop = before.zip(now).filter(|_| enough).map(|(before, now)| {
        (
            before.accuracy - now.accuracy,
            before.accuracy,
            now.accuracy,
        )
    });
    // A probability varies less than the outcome that it predicts: taking the outcome's variance errs on the quiet side.
    let p_value = drop.and_then(|(_, before, now)| {
        let successes = |share: f64, rows: u64| ((share * rows as f64).round() as u64, rows);
        Some(
            crate::drift::two_proportions(successes(before, rows.0), successes(now, rows.1))?
                .p_value,
        )
    });
    let status = drop.map_or(Status::NotEnoughData, |(drop, _, _)| {
        let significant = p_value.is_some_and(|p| p <= config.significance);
        decide(drop, threshold, significant).min(Status::Warning)
    });
    let sentence = match drop {
        None => format!(
            "Accuracy cannot be estimated yet: {} of the {} scored predictions that it needs.",
            rows.1, config.min_predictions
        ),
        Some((_, before, now)) => format!(
            "Judging by its own probabilities the model expects to be right in {:.1} % of the cases, {:.1} % on its test rows.",
            now * 100.0,
            before * 100.0
        ),
    };
    Signal {
        rule: Rule::EstimatedAccuracy,
        subject: None,
        measure: "fall of the expected accuracy".to_owned(),
        value: drop.map(|(drop, _, _)| drop),
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
