//! Predictions whose true label is known, counted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Confusion, Reliability};
use crate::MonitoringError;

/// How many slices are counted by name; the rows of later ones count as `(other)`.
pub const MAX_SLICES: usize = 100;
/// The name under which the slices beyond [`MAX_SLICES`] are counted together.
const OTHER_SLICES: &str = "(other)";

/// One prediction and what came out.
#[derive(Clone, Copy, Debug)]
pub struct JoinedOutcome<'a> {
    /// The label that the model gave.
    pub predicted: &'a str,
    /// The true label.
    pub truth: &'a str,
    /// The probability of every label, in the model's order; may be empty.
    pub scores: &'a [f64],
    /// The slice that the row belongs to.
    pub slice: Option<&'a str>,
}

/// Counts of outcomes: the confusion table, the same per slice, and the reliability of the confidence. Of constant size, and merging is exact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    labels: Vec<String>,
    confusion: Confusion,
    slices: BTreeMap<String, Confusion>,
    reliability: Reliability,
    unlisted: u64,
}

impl Outcomes {
    /// No outcomes yet, for a model with these labels in its order.
    #[must_use]
    pub fn new(labels: &[String]) -> Self {
        Self {
            labels: labels.to_vec(),
            confusion: Confusion::default(),
            slices: BTreeMap::new(),
            reliability: Reliability::default(),
            unlisted: 0,
        }
    }

    /// Adds one outcome. A label that the model does not have is counted in [`Outcomes::unlisted`] and nowhere else.
    pub fn add(&mut self, outcome: &JoinedOutcome<'_>) {
        let position = |name: &str| self.labels.iter().position(|label| label == name);
        let (Some(truth), Some(predicted)) = (position(outcome.truth), position(outcome.predicted))
        else {
            self.unlisted += 1;
            return;
        };
        self.confusion.add(truth, predicted, 1);
        if let Some(name) = outcome.slice {
            let known = self.slices.contains_key(name) || self.slices.len() < MAX_SLICES;
            self.slices
                .entry(if known { name } else { OTHER_SLICES }.to_owned())
                .or_default()
                .add(truth, predicted, 1);
        }
        if outcome.scores.len() == self.labels.len() {
            self.reliability.add(outcome.scores, predicted, truth);
        }
    }

    /// Adds all outcomes of another.
    ///
    /// # Errors
    /// [`MonitoringError::LabelsDiffer`] when they are of models with different labels; nothing is changed then.
    pub fn merge(&mut self, other: &Self) -> Result<(), MonitoringError> {
        if self.labels != other.labels {
            return Err(MonitoringError::LabelsDiffer {
                ours: self.labels.clone(),
                theirs: other.labels.clone(),
            });
        }
        self.confusion.merge(&other.confusion);
        for (name, confusion) in &other.slices {
            let known = self.slices.contains_key(name) || self.slices.len() < MAX_SLICES;
            self.slices
                .entry(if known { name.as_str() } else { OTHER_SLICES }.to_owned())
                .or_default()
                .merge(confusion);
        }
        self.reliability.merge(&other.reliability);
        self.unlisted += other.unlisted;
        Ok(())
    }

    /// The labels, in the model's order.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Outcomes counted, without the unlisted ones.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.confusion.rows()
    }

    /// Outcomes whose true label the model does not have: it cannot be right about them.
    #[must_use]
    pub fn unlisted(&self) -> u64 {
        self.unlisted
    }

    /// The confusion table.
    #[must_use]
    pub fn confusion(&self) -> &Confusion {
        &self.confusion
    }

    /// The confusion table of each slice.
    #[must_use]
    pub fn slices(&self) -> &BTreeMap<String, Confusion> {
        &self.slices
    }

    /// The reliability of the confidence.
    #[must_use]
    pub fn reliability(&self) -> &Reliability {
        &self.reliability
    }

    /// The macro F1. `None` without rows.
    #[must_use]
    pub fn macro_f1(&self) -> Option<f64> {
        self.confusion.macro_f1(self.labels.len())
    }

    /// How often each label was the truth, in the model's order.
    #[must_use]
    pub fn truths(&self) -> Vec<u64> {
        let mut truths = vec![0; self.labels.len()];
        for (truth, _, count) in self.confusion.cells() {
            if let Some(total) = truths.get_mut(truth) {
                *total += count;
            }
        }
        truths
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn outcomes(rows: &[(bool, f64)]) -> Outcomes {
        let mut outcomes = Outcomes::new(&["no".to_owned(), "yes".to_owned()]);
        for (truth, score) in rows {
            outcomes.add(&JoinedOutcome {
                predicted: if *score >= 0.5 { "yes" } else { "no" },
                truth: if *truth { "yes" } else { "no" },
                scores: &[1.0 - score, *score],
                slice: Some(if *score > 0.3 { "high" } else { "low" }),
            });
        }
        outcomes
    }

    proptest! {
        #[test]
        fn merging_equals_counting_at_once_in_any_order(
            a in prop::collection::vec((any::<bool>(), 0.0..=1.0f64), 0..30),
            b in prop::collection::vec((any::<bool>(), 0.0..=1.0f64), 0..30),
        ) {
            let (mut there, mut back) = (outcomes(&a), outcomes(&b));
            there.merge(&outcomes(&b)).unwrap();
            back.merge(&outcomes(&a)).unwrap();
            prop_assert_eq!(&there, &back);
            prop_assert_eq!(&there, &outcomes(&[a, b].concat()));
            let json = serde_json::to_string(&there).unwrap();
            prop_assert_eq!(&there, &serde_json::from_str::<Outcomes>(&json).unwrap());
        }
    }

    #[test]
    fn a_label_that_the_model_lacks_is_counted_apart() {
        let mut outcomes = outcomes(&[(true, 0.9)]);
        outcomes.add(&JoinedOutcome {
            predicted: "yes",
            truth: "maybe",
            scores: &[],
            slice: None,
        });
        assert_eq!((outcomes.rows(), outcomes.unlisted()), (1, 1));
    }

    #[test]
    fn many_slices_stay_bounded() {
        let mut all = outcomes(&[]);
        for slice in 0..300 {
            all.add(&JoinedOutcome {
                predicted: "yes",
                truth: "no",
                scores: &[],
                slice: Some(&format!("s{slice}")),
            });
        }
        let mut twice = all.clone();
        twice.merge(&all).unwrap();
        assert_eq!(twice.slices().len(), MAX_SLICES + 1);
        assert_eq!(
            twice.slices().values().map(Confusion::rows).sum::<u64>(),
            600
        );
    }
}
