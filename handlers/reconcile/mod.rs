//! Every five minutes: finishes what an event lost.

use std::sync::Arc;

use azure_functions::{Failure, Reply, TimerEvent};
use sluice_lifecycle::{CollectOutcome, Reconciled};

use crate::context::Context;
use crate::transient;

/// Ingests stranded uploads, collects a finished run, starts one when enough rows are new.
pub(crate) async fn handle(context: Arc<Context>, _event: TimerEvent) -> Result<Reply, Failure> {
    let reconciled = context.lifecycle.reconcile().await.map_err(transient)?;
    Ok(describe(&reconciled)
        .into_iter()
        .fold(Reply::new(), Reply::log))
}

/// What reconcile did, a line each.
pub(crate) fn describe(reconciled: &Reconciled) -> Vec<String> {
    let mut lines: Vec<String> = reconciled
        .uploads
        .iter()
        .map(|(name, outcome)| crate::ingest::describe(name, outcome))
        .collect();
    match &reconciled.training {
        CollectOutcome::Idle => {}
        CollectOutcome::Running { run } => lines.push(format!("training run {run} is going")),
        CollectOutcome::Succeeded {
            run,
            model_version,
            passed: true,
            ..
        } => {
            lines.push(format!("training run {run} made model version {model_version}: it passed its gate and waits for approval"));
        }
        CollectOutcome::Succeeded {
            run,
            model_version,
            failures,
            ..
        } => {
            lines.push(format!(
                "training run {run} made model version {model_version}: it failed its gate: {}",
                failures.join("; ")
            ));
        }
        CollectOutcome::Failed { run, reason } => {
            lines.push(format!("training run {run} failed: {reason}"))
        }
    }
    lines.push(crate::retrain::describe(&reconciled.started));
    if !reconciled.repaired.is_empty() {
        lines.push(format!(
            "{} audit lines were written that a crash had left out",
            reconciled.repaired.len()
        ));
    }
    lines
}
