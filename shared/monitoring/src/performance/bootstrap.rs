//! Intervals of F1 by drawing the rows again.

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand_distr::{Binomial, Distribution as _};

use super::confusion::{f1_scores, mean};
use super::{Confusion, Interval};

/// Draws for an interval: its ends are steady to about a tenth of its width.
const DRAWS: usize = 1_000;

/// The macro F1 of a table and its percentile interval at a two-sided `confidence`, from 1,000 bootstrap draws with this seed.
///
/// Drawing rows with replacement is drawing the cells of the table from a multinomial. One imaginary row is spread evenly over the table first, so
/// that a handful of labels that are all wrong, or all right, does not pass for certainty. `None` without rows.
#[must_use]
pub fn bootstrap_macro_f1(
    confusion: &Confusion,
    labels: usize,
    confidence: f64,
    seed: u64,
) -> Option<Interval> {
    let value = confusion.macro_f1(labels)?;
    let draws = draws(confusion, labels, seed);
    Some(percentiles(value, draws, confidence))
}

/// The macro F1 of `window` minus that of `baseline`, with its interval: both tables are drawn again.
///
/// Only labels that occur in a table count in its mean. `None` when a table has no rows.
#[must_use]
pub fn macro_f1_difference(
    baseline: &Confusion,
    window: &Confusion,
    labels: usize,
    confidence: f64,
    seed: u64,
) -> Option<Interval> {
    let value = window.macro_f1(labels)? - baseline.macro_f1(labels)?;
    let before = draws(baseline, labels, seed);
    let now = draws(window, labels, seed ^ 0x9e37_79b9_7f4a_7c15);
    let differences = now
        .into_iter()
        .zip(before)
        .map(|(now, before)| now - before)
        .collect();
    Some(percentiles(value, differences, confidence))
}

fn draws(confusion: &Confusion, labels: usize, seed: u64) -> Vec<f64> {
    let mut random = StdRng::seed_from_u64(seed);
    let rows = confusion.rows();
    let cells = smoothed(confusion, labels);
    (0..DRAWS)
        .filter_map(|_| mean(&f1_scores(multinomial(&cells, rows, &mut random), labels)))
        .collect()
}

/// The cells' weights with one row spread over the table of the labels that occur.
fn smoothed(confusion: &Confusion, labels: usize) -> Vec<(usize, usize, f64)> {
    let present: Vec<usize> = (0..labels)
        .filter(|label| {
            confusion
                .cells()
                .any(|(truth, predicted, _)| truth == *label || predicted == *label)
        })
        .collect();
    // With many labels the table is large and mostly empty; only its cells and its diagonal share the row then.
    if present.len() > 32 {
        return confusion
            .cells()
            .map(|(truth, predicted, count)| (truth, predicted, count as f64))
            .collect();
    }
    let share = 1.0 / (present.len() * present.len()).max(1) as f64;
    let cell = |truth: usize, predicted: usize| {
        (
            truth,
            predicted,
            confusion.get(truth, predicted) as f64 + share,
        )
    };
    present
        .iter()
        .flat_map(|truth| {
            present
                .iter()
                .map(move |predicted| cell(*truth, *predicted))
        })
        .collect()
}

/// One draw of `rows` rows from the cells: each in turn from the binomial of what is left.
fn multinomial(
    cells: &[(usize, usize, f64)],
    rows: u64,
    random: &mut StdRng,
) -> Vec<(usize, usize, f64)> {
    let mut left = rows;
    let mut weight_left: f64 = cells.iter().map(|cell| cell.2).sum();
    let mut drawn = Vec::with_capacity(cells.len());
    for (place, (truth, predicted, weight)) in cells.iter().enumerate() {
        let last = place + 1 == cells.len();
        let share = if last {
            1.0
        } else {
            (weight / weight_left).clamp(0.0, 1.0)
        };
        let count = Binomial::new(left, share).map_or(0, |binomial| binomial.sample(random));
        weight_left -= weight;
        left -= count.min(left);
        drawn.push((*truth, *predicted, count as f64));
    }
    drawn
}

fn percentiles(value: f64, mut draws: Vec<f64>, confidence: f64) -> Interval {
    draws.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| {
        let place = (share * draws.len() as f64).floor() as usize;
        draws
            .get(place.min(draws.len().saturating_sub(1)))
            .copied()
            .unwrap_or(value)
    };
    let tail = (1.0 - confidence) / 2.0;
    Interval {
        value,
        low: at(tail).min(value),
        high: at(1.0 - tail).max(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(cells: [(usize, usize, u64); 4]) -> Confusion {
        let mut confusion = Confusion::default();
        cells
            .into_iter()
            .for_each(|(truth, predicted, count)| confusion.add(truth, predicted, count));
        confusion
    }

    #[test]
    fn the_interval_covers_the_truth_about_as_often_as_it_says() {
        let truth = [(0, 0, 0.5), (0, 1, 0.1), (1, 0, 0.1), (1, 1, 0.3)];
        let real = mean(&f1_scores(truth, 2)).unwrap();
        let mut random = StdRng::seed_from_u64(7);
        let covered = (0..300)
            .filter(|repeat| {
                let mut confusion = Confusion::default();
                for (truth, predicted, count) in multinomial(&truth, 200, &mut random) {
                    confusion.add(truth, predicted, count as u64);
                }
                let interval = bootstrap_macro_f1(&confusion, 2, 0.9, *repeat).unwrap();
                interval.low <= real && real <= interval.high
            })
            .count();
        assert!(
            (255..=285).contains(&covered),
            "{covered} of 300, nominal 270"
        );
    }

    #[test]
    fn ten_labels_prove_nothing_about_a_small_drop_and_a_thousand_do() {
        let baseline = table([(0, 0, 4_700), (0, 1, 300), (1, 0, 300), (1, 1, 4_700)]);
        let few = table([(0, 0, 4), (0, 1, 1), (1, 0, 1), (1, 1, 4)]);
        assert!(
            macro_f1_difference(&baseline, &few, 2, 0.98, 1)
                .unwrap()
                .high
                > 0.0
        );
        let many = table([(0, 0, 400), (0, 1, 100), (1, 0, 100), (1, 1, 400)]);
        assert!(
            macro_f1_difference(&baseline, &many, 2, 0.98, 1)
                .unwrap()
                .high
                < -0.05
        );
    }

    #[test]
    fn a_few_labels_that_are_all_right_are_no_certainty() {
        let interval = bootstrap_macro_f1(
            &table([(0, 0, 15), (0, 1, 0), (1, 0, 0), (1, 1, 15)]),
            2,
            0.95,
            1,
        )
        .unwrap();
        assert!(
            interval.value == 1.0 && interval.low < 0.97 && interval.low > 0.8,
            "{interval:?}"
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let confusion = table([(0, 0, 40), (0, 1, 10), (1, 0, 10), (1, 1, 40)]);
        let interval = |seed| bootstrap_macro_f1(&confusion, 2, 0.95, seed);
        assert_eq!(interval(1), interval(1));
        assert!(bootstrap_macro_f1(&Confusion::default(), 2, 0.95, 1).is_none());
    }
}
