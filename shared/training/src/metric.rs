//! The number that decides, and the counts that it comes from.

use serde::{Deserialize, Serialize};

/// The metric by which candidate and champion are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The mean of the F1 scores of the labels.
    #[default]
    MacroF1,
    /// The share of right answers.
    Accuracy,
    /// The F1 score of the positive label.
    F1,
    /// The mean of `-ln p(true label)`; smaller is better.
    LogLoss,
}

impl Metric {
    /// Whether a larger value is a better one.
    #[must_use]
    pub const fn higher_is_better(self) -> bool {
        !matches!(self, Self::LogLoss)
    }

    /// By how much `candidate` is better than `champion`; negative when it is worse.
    #[must_use]
    pub fn improvement(self, candidate: f64, champion: f64) -> f64 {
        if self.higher_is_better() {
            candidate - champion
        } else {
            champion - candidate
        }
    }

    /// The name in documents: `macro_f1`, `accuracy`, `f1:{positive label}`, `log_loss`.
    #[must_use]
    pub fn name(self, positive_label: Option<&str>) -> String {
        match self {
            Self::MacroF1 => "macro_f1".to_owned(),
            Self::Accuracy => "accuracy".to_owned(),
            Self::F1 => format!("f1:{}", positive_label.unwrap_or_default()),
            Self::LogLoss => "log_loss".to_owned(),
        }
    }
}

/// How often each true label got each answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Confusion {
    classes: usize,
    /// `[truth][answer]`.
    counts: Vec<u64>,
}

/// Precision, recall and F1 of one label. Each is 0 when its denominator is 0 (scikit-learn's `zero_division=0`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LabelScores {
    pub(crate) precision: f64,
    pub(crate) recall: f64,
    pub(crate) f1: f64,
    pub(crate) support: u64,
}

impl Confusion {
    pub(crate) fn new(classes: usize) -> Self {
        Self {
            classes,
            counts: vec![0; classes * classes],
        }
    }

    /// The place of a pair in [`Confusion::add_at`].
    pub(crate) fn place(classes: usize, truth: u32, answer: u32) -> usize {
        truth as usize * classes + answer as usize
    }

    pub(crate) fn add_at(&mut self, place: usize) {
        self.counts[place] += 1;
    }

    pub(crate) fn add(&mut self, truth: u32, answer: u32) {
        self.add_at(Self::place(self.classes, truth, answer));
    }

    pub(crate) fn clear(&mut self) {
        self.counts.fill(0);
    }

    pub(crate) fn rows(&self) -> Vec<Vec<u64>> {
        self.counts
            .chunks_exact(self.classes)
            .map(<[u64]>::to_vec)
            .collect()
    }

    fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    fn true_positives(&self, label: usize) -> u64 {
        self.counts[label * self.classes + label]
    }

    /// Rows whose true label this is.
    pub(crate) fn support(&self, label: usize) -> u64 {
        self.counts[label * self.classes..][..self.classes]
            .iter()
            .sum()
    }

    fn answered(&self, label: usize) -> u64 {
        self.counts.iter().skip(label).step_by(self.classes).sum()
    }

    /// Right answers over all; 0 without rows.
    pub(crate) fn accuracy(&self) -> f64 {
        let right: u64 = (0..self.classes)
            .map(|label| self.true_positives(label))
            .sum();
        ratio(right, self.total())
    }

    pub(crate) fn label(&self, label: usize) -> LabelScores {
        let (right, support, answered) = (
            self.true_positives(label),
            self.support(label),
            self.answered(label),
        );
        LabelScores {
            precision: ratio(right, answered),
            recall: ratio(right, support),
            f1: ratio(2 * right, support + answered),
            support,
        }
    }

    /// The mean of the F1 scores of all labels that are the truth or the answer of some row, as scikit-learn's
    /// `f1_score(average="macro")` has it; 0 without rows.
    pub(crate) fn macro_f1(&self) -> f64 {
        let (mut sum, mut labels) = (0.0, 0_u32);
        for label in 0..self.classes {
            let rows = self.support(label) + self.answered(label);
            if rows > 0 {
                sum += ratio(2 * self.true_positives(label), rows);
                labels += 1;
            }
        }
        if labels == 0 {
            0.0
        } else {
            sum / f64::from(labels)
        }
    }

    /// How many labels are the truth of some row.
    pub(crate) fn true_labels(&self) -> usize {
        (0..self.classes)
            .filter(|&label| self.support(label) > 0)
            .count()
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_rows_everything_is_0() {
        let confusion = Confusion::new(3);
        assert_eq!(
            [
                confusion.accuracy(),
                confusion.macro_f1(),
                confusion.label(1).f1
            ],
            [0.0; 3]
        );
    }

    #[test]
    fn a_label_that_nobody_has_and_nobody_gives_is_not_averaged() {
        let mut confusion = Confusion::new(3);
        confusion.add(0, 0);
        confusion.add(1, 1);
        assert_eq!(confusion.macro_f1(), 1.0);
        // As an answer it counts, with an F1 of 0.
        confusion.add(1, 2);
        assert!((confusion.macro_f1() - (1.0 + 2.0 / 3.0) / 3.0).abs() < 1e-12);
        assert_eq!(confusion.true_labels(), 2);
    }

    #[test]
    fn less_log_loss_is_better() {
        assert!(Metric::LogLoss.improvement(0.2, 0.3) > 0.0);
        assert!(Metric::MacroF1.improvement(0.2, 0.3) < 0.0);
        assert_eq!(Metric::F1.name(Some("disaster")), "f1:disaster");
        assert_eq!(
            serde_json::to_string(&Metric::MacroF1).unwrap(),
            "\"macro_f1\""
        );
    }
}
