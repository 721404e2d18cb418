//! How often each label was predicted for each true label.

use serde::{Deserialize, Serialize};

/// A square table of counts, one row per true label and one column per predicted label, stored without its zeros.
///
/// Labels are positions in the model's list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Confusion {
    /// (true label, predicted label, count), in rising order.
    cells: Vec<(usize, usize, u64)>,
}

impl Confusion {
    /// Counts `count` rows.
    pub fn add(&mut self, truth: usize, predicted: usize, count: u64) {
        match self
            .cells
            .binary_search_by_key(&(truth, predicted), |cell| (cell.0, cell.1))
        {
            Ok(place) => self.cells[place].2 += count,
            Err(place) => self.cells.insert(place, (truth, predicted, count)),
        }
    }

    /// Adds the counts of another table.
    pub fn merge(&mut self, other: &Self) {
        for (truth, predicted, count) in &other.cells {
            self.add(*truth, *predicted, *count);
        }
    }

    /// The cells that are not zero: true label, predicted label, count.
    pub fn cells(&self) -> impl Iterator<Item = (usize, usize, u64)> + '_ {
        self.cells.iter().copied()
    }

    /// The count of one cell.
    #[must_use]
    pub fn get(&self, truth: usize, predicted: usize) -> u64 {
        let place = self
            .cells
            .binary_search_by_key(&(truth, predicted), |cell| (cell.0, cell.1));
        place.map_or(0, |place| self.cells[place].2)
    }

    /// All rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.cells().map(|(_, _, count)| count).sum()
    }

    /// Rows whose prediction was right.
    #[must_use]
    pub fn correct(&self) -> u64 {
        self.cells()
            .filter(|(truth, predicted, _)| truth == predicted)
            .map(|(_, _, count)| count)
            .sum()
    }

    /// The share of right predictions. `None` without rows.
    #[must_use]
    pub fn accuracy(&self) -> Option<f64> {
        let rows = self.rows();
        (rows > 0).then(|| self.correct() as f64 / rows as f64)
    }

    /// F1 of each label: 2·TP / (2·TP + FP + FN). `None` for a label that is neither the truth nor the prediction of any row.
    #[must_use]
    pub fn f1_scores(&self, labels: usize) -> Vec<Option<f64>> {
        f1_scores(
            self.cells()
                .map(|(truth, predicted, count)| (truth, predicted, count as f64)),
            labels,
        )
    }

    /// The mean of the F1 of the labels that occur, as truth or as prediction (scikit-learn's `average="macro"`). `None` without rows.
    #[must_use]
    pub fn macro_f1(&self, labels: usize) -> Option<f64> {
        mean(&self.f1_scores(labels))
    }
}

/// F1 of each label from cells of (truth, prediction, weight).
pub(super) fn f1_scores(
    cells: impl IntoIterator<Item = (usize, usize, f64)>,
    labels: usize,
) -> Vec<Option<f64>> {
    let (mut both, mut either) = (vec![0.0; labels], vec![0.0; labels]);
    for (truth, predicted, weight) in cells {
        if truth >= labels || predicted >= labels {
            continue;
        }
        either[truth] += weight;
        either[predicted] += weight;
        if truth == predicted {
            both[truth] += 2.0 * weight;
        }
    }
    both.iter()
        .zip(&either)
        .map(|(both, either)| (*either > 0.0).then(|| both / either))
        .collect()
}

/// The mean of what is there.
pub(super) fn mean(scores: &[Option<f64>]) -> Option<f64> {
    let (sum, count) = scores
        .iter()
        .flatten()
        .fold((0.0, 0u32), |(sum, count), score| (sum + score, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_worked_by_hand() {
        let mut confusion = Confusion::default();
        for (truth, predicted, count) in [(0, 0, 50), (0, 1, 10), (1, 0, 5), (1, 1, 35)] {
            confusion.add(truth, predicted, count);
        }
        assert_eq!(
            (confusion.rows(), confusion.correct(), confusion.accuracy()),
            (100, 85, Some(0.85))
        );
        assert_eq!(
            confusion.f1_scores(3),
            vec![Some(100.0 / 115.0), Some(70.0 / 85.0), None]
        );
        assert_eq!(
            confusion.macro_f1(3),
            Some((100.0 / 115.0 + 70.0 / 85.0) / 2.0)
        );
        assert_eq!(Confusion::default().macro_f1(2), None);
    }
}
