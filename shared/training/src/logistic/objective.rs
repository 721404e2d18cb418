//! The objective, its gradient, its diagonal curvature, and its course along a line.

use rayon::prelude::*;

use crate::lbfgs;
use crate::line_search::Point;
use crate::sparse::{SparseMatrix, Transposed};

/// Rows whose losses one thread sums. Fixed, so that sums do not depend on the number of threads.
const ROWS_AT_A_TIME: usize = 1024;

/// Labelled rows.
#[derive(Debug)]
pub(crate) struct Problem<'a> {
    matrix: &'a SparseMatrix,
    by_column: Transposed,
    labels: &'a [u32],
    class_counts: Vec<u64>,
    gradient_norm_at_prior: f64,
}

impl<'a> Problem<'a> {
    /// Rows and their labels, numbered `0..class_counts.len()`. Each of the two or more labels has a row.
    pub(crate) fn new(matrix: &'a SparseMatrix, labels: &'a [u32], class_counts: Vec<u64>) -> Self {
        let by_column = matrix.transpose();
        let mut problem = Self {
            matrix,
            by_column,
            labels,
            class_counts,
            gradient_norm_at_prior: 0.0,
        };
        let prior = problem.prior();
        let mut gradient = vec![0.0; prior.len()];
        // Without weights there is no penalty: any C will do.
        let objective = problem.objective(1.0);
        let state = objective.state(&prior);
        objective.gradient(&state, &prior, &mut gradient);
        problem.gradient_norm_at_prior = lbfgs::norm(&gradient);
        problem
    }

    /// Logits of a row: 1 for two labels, else one for each label.
    pub(crate) fn logits(&self) -> usize {
        logits_for(self.class_counts.len())
    }

    fn weights(&self) -> usize {
        self.matrix.width() * self.logits()
    }

    fn multiply(&self, parameters: &[f64]) -> Vec<f64> {
        self.matrix.multiply(parameters, self.logits())
    }

    /// The best parameters without weights: the bias says how frequent each label is.
    pub(crate) fn prior(&self) -> Vec<f64> {
        let mut parameters = vec![0.0; self.weights() + self.logits()];
        let (_, bias) = parameters.split_at_mut(self.matrix.width() * self.logits());
        let counts = &self.class_counts;
        match bias {
            [bias] => *bias = (counts[1] as f64 / counts[0] as f64).ln(),
            bias => {
                let rows = self.matrix.rows() as f64;
                for (bias, &count) in bias.iter_mut().zip(counts) {
                    *bias = (count as f64 / rows).ln();
                }
            }
        }
        parameters
    }

    /// The norm of the gradient at [`Problem::prior`]; the penalty does not matter there.
    pub(crate) fn gradient_norm_at_prior(&self) -> f64 {
        self.gradient_norm_at_prior
    }

    /// The objective for one inverse penalty.
    pub(crate) fn objective(&self, c: f64) -> Objective<'_> {
        Objective {
            problem: self,
            penalty: 1.0 / (c * self.matrix.rows() as f64),
        }
    }
}

/// Logits that a model of so many labels has: two labels need one, the second's against the first's.
pub(crate) fn logits_for(classes: usize) -> usize {
    if classes == 2 { 1 } else { classes }
}

/// The mean log loss plus `penalty / 2` times the squared weights.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Objective<'a> {
    problem: &'a Problem<'a>,
    penalty: f64,
}

/// What the model says at one place of the minimisation.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// `[rows][logits]`.
    logits: Vec<f64>,
    /// Probabilities minus truth, `[rows][logits]`.
    residuals: Vec<f64>,
    value: f64,
}

impl State {
    /// The objective.
    pub(crate) fn value(&self) -> f64 {
        self.value
    }
}

impl Objective<'_> {
    /// Passes over the features by row: everything at `parameters`.
    pub(crate) fn state(&self, parameters: &[f64]) -> State {
        let (weights, _) = parameters.split_at(self.problem.weights());
        let zeros = State {
            logits: vec![0.0; self.problem.matrix.rows() * self.problem.logits()],
            ..State::default()
        };
        let mut line = Line {
            objective: self,
            start: &zeros.logits,
            change: self.problem.multiply(parameters),
            squares: [0.0, 0.0, lbfgs::dot(weights, weights)],
            trial: State::default(),
        };
        line.at(1.0);
        line.into_trial()
    }

    /// Passes over the features by column: the gradient at `parameters`, whose state is `state`.
    pub(crate) fn gradient(&self, state: &State, parameters: &[f64], gradient: &mut [f64]) {
        let width = self.problem.logits();
        let rows = self.problem.matrix.rows() as f64;
        let (gradient, of_bias) = gradient.split_at_mut(self.problem.weights());
        let residuals = &state.residuals;
        self.problem
            .by_column
            .for_each_column(width, gradient, |rows_of, values, column, out| {
                sum_column(rows_of, values, residuals, out);
                let weights = &parameters[column * width..][..width];
                for (out, weight) in out.iter_mut().zip(weights) {
                    *out = *out / rows + self.penalty * weight;
                }
            });
        self.sum_rows(residuals, of_bias);
    }

    /// The inverse of the Hessian's diagonal.
    pub(crate) fn inverse_diagonal(&self, state: &State, inverse: &mut [f64]) {
        let width = self.problem.logits();
        let rows = self.problem.matrix.rows() as f64;
        let mut curvatures = vec![0.0; state.residuals.len()];
        curvatures
            .par_chunks_mut(ROWS_AT_A_TIME * width)
            .zip(state.residuals.par_chunks(ROWS_AT_A_TIME * width))
            .for_each(|(curvatures, residuals)| {
                for (curvature, residual) in curvatures.iter_mut().zip(residuals) {
                    // The residual is p or p - 1: both have the same |r|(1 - |r|) = p(1 - p).
                    *curvature = residual.abs() * (1.0 - residual.abs());
                }
            });
        let (of_weights, of_bias) = inverse.split_at_mut(self.problem.weights());
        self.problem
            .by_column
            .for_each_column(width, of_weights, |rows_of, values, _, out| {
                out.fill(0.0);
                for (&row, &value) in rows_of.iter().zip(values) {
                    let squared = f64::from(value) * f64::from(value);
                    let curvatures = &curvatures[row as usize * width..][..width];
                    for (out, curvature) in out.iter_mut().zip(curvatures) {
                        *out += squared * curvature;
                    }
                }
                for out in out {
                    *out = 1.0 / (*out / rows + self.penalty);
                }
            });
        self.sum_rows(&curvatures, of_bias);
        for bias in of_bias {
            *bias = 1.0 / bias.max(self.penalty);
        }
    }

    /// The mean over the rows of a `[rows][logits]` array.
    fn sum_rows(&self, values: &[f64], means: &mut [f64]) {
        let width = means.len();
        let pieces: Vec<Vec<f64>> = values
            .par_chunks(ROWS_AT_A_TIME * width)
            .map(|values| {
                let mut sums = vec![0.0; width];
                for values in values.chunks_exact(width) {
                    for (sum, value) in sums.iter_mut().zip(values) {
                        *sum += value;
                    }
                }
                sums
            })
            .collect();
        let rows = self.problem.matrix.rows() as f64;
        for (logit, mean) in means.iter_mut().enumerate() {
            *mean = pieces.iter().map(|piece| piece[logit]).sum::<f64>() / rows;
        }
    }

    /// Passes over the features by row: the objective along `direction` from `parameters`, whose state is `state`.
    /// `trial` is memory to reuse.
    pub(crate) fn line<'s>(
        &'s self,
        state: &'s State,
        parameters: &[f64],
        direction: &[f64],
        trial: State,
    ) -> Line<'s> {
        let weights = &parameters[..self.problem.weights()];
        let change = &direction[..self.problem.weights()];
        Line {
            objective: self,
            start: &state.logits,
            change: self.problem.multiply(direction),
            squares: [
                lbfgs::dot(weights, weights),
                lbfgs::dot(weights, change),
                lbfgs::dot(change, change),
            ],
            trial,
        }
    }
}

/// The objective along a direction.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    objective: &'a Objective<'a>,
    start: &'a [f64],
    /// How the logits change for a step of length 1.
    change: Vec<f64>,
    /// `w·w`, `w·d`, `d·d`.
    squares: [f64; 3],
    /// The state at the last length that was asked for.
    trial: State,
}

impl Line<'_> {
    /// Value and slope after a step of `length`.
    pub(crate) fn at(&mut self, length: f64) -> Point {
        let problem = self.objective.problem;
        let (rows, width) = (problem.matrix.rows(), problem.logits());
        self.trial.logits.resize(rows * width, 0.0);
        self.trial.residuals.resize(rows * width, 0.0);
        let chunk = ROWS_AT_A_TIME * width;
        let start = self.start.par_chunks(chunk);
        let change = self.change.par_chunks(chunk);
        let logits = self.trial.logits.par_chunks_mut(chunk);
        let residuals = self.trial.residuals.par_chunks_mut(chunk);
        let labels = problem.labels.par_chunks(ROWS_AT_A_TIME);
        let pieces: Vec<(f64, f64)> = (start.zip(change), logits.zip(residuals), labels)
            .into_par_iter()
            .map(|((start, change), (logits, residuals), labels)| {
                for (logit, (start, change)) in logits.iter_mut().zip(start.iter().zip(change)) {
                    *logit = start + length * change;
                }
                let value: f64 = logits
                    .chunks_exact(width)
                    .zip(residuals.chunks_exact_mut(width))
                    .zip(labels)
                    .map(|((logits, residuals), &label)| {
                        loss_and_residuals(logits, label as usize, residuals)
                    })
                    .sum();
                let slope: f64 = residuals.iter().zip(change).map(|(r, c)| r * c).sum();
                (value, slope)
            })
            .collect();
        let (value, slope) = pieces
            .iter()
            .fold((0.0, 0.0), |sum, piece| (sum.0 + piece.0, sum.1 + piece.1));
        let penalty = self.objective.penalty;
        let [ww, wd, dd] = self.squares;
        let squared_weights = ww + length * (2.0 * wd + length * dd);
        self.trial.value = value / rows as f64 + 0.5 * penalty * squared_weights;
        Point {
            value: self.trial.value,
            slope: slope / rows as f64 + penalty * (wd + length * dd),
        }
    }

    /// The state at the last length that was asked for.
    pub(crate) fn into_trial(self) -> State {
        self.trial
    }
}

/// `-ln p(label)` of a row; writes probabilities minus truth.
pub(crate) fn loss_and_residuals(logits: &[f64], label: usize, residuals: &mut [f64]) -> f64 {
    if let ([logit], [residual]) = (logits, &mut *residuals) {
        // One exponential serves both: e = exp(-|z|), ln(1 + exp(z)) = max(z, 0) + ln(1 + e).
        let e = (-logit.abs()).exp();
        let probability = if *logit >= 0.0 {
            1.0 / (1.0 + e)
        } else {
            e / (1.0 + e)
        };
        let truth = label as f64;
        *residual = probability - truth;
        return logit.max(0.0) + (1.0 + e).ln() - truth * logit;
    }
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for (residual, logit) in residuals.iter_mut().zip(logits) {
        *residual = (logit - largest).exp();
        sum += *residual;
    }
    for residual in residuals.iter_mut() {
        *residual /= sum;
    }
    residuals[label] -= 1.0;
    sum.ln() + largest - logits[label]
}

/// `out = Σ value * residuals[row]` over the entries of a column.
fn sum_column(rows: &[u32], values: &[f32], residuals: &[f64], out: &mut [f64]) {
    let entries = rows.iter().zip(values);
    if let [out] = out {
        *out = entries
            .map(|(&row, &value)| f64::from(value) * residuals[row as usize])
            .sum();
        return;
    }
    out.fill(0.0);
    let width = out.len();
    for (&row, &value) in entries {
        let residuals = &residuals[row as usize * width..][..width];
        for (out, residual) in out.iter_mut().zip(residuals) {
            *out += f64::from(value) * residual;
        }
    }
}
