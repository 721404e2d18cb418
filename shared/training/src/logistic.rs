//! Multinomial logistic regression on sparse rows, fitted by L-BFGS.
//!
//! The objective is scikit-learn's, divided by `C n`: the mean of `-ln p(true label)` plus `‖W‖² / (2 C n)`, with the
//! bias unpenalised. Two labels use one logit, the second label's against the first's, as scikit-learn does, so that `C`
//! means the same there and here.
//!
//! A step costs one pass over the features by row (the change of the logits) and one by column (the gradient); trying
//! several step lengths costs no further pass, because the logits are linear in the step.

mod objective;
#[cfg(test)]
mod tests;

use crate::TrainingError;
use crate::lbfgs::{self, History};
use crate::line_search::{Point, step_length};
use crate::progress::{Progress, Stage};

use objective::State;

pub(crate) use objective::{Problem, logits_for, loss_and_residuals};

/// Steps that L-BFGS remembers.
const MEMORY: usize = 6;

/// Steps after which the diagonal of the Hessian is computed anew: it shrinks as rows become certain.
const DIAGONAL_EVERY: usize = 5;

/// A gradient of this norm is 0: the mean of residuals below 1 cannot be known better.
const ROUNDING: f64 = 1e-13;

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopping {
    /// Steps at most.
    pub(crate) max_iterations: usize,
    /// The norm of the gradient, as a share of its norm for the model that knows only how frequent each label is.
    pub(crate) tolerance: f64,
}

/// A fitted model.
#[derive(Clone, Debug)]
pub(crate) struct Solution {
    /// `[width][logits]`, then the bias, `[logits]`.
    pub(crate) parameters: Vec<f64>,
    /// The objective.
    pub(crate) value: f64,
    /// Steps taken.
    pub(crate) iterations: usize,
    /// Whether the tolerance was reached.
    pub(crate) converged: bool,
}

/// Minimises the objective of `problem` with inverse penalty `c`, from `start` or from the prior.
///
/// # Errors
/// [`TrainingError::Diverged`] when the objective is no finite number.
pub(crate) fn fit(
    problem: &Problem,
    c: f64,
    start: Option<&[f64]>,
    stopping: Stopping,
    progress: &dyn Progress,
) -> Result<Solution, TrainingError> {
    let objective = problem.objective(c);
    let prior = problem.prior();
    let target = (stopping.tolerance * problem.gradient_norm_at_prior()).max(ROUNDING);

    let mut parameters = start.map_or(prior, <[f64]>::to_vec);
    let mut state = objective.state(&parameters);
    let mut trial = State::default();
    let mut gradient = vec![0.0; parameters.len()];
    let mut next_gradient = vec![0.0; parameters.len()];
    let mut direction = vec![0.0; parameters.len()];
    let mut inverse_diagonal = vec![0.0; parameters.len()];
    let mut history = History::new(MEMORY);
    objective.gradient(&state, &parameters, &mut gradient);
    objective.inverse_diagonal(&state, &mut inverse_diagonal);

    let mut iterations = 0;
    let mut converged = lbfgs::norm(&gradient) <= target;
    while !converged && iterations < stopping.max_iterations {
        history.direction(&gradient, &inverse_diagonal, &mut direction);
        let here = Point {
            value: state.value(),
            slope: lbfgs::dot(&gradient, &direction),
        };
        if !here.value.is_finite() || !here.slope.is_finite() {
            return Err(TrainingError::Diverged { c, iterations });
        }
        let mut line = objective.line(&state, &parameters, &direction, trial);
        let accepted = step_length(here, |length| line.at(length));
        trial = line.into_trial();
        let Some(length) = accepted else {
            if history.is_empty() {
                break;
            }
            history.clear();
            continue;
        };
        std::mem::swap(&mut state, &mut trial);
        lbfgs::add(&mut parameters, length, &direction);
        objective.gradient(&state, &parameters, &mut next_gradient);
        history.push(&direction, length, &gradient, &next_gradient);
        std::mem::swap(&mut gradient, &mut next_gradient);
        iterations += 1;
        converged = lbfgs::norm(&gradient) <= target;
        if iterations.is_multiple_of(DIAGONAL_EVERY) {
            objective.inverse_diagonal(&state, &mut inverse_diagonal);
        }
        progress.update(
            Stage::Fit,
            iterations as u64,
            stopping.max_iterations as u64,
        );
    }
    Ok(Solution {
        value: state.value(),
        parameters,
        iterations,
        converged,
    })
}
