//! The rows that a model is fitted and judged on, held compactly.

use std::collections::HashMap;

use sluice_registry::Split;

use crate::TrainingError;

/// One labelled text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What the model sees.
    pub text: Box<str>,
    /// The true label: an index into [`TrainingData::labels`].
    pub label: u32,
    /// The slice: an index into [`TrainingData::slices`].
    pub slice: Option<u32>,
}

/// All rows of a dataset version, by side of the split.
#[derive(Clone, Debug, Default)]
pub struct TrainingData {
    labels: Vec<String>,
    slices: Vec<String>,
    slice_index: HashMap<String, u32>,
    train: Vec<Row>,
    calibration: Vec<Row>,
    test: Vec<Row>,
}

impl TrainingData {
    /// No rows yet; `labels` in the order of the model's outputs.
    #[must_use]
    pub fn new(labels: Vec<String>) -> Self {
        Self {
            labels,
            ..Self::default()
        }
    }

    /// Adds a row. Rows keep the order in which they are added, and with it the fitted weights their last bit.
    ///
    /// # Errors
    /// [`TrainingError::UnknownLabel`] when `label` is not an index into the labels.
    pub fn push(
        &mut self,
        split: Split,
        text: impl Into<Box<str>>,
        label: u32,
        slice: Option<&str>,
    ) -> Result<(), TrainingError> {
        if label as usize >= self.labels.len() {
            return Err(TrainingError::UnknownLabel {
                label,
                labels: self.labels.len(),
            });
        }
        let row = Row {
            text: text.into(),
            label,
            slice: slice.map(|name| self.intern(name)),
        };
        match split {
            Split::Train => self.train.push(row),
            Split::Calibration => self.calibration.push(row),
            Split::Test => self.test.push(row),
        }
        Ok(())
    }

    fn intern(&mut self, name: &str) -> u32 {
        if let Some(&index) = self.slice_index.get(name) {
            return index;
        }
        let index = self.slices.len() as u32;
        self.slices.push(name.to_owned());
        self.slice_index.insert(name.to_owned(), index);
        index
    }

    /// The names of the labels, in the order of the model's outputs.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The names of the slices, in the order in which they were first seen.
    #[must_use]
    pub fn slices(&self) -> &[String] {
        &self.slices
    }

    /// The rows of one side.
    #[must_use]
    pub fn rows(&self, split: Split) -> &[Row] {
        match split {
            Split::Train => &self.train,
            Split::Calibration => &self.calibration,
            Split::Test => &self.test,
        }
    }

    /// The rows that fit the weights.
    #[must_use]
    pub fn train(&self) -> &[Row] {
        &self.train
    }

    /// The rows that choose the regularisation and calibrate the confidence.
    #[must_use]
    pub fn calibration(&self) -> &[Row] {
        &self.calibration
    }

    /// The frozen rows that compare champion and candidate.
    #[must_use]
    pub fn test(&self) -> &[Row] {
        &self.test
    }

    /// How many rows of one side have each label.
    #[must_use]
    pub fn class_counts(&self, split: Split) -> Vec<u64> {
        let mut counts = vec![0; self.labels.len()];
        for row in self.rows(split) {
            counts[row.label as usize] += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_their_side_and_share_slice_names() {
        let mut data = TrainingData::new(vec!["no".into(), "yes".into()]);
        data.push(Split::Train, "a", 0, Some("x")).unwrap();
        data.push(Split::Test, "b", 1, Some("x")).unwrap();
        data.push(Split::Test, "c", 1, Some("y")).unwrap();
        data.push(Split::Calibration, "d", 1, None).unwrap();
        assert_eq!(data.slices(), ["x", "y"]);
        assert_eq!(
            data.test().iter().map(|row| row.slice).collect::<Vec<_>>(),
            [Some(0), Some(1)]
        );
        assert_eq!(data.calibration()[0].slice, None);
        assert_eq!(data.class_counts(Split::Test), [0, 2]);
        assert_eq!(data.class_counts(Split::Train), [1, 0]);
    }

    #[test]
    fn a_label_that_does_not_exist_is_refused() {
        let mut data = TrainingData::new(vec!["no".into(), "yes".into()]);
        let error = data.push(Split::Train, "a", 2, None).unwrap_err();
        assert!(matches!(
            error,
            TrainingError::UnknownLabel {
                label: 2,
                labels: 2
            }
        ));
    }
}
