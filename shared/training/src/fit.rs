//! From rows to a fitted, calibrated model.

mod classes;
mod search;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Instant;

use sluice_registry::{Split, TrainingSummary};

use crate::calibrate::Calibration;
use crate::data::{Row, TrainingData};
use crate::evaluate::Confidence;
use crate::logistic::Problem;
use crate::predictions::Predictions;
use crate::progress::Progress;
use crate::sparse::{SeenColumns, SparseMatrix};
use crate::{LinearTextModel, TrainingConfig, TrainingError};

use classes::SeenClasses;
use search::{Best, search};

/// The name of the algorithm in model cards.
const ALGORITHM: &str = "hashed-ngram-logistic-regression";

/// A fitted model, and what the trainer itself says with it.
#[derive(Clone, Debug)]
pub struct FittedModel {
    /// What is exported.
    pub model: LinearTextModel,
    /// The calibrated probabilities of the test rows, computed by the trainer with 64-bit weights: what the exported
    /// file must reproduce.
    pub test_predictions: Predictions,
    /// The confidence on the test rows, before and after calibration.
    pub calibration: Calibration,
    /// How it was fitted: for the model card.
    pub summary: TrainingSummary,
}

/// Fits a model on the training rows, chooses the regularisation and the temperature on the calibration rows, and
/// answers for the test rows. The same data and configuration give the same model, whatever the number of threads.
///
/// A label without a training row keeps a constant small score: its probability is about one over the number of
/// training rows at most.
///
/// # Errors
/// When the configuration cannot be used, a side of the split has too few rows, all training rows have one label, or no
/// strength of regularisation gives finite weights.
pub fn fit(
    data: &TrainingData,
    config: &TrainingConfig,
    progress: &dyn Progress,
) -> Result<FittedModel, TrainingError> {
    check(data, config)?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(config.threads)
        .thread_name(|index| format!("training-{index}"))
        .build()
        .map_err(TrainingError::Threads)?;
    pool.install(|| fit_on_this_pool(data, config, progress))
}

fn check(data: &TrainingData, config: &TrainingConfig) -> Result<(), TrainingError> {
    if let Err(problems) = config.validate()
        && let Some((key, expected)) = problems.into_iter().next()
    {
        return Err(TrainingError::InvalidConfig { key, expected });
    }
    for (split, needed) in [
        (Split::Train, config.min_train_rows),
        (Split::Calibration, config.min_calibration_rows),
        (Split::Test, 1),
    ] {
        let rows = data.rows(split).len();
        if rows < needed {
            return Err(TrainingError::TooFewRows {
                split,
                rows,
                needed,
            });
        }
    }
    Ok(())
}

fn fit_on_this_pool(
    data: &TrainingData,
    config: &TrainingConfig,
    progress: &dyn Progress,
) -> Result<FittedModel, TrainingError> {
    let started = Instant::now();
    let classes = SeenClasses::new(data)?;
    let train = SparseMatrix::vectorise(data.train(), &config.features, progress);
    let columns = SeenColumns::of(&train);
    let train = train.compact(&columns);
    let labels = classes.compact(data.train());
    let problem = Problem::new(&train, &labels, classes.counts());

    let features_of =
        |rows: &[Row]| SparseMatrix::vectorise(rows, &config.features, progress).compact(&columns);
    let calibration = features_of(data.calibration());
    let (best, tried) = search(
        &problem,
        &classes,
        &calibration,
        data.calibration(),
        config,
        progress,
    )?;
    drop(calibration);
    let model = classes.model(&best, &columns, data, config);
    let seconds = started.elapsed().as_secs_f64();

    let test = features_of(data.test());
    let logits = classes.logits(&test, &best.parameters);
    let before = Predictions::of_logits(&logits, data.labels().len(), 1.0);
    let after = Predictions::of_logits(&logits, data.labels().len(), best.temperature);
    let truth = || data.test().iter().map(|row| row.label);
    Ok(FittedModel {
        model,
        calibration: Calibration {
            temperature: best.temperature,
            before: Confidence::new(truth(), &before),
            after: Confidence::new(truth(), &after),
        },
        test_predictions: after,
        summary: TrainingSummary {
            algorithm: ALGORITHM.to_owned(),
            seed: config.seed,
            parameters: parameters(config, &best, columns.hashed().len()),
            search: tried,
            rows: data.train().len() as u64,
            seconds,
        },
    })
}

fn parameters(config: &TrainingConfig, best: &Best, columns: usize) -> BTreeMap<String, f64> {
    let features = &config.features;
    BTreeMap::from([
        ("bits".to_owned(), f64::from(features.bits)),
        ("max_ngram".to_owned(), f64::from(features.max_ngram)),
        (
            "lowercase".to_owned(),
            f64::from(u8::from(features.lowercase)),
        ),
        ("regularisation".to_owned(), best.regularisation),
        ("tolerance".to_owned(), config.tolerance),
        ("temperature".to_owned(), best.temperature),
        ("columns".to_owned(), columns as f64),
    ])
}
