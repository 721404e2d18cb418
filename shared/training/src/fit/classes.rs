//! Labels that have training rows, and the way from their logits to a score for every label.

use sluice_registry::Split;

use super::search::Best;
use crate::data::{Row, TrainingData};
use crate::logistic::logits_for;
use crate::sparse::{SeenColumns, SparseMatrix};
use crate::{LinearTextModel, TrainingConfig, TrainingError};

/// The labels that have training rows. The regression knows only these.
#[derive(Debug)]
pub(super) struct SeenClasses {
    /// Training rows of each label.
    counts: Vec<u64>,
    /// The labels that have any.
    seen: Vec<usize>,
    /// The bias of the others.
    unseen_bias: f64,
}

impl SeenClasses {
    pub(super) fn new(data: &TrainingData) -> Result<Self, TrainingError> {
        let counts = data.class_counts(Split::Train);
        let seen: Vec<usize> = (0..counts.len())
            .filter(|&label| counts[label] > 0)
            .collect();
        if let [label] = seen[..] {
            return Err(TrainingError::OneClass {
                label: data.labels()[label].clone(),
                rows: data.train().len(),
            });
        }
        Ok(Self {
            counts,
            seen,
            unseen_bias: -(data.train().len() as f64).ln(),
        })
    }

    /// Training rows of each label that has any.
    pub(super) fn counts(&self) -> Vec<u64> {
        self.seen.iter().map(|&label| self.counts[label]).collect()
    }

    /// The rows' labels, numbered among those that have training rows.
    pub(super) fn compact(&self, rows: &[Row]) -> Vec<u32> {
        let mut number_of = vec![0; self.counts.len()];
        for (number, &label) in self.seen.iter().enumerate() {
            number_of[label] = number as u32;
        }
        rows.iter()
            .map(|row| number_of[row.label as usize])
            .collect()
    }

    /// Writes the regression's values for one row or column to all labels. Two labels share one value, half each.
    fn spread(&self, values: &[f64], unseen: f64, all: &mut [f64]) {
        all.fill(unseen);
        if let [value] = values {
            all[self.seen[0]] = -0.5 * value;
            all[self.seen[1]] = 0.5 * value;
        } else {
            for (&label, value) in self.seen.iter().zip(values) {
                all[label] = *value;
            }
        }
    }

    /// The logits of all labels, `[rows][labels]`.
    pub(super) fn logits(&self, matrix: &SparseMatrix, parameters: &[f64]) -> Vec<f64> {
        let width = logits_for(self.seen.len());
        let labels = self.counts.len();
        let values = matrix.multiply(parameters, width);
        let mut logits = vec![0.0; matrix.rows() * labels];
        for (values, logits) in values
            .chunks_exact(width)
            .zip(logits.chunks_exact_mut(labels))
        {
            self.spread(values, self.unseen_bias, logits);
        }
        logits
    }

    /// The model to export: a row for every hashed column, a column for every label.
    pub(super) fn model(
        &self,
        best: &Best,
        columns: &SeenColumns,
        data: &TrainingData,
        config: &TrainingConfig,
    ) -> LinearTextModel {
        let width = logits_for(self.seen.len());
        let labels = self.counts.len();
        let mut of_labels = vec![0.0; labels];
        let mut weights = vec![0.0; config.features.dimension() * labels];
        let (of_columns, bias) = best.parameters.split_at(columns.hashed().len() * width);
        for (values, &hashed) in of_columns.chunks_exact(width).zip(columns.hashed()) {
            self.spread(values, 0.0, &mut of_labels);
            let row = &mut weights[hashed as usize * labels..][..labels];
            for (weight, value) in row.iter_mut().zip(&of_labels) {
                *weight = *value as f32;
            }
        }
        self.spread(bias, self.unseen_bias, &mut of_labels);
        LinearTextModel {
            features: config.features,
            labels: data.labels().to_vec(),
            weights,
            bias: of_labels.iter().map(|value| *value as f32).collect(),
            temperature: best.temperature as f32,
        }
    }
}
