//! The blob trigger: a new file in `incoming/{dataset}/` becomes a dataset version.

use std::sync::Arc;

use azure_functions::{BlobEvent, Failure, Reply};
use sluice_lifecycle::{IngestOutcome, StartOutcome};
use sluice_registry::RunTrigger;

use crate::context::Context;
use crate::transient;

/// Ingests the file that the event names. A bad file is a success with a quarantine record: a retry cannot help it.
pub(crate) async fn handle(context: Arc<Context>, event: BlobEvent) -> Result<Reply, Failure> {
    let outcome = context
        .lifecycle
        .ingest_upload(&event.name)
        .await
        .map_err(transient)?;
    let reply = Reply::new().log(describe(&event.name, &outcome));
    if !matches!(outcome, IngestOutcome::Ingested { .. }) {
        return Ok(reply);
    }
    // The rows are safe; reconcile starts the run if this fails.
    Ok(
        match context.lifecycle.start_training(RunTrigger::NewRows).await {
            Ok(StartOutcome::Started { run }) => {
                reply.log(format!("training run {} started", run.id))
            }
            Ok(StartOutcome::Skipped { reason }) => {
                reply.log(format!("no training run started: {reason}"))
            }
            Err(error) => reply.log(format!(
                "no training run started: {}",
                sluice_telemetry::chain(&error)
            )),
        },
    )
}

/// What became of an upload, in one sentence.
pub(crate) fn describe(name: &str, outcome: &IngestOutcome) -> String {
    match outcome {
        IngestOutcome::Ingested {
            version,
            accepted,
            refused,
            quarantine,
        } => {
            let refused = match quarantine {
                Some(quarantine) => format!("{refused} refused, see quarantine/{quarantine}"),
                None => "none refused".to_owned(),
            };
            format!("{name}: {accepted} rows taken into dataset version {version}, {refused}")
        }
        IngestOutcome::Refused { reason, quarantine } => {
            let place = quarantine
                .as_ref()
                .map(|path| format!(" (quarantine/{path})"))
                .unwrap_or_default();
            format!("{name}: refused: {reason}{place}")
        }
        IngestOutcome::AlreadyKnown { .. } => {
            format!("{name}: the same bytes were ingested before; nothing changed")
        }
        IngestOutcome::NotTaken { reason } => format!("{name}: not taken: {reason}"),
    }
}
