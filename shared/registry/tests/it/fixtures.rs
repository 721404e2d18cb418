//! Small documents that are consistent with each other, and what stores them.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use sluice_registry::{
    Approval, AuditStream, CalibrationSummary, Clock, CodeVersion, Column, ColumnType, DatasetRef,
    DatasetVersion, Digest, EvaluationSummary, GateSummary, Label, LedgerEntry, ModelArtifact,
    ModelCard, ModelFile, Outcome, Part, PredictionId, PredictionRecord, Proposal, Registry,
    RegistryError, Role, Run, RunState, RunTrigger, Schema, SplitCounts, SplitRule,
    TrainingSummary, UploadOutcome, UploadRef,
};
use sluice_storage::{Container, MemoryStore, Store};

pub(crate) const DATASET: &str = "messages";
pub(crate) const MODEL: &str = "messages";

pub(crate) fn now() -> Timestamp {
    "2026-03-09T03:00:00Z".parse().unwrap()
}

pub(crate) fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
}

/// A registry that writes to the stream `writer` and whose clock stands still.
pub(crate) fn registry(store: &Arc<dyn Store>, writer: &str) -> Registry {
    let stream = AuditStream::open(store.clone(), writer).unwrap();
    Registry::new(store.clone())
        .with_audit(stream)
        .with_clock(Clock::new(now))
}

pub(crate) fn schema() -> Schema {
    let column = |name: &str, kind, role| Column {
        name: name.into(),
        kind,
        role: Some(role),
        required: true,
    };
    let label = |name: &str| Label {
        name: name.into(),
        aliases: Vec::new(),
    };
    Schema {
        columns: vec![
            column("text", ColumnType::Text, Role::Input),
            column("label", ColumnType::Category, Role::Label),
        ],
        labels: vec![label("other"), label("disaster")],
        positive_label: None,
    }
}

pub(crate) fn upload(content: &str) -> UploadRef {
    UploadRef {
        digest: Digest::of(content.as_bytes()),
        name: format!("{DATASET}/{content}.csv"),
        size_bytes: content.len() as u64,
        accepted: 10,
        refused: 1,
        ingested_at: now(),
    }
}

pub(crate) fn ledger_entry(content: &str, version: u64) -> LedgerEntry {
    LedgerEntry {
        upload: upload(content),
        outcome: UploadOutcome::Ingested { version },
        refused_by_reason: BTreeMap::from([("empty text".into(), 1)]),
        quarantine: Some(format!("{DATASET}/{content}.jsonl")),
    }
}

/// Stores a part and a profile for the upload `content`, and makes the manifest that adds them to `parent`.
pub(crate) async fn next_version(
    registry: &Registry,
    parent: Option<&DatasetVersion>,
    content: &str,
) -> Result<DatasetVersion, RegistryError> {
    let datasets = registry.datasets();
    let bytes = Bytes::from(format!("rows of {content}"));
    let upload = upload(content);
    let part = Part {
        digest: Digest::of(&bytes),
        rows: upload.accepted,
        size_bytes: bytes.len() as u64,
        upload: upload.digest,
    };
    let path = datasets.part_path(DATASET, part.digest)?;
    registry
        .store()
        .put(Container::Datasets, &path, bytes)
        .await?;
    let profile = datasets
        .put_profile(DATASET, Bytes::from(format!("profile after {content}")))
        .await?;
    let mut parts = parent.map_or_else(Vec::new, |parent| parent.parts.clone());
    parts.push(part);
    let mut uploads = parent.map_or_else(Vec::new, |parent| parent.uploads.clone());
    uploads.push(upload);
    let rows = parts.iter().map(|part| part.rows).sum();
    Ok(DatasetVersion {
        dataset: DATASET.into(),
        version: parent.map_or(1, |parent| parent.version + 1),
        parent: parent.map(|parent| parent.version),
        created_at: now(),
        parts,
        schema: schema(),
        split: SplitRule {
            seed: 1,
            calibration: 0.1,
            test: 0.1,
        },
        rows,
        class_counts: BTreeMap::from([("other".into(), rows - 1), ("disaster".into(), 1)]),
        split_counts: SplitCounts {
            train: rows - 2,
            calibration: 1,
            test: 1,
        },
        time_range: None,
        profile,
        uploads,
    })
}

/// Ingests `content` as lifecycle does: unless the newest version has it, on top of the newest version, and again when
/// the race is lost.
pub(crate) async fn ingest(
    registry: &Registry,
    content: &str,
) -> Result<(DatasetVersion, Digest), RegistryError> {
    let datasets = registry.datasets();
    loop {
        let newest = datasets.current(DATASET).await?;
        if let Some((newest, digest)) = &newest
            && newest
                .uploads
                .iter()
                .any(|known| known.digest == upload(content).digest)
        {
            return Ok((newest.clone(), *digest));
        }
        let new =
            next_version(registry, newest.as_ref().map(|(newest, _)| newest), content).await?;
        match datasets.commit(new).await {
            Err(error) if error.is_lost_race() => {}
            Ok((version, digest)) => {
                datasets
                    .record_upload(DATASET, ledger_entry(content, version.version))
                    .await?;
                return Ok((version, digest));
            }
            Err(error) => return Err(error),
        }
    }
}

pub(crate) fn dataset_ref(version: &DatasetVersion, digest: Digest) -> DatasetRef {
    DatasetRef {
        dataset: version.dataset.clone(),
        version: version.version,
        digest,
        rows: version.rows,
    }
}

pub(crate) fn run(id: &str, model_version: u64, dataset: DatasetRef) -> Run {
    Run {
        id: id.into(),
        model: MODEL.into(),
        model_version,
        dataset,
        champion: None,
        trigger: RunTrigger::Schedule,
        created_at: now(),
        state: RunState::Created,
    }
}

pub(crate) fn any_dataset() -> DatasetRef {
    DatasetRef {
        dataset: DATASET.into(),
        version: 1,
        digest: Digest::of(b"manifest"),
        rows: 10,
    }
}

/// The card of a model whose file holds `model {version}`.
pub(crate) fn card(version: u64, dataset: DatasetRef) -> ModelCard {
    let file = model_file(version);
    ModelCard {
        name: MODEL.into(),
        version,
        created_at: now(),
        task: "text-classification".into(),
        file: ModelFile {
            digest: Digest::of(&file),
            size_bytes: file.len() as u64,
        },
        schema: schema(),
        dataset,
        code: CodeVersion {
            version: "0.1.0".into(),
            digest: Digest::of(b"sluice"),
            commit: None,
        },
        onnx_runtime: "1.31.1".into(),
        run: format!("1-{version:012x}"),
        training: TrainingSummary {
            algorithm: "hashed-ngram-logistic-regression".into(),
            seed: 1,
            parameters: BTreeMap::from([("C".into(), 10.0)]),
            search: Vec::new(),
            rows: 8,
            seconds: 0.1,
        },
        calibration: CalibrationSummary {
            method: "temperature".into(),
            parameters: BTreeMap::new(),
            brier_before: 0.2,
            brier_after: 0.1,
            ece_before: 0.1,
            ece_after: 0.01,
        },
        evaluation: EvaluationSummary {
            rows: 1,
            metrics: BTreeMap::new(),
            slices: BTreeMap::new(),
        },
        gate: GateSummary {
            passed: true,
            champion: None,
            failures: Vec::new(),
            evidence: Digest::of(&evidence(version)),
        },
        baseline: Digest::of(b"baseline"),
    }
}

pub(crate) fn model_file(version: u64) -> Bytes {
    Bytes::from(format!("model {version}"))
}

fn evidence(version: u64) -> Bytes {
    Bytes::from(format!("evidence {version}"))
}

/// Stores the files of a model version.
pub(crate) async fn put_files(registry: &Registry, version: u64) -> Result<(), RegistryError> {
    let models = registry.models();
    models
        .put_artifact(MODEL, version, ModelArtifact::Model, model_file(version))
        .await?;
    models
        .put_artifact(MODEL, version, ModelArtifact::Evidence, evidence(version))
        .await?;
    models
        .put_artifact(
            MODEL,
            version,
            ModelArtifact::EvidencePage,
            "# evidence".into(),
        )
        .await?;
    models
        .put_artifact(MODEL, version, ModelArtifact::Baseline, "baseline".into())
        .await?;
    Ok(())
}

/// Registers a model version with all of its files.
pub(crate) async fn register(registry: &Registry, version: u64) -> ModelCard {
    put_files(registry, version).await.unwrap();
    registry
        .models()
        .register(card(version, any_dataset()))
        .await
        .unwrap()
}

pub(crate) fn proposal(card: &ModelCard) -> Proposal {
    let (model, evidence) = (card.model_ref(), card.gate.evidence);
    Proposal {
        model,
        evidence,
        proposed_by: "reconcile".into(),
        proposed_at: now(),
    }
}

pub(crate) fn approval(card: &ModelCard) -> Approval {
    Approval {
        model: card.model_ref(),
        evidence: card.gate.evidence,
        approved_by: "ada".into(),
        approved_at: now(),
        comment: None,
    }
}

/// Registers, proposes and approves a model version.
pub(crate) async fn approved(registry: &Registry, version: u64) -> ModelCard {
    let card = register(registry, version).await;
    registry.releases().propose(proposal(&card)).await.unwrap();
    registry.releases().approve(approval(&card)).await.unwrap();
    card
}

pub(crate) fn prediction(
    id: PredictionId,
    at: Timestamp,
    card: &ModelCard,
    release: u64,
) -> PredictionRecord {
    PredictionRecord {
        id: id.to_string(),
        at,
        input: Some("a flood".into()),
        input_hash: "00".into(),
        features: vec![("characters".into(), 7.0)],
        outcome: Outcome {
            label: "disaster".into(),
            confidence: 0.9,
            scores: vec![0.1, 0.9],
        },
        model_version: card.version,
        model: card.file.digest,
        release,
        variant: "champion".into(),
        latency_us: 10,
    }
}
