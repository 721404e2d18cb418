//! How sure we are that one model is better than another: a paired bootstrap over the test rows.
//!
//! Both models are scored on the same resampled rows, so what makes a row hard for both cancels out. The interval is the
//! percentile interval (Efron & Tibshirani, *An Introduction to the Bootstrap*, 1993, chapter 13). Equal seeds give
//! equal intervals, whatever the number of threads.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::Metric;
use crate::evaluate::loss;
use crate::metric::Confusion;
use crate::predictions::Predictions;

/// How the samples are drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resampling {
    pub(super) samples: u32,
    pub(super) level: f64,
    pub(super) seed: u64,
}

/// A candidate against a champion on the same rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The candidate's value of the metric.
    pub candidate: f64,
    /// The champion's.
    pub champion: f64,
    /// By how much the candidate is better; negative when it is worse.
    pub improvement: f64,
    /// The lower end of the confidence interval of the improvement.
    pub lower: f64,
    /// Its upper end.
    pub upper: f64,
    /// Rows compared.
    pub rows: u64,
}

/// The answers of two models for the same rows.
pub(super) struct Paired {
    metric: Metric,
    positive_label: Option<u32>,
    classes: usize,
    rows: Vec<PairedRow>,
}

#[derive(Clone, Copy)]
struct PairedRow {
    /// Places in the confusion tables of candidate and champion.
    places: [u32; 2],
    losses: [f64; 2],
}

/// Sums over a sample of rows, reused from sample to sample.
#[derive(Clone)]
struct Tally {
    confusions: [Confusion; 2],
    losses: [f64; 2],
    rows: usize,
}

impl Paired {
    /// Pairs the answers of both models for the rows `(index, truth)`.
    pub(super) fn new(
        metric: Metric,
        positive_label: Option<u32>,
        rows: impl IntoIterator<Item = (usize, u32)>,
        candidate: &Predictions,
        champion: &Predictions,
    ) -> Self {
        let classes = candidate.classes();
        let of_row = |(row, truth): (usize, u32)| {
            let probabilities = [candidate.row(row), champion.row(row)];
            PairedRow {
                places: probabilities
                    .map(crate::predictions::most_probable)
                    .map(|answer| Confusion::place(classes, truth, answer) as u32),
                losses: probabilities.map(|probabilities| loss(probabilities[truth as usize])),
            }
        };
        Self {
            metric,
            positive_label,
            classes,
            rows: rows.into_iter().map(of_row).collect(),
        }
    }

    /// Both values on the rows themselves, and the interval of the improvement over resampled rows.
    pub(super) fn compare(&self, resampling: Resampling) -> Comparison {
        let mut tally = self.tally();
        self.rows.iter().for_each(|row| tally.add(row));
        let [candidate, champion] = self.values(&tally);
        let improvements = self.improvements(resampling);
        let tail = (1.0 - resampling.level) / 2.0;
        Comparison {
            candidate,
            champion,
            improvement: self.metric.improvement(candidate, champion),
            lower: quantile(&improvements, tail),
            upper: quantile(&improvements, 1.0 - tail),
            rows: self.rows.len() as u64,
        }
    }

    /// The improvement in each sample, ascending.
    fn improvements(&self, resampling: Resampling) -> Vec<f64> {
        if self.rows.is_empty() {
            return vec![0.0];
        }
        let mut improvements: Vec<f64> = (0..resampling.samples)
            .into_par_iter()
            .map_init(
                || self.tally(),
                |tally, sample| {
                    // Each sample has a generator of its own: the order in which threads take them does not matter.
                    let seed =
                        resampling.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ u64::from(sample);
                    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
                    tally.clear();
                    for _ in 0..self.rows.len() {
                        tally.add(&self.rows[random.random_range(0..self.rows.len())]);
                    }
                    let [candidate, champion] = self.values(tally);
                    self.metric.improvement(candidate, champion)
                },
            )
            .collect();
        improvements.sort_unstable_by(f64::total_cmp);
        improvements
    }

    fn tally(&self) -> Tally {
        Tally {
            confusions: [Confusion::new(self.classes), Confusion::new(self.classes)],
            losses: [0.0; 2],
            rows: 0,
        }
    }

    fn values(&self, tally: &Tally) -> [f64; 2] {
        let confusions = tally.confusions.each_ref();
        match self.metric {
            Metric::MacroF1 => confusions.map(Confusion::macro_f1),
            Metric::Accuracy => confusions.map(Confusion::accuracy),
            Metric::F1 => {
                let label = self.positive_label.unwrap_or_default() as usize;
                confusions.map(|confusion| confusion.label(label).f1)
            }
            Metric::LogLoss => tally.losses.map(|loss| loss / tally.rows.max(1) as f64),
        }
    }
}

impl Tally {
    fn clear(&mut self) {
        self.confusions.iter_mut().for_each(Confusion::clear);
        self.losses = [0.0; 2];
        self.rows = 0;
    }

    fn add(&mut self, row: &PairedRow) {
        for model in 0..2 {
            self.confusions[model].add_at(row.places[model] as usize);
            self.losses[model] += row.losses[model];
        }
        self.rows += 1;
    }
}

/// The quantile of ascending values, interpolated linearly (numpy's default).
fn quantile(ascending: &[f64], share: f64) -> f64 {
    let place = share * (ascending.len() - 1) as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    ascending[below] + (place - below as f64) * (ascending[above] - ascending[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESAMPLING: Resampling = Resampling {
        samples: 400,
        level: 0.9,
        seed: 5,
    };

    /// Answers of a model that is right with a chance, `certainty` being the probability that it gives its answer.
    fn answers(
        truth: &[u32],
        chance: f64,
        certainty: f32,
        random: &mut Xoshiro256PlusPlus,
    ) -> Predictions {
        let rows: Vec<[f32; 2]> = truth
            .iter()
            .map(|&truth| {
                let right = random.random_range(0.0..1.0) < chance;
                if right == (truth == 1) {
                    [1.0 - certainty, certainty]
                } else {
                    [certainty, 1.0 - certainty]
                }
            })
            .collect();
        Predictions::new("test", 2, rows).unwrap()
    }

    fn truth(rows: usize, random: &mut Xoshiro256PlusPlus) -> Vec<u32> {
        (0..rows)
            .map(|_| u32::from(random.random_range(0.0..1.0) < 0.3))
            .collect()
    }

    fn compare(
        metric: Metric,
        truth: &[u32],
        candidate: &Predictions,
        champion: &Predictions,
    ) -> Comparison {
        Paired::new(
            metric,
            Some(1),
            truth.iter().copied().enumerate(),
            candidate,
            champion,
        )
        .compare(RESAMPLING)
    }

    #[test]
    fn a_model_against_itself_is_nothing() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let truth = truth(300, &mut random);
        let answers = answers(&truth, 0.8, 0.9, &mut random);
        for metric in [
            Metric::MacroF1,
            Metric::Accuracy,
            Metric::F1,
            Metric::LogLoss,
        ] {
            let comparison = compare(metric, &truth, &answers, &answers);
            assert_eq!(
                [comparison.improvement, comparison.lower, comparison.upper],
                [0.0; 3]
            );
        }
    }

    #[test]
    fn a_better_model_is_better_by_every_metric() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(2);
        let truth = truth(1000, &mut random);
        let (good, bad) = (
            answers(&truth, 0.95, 0.9, &mut random),
            answers(&truth, 0.7, 0.9, &mut random),
        );
        for metric in [
            Metric::MacroF1,
            Metric::Accuracy,
            Metric::F1,
            Metric::LogLoss,
        ] {
            let comparison = compare(metric, &truth, &good, &bad);
            assert!(
                0.0 < comparison.lower && comparison.lower < comparison.improvement,
                "{comparison:?}"
            );
            assert!(comparison.improvement < comparison.upper, "{comparison:?}");
            let reversed = compare(metric, &truth, &bad, &good);
            assert!(
                (reversed.improvement + comparison.improvement).abs() < 1e-12
                    && reversed.upper < 0.0
            );
        }
    }

    #[test]
    fn the_interval_covers_the_truth_about_as_often_as_it_says() {
        let (mut covered, trials) = (0, 200);
        for trial in 0..trials {
            let mut random = Xoshiro256PlusPlus::seed_from_u64(trial);
            let truth = truth(250, &mut random);
            let (a, b) = (
                answers(&truth, 0.85, 0.9, &mut random),
                answers(&truth, 0.8, 0.9, &mut random),
            );
            let comparison = compare(Metric::Accuracy, &truth, &a, &b);
            covered += i32::from(comparison.lower <= 0.05 && 0.05 <= comparison.upper);
        }
        // 90 % of 200 is 180, with a standard deviation of 4.2.
        assert!((166..=194).contains(&covered), "{covered}");
    }

    #[test]
    fn threads_do_not_matter_and_seeds_do() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(3);
        let truth = truth(500, &mut random);
        let (a, b) = (
            answers(&truth, 0.9, 0.9, &mut random),
            answers(&truth, 0.8, 0.9, &mut random),
        );
        let paired = Paired::new(
            Metric::MacroF1,
            None,
            truth.iter().copied().enumerate(),
            &a,
            &b,
        );
        let on = |threads: usize, seed: u64| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| paired.compare(Resampling { seed, ..RESAMPLING }))
        };
        assert_eq!(on(1, 5), on(4, 5));
        assert_ne!(on(1, 5), on(1, 6));
    }

    #[test]
    fn quantiles_are_numpys() {
        // numpy.quantile([1, 2, 4, 8], [0, .1, .5, .975, 1])
        let values = [1.0, 2.0, 4.0, 8.0];
        for (share, expected) in [(0.0, 1.0), (0.1, 1.3), (0.5, 3.0), (0.975, 7.7), (1.0, 8.0)] {
            assert!((quantile(&values, share) - expected).abs() < 1e-12);
        }
    }
}
