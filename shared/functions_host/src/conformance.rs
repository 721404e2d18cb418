//! Drives any custom handler through what the Functions host expects of it, and says what it finds.
//!
//! The handler is started as the host would start it, gets envelopes and requests as the host would send them, is killed as the
//! host would kill it, and its answers are read as the host would read them. Each check has the number of a line of the contract's
//! checklist, see `docs/local-host.md` of the project. Every function is really run: use settings of an environment that may
//! be written to.

mod app;
mod check;
mod events;
mod forwarded;
mod package;
mod sample;
mod session;
mod start;
mod streams;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::error::HostError;
use app::App;
use check::Check;
use sample::Samples;

/// The lines that a handler can be checked for.
const ALL_LINES: std::ops::RangeInclusive<u8> = 31..=46;
/// How long one answer is waited for, unless the options say otherwise.
const PATIENCE: Duration = Duration::from_secs(60);
/// A blob of 75 MiB as base64. The host has no limit of its own for blobs.
const LARGEST_ENVELOPE: usize = 100 * 1024 * 1024;

/// What is checked, and with what.
#[derive(Clone, Debug)]
pub struct ConformanceOptions {
    /// The staged folder: `host.json`, the executable, one folder per function.
    pub app_root: PathBuf,
    /// The app settings, which are also part of the handler's environment.
    pub settings: BTreeMap<String, String>,
    /// The environment that the handler inherits, under the settings.
    pub environment: Vec<(OsString, OsString)>,
    /// A folder with `{function}.json`: what to send to a function instead of a made-up invocation; and `{function}.bad.json`:
    /// what can never be right. For a function that is not HTTP the file is an envelope, `{"Data": …, "Metadata": …}`; for an HTTP
    /// function it is `{"method", "path", "headers", "body"}`, each optional, the body a text or JSON.
    pub samples: Option<PathBuf>,
    /// How long one answer is waited for at most.
    pub patience: Duration,
    /// The size in bytes of the largest envelope that a blob function gets.
    pub largest_envelope: usize,
}

impl ConformanceOptions {
    /// Checks with made-up invocations, no settings and nothing inherited.
    #[must_use]
    pub fn new(app_root: impl Into<PathBuf>) -> Self {
        Self {
            app_root: app_root.into(),
            settings: BTreeMap::new(),
            environment: Vec::new(),
            samples: None,
            patience: PATIENCE,
            largest_envelope: LARGEST_ENVELOPE,
        }
    }
}

/// What the checks found.
#[derive(Clone, Debug, Serialize)]
pub struct ConformanceReport {
    /// The functions that were driven.
    pub functions: Vec<String>,
    /// One for each line, in their order.
    pub findings: Vec<Finding>,
}

impl ConformanceReport {
    /// How many lines have this verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        let has_it = |finding: &&Finding| finding.verdict == verdict;
        self.findings.iter().filter(has_it).count()
    }
}

/// The outcome of one line of the checklist.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The line's number in the checklist.
    pub line: u8,
    /// What a handler must do.
    pub rule: &'static str,
    /// Whether this one does it.
    pub verdict: Verdict,
    /// What is wrong and what to do; why it was skipped; or what was measured.
    pub notes: Vec<String>,
}

/// Whether a line holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds, as far as it was tried.
    Passed,
    /// It does not hold.
    Failed,
    /// It does not hold, and no deployment on Azure Functions trips over it.
    Advised,
    /// It could not be tried with this app and these samples.
    Skipped,
}

/// Runs every check, one after the other; it takes some seconds.
///
/// # Errors
/// [`HostError::Configuration`], [`HostError::Executable`] and [`HostError::Folder`] for an app that no host could start, and for
/// samples that cannot be read. A handler that behaves badly is no error but a finding.
pub async fn check_conformance(
    options: ConformanceOptions,
) -> Result<ConformanceReport, HostError> {
    let app = App::read(options)?;
    let samples = Samples::read(&app)?;
    let before = package::snapshot(&app.app_root).map_err(HostError::folder(&app.app_root))?;

    let mut findings = Vec::new();
    let mut unserved = Vec::new();
    match app.start().await {
        Err(reason) => {
            findings.push(Finding {
                line: 31,
                rule: start::LISTENS,
                verdict: Verdict::Failed,
                notes: vec![reason],
            });
            let rest = ALL_LINES.filter(|line| !matches!(line, 31 | 44 | 46));
            findings.extend(
                rest.map(|line| {
                    Check::skipped(line, "not tried", "the handler never answered GET /")
                }),
            );
        }
        Ok(session) => {
            findings.push(start::listens_where_told(&app).await);
            findings.push(start::answers_the_probe(&session).await);
            findings.extend(events::check(&app, &samples, &session, &mut unserved).await);
            findings.extend(forwarded::check(&app, &samples, &session).await);
            findings.push(streams::strays(&app, &session).await);
            findings.push(streams::lines(&app, &samples, session).await);
            findings.push(start::drains(&app).await);
        }
    }
    findings.push(package::is_untouched(&app, &before));
    findings.push(package::is_complete(&app, &unserved));
    findings.sort_by_key(|finding| finding.line);
    Ok(ConformanceReport {
        functions: app.names(),
        findings,
    })
}
