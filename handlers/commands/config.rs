//! `sluice check`: are `sluice.toml` and the environment right.

use clap::Args;
use serde::Serialize;

use super::output;
use crate::config::{ModelConfig, Settings};

/// Takes nothing: reading the settings is the check.
#[derive(Debug, Args)]
pub(super) struct Check {}

#[derive(Serialize)]
struct Checked<'a> {
    model: &'a str,
    dataset: &'a str,
    labels: Vec<String>,
    storage: String,
}

impl Check {
    pub(super) fn run(
        &self,
        settings: &Settings,
        config: &ModelConfig,
        json: bool,
    ) -> anyhow::Result<()> {
        let checked = Checked {
            model: &config.name,
            dataset: &config.dataset,
            labels: config.schema.label_names(),
            storage: settings.storage.to_value(),
        };
        if json {
            return output::json(&checked);
        }
        output::line(format!(
            "{} is right: model {}, dataset {}, labels {}",
            settings.config_file.display(),
            checked.model,
            checked.dataset,
            checked.labels.join(", ")
        ));
        output::line(format!("storage: {}", checked.storage));
        Ok(())
    }
}
