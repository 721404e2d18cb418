//! Model versions: a directory in the models container with the ONNX file, its card, and the evidence for it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Digest, Schema};

/// Which model: name, version, and the digest that pins it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ModelRef {
    /// The model's name.
    pub name: String,
    /// 1, 2, 3…
    pub version: u64,
    /// The digest of `model.onnx`.
    pub digest: Digest,
}

/// The file that answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFile {
    /// Its digest: the model's identity.
    pub digest: Digest,
    /// Its size in bytes.
    pub size_bytes: u64,
}

/// Which data a model was trained on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetRef {
    /// The dataset's name.
    pub dataset: String,
    /// The version.
    pub version: u64,
    /// The digest of the version's manifest.
    pub digest: Digest,
    /// Rows in it.
    pub rows: u64,
}

/// Which code trained a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeVersion {
    /// Sluice's version.
    pub version: String,
    /// The digest of the executable.
    pub digest: Digest,
    /// The git commit it was built from, when known.
    pub commit: Option<String>,
}

/// How a model was fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingSummary {
    /// The algorithm: `hashed-ngram-logistic-regression`.
    pub algorithm: String,
    /// Seed of everything random.
    pub seed: u64,
    /// The chosen hyper-parameters.
    pub parameters: BTreeMap<String, f64>,
    /// Every hyper-parameter value that was tried, with its score on the calibration rows.
    pub search: Vec<BTreeMap<String, f64>>,
    /// Rows that the weights were fitted on.
    pub rows: u64,
    /// How long fitting took, in seconds.
    pub seconds: f64,
}

/// The quality of confidence before and after calibration, on the frozen test rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationSummary {
    /// The method: `temperature`.
    pub method: String,
    /// Its parameters.
    pub parameters: BTreeMap<String, f64>,
    /// Mean squared error of the probabilities (Brier 1950, summed over classes) before calibration.
    pub brier_before: f64,
    /// The same after.
    pub brier_after: f64,
    /// Expected calibration error, 15 equal-width bins of the confidence, before calibration.
    pub ece_before: f64,
    /// The same after.
    pub ece_after: f64,
}

/// How good a model is on the frozen test rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluationSummary {
    /// Rows evaluated.
    pub rows: u64,
    /// `accuracy`, `macro_f1`, `log_loss`, `f1:{label}`…
    pub metrics: BTreeMap<String, f64>,
    /// The chosen metric for each slice that is large enough.
    pub slices: BTreeMap<String, f64>,
}

/// The verdict of the gate; the whole of it is in `evidence.json` beside the card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateSummary {
    /// Whether every rule held.
    pub passed: bool,
    /// The champion it was compared with, if there was one.
    pub champion: Option<ModelRef>,
    /// One sentence for each rule that failed: which, and by how much.
    pub failures: Vec<String>,
    /// The digest of `evidence.json`.
    pub evidence: Digest,
}

/// `{model}/{version}/model.json`: the model card. Written once, last: a model without a card does not exist.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// The model's name.
    pub name: String,
    /// The version.
    pub version: u64,
    /// When it was finished.
    pub created_at: Timestamp,
    /// The task: `text-classification`.
    pub task: String,
    /// The file that answers.
    pub file: ModelFile,
    /// The columns and labels it was trained for.
    pub schema: Schema,
    /// The data.
    pub dataset: DatasetRef,
    /// The code.
    pub code: CodeVersion,
    /// The version of ONNX Runtime that it was checked with.
    pub onnx_runtime: String,
    /// The training run.
    pub run: String,
    /// How it was fitted.
    pub training: TrainingSummary,
    /// Its confidence.
    pub calibration: CalibrationSummary,
    /// Its quality.
    pub evaluation: EvaluationSummary,
    /// The verdict of the gate.
    pub gate: GateSummary,
    /// The digest of `baseline.json`: what inputs and scores looked like on held-out rows, for the monitor.
    pub baseline: Digest,
}

impl ModelCard {
    /// The reference to this model.
    #[must_use]
    pub fn model_ref(&self) -> ModelRef {
        ModelRef {
            name: self.name.clone(),
            version: self.version,
            digest: self.file.digest,
        }
    }
}
