//! The command line: one file for each subcommand.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use sluice_telemetry::LogStream;
use tokio::runtime::Runtime;

use crate::config::{DEFAULT_FILTER, ModelConfig, Settings, StorageSetting};
use crate::context::Context;

mod audit;
mod config;
mod data;
mod handler;
mod host;
mod host_log;
mod output;
mod progress;
mod release;
mod replay;
mod report;
mod staged;
mod staging;
mod status;
mod train;
mod up;

/// Keeps one machine-learning model in production: predict, ingest, retrain, release, monitor.
///
/// Without a subcommand it is the Azure Functions custom handler and is started by the Functions host.
#[derive(Debug, Parser)]
#[command(version, about, long_about)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What every subcommand takes.
#[derive(Debug, Args)]
pub struct Global {
    /// The model's configuration [default: sluice.toml, or SLUICE_CONFIG].
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder that holds the blobs [default: .sluice/data, or SLUICE_STORAGE].
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Print the result as JSON.
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Bring up the functions under a local host: the whole loop on this machine.
    Up(up::Up),
    /// Run the loop over a time-stamped labelled file, week by week, and say what each way of retraining brings.
    Replay(replay::Replay),
    /// Train on a labelled file and say how good it is, or run a training run of the loop.
    Train(train::Train),
    /// Start a training run now.
    Retrain(train::Retrain),
    /// Put a file into the incoming container and ingest it.
    Ingest(data::Ingest),
    /// Print synthetic sample messages as CSV.
    Sample(data::Sample),
    /// Propose, approve, promote, roll back, abort; say what serves.
    #[command(subcommand)]
    Release(release::ReleaseCommand),
    /// Verify the audit streams; trace a prediction back to data, code and approval.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Write a drift and accuracy report now.
    Report(report::ReportNow),
    /// Finish what events lost: ingest stranded uploads, collect finished runs.
    Reconcile(report::ReconcileNow),
    /// What there is: dataset, runs, models, release.
    Status(status::Status),
    /// Check sluice.toml and the environment.
    Check(config::Check),
    /// Check any staged custom handler against what the Functions host expects.
    #[command(subcommand)]
    Host(host::HostCommand),
}

/// Runs one command.
///
/// # Errors
/// What went wrong, for a person.
pub fn execute(cli: Cli) -> anyhow::Result<ExitCode> {
    let mut settings = Settings::read(|name| std::env::var(name).ok())?;
    if let Some(config) = cli.global.config {
        settings.config_file = config;
    }
    if let Some(data) = cli.global.data {
        settings.storage = StorageSetting::Directory(data);
    }
    let json = cli.global.json;
    // Somebody else's app has no sluice.toml.
    let command = match cli.command {
        Some(Command::Host(host)) => {
            start_logs(&settings, Some("warn"))?;
            return start_runtime()?.block_on(host.run(json));
        }
        Some(Command::Up(up)) if up.staged.is_some() => {
            start_logs(&settings, Some("warn"))?;
            return start_runtime()?.block_on(up.run_staged(&settings));
        }
        command => command,
    };
    // Before anything is bound or written: a wrong setting stops the process with one line.
    let config = ModelConfig::read(&settings.config_file)?;
    start_logs(&settings, command.as_ref().map(Command::usual_log))?;
    start_runtime()?.block_on(async {
        let Some(command) = command else {
            handler::run(settings, config).await?;
            return Ok(ExitCode::SUCCESS);
        };
        let context = |writer: &str| Context::open(settings.clone(), config.clone(), writer);
        match command {
            Command::Up(up) => return up.run(settings, config).await,
            Command::Replay(replay) => replay.run(settings, config, json).await?,
            Command::Train(train) => return train.run(settings, config, json).await,
            Command::Retrain(retrain) => retrain.run(&*context("command")?, json).await?,
            Command::Ingest(ingest) => ingest.run(&*context("command")?, json).await?,
            Command::Sample(sample) => sample.run(),
            Command::Release(release) => release.run(&*context("command")?, json).await?,
            Command::Audit(audit) => return audit.run(&*context("command")?, json).await,
            Command::Report(report) => report.run(&*context("command")?, json).await?,
            Command::Reconcile(reconcile) => reconcile.run(&*context("command")?, json).await?,
            Command::Status(status) => status.run(&*context("command")?, json).await?,
            Command::Check(check) => check.run(&settings, &config, json)?,
            Command::Host(host) => return host.run(json).await,
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Log lines: of the handler on standard output; of commands, which print their result there, on standard error.
fn start_logs(settings: &Settings, command: Option<&str>) -> anyhow::Result<()> {
    let asked_for = settings.log.filter.as_str();
    let (filter, stream) = match command {
        None => (asked_for, LogStream::Output),
        Some(usual) if asked_for == DEFAULT_FILTER => (usual, LogStream::Error),
        Some(_) => (asked_for, LogStream::Error),
    };
    sluice_telemetry::init(filter, settings.log.format, stream)
        .context("SLUICE_LOG is not a filter, as info or sluice=debug")
}

fn start_runtime() -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no threads can be started")
}

impl Command {
    /// The filter when none was asked for: of the log only warnings are worth a line beside a result.
    fn usual_log(&self) -> &'static str {
        match self {
            // In a replay a candidate that fails its gate is everyday business.
            Self::Replay(_) => "error",
            _ => "warn",
        }
    }
}
