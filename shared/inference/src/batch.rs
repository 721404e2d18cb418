//! Rows of hashed n-grams as the padded tensors that the graph takes.

use crate::SparseRow;

/// A batch ends before it has more cells than this. One huge text must not widen thousands of short ones.
const MAX_CELLS: usize = 8 * 1024;

/// Consecutive rows, each filled up to the longest with id 0 and weight 0, which add nothing to a sum.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// `[rows][width]`.
    pub(crate) ids: Vec<i64>,
    /// `[rows][width]`.
    pub(crate) weights: Vec<f32>,
    /// Texts in the batch.
    pub(crate) rows: usize,
    /// N-grams of the longest row, at least 1.
    pub(crate) width: usize,
}

impl Batch {
    /// The number of rows from the start of `rows` that make the next batch: at least one.
    pub(crate) fn split(rows: &[SparseRow]) -> usize {
        let mut width = 1;
        let fits = |(index, row): &(usize, &SparseRow)| {
            width = width.max(row.ids.len());
            (index + 1) * width <= MAX_CELLS
        };
        rows.iter().enumerate().take_while(fits).count().max(1)
    }

    /// Replaces the contents, reusing the memory.
    pub(crate) fn fill(&mut self, rows: &[SparseRow]) {
        self.rows = rows.len();
        self.width = rows
            .iter()
            .map(|row| row.ids.len())
            .max()
            .unwrap_or(0)
            .max(1);
        self.ids.clear();
        self.weights.clear();
        for (index, row) in rows.iter().enumerate() {
            let end = (index + 1) * self.width;
            self.ids.extend(row.ids.iter().map(|&id| i64::from(id)));
            self.ids.resize(end, 0);
            self.weights.extend_from_slice(&row.weights);
            self.weights.resize(end, 0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(tokens: usize) -> SparseRow {
        SparseRow {
            ids: (1..=tokens as u32).collect(),
            weights: vec![1.0; tokens],
        }
    }

    #[test]
    fn short_rows_are_filled_up() {
        let mut batch = Batch::default();
        batch.fill(&[row(2), row(0), row(3)]);
        assert_eq!((batch.rows, batch.width), (3, 3));
        assert_eq!(batch.ids, [1, 2, 0, 0, 0, 0, 1, 2, 3]);
        assert_eq!(batch.weights, [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
        batch.fill(&[row(0)]);
        assert_eq!((batch.rows, batch.width), (1, 1));
        assert_eq!(batch.ids, [0]);
    }

    proptest! {
        #[test]
        fn batches_cover_all_rows_and_stay_small(lengths in prop::collection::vec(prop_oneof![9 => 0..60_usize, 1 => 0..20_000_usize], 1..400)) {
            let rows: Vec<SparseRow> = lengths.into_iter().map(row).collect();
            let (mut left, mut batch) = (rows.as_slice(), Batch::default());
            while !left.is_empty() {
                let (next, rest) = left.split_at(Batch::split(left));
                prop_assert!(!next.is_empty());
                batch.fill(next);
                prop_assert_eq!(batch.ids.len(), batch.rows * batch.width);
                prop_assert_eq!(batch.weights.len(), batch.ids.len());
                prop_assert!(batch.rows == 1 || batch.ids.len() <= MAX_CELLS);
                left = rest;
            }
        }
    }
}
