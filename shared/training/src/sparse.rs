//! Sparse matrices of hashed n-grams: by row for logits, by column for gradients.
//!
//! Everything here is independent of the number of threads: rows keep their order, and each number is computed by one
//! thread.

use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;
use sluice_inference::{SparseRow, TextFeatures};

use crate::data::Row;
use crate::progress::{Progress, Stage};

/// Rows that one thread vectorises or multiplies at a time.
const ROWS_AT_A_TIME: usize = 512;

/// Columns whose transposed products one thread computes at a time. Small, because the first columns are the longest.
const COLUMNS_AT_A_TIME: usize = 32;

/// The mark of a hashed column that no training row has.
const UNSEEN: u32 = u32::MAX;

/// Compressed sparse rows.
#[derive(Clone, Debug)]
pub(crate) struct SparseMatrix {
    /// Where each row begins in the other two, and where the last one ends.
    offsets: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f32>,
    width: usize,
}

impl SparseMatrix {
    /// The features of each row's text, in the order of the rows; columns are the hashed ids.
    pub(crate) fn vectorise(
        rows: &[Row],
        features: &TextFeatures,
        progress: &dyn Progress,
    ) -> Self {
        let (done, total) = (AtomicU64::new(0), rows.len() as u64);
        let blocks: Vec<Self> = rows
            .par_chunks(ROWS_AT_A_TIME)
            .map(|rows| {
                let block = Self::vectorise_block(rows, features);
                let done = done.fetch_add(rows.len() as u64, Ordering::Relaxed) + rows.len() as u64;
                progress.update(Stage::Features, done, total);
                block
            })
            .collect();
        Self::stack(blocks, features.dimension())
    }

    fn vectorise_block(rows: &[Row], features: &TextFeatures) -> Self {
        let mut block = Self {
            offsets: Vec::with_capacity(rows.len() + 1),
            columns: Vec::new(),
            values: Vec::new(),
            width: features.dimension(),
        };
        let mut features_of_row = SparseRow::default();
        block.offsets.push(0);
        for row in rows {
            features.vectorise(&row.text, &mut features_of_row);
            block.columns.extend_from_slice(&features_of_row.ids);
            block.values.extend_from_slice(&features_of_row.weights);
            block.offsets.push(block.columns.len());
        }
        block
    }

    /// Puts blocks of rows under each other, giving back each block's memory as soon as it is copied.
    fn stack(blocks: Vec<Self>, width: usize) -> Self {
        let rows = blocks.iter().map(Self::rows).sum::<usize>();
        let entries = blocks.iter().map(|block| block.columns.len()).sum();
        let mut all = Self {
            offsets: Vec::with_capacity(rows + 1),
            columns: Vec::with_capacity(entries),
            values: Vec::with_capacity(entries),
            width,
        };
        all.offsets.push(0);
        for block in blocks {
            let before = all.columns.len();
            all.offsets
                .extend(block.offsets[1..].iter().map(|offset| before + offset));
            all.columns.extend(block.columns);
            all.values.extend(block.values);
        }
        all
    }

    /// The number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The number of columns.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Keeps the columns that `seen` has, under their compact numbers.
    pub(crate) fn compact(mut self, seen: &SeenColumns) -> Self {
        let mut kept = 0;
        let mut begin = 0;
        for row in 1..self.offsets.len() {
            let end = self.offsets[row];
            for entry in begin..end {
                let column = seen.compact_of[self.columns[entry] as usize];
                if column != UNSEEN {
                    self.columns[kept] = column;
                    self.values[kept] = self.values[entry];
                    kept += 1;
                }
            }
            begin = end;
            self.offsets[row] = kept;
        }
        self.columns.truncate(kept);
        self.values.truncate(kept);
        self.width = seen.hashed_of.len();
        self
    }

    fn row(&self, row: usize) -> impl Iterator<Item = (usize, f64)> {
        let entries = self.offsets[row]..self.offsets[row + 1];
        let columns = self.columns[entries.clone()].iter();
        columns
            .zip(&self.values[entries])
            .map(|(&column, &value)| (column as usize, f64::from(value)))
    }

    /// The matrix times the weights, plus the bias: `[rows][logits]`. `parameters` is `[width][logits]`, then `[logits]`.
    pub(crate) fn multiply(&self, parameters: &[f64], logits: usize) -> Vec<f64> {
        let (weights, bias) = parameters.split_at(self.width * logits);
        let mut out = vec![0.0; self.rows() * logits];
        out.par_chunks_mut(ROWS_AT_A_TIME * logits)
            .enumerate()
            .for_each(|(chunk, out)| {
                for (i, out) in out.chunks_exact_mut(logits).enumerate() {
                    out.copy_from_slice(bias);
                    self.add_row(chunk * ROWS_AT_A_TIME + i, weights, out);
                }
            });
        out
    }

    /// Adds the row times `weights` to `out`.
    fn add_row(&self, row: usize, weights: &[f64], out: &mut [f64]) {
        if let [out] = out {
            *out += self
                .row(row)
                .map(|(column, value)| value * weights[column])
                .sum::<f64>();
            return;
        }
        let width = out.len();
        for (column, value) in self.row(row) {
            for (out, weight) in out.iter_mut().zip(&weights[column * width..][..width]) {
                *out += value * weight;
            }
        }
    }

    /// The same entries, by column.
    pub(crate) fn transpose(&self) -> Transposed {
        let mut offsets = vec![0; self.width + 1];
        for &column in &self.columns {
            offsets[column as usize + 1] += 1;
        }
        for column in 0..self.width {
            offsets[column + 1] += offsets[column];
        }
        let mut next = offsets.clone();
        let mut rows = vec![0; self.columns.len()];
        let mut values = vec![0.0; self.columns.len()];
        for row in 0..self.rows() {
            for entry in self.offsets[row]..self.offsets[row + 1] {
                let place = &mut next[self.columns[entry] as usize];
                rows[*place] = row as u32;
                values[*place] = self.values[entry];
                *place += 1;
            }
        }
        Transposed {
            offsets,
            rows,
            values,
        }
    }
}

/// Compressed sparse columns.
#[derive(Clone, Debug)]
pub(crate) struct Transposed {
    offsets: Vec<usize>,
    rows: Vec<u32>,
    values: Vec<f32>,
}

impl Transposed {
    /// For each column, hands its entries as `(row, value)` and its place in `out` (`[width][classes]`) to `each`, on
    /// all threads.
    pub(crate) fn for_each_column(
        &self,
        classes: usize,
        out: &mut [f64],
        each: impl Fn(&[u32], &[f32], usize, &mut [f64]) + Sync,
    ) {
        out.par_chunks_mut(COLUMNS_AT_A_TIME * classes)
            .enumerate()
            .for_each(|(chunk, out)| {
                for (i, out) in out.chunks_exact_mut(classes).enumerate() {
                    let column = chunk * COLUMNS_AT_A_TIME + i;
                    let entries = self.offsets[column]..self.offsets[column + 1];
                    each(
                        &self.rows[entries.clone()],
                        &self.values[entries],
                        column,
                        out,
                    );
                }
            });
    }
}

/// The hashed columns that occur in the training rows, numbered by how often they occur, the most frequent first, so
/// that the weights that are read most lie side by side.
#[derive(Clone, Debug)]
pub(crate) struct SeenColumns {
    compact_of: Vec<u32>,
    hashed_of: Vec<u32>,
}

impl SeenColumns {
    /// The columns that occur in `matrix`, whose columns are hashed ids.
    pub(crate) fn of(matrix: &SparseMatrix) -> Self {
        let mut counts = vec![0_u32; matrix.width];
        for &column in &matrix.columns {
            counts[column as usize] += 1;
        }
        let mut hashed_of: Vec<u32> = (0..matrix.width as u32)
            .filter(|&column| counts[column as usize] > 0)
            .collect();
        // Stable: equally frequent columns stay in the order of their hash.
        hashed_of.sort_by_key(|&column| std::cmp::Reverse(counts[column as usize]));
        let mut compact_of = vec![UNSEEN; matrix.width];
        for (compact, &hashed) in hashed_of.iter().enumerate() {
            compact_of[hashed as usize] = compact as u32;
        }
        Self {
            compact_of,
            hashed_of,
        }
    }

    /// The hashed ids, in the order of the compact numbers.
    pub(crate) fn hashed(&self) -> &[u32] {
        &self.hashed_of
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::progress::NoProgress;

    fn rows(texts: &[&str]) -> Vec<Row> {
        let row = |text: &&str| Row {
            text: (*text).into(),
            label: 0,
            slice: None,
        };
        texts.iter().map(row).collect()
    }

    fn dense(matrix: &SparseMatrix) -> Vec<Vec<f32>> {
        let mut dense = vec![vec![0.0; matrix.width()]; matrix.rows()];
        for (index, out) in dense.iter_mut().enumerate() {
            matrix
                .row(index)
                .for_each(|(column, value)| out[column] = value as f32);
        }
        dense
    }

    #[test]
    fn rows_are_what_serving_computes() {
        let features = TextFeatures::default();
        let texts = ["flood in town", "", "the flood, the flood"];
        let matrix = SparseMatrix::vectorise(&rows(&texts), &features, &NoProgress);
        for (index, text) in texts.iter().enumerate() {
            let mut expected = SparseRow::default();
            features.vectorise(text, &mut expected);
            let (ids, weights): (Vec<_>, Vec<_>) = matrix
                .row(index)
                .map(|(column, value)| (column as u32, value as f32))
                .unzip();
            assert_eq!((ids, weights), (expected.ids, expected.weights));
        }
    }

    #[test]
    fn columns_that_training_never_saw_are_dropped() {
        let features = TextFeatures::default();
        let train =
            SparseMatrix::vectorise(&rows(&["flood town", "flood"]), &features, &NoProgress);
        let seen = SeenColumns::of(&train);
        assert_eq!(seen.hashed().len(), 3);
        let other =
            SparseMatrix::vectorise(&rows(&["sunny flood", "sunny"]), &features, &NoProgress);
        let other = other.compact(&seen);
        assert_eq!(other.width(), 3);
        // "flood" is in two rows, so it has number 0; of "sunny flood" three columns share the length 1.
        assert_eq!(
            other.row(0).map(|(column, _)| column).collect::<Vec<_>>(),
            [0]
        );
        assert_eq!(other.row(1).count(), 0);
    }

    fn words() -> impl Strategy<Value = Vec<String>> {
        prop::collection::vec("[a-f]{2}( [a-f]{2}){0,6}|", 1..60)
    }

    proptest! {
        #[test]
        fn products_by_row_and_by_column_agree_with_dense_ones(texts in words(), logits in 1_usize..4, seed in 1_u32..1000) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let matrix = SparseMatrix::vectorise(&rows(&texts), &TextFeatures { bits: 10, ..TextFeatures::default() }, &NoProgress);
            let seen = SeenColumns::of(&matrix);
            let matrix = matrix.compact(&seen);
            let number = |i: usize| f64::from((i as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) >> 8) / 1e7 - 0.8;
            let parameters: Vec<f64> = (0..(matrix.width() + 1) * logits).map(number).collect();
            let dense = dense(&matrix);

            let product = matrix.multiply(&parameters, logits);
            for (row, values) in dense.iter().enumerate() {
                for logit in 0..logits {
                    let bias = parameters[matrix.width() * logits + logit];
                    let expected: f64 = values.iter().enumerate().map(|(column, value)| f64::from(*value) * parameters[column * logits + logit]).sum();
                    prop_assert!((product[row * logits + logit] - expected - bias).abs() < 1e-9);
                }
            }

            let transposed = matrix.transpose();
            let mut sums = vec![0.0; matrix.width()];
            transposed.for_each_column(1, &mut sums, |rows, values, _, out| {
                out[0] = rows.iter().zip(values).map(|(&row, &value)| f64::from(value) * number(row as usize)).sum();
            });
            for (column, sum) in sums.iter().enumerate() {
                let expected: f64 = dense.iter().enumerate().map(|(row, values)| f64::from(values[column]) * number(row)).sum();
                prop_assert!((sum - expected).abs() < 1e-9);
            }
        }
    }
}
