//! What predict needs online: the current release, the model behind it, the prediction log, feedback.
//!
//! Knows nothing of HTTP and nothing of training.

mod append_log;
mod config;
mod counters;
mod error;
mod feedback;
mod loaded;
mod prediction;
mod predictor;

pub use append_log::{AppendLog, BatchOptions, LogFull};
pub use config::{LogInputs, PredictConfig};
pub use error::ServingError;
pub use feedback::Feedback;
pub use prediction::Prediction;
pub use predictor::{Predictor, RuntimeLoader};
