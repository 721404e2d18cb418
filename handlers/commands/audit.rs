//! `sluice audit …`: is the record whole, and where does an answer come from.

use std::process::ExitCode;

use clap::Subcommand;
use serde::Serialize;
use sluice_registry::audit::VerifyReport;
use sluice_registry::trace::StepStatus;
use sluice_registry::{DocumentsReport, Trace, settled_before};

use super::output;
use crate::context::Context;

/// What the audit streams can be asked.
#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Prove the hash chain of every stream, or name the first broken line; hold every document against its lines. Exit
    /// code 1 when something does not hold. What is just being written is pending, which is no fault.
    Verify,
    /// Print the way back from a prediction: model, dataset version, uploads, code, approval.
    Trace {
        /// The prediction's id, as in the answer.
        id: String,
    },
}

/// Both halves of the record: the chains, and the documents that the lines speak of.
#[derive(Serialize)]
struct Verified {
    whole: bool,
    lines: u64,
    chains: VerifyReport,
    documents: DocumentsReport,
}

impl AuditCommand {
    pub(super) async fn run(self, context: &Context, json: bool) -> anyhow::Result<ExitCode> {
        let registry = context.lifecycle.registry();
        match self {
            Self::Verify => {
                let chains = registry.audit_log().verify(&[]).await?;
                let settled = settled_before(context.clock.now());
                let documents = registry.verify_documents(settled).await?;
                let verified = Verified {
                    whole: chains.is_whole() && documents.is_whole(),
                    lines: chains.lines(),
                    chains,
                    documents,
                };
                output::result(json, &verified, || describe_verified(&verified))?;
                Ok(if verified.whole {
                    ExitCode::SUCCESS
                } else {
                    ExitCode::FAILURE
                })
            }
            Self::Trace { id } => {
                let id = if id.contains('.') {
                    id
                } else {
                    format!("{id}.0")
                };
                let trace = registry.trace(&id.parse()?).await?;
                output::result(json, &trace, || describe_trace(&trace))?;
                Ok(if trace.is_whole() {
                    ExitCode::SUCCESS
                } else {
                    ExitCode::FAILURE
                })
            }
        }
    }
}

fn describe_verified(verified: &Verified) -> String {
    let mut lines = Vec::new();
    match verified.chains.first_broken() {
        None => lines.push(format!(
            "{} lines in {} audit streams: every chain holds",
            verified.lines,
            verified.chains.streams.len()
        )),
        Some((stream, broken)) => {
            lines.push(format!(
                "audit stream {stream} is broken at line {} of audit/{}: {}",
                broken.line, broken.blob, broken.damage
            ));
        }
    }
    let documents = &verified.documents;
    if documents.is_whole() {
        let pending = match documents.pending.len() {
            0 => String::new(),
            pending => format!(", {pending} are waiting for it"),
        };
        lines.push(format!(
            "{} documents: each is as its line says{pending}",
            documents.documents
        ));
    }
    for (what, names) in [
        ("changed since its line was written", &documents.changed),
        ("gone, though a line speaks of it", &documents.missing),
        (
            "pending: written less than a minute ago, its line is on the way (sluice reconcile writes it if not)",
            &documents.pending,
        ),
        (
            "without a line (sluice reconcile writes it)",
            &documents.unrecorded,
        ),
        ("cannot be read", &documents.unreadable),
    ] {
        lines.extend(names.iter().map(|name| format!("{name}: {what}")));
    }
    lines.join("\n")
}

fn describe_trace(trace: &Trace) -> String {
    let mut lines = Vec::new();
    for step in &trace.steps {
        let mark = match &step.status {
            StepStatus::Verified => "verified ",
            StepStatus::Recorded => "recorded ",
            StepStatus::Missing { .. } => "MISSING  ",
            StepStatus::Different { .. } => "DIFFERENT",
        };
        let at = step.at.map(|at| format!("  {at:.0}")).unwrap_or_default();
        lines.push(format!("{mark}  {}{at}", step.title));
        lines.extend(step.digest.map(|digest| format!("             {digest}")));
        lines.extend(
            step.path
                .as_ref()
                .map(|path| format!("             {path}")),
        );
        if let StepStatus::Missing { detail } | StepStatus::Different { detail } = &step.status {
            lines.push(format!("             {detail}"));
        }
    }
    lines.join("\n")
}
