//! The evidence as a page of Markdown.

use std::collections::BTreeMap;

use askama::Template;

use super::Evidence;
use crate::evaluate::ReliabilityBin;
use crate::gate::{RuleResult, percent};

#[derive(Template)]
#[template(path = "evidence.md")]
struct Page<'a> {
    evidence: &'a Evidence,
}

/// Metrics of candidate and champion, side by side.
struct Line {
    name: String,
    candidate: f64,
    champion: Option<f64>,
}

/// The page. A template that is checked at compile time and written to memory cannot fail but for lack of memory; the
/// sentence stands in for a page then.
pub(super) fn render(evidence: &Evidence) -> String {
    let page = Page { evidence }.render();
    page.unwrap_or_else(|error| format!("The page could not be written: {error}\n"))
}

impl Page<'_> {
    fn metrics(&self) -> Vec<Line> {
        let candidate = &self.evidence.evaluation;
        let champion = self.evidence.champion_evaluation.as_ref();
        let line = |name: &str, value: fn(&crate::Evaluation) -> f64| Line {
            name: name.to_owned(),
            candidate: value(candidate),
            champion: champion.map(value),
        };
        let mut lines = vec![
            line("macro F1", |evaluation| evaluation.macro_f1),
            line("accuracy", |evaluation| evaluation.accuracy),
            line("log loss (less is better)", |evaluation| {
                evaluation.log_loss
            }),
            line("Brier score (less is better)", |evaluation| {
                evaluation.confidence.brier
            }),
            line("calibration error (less is better)", |evaluation| {
                evaluation.confidence.ece
            }),
        ];
        lines.extend(
            candidate
                .labels
                .iter()
                .enumerate()
                .map(|(index, label)| Line {
                    name: format!("F1 of {}", cell(&label.label)),
                    candidate: label.f1,
                    champion: champion.map(|champion| champion.labels[index].f1),
                }),
        );
        lines
    }

    fn level(&self) -> String {
        percent(self.evidence.config.confidence_level)
    }

    /// The search over the regularisation, each value as the cells of a table row.
    fn tried(&self) -> Vec<String> {
        let row = |tried: &BTreeMap<String, f64>| {
            let entry =
                |name: &str, format: fn(&f64) -> String| maybe(&tried.get(name).copied(), format);
            [
                entry("regularisation", short),
                entry("log_loss", number),
                entry("temperature", number),
                entry("iterations", short),
            ]
            .join(" | ")
        };
        self.evidence.training.search.iter().map(row).collect()
    }

    /// Confusion counts of a true label, as the cells of a table row.
    fn confusion(&self, truth: &usize) -> String {
        let counts: Vec<String> = self.evidence.evaluation.confusion[*truth]
            .iter()
            .map(u64::to_string)
            .collect();
        counts.join(" | ")
    }
}

/// Text that may stand in a cell of a table: no bar, line break or mark-up of its own.
fn cell(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' => safe.extend(['\\', c]),
            '<' => safe.push_str("&lt;"),
            '&' => safe.push_str("&amp;"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

fn number(value: &f64) -> String {
    format!("{value:.4}")
}

fn signed(value: &f64) -> String {
    format!("{value:+.4}")
}

/// A number that may be missing.
fn maybe(value: &Option<f64>, format: impl Fn(&f64) -> String) -> String {
    value.as_ref().map_or_else(|| "–".to_owned(), format)
}

/// As many digits as the number needs, up to seven: counts and bytes whole, parities small.
fn short(value: &f64) -> String {
    let text = format!("{value:.7}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn verdict(rule: &RuleResult) -> &'static str {
    if rule.passed { "✓" } else { "✗ **failed**" }
}

fn gap(bin: &ReliabilityBin) -> String {
    signed(&(bin.accuracy - bin.confidence))
}
