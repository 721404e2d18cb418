//! What a model says about some rows.

use crate::TrainingError;

/// How far the sum of a row's probabilities may be from 1: they are 32-bit numbers.
const SUM_TOLERANCE: f32 = 1e-3;

/// The class probabilities of some rows, in the order of the rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions {
    classes: usize,
    probabilities: Vec<f32>,
}

impl Predictions {
    /// Takes the probabilities of each row. `what` names the model in the error.
    ///
    /// # Errors
    /// [`TrainingError::UnusablePredictions`] when a row does not have `classes` probabilities that sum to 1.
    pub fn new<R: AsRef<[f32]>>(
        what: &str,
        classes: usize,
        rows: impl IntoIterator<Item = R>,
    ) -> Result<Self, TrainingError> {
        let mut all = Self {
            classes,
            probabilities: Vec::new(),
        };
        for (index, row) in rows.into_iter().enumerate() {
            let row = row.as_ref();
            check_row(row, classes).map_err(|problem| TrainingError::UnusablePredictions {
                what: what.to_owned(),
                problem: format!("row {index} has {problem}"),
            })?;
            all.probabilities.extend_from_slice(row);
        }
        Ok(all)
    }

    /// The softmax of logits, `[rows][classes]`, divided by a temperature.
    pub(crate) fn of_logits(logits: &[f64], classes: usize, temperature: f64) -> Self {
        let mut probabilities = Vec::with_capacity(logits.len());
        for row in logits.chunks_exact(classes) {
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let odds = |logit: &f64| ((logit - largest) / temperature).exp();
            let sum: f64 = row.iter().map(odds).sum();
            probabilities.extend(row.iter().map(|logit| (odds(logit) / sum) as f32));
        }
        Self {
            classes,
            probabilities,
        }
    }

    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.probabilities.len() / self.classes.max(1)
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.probabilities.is_empty()
    }

    /// The number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The probabilities of each row.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.probabilities.chunks_exact(self.classes.max(1))
    }

    /// The probabilities of a row.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn row(&self, row: usize) -> &[f32] {
        &self.probabilities[row * self.classes..][..self.classes]
    }

    /// The most probable label of each row.
    #[must_use]
    pub fn labels(&self) -> Vec<u32> {
        self.rows().map(most_probable).collect()
    }

    /// The first rows, at most `rows` of them.
    #[must_use]
    pub fn head(&self, rows: usize) -> Self {
        let end = (rows * self.classes).min(self.probabilities.len());
        Self {
            classes: self.classes,
            probabilities: self.probabilities[..end].to_vec(),
        }
    }
}

/// The label with the largest probability; of equal ones the first.
pub(crate) fn most_probable(probabilities: &[f32]) -> u32 {
    let mut best = 0;
    for (label, probability) in probabilities.iter().enumerate() {
        if *probability > probabilities[best] {
            best = label;
        }
    }
    best as u32
}

fn check_row(row: &[f32], classes: usize) -> Result<(), String> {
    if row.len() != classes {
        return Err(format!(
            "{} probabilities and there are {classes} labels",
            row.len()
        ));
    }
    if let Some(odd) = row
        .iter()
        .find(|p| !(0.0..=1.0 + SUM_TOLERANCE).contains(*p))
    {
        return Err(format!(
            "the probability {odd}, which is not between 0 and 1"
        ));
    }
    let sum: f32 = row.iter().sum();
    if (sum - 1.0).abs() > SUM_TOLERANCE {
        return Err(format!("probabilities that sum to {sum} instead of 1"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_no_probabilities_are_refused() {
        for (row, problem) in [
            (
                vec![0.5],
                "row 1 has 1 probabilities and there are 2 labels",
            ),
            (vec![f32::NAN, 0.5], "row 1 has the probability NaN"),
            (vec![-0.5, 1.5], "row 1 has the probability -0.5"),
            (vec![0.5, 0.6], "row 1 has probabilities that sum to 1.1"),
        ] {
            let error = Predictions::new("the champion", 2, [vec![0.5, 0.5], row]).unwrap_err();
            assert!(error.to_string().contains(problem), "{error}");
            assert!(error.to_string().contains("the champion"), "{error}");
        }
    }

    #[test]
    fn the_first_of_equal_labels_wins() {
        let predictions = Predictions::new("x", 3, [[0.4, 0.4, 0.2], [0.2, 0.4, 0.4]]).unwrap();
        assert_eq!(predictions.labels(), [0, 1]);
        assert_eq!(predictions.head(1).len(), 1);
        assert_eq!(predictions.head(9), predictions);
    }

    #[test]
    fn huge_logits_and_temperatures_stay_probabilities() {
        let predictions = Predictions::of_logits(&[1e6, -1e6, 0.0, 0.0, 2.0, 0.0], 2, 2.0);
        assert_eq!(predictions.row(0), [1.0, 0.0]);
        assert_eq!(predictions.row(1), [0.5, 0.5]);
        assert!((predictions.row(2)[0] - 0.731_058_6).abs() < 1e-6);
    }
}
