//! Candidate against champion, slice by slice.

use serde::{Deserialize, Serialize};

use super::bootstrap::{Paired, Resampling};
use super::{GateConfig, GateInputs};
use crate::evaluate::Evaluation;
use crate::progress::{Progress, Stage};

/// Candidate against champion in one slice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SliceComparison {
    /// The slice.
    pub slice: String,
    /// Its test rows.
    pub rows: u64,
    /// The candidate's value of the metric, when the slice says something about it.
    pub candidate: Option<f64>,
    /// The champion's.
    pub champion: Option<f64>,
    /// By how much the candidate is better, with the ends of the confidence interval; for slices that count.
    pub improvement: Option<f64>,
    /// The lower end.
    pub lower: Option<f64>,
    /// The upper end.
    pub upper: Option<f64>,
    /// Whether the slice is large enough, and says something about the metric, so that the rules for slices hold.
    pub counts: bool,
}

/// Compares in each slice of the test rows, in the order of `evaluations`: the candidate's, the champion's.
pub(super) fn compare(
    config: &GateConfig,
    positive_label: Option<u32>,
    inputs: &GateInputs<'_>,
    evaluations: (&Evaluation, Option<&Evaluation>),
    resampling: Resampling,
    progress: &dyn Progress,
) -> Vec<SliceComparison> {
    let (candidate, champion) = evaluations;
    let mut rows_of: Vec<Vec<(usize, u32)>> = vec![Vec::new(); inputs.data.slices().len()];
    for (index, row) in inputs.data.test().iter().enumerate() {
        if let Some(slice) = row.slice {
            rows_of[slice as usize].push((index, row.label));
        }
    }
    let mut rows_of = |slice: &str| {
        let index = inputs.data.slices().iter().position(|name| name == slice);
        index
            .map(|index| std::mem::take(&mut rows_of[index]))
            .unwrap_or_default()
    };

    let total = candidate.slices.len() as u64 + 1;
    let mut all = Vec::with_capacity(candidate.slices.len());
    for (index, slice) in candidate.slices.iter().enumerate() {
        progress.update(Stage::Bootstrap, index as u64 + 1, total);
        let value = slice.metric(config.metric);
        let mut comparison = SliceComparison {
            slice: slice.slice.clone(),
            rows: slice.rows,
            candidate: value,
            // Both evaluations have the same rows, so the same slices in the same order.
            champion: champion
                .and_then(|champion| champion.slices.get(index)?.metric(config.metric)),
            improvement: None,
            lower: None,
            upper: None,
            counts: slice.rows >= config.slices.min_rows && value.is_some(),
        };
        if let Some(champion) = inputs.champion.as_ref().filter(|_| comparison.counts) {
            let rows = rows_of(&slice.slice);
            let answers = (inputs.candidate.predictions, champion.predictions);
            let paired = Paired::new(config.metric, positive_label, rows, answers.0, answers.1)
                .compare(resampling);
            comparison.improvement = Some(paired.improvement);
            comparison.lower = Some(paired.lower);
            comparison.upper = Some(paired.upper);
        }
        all.push(comparison);
    }
    progress.update(Stage::Bootstrap, total, total);
    all
}
