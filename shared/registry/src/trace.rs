//! The way back from a prediction: model, data, uploads, code, run, approval, release; every digest checked.

mod step;

pub use step::{StepKind, StepStatus, TraceStep};

use serde::{Deserialize, Serialize};
use sluice_storage::Container;

use crate::document::{self, digest_of, found};
use crate::error::{Result, blob_path};
use crate::models::{artifact_path, card_path};
use crate::paths::{DocumentPath, ModelArtifact, prediction_log};
use crate::registry::Registry;
use crate::{
    Approval, DatasetVersion, Digest, LedgerEntry, ModelCard, ModelRef, PredictionId,
    PredictionRecord, RegistryError, Release, Run, UploadRef,
};

/// The way back from a prediction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The prediction.
    pub id: PredictionId,
    /// Every step, in the order prediction, release, model, approval, run, code, data, uploads.
    pub steps: Vec<TraceStep>,
    /// The record.
    pub prediction: Option<PredictionRecord>,
    /// The release.
    pub release: Option<Release>,
    /// The model card.
    pub card: Option<ModelCard>,
    /// The approval.
    pub approval: Option<Approval>,
    /// The training run.
    pub run: Option<Run>,
    /// The dataset version.
    pub dataset: Option<DatasetVersion>,
}

impl Trace {
    /// Whether no step is missing or different.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.steps
            .iter()
            .all(|step| matches!(step.status, StepStatus::Verified | StepStatus::Recorded))
    }

    fn add(&mut self, kind: StepKind, title: impl Into<String>) -> &mut TraceStep {
        let status = StepStatus::Recorded;
        let step = TraceStep {
            kind,
            title: title.into(),
            status,
            digest: None,
            path: None,
            at: None,
        };
        self.steps.push(step);
        let last = self.steps.len() - 1;
        &mut self.steps[last]
    }
}

impl Registry {
    /// Follows a prediction back to the uploads it comes from. What is missing or different is named in the steps.
    ///
    /// # Errors
    /// `Storage`.
    pub async fn trace(&self, id: &PredictionId) -> Result<Trace> {
        let mut trace = Trace {
            id: *id,
            steps: Vec::new(),
            prediction: None,
            release: None,
            card: None,
            approval: None,
            run: None,
            dataset: None,
        };
        trace.prediction = self.predictions().find(id).await?;
        let log = blob_path(Container::Predictions, &prediction_log(id));
        let Some(record) = trace.prediction.clone() else {
            let step = trace.add(StepKind::Prediction, format!("prediction {id}"));
            step.path = Some(log);
            step.missing(
                "no log has it: it was never answered, or not yet flushed, or removed with its log",
            );
            return Ok(trace);
        };
        let title = format!(
            "prediction {id}: {} ({:.3})",
            record.outcome.label, record.outcome.confidence
        );
        let step = trace.add(StepKind::Prediction, title);
        (step.path, step.at) = (Some(log), Some(record.at));
        self.trace_release(&mut trace, &record).await?;
        let Some(model) = self.trace_model(&mut trace, &record).await? else {
            return Ok(trace);
        };
        self.trace_approval(&mut trace, &model, &record).await?;
        if let Some(card) = trace.card.clone() {
            self.trace_run(&mut trace, &card).await?;
            self.trace_dataset(&mut trace, &card).await?;
        }
        Ok(trace)
    }

    async fn trace_release(&self, trace: &mut Trace, record: &PredictionRecord) -> Result<()> {
        let path = DocumentPath::Release {
            number: record.release,
        };
        trace.release = readable(self.releases().get(record.release).await)?;
        let release = trace.release.clone();
        let step = trace.add(StepKind::Release, format!("release {}", record.release));
        step.path = Some(path.full());
        let Some(release) = release else {
            step.missing("the release's document is not there or cannot be read");
            return Ok(());
        };
        step.title = format!(
            "release {} by {}: {}",
            release.number, release.released_by, release.reason
        );
        step.at = Some(release.released_at);
        if !models_of(&release).any(|model| model.digest == record.model) {
            step.different(format!(
                "it does not name the model {} that answered",
                record.model
            ));
        }
        Ok(())
    }

    async fn trace_model(
        &self,
        trace: &mut Trace,
        record: &PredictionRecord,
    ) -> Result<Option<ModelRef>> {
        let named = trace
            .release
            .iter()
            .flat_map(models_of)
            .find(|model| model.digest == record.model)
            .cloned();
        let model = match named {
            Some(model) => Some(model),
            None => readable(self.models().find_by_digest(record.model).await)?
                .map(|card| card.model_ref()),
        };
        let Some(model) = model else {
            let step = trace.add(
                StepKind::Model,
                format!("model version {}", record.model_version),
            );
            step.digest = Some(record.model);
            step.missing("no registered model has this digest");
            return Ok(None);
        };
        let path = artifact_path(&model.name, model.version, ModelArtifact::Model);
        let stored = digest_of(&**self.store(), Container::Models, &path.to_string()).await?;
        let step = trace.add(
            StepKind::Model,
            format!("model {}/{}", model.name, model.version),
        );
        step.path = Some(path.full());
        step.compare(record.model, stored.map(|(digest, _)| digest));

        trace.card = readable(self.models().find_card(&model.name, model.version).await)?;
        let card = trace.card.clone();
        let step = trace.add(
            StepKind::ModelCard,
            format!("model card {}/{}", model.name, model.version),
        );
        step.path = Some(card_path(&model.name, model.version).full());
        let Some(card) = card else {
            step.missing("the card is not there or cannot be read");
            return Ok(Some(model));
        };
        step.at = Some(card.created_at);
        step.status = StepStatus::Verified;
        if card.file.digest != record.model {
            step.different(format!("the card is of the file {}", card.file.digest));
        }
        let path = artifact_path(&model.name, model.version, ModelArtifact::Evidence);
        let stored = digest_of(&**self.store(), Container::Models, &path.to_string()).await?;
        let verdict = if card.gate.passed {
            "passed"
        } else {
            "did not pass"
        };
        let step = trace.add(StepKind::Evidence, format!("evidence: the gate {verdict}"));
        step.path = Some(path.full());
        step.compare(card.gate.evidence, stored.map(|(digest, _)| digest));
        Ok(Some(model))
    }

    async fn trace_approval(
        &self,
        trace: &mut Trace,
        model: &ModelRef,
        record: &PredictionRecord,
    ) -> Result<()> {
        trace.approval = readable(self.releases().approval(model.digest).await)?;
        let (approval, evidence) = (
            trace.approval.clone(),
            trace.card.as_ref().map(|card| card.gate.evidence),
        );
        let released = trace
            .release
            .as_ref()
            .map(|release| release.approval.clone());
        let step = trace.add(StepKind::Approval, "approval");
        step.path = Some(
            DocumentPath::Approval {
                digest: model.digest,
            }
            .full(),
        );
        let Some(approval) = approval else {
            if record.variant == "shadow" {
                step.title = "no approval: a shadow answers nobody".to_owned();
            } else {
                step.missing("nobody approved these bytes, or the document cannot be read");
            }
            return Ok(());
        };
        step.title = format!("approved by {}", approval.approved_by);
        step.at = Some(approval.approved_at);
        step.digest = Some(approval.model.digest);
        step.status = StepStatus::Verified;
        if evidence.is_some_and(|evidence| evidence != approval.evidence) {
            step.different(format!(
                "the approver read the evidence {}",
                approval.evidence
            ));
        } else if released
            .is_some_and(|released| released.model.digest == model.digest && released != approval)
        {
            step.different("the release quotes another approval");
        }
        Ok(())
    }

    async fn trace_run(&self, trace: &mut Trace, card: &ModelCard) -> Result<()> {
        trace.run = readable(self.runs().get(&card.run).await)?.map(|(run, _)| run);
        let run = trace.run.clone();
        let step = trace.add(StepKind::Run, format!("run {}", card.run));
        step.path = Some(
            DocumentPath::Run {
                run: card.run.clone(),
            }
            .full(),
        );
        match run {
            None => step.missing("the run's document is not there or cannot be read"),
            Some(run) => {
                step.at = Some(run.created_at);
                step.title = format!("run {} ({})", run.id, run.state.name());
                if run.dataset != card.dataset {
                    step.different("the run was given another dataset version than the card says");
                }
            }
        }
        let commit = card.code.commit.as_deref().unwrap_or("unknown");
        let step = trace.add(
            StepKind::Code,
            format!("code: sluice {}, commit {commit}", card.code.version),
        );
        step.digest = Some(card.code.digest);
        Ok(())
    }

    async fn trace_dataset(&self, trace: &mut Trace, card: &ModelCard) -> Result<()> {
        let (dataset, version) = (card.dataset.dataset.clone(), card.dataset.version);
        let path = DocumentPath::DatasetVersion {
            dataset: dataset.clone(),
            version,
        };
        let bytes = found(self.store().read(path.container(), &path.to_string()).await)?
            .map(|(bytes, _)| bytes);
        let step = trace.add(
            StepKind::Dataset,
            format!("dataset {dataset}/{version}, {} rows", card.dataset.rows),
        );
        step.path = Some(path.full());
        step.compare(card.dataset.digest, bytes.as_deref().map(Digest::of));
        let Some(manifest) =
            bytes.and_then(|bytes| serde_json::from_slice::<DatasetVersion>(&bytes).ok())
        else {
            return Ok(());
        };
        step.at = Some(manifest.created_at);
        for part in &manifest.parts {
            let path = DocumentPath::Part {
                dataset: dataset.clone(),
                digest: part.digest,
            };
            let info = found(self.store().info(path.container(), &path.to_string()).await)?;
            let step = trace.add(StepKind::Part, format!("part of {} rows", part.rows));
            (step.path, step.digest) = (Some(path.full()), Some(part.digest));
            match info {
                None => step.missing("the part is not stored any more"),
                Some(info) if info.size_bytes != part.size_bytes => {
                    step.different(format!(
                        "{} bytes are stored, {} were written",
                        info.size_bytes, part.size_bytes
                    ));
                }
                Some(_) => {}
            }
        }
        for upload in &manifest.uploads {
            self.trace_upload(trace, &dataset, upload).await?;
        }
        trace.dataset = Some(manifest);
        Ok(())
    }

    async fn trace_upload(
        &self,
        trace: &mut Trace,
        dataset: &str,
        upload: &UploadRef,
    ) -> Result<()> {
        let path = DocumentPath::Ledger {
            dataset: dataset.to_owned(),
            upload: upload.digest,
        };
        let entry =
            readable(document::read::<LedgerEntry>(&**self.store(), &path, "ledger entry").await)?;
        let title = format!(
            "upload {}: {} rows taken, {} refused",
            upload.name, upload.accepted, upload.refused
        );
        let step = trace.add(StepKind::Upload, title);
        (step.path, step.digest, step.at) = (
            Some(path.full()),
            Some(upload.digest),
            Some(upload.ingested_at),
        );
        match entry {
            None => step.missing("the ledger has no readable entry for it; a repair adds it"),
            Some(entry) if entry.document.upload != *upload => {
                step.different("the ledger's entry says something else")
            }
            Some(_) => {}
        }
        Ok(())
    }
}

/// All models that may have answered in a release.
fn models_of(release: &Release) -> impl Iterator<Item = &ModelRef> {
    let challenger = release
        .challenger
        .as_ref()
        .map(|challenger| &challenger.model);
    std::iter::once(&release.champion)
        .chain(release.previous.as_ref())
        .chain(challenger)
}

/// A document that cannot be read is a finding, not a failure.
fn readable<T>(result: Result<Option<T>>) -> Result<Option<T>> {
    match result {
        Err(RegistryError::Unreadable { .. } | RegistryError::InvalidName { .. }) => Ok(None),
        other => other,
    }
}
