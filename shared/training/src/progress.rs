//! Telling the caller how far a long computation is, without knowing what a terminal is.

use std::fmt;

/// A step of training that takes long enough to be worth a progress bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Turning texts into hashed n-grams; counted in rows.
    Features,
    /// Fitting one model for each strength of regularisation; counted in models.
    Search,
    /// Fitting one model; counted in iterations, of which there can be fewer than the total.
    Fit,
    /// Asking a model for answers to changed texts; counted in kinds of change.
    Behaviour,
    /// Resampling the test rows; counted in samples.
    Bootstrap,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Features => "features",
            Self::Search => "search",
            Self::Fit => "fit",
            Self::Behaviour => "behaviour",
            Self::Bootstrap => "bootstrap",
        })
    }
}

/// Hears how far a computation is. Called from several threads at once.
pub trait Progress: Sync {
    /// `done` of `total` units of a stage are behind us. With several threads, calls can arrive out of order.
    fn update(&self, stage: Stage, done: u64, total: u64);
}

/// Does not listen.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn update(&self, _stage: Stage, _done: u64, _total: u64) {}
}
