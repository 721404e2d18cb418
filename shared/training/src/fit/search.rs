//! Choosing the strength of the regularisation.

use std::collections::BTreeMap;
use std::time::Instant;

use super::classes::SeenClasses;
use crate::calibrate::{best_temperature, log_loss};
use crate::data::Row;
use crate::logistic::{self, Problem, Stopping};
use crate::progress::{Progress, Stage};
use crate::sparse::SparseMatrix;
use crate::{TrainingConfig, TrainingError};

/// The search ends after so many strengths in a row that are worse than the best: the loss has one valley.
const PATIENCE: usize = 2;

/// The best model of the search.
#[derive(Debug)]
pub(super) struct Best {
    /// The inverse penalty.
    pub(super) regularisation: f64,
    /// The regression's parameters.
    pub(super) parameters: Vec<f64>,
    /// The temperature that fits them.
    pub(super) temperature: f64,
    log_loss: f64,
}

/// What became of each value that was tried, for the model card.
pub(super) type Tried = Vec<BTreeMap<String, f64>>;

/// Fits one model for each inverse penalty, from the strongest penalty to the weakest, each from where the last one
/// ended, and keeps the one with the least log loss on the calibration rows, each with its own best temperature: the
/// temperature is part of what will serve, so a strong penalty must not win only because it is less sure of itself.
pub(super) fn search(
    problem: &Problem<'_>,
    classes: &SeenClasses,
    calibration: &SparseMatrix,
    rows: &[Row],
    config: &TrainingConfig,
    progress: &dyn Progress,
) -> Result<(Best, Tried), TrainingError> {
    let labels: Vec<u32> = rows.iter().map(|row| row.label).collect();
    let stopping = Stopping {
        max_iterations: config.max_iterations,
        tolerance: config.tolerance,
    };
    let total = config.regularisation.len() as u64;
    let mut tried = Tried::new();
    let mut best: Option<Best> = None;
    let mut last: Option<Vec<f64>> = None;
    let mut worse = 0;
    let mut outcome = Ok(());
    for &c in &config.regularisation {
        progress.update(Stage::Search, tried.len() as u64, total);
        let started = Instant::now();
        let solution = match logistic::fit(problem, c, last.as_deref(), stopping, progress) {
            Ok(solution) => solution,
            // Weaker penalties can only be worse; a model that was found before is still good.
            Err(error) => {
                outcome = Err(error);
                break;
            }
        };
        if !solution.converged {
            tracing::warn!(
                regularisation = c,
                iterations = solution.iterations,
                "fitting stopped before the tolerance was reached; raise training.max_iterations"
            );
        }
        let logits = classes.logits(calibration, &solution.parameters);
        let width = logits.len() / labels.len();
        let temperature = best_temperature(&logits, width, &labels);
        let loss = log_loss(&logits, width, &labels, 1.0 / temperature);
        tried.push(BTreeMap::from([
            ("regularisation".to_owned(), c),
            ("log_loss".to_owned(), loss),
            ("temperature".to_owned(), temperature),
            ("objective".to_owned(), solution.value),
            ("iterations".to_owned(), solution.iterations as f64),
            (
                "converged".to_owned(),
                f64::from(u8::from(solution.converged)),
            ),
            ("seconds".to_owned(), started.elapsed().as_secs_f64()),
        ]));
        if best.as_ref().is_none_or(|best| loss < best.log_loss) {
            worse = 0;
            best = Some(Best {
                regularisation: c,
                parameters: solution.parameters.clone(),
                temperature,
                log_loss: loss,
            });
        } else {
            worse += 1;
            if worse == PATIENCE {
                break;
            }
        }
        last = Some(solution.parameters);
    }
    progress.update(Stage::Search, total, total);
    match (best, outcome) {
        (Some(best), _) => Ok((best, tried)),
        (None, Err(error)) => Err(error),
        (None, Ok(())) => Err(TrainingError::InvalidConfig {
            key: "regularisation".to_owned(),
            expected: "expected one number or more".to_owned(),
        }),
    }
}
