//! `sluice status`: what there is.

use clap::Args;
use serde::Serialize;
use sluice_registry::{DatasetRef, ModelCard, Release, Run, RunState};

use super::output;
use crate::context::Context;

/// Takes nothing.
#[derive(Debug, Args)]
pub(super) struct Status {}

#[derive(Serialize)]
struct Found {
    dataset: Option<DatasetRef>,
    runs: Vec<Run>,
    models: Vec<ModelCard>,
    release: Option<Release>,
}

impl Status {
    pub(super) async fn run(&self, context: &Context, json: bool) -> anyhow::Result<()> {
        let registry = context.lifecycle.registry();
        let dataset = registry.datasets().current(&context.config.dataset).await?;
        let found = Found {
            dataset: dataset.map(|(version, digest)| DatasetRef {
                dataset: version.dataset,
                version: version.version,
                digest,
                rows: version.rows,
            }),
            runs: registry.runs().list().await?,
            models: registry.models().list(&context.config.name).await?,
            release: registry.releases().newest().await?,
        };
        if json {
            return output::json(&found);
        }
        match &found.dataset {
            Some(dataset) => output::line(format!(
                "dataset {}: version {}, {} rows",
                dataset.dataset, dataset.version, dataset.rows
            )),
            None => output::line(format!(
                "dataset {0}: no version yet; put a file into incoming/{0}/",
                context.config.dataset
            )),
        }
        if !found.runs.is_empty() {
            let rows: Vec<Vec<String>> = found.runs.iter().map(run_row).collect();
            output::line(format!(
                "\n{}",
                output::table(&["run", "started", "dataset", "why", "state"], &rows)
            ));
        }
        if !found.models.is_empty() {
            let rows: Vec<Vec<String>> = found.models.iter().map(model_row).collect();
            output::line(format!(
                "\n{}",
                output::table(&["model", "digest", "dataset", "macro F1", "gate"], &rows)
            ));
        }
        output::line(match &found.release {
            Some(release) => format!(
                "\nrelease {}: model version {} answers",
                release.number, release.champion.version
            ),
            None => "\nnothing is released yet: see sluice release status".to_owned(),
        });
        Ok(())
    }
}

fn run_row(run: &Run) -> Vec<String> {
    let state = match &run.state {
        RunState::Created => "recorded".to_owned(),
        RunState::Submitted { .. } => "going".to_owned(),
        RunState::Succeeded { model_version, .. } => format!("made model version {model_version}"),
        RunState::Failed { reason, .. } => {
            format!("failed: {}", reason.lines().next().unwrap_or_default())
        }
    };
    vec![
        run.id.clone(),
        format!("{:.0}", run.created_at),
        run.dataset.version.to_string(),
        sluice_lifecycle::trigger_name(&run.trigger),
        state,
    ]
}

fn model_row(card: &ModelCard) -> Vec<String> {
    vec![
        card.version.to_string(),
        card.file.digest.short(),
        card.dataset.version.to_string(),
        card.evaluation
            .metrics
            .get("macro_f1")
            .map_or_else(|| "–".to_owned(), |value| format!("{value:.4}")),
        if card.gate.passed {
            "passed".to_owned()
        } else {
            "failed".to_owned()
        },
    ]
}
