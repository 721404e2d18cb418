//! `sluice audit …`: is the record whole, and where does an answer come from.

use std::process::ExitCode;

use clap::Subcommand;

use super::output;
use crate::context::Context;

/// What the audit streams can be asked.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Prove the hash chain of every stream, or name the first broken line. Exit code 1 when one is broken.
    Verify,
    /// Print the way back from a prediction: model, dataset version, uploads, code, approval.
    Trace {
        /// The prediction's id, as in the answer.
        id: String,
    },
}

impl AuditCommand {
    pub(super) async fn run(self, context: &Context, json: bool) -> anyhow::Result<ExitCode> {
        let registry = context.lifecycle.registry();
        match self {
            Self::Verify => {
                let report = registry.audit_log().verify().await?;
                if json {
                    output::json(&report)?;
                } else {
                    output::line(&report);
                }
                Ok(if report.is_intact() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            }
            Self::Trace { id } => {
                let id = if id.contains('.') { id } else { format!("{id}.0") };
                let trace = registry.trace(&id.parse()?).await?;
                if json {
                    output::json(&trace)?;
                } else {
                    output::line(&trace);
                }
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}
