//! `sluice ingest` and `sluice sample`: rows by hand.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use sluice_storage::Container;

use super::output;
use crate::context::Context;
use crate::sample;

/// A file to ingest.
#[derive(Debug, Args)]
pub(super) struct Ingest {
    /// The file: CSV, JSON lines or Parquet, plain or gzip.
    file: PathBuf,
    /// Its name in the incoming container [default: the file's name].
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
}

impl Ingest {
    pub(super) async fn run(self, context: &Context, json: bool) -> anyhow::Result<()> {
        let name = upload(context, &self.file, self.name.as_deref()).await?;
        let outcome = context.lifecycle.ingest_upload(&name).await?;
        output::result(json, &outcome, || crate::ingest::describe(&name, &outcome))
    }
}

/// Copies a local file into the incoming container; says its name there. The same name with other bytes is replaced.
pub(super) async fn upload(
    context: &Context,
    file: &std::path::Path,
    name: Option<&str>,
) -> anyhow::Result<String> {
    let own = file.file_name().and_then(|name| name.to_str());
    let name = name
        .or(own)
        .with_context(|| format!("{} has no file name; give one with --as", file.display()))?;
    let name = format!("{}/{name}", context.config.dataset);
    anyhow::ensure!(
        file.is_file(),
        "{} is not a file that can be read",
        file.display()
    );
    // In one step: who reads the old file meanwhile reads it whole, and a kill leaves one of the two.
    context
        .store
        .put_from_file(Container::Incoming, &name, file)
        .await?;
    Ok(name)
}

/// Sample messages.
#[derive(Debug, Args)]
pub(super) struct Sample {
    /// How many.
    #[arg(long, default_value_t = 4_000)]
    rows: usize,
    /// Other seeds give other messages.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Sample {
    pub(super) fn run(self) {
        output::line(sample::messages_csv(self.seed, self.rows, jiff::Timestamp::now()).trim_end());
    }
}
