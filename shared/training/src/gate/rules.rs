//! The rules, each over one measured fact.

use serde::{Deserialize, Serialize};

use super::{BehaviourResult, Comparison, GateConfig, SliceComparison};
use crate::evidence::Evidence;

/// What one rule says about a candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleResult {
    /// The rule: `not_worse`, `slice_floor`, `latency`…
    pub rule: String,
    /// Whether it holds.
    pub passed: bool,
    /// What was measured.
    pub value: f64,
    /// On which side of the threshold the value must be.
    pub limit: Limit,
    /// The threshold.
    pub threshold: f64,
    /// One sentence: what was measured, and for a rule that failed by how much.
    pub detail: String,
}

/// On which side of its threshold a value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The threshold or more.
    AtLeast,
    /// The threshold or less.
    AtMost,
    /// More than the threshold.
    Above,
    /// Less than the threshold.
    Below,
}

impl Limit {
    fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::AtLeast => value >= threshold,
            Self::AtMost => value <= threshold,
            Self::Above => value > threshold,
            Self::Below => value < threshold,
        }
    }

    /// The sign for tables.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::AtLeast => "≥",
            Self::AtMost => "≤",
            Self::Above => ">",
            Self::Below => "<",
        }
    }
}

/// Applies every rule that has something to be applied to.
pub(super) fn all(
    config: &GateConfig,
    evidence: &Evidence,
    positive_label: Option<u32>,
) -> Vec<RuleResult> {
    let mut rules = vec![
        test_rows(config, evidence),
        beats_majority(config, evidence, positive_label),
    ];
    if let Some(comparison) = &evidence.comparison {
        rules.push(improvement(config, evidence, comparison));
        rules.push(not_worse(config, evidence, comparison));
    }
    rules.extend(slice_floor(config, evidence));
    rules.extend(slice_drop(config, evidence));
    rules.push(parity(config, evidence));
    rules.push(latency(config, evidence));
    rules.push(size(config, evidence));
    rules.extend(evidence.behaviour.iter().map(behaviour));
    rules
}

/// Decides, and appends by how much a failed value is on the wrong side.
fn decide(
    rule: &str,
    value: f64,
    limit: Limit,
    threshold: f64,
    decimals: usize,
    fact: String,
) -> RuleResult {
    let passed = limit.holds(value, threshold);
    let (side, verb) = match limit {
        Limit::AtLeast | Limit::Above => ("below", "needed"),
        Limit::AtMost | Limit::Below => ("above", "allowed"),
    };
    let bound = format!("{} {threshold:.decimals$}", limit.sign());
    let detail = if passed {
        format!("{fact}, {verb} is {bound}")
    } else {
        let gap = (value - threshold).abs();
        format!("{fact}, {gap:.decimals$} {side} what is {verb} ({bound})")
    };
    RuleResult {
        rule: rule.to_owned(),
        passed,
        value,
        limit,
        threshold,
        detail,
    }
}

fn test_rows(config: &GateConfig, evidence: &Evidence) -> RuleResult {
    let rows = evidence.evaluation.rows;
    let fact = format!("there are {rows} test rows");
    decide(
        "test_rows",
        rows as f64,
        Limit::AtLeast,
        config.min_test_rows as f64,
        0,
        fact,
    )
}

fn beats_majority(
    config: &GateConfig,
    evidence: &Evidence,
    positive_label: Option<u32>,
) -> RuleResult {
    let value = evidence.evaluation.metric(config.metric, positive_label);
    let limit = if config.metric.higher_is_better() {
        Limit::Above
    } else {
        Limit::Below
    };
    let always = &evidence.baseline;
    let fact = format!(
        "the candidate's {} is {value:.4}, and always answering {:?} gives {:.4}",
        evidence.metric, always.label, always.value
    );
    decide("beats_majority", value, limit, always.value, 4, fact)
}

fn improvement(config: &GateConfig, evidence: &Evidence, comparison: &Comparison) -> RuleResult {
    let fact = format!(
        "the candidate's {} is {:.4} and the champion's {:.4} on the same {} rows, an improvement of {:+.4}",
        evidence.metric,
        comparison.candidate,
        comparison.champion,
        comparison.rows,
        comparison.improvement
    );
    decide(
        "improvement",
        comparison.improvement,
        Limit::AtLeast,
        config.min_improvement,
        4,
        fact,
    )
}

fn not_worse(config: &GateConfig, evidence: &Evidence, comparison: &Comparison) -> RuleResult {
    let fact = format!(
        "the {} % interval of the improvement of {} is {:+.4} to {:+.4}",
        percent(config.confidence_level),
        evidence.metric,
        comparison.lower,
        comparison.upper
    );
    decide(
        "not_worse",
        comparison.lower,
        Limit::AtLeast,
        -config.tolerance,
        4,
        fact,
    )
}

fn slice_floor(config: &GateConfig, evidence: &Evidence) -> Option<RuleResult> {
    let metric = config.metric;
    let counting = evidence.slices.iter().filter(|slice| slice.counts);
    let with_value = counting.filter_map(|slice| Some((slice, slice.candidate?)));
    let (worst, value) = with_value.min_by(|a, b| metric.improvement(a.1, b.1).total_cmp(&0.0))?;
    let limit = if metric.higher_is_better() {
        Limit::AtLeast
    } else {
        Limit::AtMost
    };
    let fact = format!(
        "the worst slice is {:?} with a {} of {value:.4} on {} rows",
        worst.slice, evidence.metric, worst.rows
    );
    Some(decide(
        "slice_floor",
        value,
        limit,
        config.slices.floor,
        4,
        fact,
    ))
}

/// Of the drops that are no chance, the largest.
fn slice_drop(config: &GateConfig, evidence: &Evidence) -> Option<RuleResult> {
    let compared = evidence
        .slices
        .iter()
        .filter_map(|slice| Some((slice, slice.improvement?)));
    let is_certain = |slice: &SliceComparison| slice.upper.is_some_and(|upper| upper < 0.0);
    // A slice with a certain drop comes before all others.
    let (worst, value) = compared.min_by(|a, b| {
        (!is_certain(a.0), a.1)
            .partial_cmp(&(!is_certain(b.0), b.1))
            .unwrap_or(std::cmp::Ordering::Equal)
    })?;
    if !is_certain(worst) {
        return Some(RuleResult {
            rule: "slice_drop".to_owned(),
            passed: true,
            value,
            limit: Limit::AtLeast,
            threshold: -config.slices.max_drop,
            detail: "no slice is worse than the champion's by more than chance".to_owned(),
        });
    }
    let fact = format!(
        "against the champion, {} in slice {:?} changes by {value:+.4} on {} rows",
        evidence.metric, worst.slice, worst.rows
    );
    Some(decide(
        "slice_drop",
        value,
        Limit::AtLeast,
        -config.slices.max_drop,
        4,
        fact,
    ))
}

fn parity(config: &GateConfig, evidence: &Evidence) -> RuleResult {
    let parity = &evidence.parity;
    let fact = format!(
        "the file's probabilities differ from the trainer's by up to {:.7} on {} rows",
        parity.max_difference, parity.rows
    );
    decide(
        "parity",
        parity.max_difference,
        Limit::AtMost,
        config.parity_tolerance,
        7,
        fact,
    )
}

fn latency(config: &GateConfig, evidence: &Evidence) -> RuleResult {
    let latency = &evidence.latency;
    let fact = format!(
        "99 of 100 texts take {:.0} µs or less ({} measured)",
        latency.p99_us, latency.samples
    );
    decide(
        "latency",
        latency.p99_us,
        Limit::AtMost,
        config.max_latency_us,
        0,
        fact,
    )
}

fn size(config: &GateConfig, evidence: &Evidence) -> RuleResult {
    let fact = format!("the file has {} bytes", evidence.size_bytes);
    decide(
        "size",
        evidence.size_bytes as f64,
        Limit::AtMost,
        config.max_size_bytes as f64,
        0,
        fact,
    )
}

fn behaviour(result: &BehaviourResult) -> RuleResult {
    let name = result.change.name();
    let fact = format!(
        "{} of {} labels flip with {}, a share of {:.4}",
        result.flipped,
        result.rows,
        name.replace('_', " "),
        result.share
    );
    decide(
        &format!("behaviour_{name}"),
        result.share,
        Limit::AtMost,
        result.max_share,
        4,
        fact,
    )
}

/// 0.95 as 95, 0.975 as 97.5.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1}", share * 100.0)
        .trim_end_matches(".0")
        .to_owned()
}
