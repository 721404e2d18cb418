//! What the optimiser must find.

use proptest::prelude::*;
use sluice_inference::TextFeatures;

use super::*;
use crate::data::Row;
use crate::progress::NoProgress;
use crate::sparse::{SeenColumns, SparseMatrix};

const TIGHT: Stopping = Stopping {
    max_iterations: 2000,
    tolerance: 1e-9,
};

const WORDS: TextFeatures = TextFeatures {
    bits: 18,
    max_ngram: 1,
    lowercase: true,
};

/// The texts of the golden numbers.
const TEXTS: [&str; 10] = [
    "red green",
    "green blue",
    "blue blue red",
    "red red",
    "blue green green",
    "yellow red",
    "yellow blue",
    "green",
    "blue",
    "red blue yellow",
];

fn matrices(texts: &[&str], others: &[&str]) -> (SparseMatrix, SparseMatrix) {
    let vectorise = |texts: &[&str]| {
        let row = |text: &&str| Row {
            text: (*text).into(),
            label: 0,
            slice: None,
        };
        SparseMatrix::vectorise(
            &texts.iter().map(row).collect::<Vec<_>>(),
            &WORDS,
            &NoProgress,
        )
    };
    let (matrix, others) = (vectorise(texts), vectorise(others));
    let seen = SeenColumns::of(&matrix);
    (matrix.compact(&seen), others.compact(&seen))
}

fn counts(labels: &[u32]) -> Vec<u64> {
    let classes = labels.iter().max().unwrap() + 1;
    let count = |class| labels.iter().filter(|label| **label == class).count() as u64;
    (0..classes).map(count).collect()
}

fn solve(matrix: &SparseMatrix, labels: &[u32], c: f64) -> Solution {
    let problem = Problem::new(matrix, labels, counts(labels));
    fit(&problem, c, None, TIGHT, &NoProgress).unwrap()
}

/// scikit-learn 1.9.1: `LogisticRegression(C=2, tol=1e-12)` on L2-normalised word counts.
#[test]
fn two_labels_are_scikit_learns() {
    let (matrix, others) = matrices(&TEXTS, &["red", "blue", "yellow green", ""]);
    let solution = solve(&matrix, &[0, 0, 1, 0, 1, 0, 1, 0, 1, 1], 2.0);
    assert!(solution.converged);
    let expected = [
        -0.922_701_091_873,
        1.261_562_986_768,
        -0.530_780_645_941,
        -0.241_399_870_041,
    ];
    for (logit, expected) in others
        .multiply(&solution.parameters, 1)
        .iter()
        .zip(expected)
    {
        assert!((logit - expected).abs() < 1e-6, "{logit} is not {expected}");
    }
}

/// scikit-learn 1.9.1: `LogisticRegression(C=5, tol=1e-12)`, three labels.
#[test]
fn three_labels_are_scikit_learns() {
    let (matrix, others) = matrices(&TEXTS, &["red", "blue", "yellow green", ""]);
    let solution = solve(&matrix, &[0, 1, 2, 0, 1, 0, 2, 1, 2, 2], 5.0);
    assert!(solution.converged);
    let expected = [
        [0.869_327_320_745, 0.026_606_845_842, 0.104_065_833_413],
        [0.026_453_061_358, 0.120_295_122_261, 0.853_251_816_381],
        [0.287_208_703_596, 0.579_613_137_395, 0.133_178_159_009],
        [0.380_661_997_449, 0.279_731_563_564, 0.339_606_438_988],
    ];
    let logits = others.multiply(&solution.parameters, 3);
    let predictions = crate::Predictions::of_logits(&logits, 3, 1.0);
    for (row, expected) in predictions.rows().zip(expected) {
        for (probability, expected) in row.iter().zip(expected) {
            assert!((f64::from(*probability) - expected).abs() < 1e-6, "{row:?}");
        }
    }
}

#[test]
fn without_features_only_the_prior_is_learnt() {
    let (matrix, _) = matrices(&["", "", "", "", ""], &[]);
    let solution = solve(&matrix, &[1, 1, 1, 1, 0], 1.0);
    assert_eq!(solution.parameters, [4.0_f64.ln()]);
    assert_eq!(solution.iterations, 0);
    let solution = solve(&matrix, &[0, 1, 2, 1, 0], 1.0);
    assert_eq!(
        solution.parameters,
        [0.4_f64.ln(), 0.4_f64.ln(), 0.2_f64.ln()]
    );
}

#[test]
fn separable_rows_have_finite_weights_that_separate() {
    let (matrix, _) = matrices(&["red", "red green", "blue", "blue green"], &[]);
    for c in [1e-3, 1.0, 1e6] {
        let solution = solve(&matrix, &[0, 0, 1, 1], c);
        assert!(solution.converged, "{c}: {solution:?}");
        let logits = matrix.multiply(&solution.parameters, 1);
        assert!(
            logits[..2].iter().all(|z| *z < 0.0) && logits[2..].iter().all(|z| *z > 0.0),
            "{c}: {logits:?}"
        );
    }
}

#[test]
fn a_warm_start_ends_where_a_cold_one_does() {
    let (matrix, _) = matrices(&TEXTS, &[]);
    let labels = [0, 0, 1, 0, 1, 0, 1, 0, 1, 1];
    let problem = Problem::new(&matrix, &labels, counts(&labels));
    let first = fit(&problem, 1.0, None, TIGHT, &NoProgress).unwrap();
    let warm = fit(&problem, 3.0, Some(&first.parameters), TIGHT, &NoProgress).unwrap();
    let cold = fit(&problem, 3.0, None, TIGHT, &NoProgress).unwrap();
    assert!((warm.value - cold.value).abs() < 1e-12);
    let again = fit(&problem, 3.0, Some(&cold.parameters), TIGHT, &NoProgress).unwrap();
    assert_eq!(again.iterations, 0);
}

#[test]
fn too_few_iterations_are_reported() {
    let (matrix, _) = matrices(&TEXTS, &[]);
    let labels = [0, 0, 1, 0, 1, 0, 1, 0, 1, 1];
    let problem = Problem::new(&matrix, &labels, counts(&labels));
    let stopping = Stopping {
        max_iterations: 2,
        ..TIGHT
    };
    let solution = fit(&problem, 10.0, None, stopping, &NoProgress).unwrap();
    assert_eq!((solution.iterations, solution.converged), (2, false));
}

fn labelled_texts() -> impl Strategy<Value = (Vec<String>, Vec<u32>)> {
    (2_u32..5).prop_flat_map(|classes| {
        prop::collection::vec(("[a-e]{2}( [a-e]{2}){0,4}", 0..classes), 2..30).prop_map(
            move |rows| {
                let (mut texts, mut labels): (Vec<String>, Vec<u32>) = rows.into_iter().unzip();
                // Every label has a row.
                texts.extend((0..classes).map(|class| format!("aa {class}{class}")));
                labels.extend(0..classes);
                (texts, labels)
            },
        )
    })
}

proptest! {
    #[test]
    fn the_gradient_is_the_slope_of_the_objective((texts, labels) in labelled_texts(), c in 0.1_f64..10.0, seed in 1_u32..1000) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let (matrix, _) = matrices(&texts, &[]);
        let problem = Problem::new(&matrix, &labels, counts(&labels));
        let objective = problem.objective(c);
        let number = |i: usize| f64::from((i as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) >> 8) / 8e6 - 1.0;
        let parameters: Vec<f64> = (0..problem.prior().len()).map(number).collect();
        let mut gradient = vec![0.0; parameters.len()];
        objective.gradient(&objective.state(&parameters), &parameters, &mut gradient);
        for i in 0..parameters.len() {
            let value = |change: f64| {
                let mut changed = parameters.clone();
                changed[i] += change;
                objective.state(&changed).value()
            };
            let slope = (value(1e-5) - value(-1e-5)) / 2e-5;
            prop_assert!((slope - gradient[i]).abs() < 1e-6, "parameter {}: {} is not {}", i, gradient[i], slope);
        }
    }

    #[test]
    fn the_line_is_the_objective_along_the_direction((texts, labels) in labelled_texts(), length in -2.0_f64..2.0) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let (matrix, _) = matrices(&texts, &[]);
        let problem = Problem::new(&matrix, &labels, counts(&labels));
        let objective = problem.objective(1.0);
        let parameters: Vec<f64> = (0..problem.prior().len()).map(|i| (i as f64).sin()).collect();
        let direction: Vec<f64> = (0..parameters.len()).map(|i| (i as f64).cos()).collect();
        let at = |length: f64| {
            let moved: Vec<f64> = parameters.iter().zip(&direction).map(|(p, d)| p + length * d).collect();
            objective.state(&moved).value()
        };
        let state = objective.state(&parameters);
        let mut line = objective.line(&state, &parameters, &direction, State::default());
        let point = line.at(length);
        prop_assert!((point.value - at(length)).abs() < 1e-9);
        prop_assert!((point.slope - (at(length + 1e-5) - at(length - 1e-5)) / 2e-5).abs() < 1e-6);
        prop_assert_eq!(line.into_trial().value(), point.value);
    }

    #[test]
    fn threads_do_not_matter((texts, labels) in labelled_texts()) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| solve(&matrices(&texts, &[]).0, &labels, 3.0).parameters)
        };
        prop_assert_eq!(on(1), on(3));
    }
}
