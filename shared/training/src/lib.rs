//! Fits, calibrates, evaluates and gates a model, and writes it as ONNX.
//!
//! No IO and no async: the caller brings rows and takes results.

mod calibrate;
mod config;
mod data;
mod error;
mod evaluate;
mod evidence;
mod fit;
mod gate;
mod lbfgs;
mod line_search;
mod logistic;
mod metric;
mod onnx;
mod predictions;
mod progress;
mod sparse;

pub use calibrate::Calibration;
pub use config::TrainingConfig;
pub use data::{Row, TrainingData};
pub use error::TrainingError;
pub use evaluate::{Confidence, Evaluation, LabelEvaluation, ReliabilityBin, SliceEvaluation};
pub use evidence::Evidence;
pub use fit::{FittedModel, fit};
pub use gate::{
    BehaviourResult, BehaviourRules, Change, Comparison, Contender, GateConfig, GateInputs,
    Latency, Limit, MajorityBaseline, Parity, Predict, Provenance, RuleResult, SliceComparison,
    SliceRules, gate,
};
pub use metric::Metric;
pub use onnx::{LinearTextModel, OnnxError, to_onnx};
pub use predictions::Predictions;
pub use progress::{NoProgress, Progress, Stage};
