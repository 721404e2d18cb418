//! Whether a candidate may be put before a person: rules over measured facts, and the evidence for the verdict.
//!
//! The gate takes predictions, not models: the caller runs the exported files of candidate and champion over the same
//! frozen test rows, and measures latency and size.

mod behaviour;
mod bootstrap;
mod config;
mod rules;
mod slices;
#[cfg(test)]
mod tests;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sluice_registry::{CodeVersion, DatasetRef, ModelRef, Split, SplitCounts};

use crate::data::TrainingData;
use crate::evaluate::{Evaluation, check_shape};
use crate::evidence::Evidence;
use crate::fit::FittedModel;
use crate::predictions::Predictions;
use crate::progress::{Progress, Stage};
use crate::{Metric, TrainingError};

pub use behaviour::{BehaviourResult, Change, Predict};
pub use bootstrap::Comparison;
pub use config::{BehaviourRules, GateConfig, SliceRules};
pub(crate) use rules::percent;
pub use rules::{Limit, RuleResult};
pub use slices::SliceComparison;

/// Everything that the gate looks at.
#[derive(Clone)]
pub struct GateInputs<'a> {
    /// The rows that the candidate was fitted on, with the test rows that decide.
    pub data: &'a TrainingData,
    /// The label that F1 speaks of.
    pub positive_label: Option<&'a str>,
    /// What the trainer says about the candidate.
    pub fitted: &'a FittedModel,
    /// The candidate, as the exported file answers.
    pub candidate: Contender<'a>,
    /// The model that serves, as its file answers, if there is one.
    pub champion: Option<Contender<'a>>,
    /// How long the candidate takes for one text.
    pub latency: Latency,
    /// The size of the candidate's file in bytes.
    pub size_bytes: u64,
    /// Asks the candidate's file.
    pub predict: &'a Predict<'a>,
    /// Where all this comes from.
    pub provenance: Provenance,
}

impl fmt::Debug for GateInputs<'_> {
    /// Without the rows: their texts belong in no log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GateInputs")
            .field("candidate", &self.candidate.model)
            .field(
                "champion",
                &self.champion.as_ref().map(|champion| &champion.model),
            )
            .field("provenance", &self.provenance)
            .finish_non_exhaustive()
    }
}

/// A model and its answers for the test rows.
#[derive(Clone, Debug)]
pub struct Contender<'a> {
    /// Which model.
    pub model: ModelRef,
    /// The probabilities that its file gives for the test rows, in their order.
    pub predictions: &'a Predictions,
}

/// How long a model takes for one text, features included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// The median, in microseconds.
    pub p50_us: f64,
    /// The 99th percentile, in microseconds.
    pub p99_us: f64,
    /// Texts measured.
    pub samples: u64,
}

/// What the candidate was made from and with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The data.
    pub dataset: DatasetRef,
    /// The code.
    pub code: CodeVersion,
    /// The version of ONNX Runtime that answered.
    pub onnx_runtime: String,
    /// The training run.
    pub run: String,
    /// When the candidate was finished.
    pub created_at: Timestamp,
}

/// What answering with the label that is most frequent in training would be worth on the test rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MajorityBaseline {
    /// That label.
    pub label: String,
    /// Its value of the metric. For log loss the probabilities are the labels' shares in training.
    pub value: f64,
}

/// Whether the file says what the trainer says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parity {
    /// Test rows compared.
    pub rows: u64,
    /// The largest difference of a probability.
    pub max_difference: f64,
}

/// Judges a candidate. The verdict, and why, is the evidence; a candidate that fails is no error.
///
/// With a champion, the candidate must not be worse on the same test rows, on the whole and in each slice. Without one,
/// it must be better than always giving the most frequent label. Floors, limits, parity and behaviour hold always.
///
/// # Errors
/// When the configuration cannot be used, predictions do not fit the test rows, or the candidate cannot answer.
pub fn gate(
    config: &GateConfig,
    inputs: &GateInputs<'_>,
    progress: &dyn Progress,
) -> Result<Evidence, TrainingError> {
    let positive_label = check(config, inputs)?;
    let test = inputs.data.test();
    let evaluate = |predictions| Evaluation::new(inputs.data, test, predictions, positive_label);
    let evaluation = evaluate(inputs.candidate.predictions)?;
    let champion_evaluation = inputs
        .champion
        .as_ref()
        .map(|champion| evaluate(champion.predictions))
        .transpose()?;

    let resampling = bootstrap::Resampling {
        samples: config.bootstrap_samples,
        level: config.confidence_level,
        seed: inputs.fitted.summary.seed,
    };
    let slices_total = evaluation.slices.len() as u64 + 1;
    progress.update(Stage::Bootstrap, 0, slices_total);
    let comparison = inputs.champion.as_ref().map(|champion| {
        let rows = test
            .iter()
            .enumerate()
            .map(|(index, row)| (index, row.label));
        let (candidate, champion) = (inputs.candidate.predictions, champion.predictions);
        bootstrap::Paired::new(config.metric, positive_label, rows, candidate, champion)
            .compare(resampling)
    });
    let slices = slices::compare(
        config,
        positive_label,
        inputs,
        (&evaluation, champion_evaluation.as_ref()),
        resampling,
        progress,
    );
    let behaviour = behaviour::check(
        &config.behaviour,
        test,
        inputs.candidate.predictions,
        inputs.predict,
        progress,
    )?;
    let mut evidence = Evidence {
        format: 1,
        passed: false,
        candidate: inputs.candidate.model.clone(),
        champion: inputs
            .champion
            .as_ref()
            .map(|champion| champion.model.clone()),
        metric: config.metric.name(inputs.positive_label),
        rules: Vec::new(),
        comparison,
        baseline: majority_baseline(config.metric, inputs, positive_label)?,
        slices,
        behaviour,
        parity: parity(config, inputs),
        latency: inputs.latency,
        size_bytes: inputs.size_bytes,
        evaluation,
        champion_evaluation,
        calibration: inputs.fitted.calibration.clone(),
        training: inputs.fitted.summary.clone(),
        provenance: inputs.provenance.clone(),
        rows: SplitCounts {
            train: inputs.data.train().len() as u64,
            calibration: inputs.data.calibration().len() as u64,
            test: test.len() as u64,
        },
        config: config.clone(),
    };
    evidence.rules = rules::all(config, &evidence, positive_label);
    evidence.passed = evidence.rules.iter().all(|rule| rule.passed);
    Ok(evidence)
}

/// Checks what the caller brought; gives the index of the positive label.
fn check(config: &GateConfig, inputs: &GateInputs<'_>) -> Result<Option<u32>, TrainingError> {
    if let Err(problems) = config.validate()
        && let Some((key, expected)) = problems.into_iter().next()
    {
        return Err(TrainingError::InvalidConfig { key, expected });
    }
    let labels = inputs.data.labels();
    let index_of = |name: &str| {
        labels
            .iter()
            .position(|label| label == name)
            .map(|index| index as u32)
    };
    let positive_label = inputs.positive_label.and_then(index_of);
    if positive_label.is_none() && (config.metric == Metric::F1 || inputs.positive_label.is_some())
    {
        return Err(TrainingError::InvalidConfig {
            key: "positive_label".to_owned(),
            expected: format!(
                "expected one of {} for the metric f1, got {:?}",
                labels.join(", "),
                inputs.positive_label.unwrap_or_default()
            ),
        });
    }
    let rows = inputs.data.test().len();
    if rows == 0 {
        return Err(TrainingError::TooFewRows {
            split: Split::Test,
            rows,
            needed: 1,
        });
    }
    check_shape(
        "the trainer",
        &inputs.fitted.test_predictions,
        rows,
        labels.len(),
    )?;
    check_shape(
        "the candidate",
        inputs.candidate.predictions,
        rows,
        labels.len(),
    )?;
    if let Some(champion) = &inputs.champion {
        check_shape("the champion", champion.predictions, rows, labels.len())?;
    }
    Ok(positive_label)
}

fn majority_baseline(
    metric: Metric,
    inputs: &GateInputs<'_>,
    positive_label: Option<u32>,
) -> Result<MajorityBaseline, TrainingError> {
    let counts = inputs.data.class_counts(Split::Train);
    let rows: u64 = counts.iter().sum();
    let shares: Vec<f32> = counts
        .iter()
        .map(|&count| count as f32 / rows.max(1) as f32)
        .collect();
    let test = inputs.data.test();
    let always = Predictions::new("the majority", shares.len(), test.iter().map(|_| &shares))?;
    let value =
        Evaluation::new(inputs.data, test, &always, positive_label)?.metric(metric, positive_label);
    let label = crate::predictions::most_probable(&shares);
    Ok(MajorityBaseline {
        label: inputs.data.labels()[label as usize].clone(),
        value,
    })
}

fn parity(config: &GateConfig, inputs: &GateInputs<'_>) -> Parity {
    let file = inputs.candidate.predictions.rows().flatten();
    let trainer = inputs.fitted.test_predictions.rows().flatten();
    let rows = config.parity_rows.min(inputs.candidate.predictions.len());
    let numbers = rows * inputs.candidate.predictions.classes();
    let differences = file
        .zip(trainer)
        .take(numbers)
        .map(|(file, trainer)| f64::from((file - trainer).abs()));
    Parity {
        rows: rows as u64,
        max_difference: differences.fold(0.0, f64::max),
    }
}
