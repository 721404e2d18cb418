//! The weekly timer: starts a training run if there is something new.

use std::sync::Arc;

use azure_functions::{Failure, Reply, TimerEvent};
use sluice_lifecycle::StartOutcome;
use sluice_registry::RunTrigger;

use crate::context::Context;
use crate::transient;

/// Starts a run, or says why not. Firing twice starts one run.
pub(crate) async fn handle(context: Arc<Context>, _event: TimerEvent) -> Result<Reply, Failure> {
    let outcome = context
        .lifecycle
        .start_training(RunTrigger::Schedule)
        .await
        .map_err(transient)?;
    Ok(Reply::new().log(describe(&outcome)))
}

/// Whether a run was started, in one sentence.
pub(crate) fn describe(outcome: &StartOutcome) -> String {
    match outcome {
        StartOutcome::Started { run } => {
            format!(
                "training run {} started on dataset version {} ({} rows)",
                run.id, run.dataset.version, run.dataset.rows
            )
        }
        StartOutcome::Skipped { reason } => format!("no training run started: {reason}"),
    }
}
