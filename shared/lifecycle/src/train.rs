//! `train_run`: what the training job does. Reads the data and the champion, fits, judges, writes the model.
//!
//! It writes only to the models and runs containers, and its last write is the run's result: a job that was stopped
//! anywhere before can be started again and does the same.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use sluice_dataset::{PartReader, split_of};
use sluice_inference::{Runtime, Scores, SessionOptions, TextClassifier};
use sluice_monitoring::{Baseline, JoinedOutcome, Observation, Outcomes, Profile, text_features};
use sluice_registry::{
    CodeVersion, DatasetVersion, Digest, ModelArtifact, ModelCard, ModelFile, ModelRef, Run,
};
use sluice_training::{
    Contender, Evidence, FittedModel, GateInputs, Latency, Predictions, Progress, Provenance,
    TrainingData, fit, gate, to_onnx,
};

use crate::{JobResult, Lifecycle, LifecycleError};

/// Single predictions whose time is measured.
const LATENCY_SAMPLES: usize = 1_000;

/// Everything that the job needs beside the run.
#[derive(Clone)]
pub struct TrainingJob {
    /// ONNX Runtime.
    pub runtime: Runtime,
    /// The code that runs.
    pub code: CodeVersion,
    /// Hears how far it is.
    pub progress: Arc<dyn Progress + Send + Sync>,
}

impl std::fmt::Debug for TrainingJob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrainingJob")
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}

/// A candidate in memory, judged.
struct Candidate {
    onnx: Bytes,
    fitted: FittedModel,
    evidence: Evidence,
    baseline: Baseline,
}

impl Lifecycle {
    /// Carries out a recorded run and writes its result, also when it fails.
    ///
    /// # Errors
    /// The run is unknown, or not even the result could be written. A failed training is a result, not an error.
    pub async fn train_run(
        &self,
        id: &str,
        job: &TrainingJob,
    ) -> Result<JobResult, LifecycleError> {
        let run = self.run(id).await?;
        let result = match self.train_and_register(&run, job).await {
            Ok(card) => JobResult::Succeeded {
                model_version: card.version,
            },
            Err(error) => JobResult::Failed {
                reason: reason(&error),
            },
        };
        self.write_result(&run, &result).await?;
        Ok(result)
    }

    pub(crate) async fn run(&self, id: &str) -> Result<Run, LifecycleError> {
        let found = self.registry.runs().get(id).await?;
        Ok(found
            .ok_or_else(|| LifecycleError::Trainer {
                reason: format!("there is no run {id}"),
            })?
            .0)
    }

    async fn train_and_register(
        &self,
        run: &Run,
        job: &TrainingJob,
    ) -> Result<ModelCard, LifecycleError> {
        let (version, digest) = self
            .registry
            .datasets()
            .version(&run.dataset.dataset, run.dataset.version)
            .await?;
        if digest != run.dataset.digest {
            let reason = format!(
                "dataset version {} has digest {digest}, the run names {}",
                version.version, run.dataset.digest
            );
            return Err(LifecycleError::Trainer { reason });
        }
        let data = self.training_data(&version).await?;
        let champion = match &run.champion {
            None => None,
            Some(champion) => Some((
                champion.clone(),
                self.registry.models().model_bytes(champion).await?,
            )),
        };
        let (lifecycle, run_copy, job_copy) = (self.clone(), run.clone(), job.clone());
        let candidate = self
            .blocking(move || lifecycle.make_candidate(&run_copy, &job_copy, &data, champion))
            .await?;
        self.register(run, job, candidate).await
    }

    /// The rows of a dataset version, each on its side of the split.
    ///
    /// # Errors
    /// A part is missing or damaged.
    pub async fn training_data(
        &self,
        version: &DatasetVersion,
    ) -> Result<TrainingData, LifecycleError> {
        let mut data = TrainingData::new(version.schema.label_names());
        for part in &version.parts {
            let bytes = self
                .registry
                .datasets()
                .part(&version.dataset, part.digest)
                .await?;
            let (schema, split) = (version.schema.clone(), version.split.clone());
            data = self
                .blocking(move || {
                    for row in PartReader::open(bytes, &schema)? {
                        let row = row?;
                        data.push(
                            split_of(row.content_hash, &split),
                            row.row.text,
                            row.row.label,
                            row.row.slice.as_deref(),
                        )?;
                    }
                    Ok(data)
                })
                .await?;
        }
        Ok(data)
    }

    fn make_candidate(
        &self,
        run: &Run,
        job: &TrainingJob,
        data: &TrainingData,
        champion: Option<(ModelRef, Bytes)>,
    ) -> Result<Candidate, LifecycleError> {
        let progress: &dyn Progress = &*job.progress;
        let fitted = fit(data, &self.config.training, progress)?;
        let onnx = Bytes::from(to_onnx(&fitted.model)?);
        let classifier = TextClassifier::load(&job.runtime, &onnx, SessionOptions::default())?;
        let texts: Vec<&str> = data.test().iter().map(|row| &*row.text).collect();
        let scores = classifier.predict(&texts)?;
        let classes = data.labels().len();
        let predictions = Predictions::new(
            "the candidate",
            classes,
            scores.iter().map(|scores| &scores.probabilities),
        )?;
        let champion = match champion {
            None => None,
            Some((model, bytes)) => Some((
                model,
                champion_predictions(&job.runtime, &bytes, data, &texts)?,
            )),
        };
        let predict =
            |texts: &[&str]| -> Result<Vec<Vec<f32>>, Box<dyn std::error::Error + Send + Sync>> {
                Ok(classifier
                    .predict(texts)?
                    .into_iter()
                    .map(|scores| scores.probabilities)
                    .collect())
            };
        let inputs = GateInputs {
            data,
            positive_label: self.config.schema.positive_label.as_deref(),
            fitted: &fitted,
            candidate: Contender {
                model: ModelRef {
                    name: run.model.clone(),
                    version: run.model_version,
                    digest: Digest::of(&onnx),
                },
                predictions: &predictions,
            },
            champion: champion.as_ref().map(|(model, predictions)| Contender {
                model: model.clone(),
                predictions,
            }),
            latency: measure_latency(&classifier, &texts)?,
            size_bytes: onnx.len() as u64,
            predict: &predict,
            provenance: Provenance {
                dataset: run.dataset.clone(),
                code: job.code.clone(),
                onnx_runtime: job.runtime.version().to_owned(),
                run: run.id.clone(),
                created_at: self.clock.now(),
            },
        };
        let evidence = gate(&self.config.gate, &inputs, progress)?;
        let baseline = baseline(data, &scores);
        Ok(Candidate {
            onnx,
            fitted,
            evidence,
            baseline,
        })
    }

    /// Stores the files, then the card: a model without a card does not exist.
    async fn register(
        &self,
        run: &Run,
        job: &TrainingJob,
        candidate: Candidate,
    ) -> Result<ModelCard, LifecycleError> {
        let models = self.registry.models();
        let put = |artifact, bytes: Bytes| {
            models.put_artifact(&run.model, run.model_version, artifact, bytes)
        };
        let evidence =
            serde_json::to_vec_pretty(&candidate.evidence).map_err(LifecycleError::encode)?;
        let baseline = serde_json::to_vec(&candidate.baseline).map_err(LifecycleError::encode)?;
        let size_bytes = candidate.onnx.len() as u64;
        let file = ModelFile {
            digest: put(ModelArtifact::Model, candidate.onnx).await?,
            size_bytes,
        };
        let evidence_digest = put(ModelArtifact::Evidence, evidence.into()).await?;
        put(
            ModelArtifact::EvidencePage,
            candidate.evidence.to_markdown().into(),
        )
        .await?;
        let baseline = put(ModelArtifact::Baseline, baseline.into()).await?;
        let gate = &self.config.gate;
        let card = ModelCard {
            name: run.model.clone(),
            version: run.model_version,
            created_at: candidate.evidence.provenance.created_at,
            task: "text-classification".to_owned(),
            file,
            schema: self.config.schema.clone(),
            dataset: run.dataset.clone(),
            code: job.code.clone(),
            onnx_runtime: job.runtime.version().to_owned(),
            run: run.id.clone(),
            training: candidate.fitted.summary,
            calibration: candidate.fitted.calibration.summary(),
            evaluation: candidate
                .evidence
                .evaluation
                .summary(gate.metric, gate.slices.min_rows),
            gate: candidate.evidence.summary(evidence_digest),
            baseline,
        };
        Ok(models.register(card).await?)
    }
}

/// The champion's answers, its labels brought into the order of the data's.
fn champion_predictions(
    runtime: &Runtime,
    bytes: &[u8],
    data: &TrainingData,
    texts: &[&str],
) -> Result<Predictions, LifecycleError> {
    let champion = TextClassifier::load(runtime, bytes, SessionOptions::default())?;
    let places: HashMap<&str, usize> = champion
        .labels()
        .iter()
        .enumerate()
        .map(|(place, label)| (label.as_str(), place))
        .collect();
    let order: Vec<Option<usize>> = data
        .labels()
        .iter()
        .map(|label| places.get(label.as_str()).copied())
        .collect();
    let scores = champion.predict(texts)?;
    let rows = scores.iter().map(|scores| {
        order
            .iter()
            .map(|place| place.map_or(0.0, |place| scores.probabilities[place]))
            .collect::<Vec<f32>>()
    });
    Ok(Predictions::new("the champion", data.labels().len(), rows)?)
}

/// Times single predictions, after a first one that warms up.
fn measure_latency(classifier: &TextClassifier, texts: &[&str]) -> Result<Latency, LifecycleError> {
    let mut times = Vec::with_capacity(LATENCY_SAMPLES);
    for text in texts
        .iter()
        .cycle()
        .take(LATENCY_SAMPLES.min(texts.len() * 10) + 1)
    {
        let begun = Instant::now();
        classifier.predict(&[text])?;
        times.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    let mut times = times.split_off(1.min(times.len()));
    times.sort_by(f64::total_cmp);
    let quantile = |q: f64| {
        times
            .get(((times.len() as f64 * q) as usize).min(times.len().saturating_sub(1)))
            .copied()
            .unwrap_or(0.0)
    };
    Ok(Latency {
        p50_us: quantile(0.5),
        p99_us: quantile(0.99),
        samples: times.len() as u64,
    })
}

/// What the test rows and the candidate's answers for them look like: the monitor compares with it.
fn baseline(data: &TrainingData, scores: &[Scores]) -> Baseline {
    let labels = data.labels();
    let (mut profile, mut outcomes) = (Profile::new(labels), Outcomes::new(labels));
    let mut features = Vec::new();
    for (row, scores) in data.test().iter().zip(scores) {
        let probabilities: Vec<f64> = scores
            .probabilities
            .iter()
            .map(|score| f64::from(*score))
            .collect();
        let predicted = labels[scores.best()].as_str();
        let slice = row
            .slice
            .and_then(|slice| data.slices().get(slice as usize))
            .map(String::as_str);
        text_features(&row.text, &mut features);
        profile.observe(&Observation {
            at: None,
            features: &features,
            label: predicted,
            scores: &probabilities,
            slice,
        });
        outcomes.add(&JoinedOutcome {
            predicted,
            truth: &labels[row.label as usize],
            scores: &probabilities,
            slice,
        });
    }
    Baseline { profile, outcomes }
}

/// An error and its causes in one line.
fn reason(error: &LifecycleError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}
