//! Which audit lines a document must have. One place, so that the change itself and the repair after a crash agree.

use crate::audit::AuditEvent;
use crate::document::decode;
use crate::error::Result;
use crate::paths::DocumentPath;
use crate::runs::RunDocument;
use crate::{
    Abort, Approval, DatasetVersion, Digest, LedgerEntry, ModelCard, Proposal, Release,
    ReleaseKind, RunState, UploadOutcome,
};

/// The events that a document stands for, oldest first. Empty for hints and files.
pub(crate) fn events_of(path: &DocumentPath, bytes: &[u8]) -> Result<Vec<AuditEvent>> {
    Ok(match path {
        DocumentPath::DatasetVersion { .. } => vec![dataset_version(
            &decode(path, "dataset version", bytes)?,
            bytes,
        )],
        DocumentPath::Ledger { dataset, .. } => {
            vec![upload(dataset, decode(path, "ledger entry", bytes)?)]
        }
        DocumentPath::ModelCard { .. } => model(&decode(path, "model card", bytes)?),
        DocumentPath::Run { .. } => run(&decode(path, "run", bytes)?),
        DocumentPath::Proposal { .. } => {
            let proposal: Proposal = decode(path, "proposal", bytes)?;
            let Proposal {
                model,
                evidence,
                proposed_by: by,
                ..
            } = proposal;
            vec![AuditEvent::ReleaseProposed {
                model,
                evidence,
                by,
            }]
        }
        DocumentPath::Approval { .. } => {
            let approval: Approval = decode(path, "approval", bytes)?;
            let Approval {
                model,
                evidence,
                approved_by: by,
                ..
            } = approval;
            vec![AuditEvent::ReleaseApproved {
                model,
                evidence,
                by,
            }]
        }
        DocumentPath::Release { .. } => vec![release(decode(path, "release", bytes)?)],
        DocumentPath::Abort { .. } => {
            let Abort {
                release,
                reason,
                requested_by: by,
                ..
            } = decode(path, "abort", bytes)?;
            vec![AuditEvent::ReleaseAborted {
                release,
                by,
                reason,
            }]
        }
        _ => Vec::new(),
    })
}

fn dataset_version(version: &DatasetVersion, bytes: &[u8]) -> AuditEvent {
    AuditEvent::DatasetVersionCommitted {
        dataset: version.dataset.clone(),
        version: version.version,
        digest: Digest::of(bytes),
        parent: version.parent,
        rows: version.rows,
    }
}

fn upload(dataset: &str, entry: LedgerEntry) -> AuditEvent {
    let LedgerEntry {
        upload, outcome, ..
    } = entry;
    let dataset = dataset.to_owned();
    match outcome {
        UploadOutcome::Ingested { version } => AuditEvent::UploadIngested {
            dataset,
            upload: upload.digest,
            name: upload.name,
            version,
            accepted: upload.accepted,
            refused: upload.refused,
        },
        UploadOutcome::Refused { reason } => AuditEvent::UploadRefused {
            dataset,
            upload: upload.digest,
            name: upload.name,
            reason,
        },
    }
}

fn model(card: &ModelCard) -> Vec<AuditEvent> {
    let model = card.model_ref();
    let registered = AuditEvent::ModelRegistered {
        model: model.clone(),
        run: card.run.clone(),
        dataset: card.dataset.clone(),
        code: card.code.digest,
    };
    let evidence = card.gate.evidence;
    let gate = if card.gate.passed {
        AuditEvent::GatePassed { model, evidence }
    } else {
        AuditEvent::GateFailed {
            model,
            evidence,
            failures: card.gate.failures.clone(),
        }
    };
    vec![registered, gate]
}

fn run(document: &RunDocument) -> Vec<AuditEvent> {
    document
        .history
        .iter()
        .chain([&document.run.state])
        .map(|state| run_state(document, state))
        .collect()
}

/// The event of one state of a run.
pub(crate) fn run_state(document: &RunDocument, state: &RunState) -> AuditEvent {
    let run = document.run.id.clone();
    match state {
        RunState::Created => AuditEvent::RunCreated {
            run,
            model: document.run.model.clone(),
            model_version: document.run.model_version,
            dataset: document.run.dataset.clone(),
            trigger: document.run.trigger.clone(),
        },
        RunState::Submitted { job, .. } => AuditEvent::RunSubmitted {
            run,
            job: job.clone(),
        },
        RunState::Succeeded { model_version, .. } => AuditEvent::RunSucceeded {
            run,
            model_version: *model_version,
        },
        RunState::Failed { reason, .. } => {
            // The rest of the reason is the job's log: it stays in the run's own document.
            AuditEvent::RunFailed {
                run,
                reason: reason
                    .lines()
                    .next()
                    .unwrap_or_default()
                    .chars()
                    .take(300)
                    .collect(),
            }
        }
    }
}

fn release(release: Release) -> AuditEvent {
    let kind = release.kind();
    let Release {
        number,
        champion,
        previous,
        challenger,
        reason,
        released_by: by,
        ..
    } = release;
    match kind {
        ReleaseKind::Promote => AuditEvent::ReleasePromoted {
            release: number,
            champion,
            previous,
            by,
            reason,
        },
        ReleaseKind::Rollback => AuditEvent::ReleaseRolledBack {
            release: number,
            champion,
            previous,
            by,
            reason,
        },
        ReleaseKind::Challenger => AuditEvent::ChallengerChanged {
            release: number,
            champion,
            challenger,
            by,
            reason,
        },
    }
}
