//! `sluice up`: the functions under the local host, over a folder: the whole loop on this machine.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use azure_functions::shutdown_signal;
use clap::Args;
use sluice_functions_host::{Host, HostOptions, KeyPolicy, RunningHost};
use sluice_registry::{Proposal, RunState};
use sluice_storage::Container;

use super::host::StagedSettings;
use super::{data, host_log, output, staged, staging};
use crate::config::{ModelConfig, Settings, StorageSetting};
use crate::context::Context;
use crate::sample;

/// The port that the Azure Functions Core Tools use, too.
const USUAL_PORT: u16 = 7071;
/// How often `up` looks whether a training run has ended; reconcile by itself looks every five minutes.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);
/// Sample messages for a machine without data.
const SAMPLE_ROWS: usize = 4_000;

/// How to bring the functions up.
#[derive(Debug, Args)]
pub(super) struct Up {
    /// Ingest this file first (CSV, JSON lines or Parquet, plain or gzip).
    #[arg(long, value_name = "FILE")]
    import: Option<PathBuf>,
    /// The port for callers on 127.0.0.1; 0 takes a free one [default: 7071, or a free one when it is taken].
    #[arg(long)]
    port: Option<u16>,
    /// Start with no data instead of synthetic sample messages.
    #[arg(long)]
    empty: bool,
    /// Ask callers for function keys, as in Azure.
    #[arg(long)]
    keys: bool,
    /// Do not fire timers by themselves.
    #[arg(long)]
    no_timers: bool,
    /// Print everything that the host does.
    #[arg(long, short)]
    verbose: bool,
    /// Serve this staged app instead of Sluice: any custom handler with its host.json and one folder per function.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["import", "empty"])]
    pub(super) staged: Option<PathBuf>,
    #[command(flatten)]
    staged_settings: StagedSettings,
}

impl Up {
    /// Serves an app that need not be Sluice.
    pub(super) async fn run_staged(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let StorageSetting::Directory(data_root) = &settings.storage;
        let Some(app_root) = &self.staged else {
            anyhow::bail!("--staged names no folder");
        };
        staged::serve(&self, app_root, data_root, &self.staged_settings).await
    }

    pub(super) async fn run(
        self,
        settings: Settings,
        config: ModelConfig,
    ) -> anyhow::Result<ExitCode> {
        let stop = shutdown_signal()?;
        let StorageSetting::Directory(data_root) = settings.storage.clone();
        let context = Context::open(settings, config, "up")?;
        // The settings' own error, now: not from a handler that restarts three times.
        context.runtime().await?;
        tokio::pin!(stop);
        let host = tokio::select! {
            host = self.start_host(&context, &data_root) => host?,
            () = &mut stop => return Ok(ExitCode::SUCCESS),
        };
        introduce(&context, &host, &data_root);
        self.first_rows(&context).await?;

        let verdict = tokio::select! {
            () = &mut stop => None,
            reason = host.wait() => Some(reason),
            never = watch_training(&context, &host) => match never {},
        };
        host.stop().await;
        match verdict {
            None => {
                output::line("\nstopped; everything is kept, sluice up goes on from here");
                Ok(ExitCode::SUCCESS)
            }
            Some(reason) => anyhow::bail!("the host stopped: {reason}"),
        }
    }

    async fn start_host(&self, context: &Context, data_root: &Path) -> anyhow::Result<RunningHost> {
        let data_root = std::path::absolute(data_root)?;
        let home = data_root
            .parent()
            .map_or_else(|| data_root.clone(), Path::to_owned);
        let app_root = home.join("app");
        let settings = app_settings(&context.config, &data_root);
        staging::stage(&app_root, &context.settings.config_file, &settings)?;

        self.host(app_root, &data_root, home.join("host"), settings)
            .await
    }

    /// Starts the local host over an app; returns when its handler answers.
    pub(super) async fn host(
        &self,
        app_root: PathBuf,
        data_root: &Path,
        state_root: PathBuf,
        settings: BTreeMap<String, String>,
    ) -> anyhow::Result<RunningHost> {
        let mut options = HostOptions::new(app_root, data_root, state_root);
        options.environment = std::env::vars_os().collect();
        options.settings = settings;
        options.port = self.port.unwrap_or_else(usual_or_free_port);
        options.keys = if self.keys {
            KeyPolicy::Required
        } else {
            KeyPolicy::Off
        };
        options.start_timers = !self.no_timers;
        let verbose = self.verbose;
        let host = Host::start(options, move |event| host_log::print(&event, verbose)).await?;
        host.ready().await?;
        Ok(host)
    }

    /// The file to import, or sample messages when there is nothing at all.
    async fn first_rows(&self, context: &Context) -> anyhow::Result<()> {
        if let Some(file) = &self.import {
            let name = data::upload(context, file, None).await?;
            output::line(format!("imported {} as incoming/{name}\n", file.display()));
            return Ok(());
        }
        let datasets = context.lifecycle.registry().datasets();
        if self.empty
            || datasets.current(&context.config.dataset).await?.is_some()
            || has_uploads(context).await?
        {
            return Ok(());
        }
        let own_columns = sample::COLUMNS.iter().all(|name| {
            context
                .config
                .schema
                .columns
                .iter()
                .any(|column| column.name == *name)
        });
        if !own_columns {
            let columns: Vec<&str> = context
                .config
                .schema
                .columns
                .iter()
                .map(|column| column.name.as_str())
                .collect();
            output::line(format!(
                "no data yet: put a file with the columns {} into the incoming folder\n",
                columns.join(", ")
            ));
            return Ok(());
        }
        let name = format!("{}/sample.csv", context.config.dataset);
        let csv = sample::messages_csv(1, SAMPLE_ROWS, context.clock.now());
        context
            .store
            .create(Container::Incoming, &name, csv.into())
            .await?;
        output::line(format!(
            "no data yet: {SAMPLE_ROWS} synthetic sample messages are put into incoming/{name}.\n\
             They are made by a few templates and only show how the loop turns; your own rows: sluice up --import FILE\n"
        ));
        Ok(())
    }
}

async fn has_uploads(context: &Context) -> anyhow::Result<bool> {
    use futures::StreamExt as _;
    let mut uploads = context
        .store
        .list(Container::Incoming, &format!("{}/", context.config.dataset))
        .await?;
    Ok(uploads.next().await.is_some())
}

fn app_settings(config: &ModelConfig, data_root: &Path) -> BTreeMap<String, String> {
    let setting = |name: &str, value: String| (name.to_owned(), value);
    BTreeMap::from([
        setting("FUNCTIONS_WORKER_RUNTIME", "custom".into()),
        // For Core Tools; the host of `sluice up` needs no storage account.
        setting("AzureWebJobsStorage", "UseDevelopmentStorage=true".into()),
        setting(
            "SLUICE_STORAGE",
            StorageSetting::Directory(data_root.to_owned()).to_value(),
        ),
        setting("RETRAIN_SCHEDULE", config.schedules.retrain.clone()),
        setting("MONITOR_SCHEDULE", config.schedules.monitor.clone()),
        setting("RECONCILE_SCHEDULE", config.schedules.reconcile.clone()),
    ])
}

/// The usual port when nobody has it, else a free one.
fn usual_or_free_port() -> u16 {
    if TcpListener::bind((Ipv4Addr::LOCALHOST, USUAL_PORT)).is_ok() {
        USUAL_PORT
    } else {
        0
    }
}

fn introduce(context: &Context, host: &RunningHost, data_root: &Path) {
    let (config, url) = (&context.config, host.url());
    let incoming = data_root.join("incoming").join(&config.dataset);
    output::line(format!(
        "Sluice {version}: model {model}, the whole loop on this machine (Ctrl-C ends it)\n\n  \
         predict    POST {url}/api/predict\n  \
         feedback   POST {url}/api/feedback\n  \
         ingest     a new file in {incoming}/\n  \
         retrain    {retrain} (UTC), or sooner with enough new rows or drift\n  \
         monitor    {monitor}\n  \
         reconcile  {reconcile}\n  \
         storage    {storage}\n",
        version = env!("CARGO_PKG_VERSION"),
        model = config.name,
        incoming = incoming.display(),
        retrain = config.schedules.retrain,
        monitor = config.schedules.monitor,
        reconcile = config.schedules.reconcile,
        storage = data_root.display(),
    ));
    if let Some(keys) = host.keys() {
        output::line(format!("  key        x-functions-key: {}\n", keys.host()));
    }
}

/// Collects a training run as soon as it has ended, and says what to do with its model.
async fn watch_training(context: &Context, host: &RunningHost) -> std::convert::Infallible {
    let mut announced = None;
    loop {
        if let Err(error) = look(context, host, &mut announced).await {
            tracing::debug!(
                error = sluice_telemetry::chain(error.as_ref()),
                "the training run cannot be looked at"
            );
        }
        tokio::time::sleep(WATCH_INTERVAL).await;
    }
}

async fn look(
    context: &Context,
    host: &RunningHost,
    announced: &mut Option<u64>,
) -> anyhow::Result<()> {
    let registry = context.lifecycle.registry();
    if let Some(run) = registry.runs().active(&context.config.name).await?
        && matches!(run.state, RunState::Submitted { .. })
        && context.lifecycle.has_ended(&run).await?
    {
        host.invoke_timer("reconcile")
            .await
            .context("reconcile failed")?;
    }
    let status = registry.releases().status().await?;
    if let Some(candidate) = status.candidates.first()
        && *announced != Some(candidate.proposal.model.version)
    {
        *announced = Some(candidate.proposal.model.version);
        announce(context, host, &candidate.proposal);
    }
    Ok(())
}

fn announce(context: &Context, host: &RunningHost, proposal: &Proposal) {
    let version = proposal.model.version;
    let StorageSetting::Directory(root) = &context.settings.storage;
    let evidence = root.join(format!(
        "models/{}/{version:06}/evidence.md",
        proposal.model.name
    ));
    let url = host.url();
    output::line(format!(
        "\nmodel version {version} passed its gate and waits for a person. Read the evidence, approve, predict, send the truth back:\n\n  \
         less {evidence}\n  \
         {sluice} release approve {version} --promote\n  \
         curl -s {url}/api/predict -H 'content-type: application/json' -d '{{\"inputs\": [\"Mill Road is closed, the flood took the bridge\"]}}'\n  \
         curl -s {url}/api/feedback -H 'content-type: application/json' -d '{{\"id\": \"ID OF THE ANSWER\", \"label\": \"{label}\"}}'\n  \
         {sluice} report\n  \
         {sluice} audit trace ID\n",
        evidence = evidence.display(),
        sluice = command_line(context),
        label = context
            .config
            .schema
            .positive_label
            .as_ref()
            .unwrap_or(&context.config.schema.labels[0].name),
    ));
}

/// How a person calls this executable for the same data.
fn command_line(context: &Context) -> String {
    let executable = std::env::args()
        .next()
        .unwrap_or_else(|| "sluice".to_owned());
    let StorageSetting::Directory(root) = &context.settings.storage;
    let option = |name: &str, value: &Path, usual: &str| {
        if value == Path::new(usual) {
            String::new()
        } else {
            format!(" --{name} {}", value.display())
        }
    };
    let config = option("config", &context.settings.config_file, "sluice.toml");
    let data = option("data", root, ".sluice/data");
    format!("{executable}{config}{data}")
}
