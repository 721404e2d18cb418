//! `sluice report` and `sluice reconcile`: the timers' verbs, now.

use clap::Args;

use super::output;
use crate::context::Context;

/// Takes nothing: the window comes from the configuration.
#[derive(Debug, Args)]
pub(super) struct ReportNow {}

impl ReportNow {
    pub(super) async fn run(&self, context: &Context, json: bool) -> anyhow::Result<()> {
        let monitored = context.lifecycle.monitor().await?;
        output::result(json, &monitored, || monitored.describe())
    }
}

/// Takes nothing.
#[derive(Debug, Args)]
pub(super) struct ReconcileNow {}

impl ReconcileNow {
    pub(super) async fn run(&self, context: &Context, json: bool) -> anyhow::Result<()> {
        let reconciled = context.lifecycle.reconcile().await?;
        if json {
            return output::json(&reconciled);
        }
        crate::reconcile::describe(&reconciled)
            .into_iter()
            .for_each(output::line);
        Ok(())
    }
}
