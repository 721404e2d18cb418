//! What can go wrong, named for what the caller can do about it.

use sluice_registry::Split;

use crate::progress::Stage;

/// Why a model could not be fitted or judged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// A side of the split has too few rows.
    #[error(
        "the {} side of the dataset has {rows} rows and training needs {needed}; upload more labelled rows, or give that \
         side a larger share in data.split",
        side(*split)
    )]
    TooFewRows {
        /// The side.
        split: Split,
        /// Rows there.
        rows: usize,
        /// Rows needed.
        needed: usize,
    },
    /// All training rows have one label: there is nothing to tell apart.
    #[error(
        "all {rows} training rows have the label {label:?}; upload rows of at least one other label"
    )]
    OneClass {
        /// The label that all rows have.
        label: String,
        /// Training rows.
        rows: usize,
    },
    /// A row's label is not an index into the labels.
    #[error("a row has the label number {label} and there are {labels} labels; number them from 0")]
    UnknownLabel {
        /// The label's number.
        label: u32,
        /// Labels there are.
        labels: usize,
    },
    /// The configuration has a value that cannot be used.
    #[error("{key}: {expected}")]
    InvalidConfig {
        /// The key, as in `sluice.toml`, without its section.
        key: String,
        /// What is expected there.
        expected: String,
    },
    /// The objective is no finite number any more.
    #[error(
        "fitting with regularisation {c} diverged after {iterations} iterations; take smaller values of regularisation"
    )]
    Diverged {
        /// The inverse penalty.
        c: f64,
        /// Iterations before.
        iterations: usize,
    },
    /// Probabilities do not have the shape that they should have, or are not probabilities.
    #[error(
        "the probabilities of {what} cannot be used: {problem}; check that the model belongs to this task"
    )]
    UnusablePredictions {
        /// Whose.
        what: String,
        /// What is wrong with them.
        problem: String,
    },
    /// The model could not answer during a check.
    #[error("the candidate could not answer during the {stage} check: {source}")]
    Predict {
        /// The check.
        stage: Stage,
        /// What the model said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The threads for training could not be started.
    #[error(
        "the threads for training could not be started; set training.threads to a smaller number"
    )]
    Threads(#[source] rayon::ThreadPoolBuildError),
}

fn side(split: Split) -> &'static str {
    match split {
        Split::Train => "train",
        Split::Calibration => "calibration",
        Split::Test => "test",
    }
}
