//! `sluice host`: what the local host can do for any custom handler.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use sluice_functions_host::{
    ConformanceOptions, ConformanceReport, Verdict, check_conformance, read_local_settings,
};

use super::output;

/// What to do with a staged app.
#[derive(Debug, Subcommand)]
pub(super) enum HostCommand {
    /// Drive a custom handler through what the Functions host expects of it. Every function is really run.
    Conformance(Conformance),
}

/// What to check.
#[derive(Debug, Args)]
pub(super) struct Conformance {
    /// The staged app: host.json, the executable, one folder per function.
    folder: PathBuf,
    /// A folder with {function}.json, what to send to a function, and {function}.bad.json, what can never be right.
    #[arg(long, value_name = "DIR")]
    samples: Option<PathBuf>,
    #[command(flatten)]
    settings: StagedSettings,
    /// A line of the checklist that does not matter for this app; may be repeated.
    #[arg(long, value_name = "LINE", value_parser = clap::value_parser!(u8).range(31..=46))]
    ignore: Vec<u8>,
    /// Seconds that one answer is waited for at most.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    patience: u64,
    /// The size of the largest envelope that a blob function gets, in bytes [default: 100 MiB].
    #[arg(long, value_name = "BYTES")]
    largest_envelope: Option<usize>,
}

/// Where the settings of an app that is not ours come from.
#[derive(Debug, Args)]
pub(super) struct StagedSettings {
    /// An app setting, over local.settings.json of the app; may be repeated.
    #[arg(long = "setting", value_name = "NAME=VALUE", value_parser = setting)]
    given: Vec<(String, String)>,
}

impl StagedSettings {
    /// The settings in `local.settings.json`, unless the environment has them, as under Core Tools; and those given.
    pub(super) fn of(&self, app_root: &Path) -> anyhow::Result<BTreeMap<String, String>> {
        let mut settings = read_local_settings(app_root)?;
        settings.retain(|name, _| std::env::var_os(name).is_none());
        settings.extend(self.given.iter().cloned());
        Ok(settings)
    }
}

fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

impl HostCommand {
    pub(super) async fn run(self, json: bool) -> anyhow::Result<ExitCode> {
        match self {
            Self::Conformance(conformance) => conformance.run(json).await,
        }
    }
}

impl Conformance {
    async fn run(self, json: bool) -> anyhow::Result<ExitCode> {
        let mut options = ConformanceOptions::new(&self.folder);
        options.settings = self.settings.of(&self.folder)?;
        options.environment = std::env::vars_os().collect();
        options.samples = self.samples;
        options.patience = Duration::from_secs(self.patience.max(1));
        if let Some(bytes) = self.largest_envelope {
            options.largest_envelope = bytes;
        }
        let mut report = check_conformance(options).await?;
        for finding in &mut report.findings {
            if matches!(finding.verdict, Verdict::Failed | Verdict::Advised)
                && self.ignore.contains(&finding.line)
            {
                finding.verdict = Verdict::Skipped;
                finding.notes.insert(0, "ignored as asked".to_owned());
            }
        }
        output::result(json, &report, || page(&report))?;
        Ok(if report.count(Verdict::Failed) == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

/// The report for a person.
fn page(report: &ConformanceReport) -> String {
    let mut lines = vec![format!("functions: {}\n", report.functions.join(", "))];
    for finding in &report.findings {
        let verdict = match finding.verdict {
            Verdict::Passed => "pass",
            Verdict::Failed => "FAIL",
            Verdict::Advised => "note",
            Verdict::Skipped => "skip",
        };
        lines.push(format!("{:>3}  {verdict}  {}", finding.line, finding.rule));
        lines.extend(
            finding
                .notes
                .iter()
                .map(|note| format!("           {note}")),
        );
    }
    lines.push(format!(
        "\n{} passed, {} failed, {} noted, {} skipped",
        report.count(Verdict::Passed),
        report.count(Verdict::Failed),
        report.count(Verdict::Advised),
        report.count(Verdict::Skipped)
    ));
    lines.join("\n")
}
