//! What happens in the loop. One variant is one event; its message and fields are written here and nowhere else.

use std::time::Duration;

use tracing::{error, info, warn};

/// An event of the loop.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Another model answers from now on.
    ModelLoaded {
        /// The release that names it.
        release: u64,
        /// The model's version.
        version: u64,
        /// The model's digest.
        digest: &'a str,
        /// From reading the file to the first possible answer.
        took: Duration,
    },
    /// The release pointer names a model that cannot be loaded; the old one goes on.
    ModelLoadFailed {
        /// Why.
        error: &'a str,
    },
    /// An upload became a dataset version.
    UploadIngested {
        /// The upload's name.
        upload: &'a str,
        /// The dataset version with its rows.
        version: u64,
        /// Rows taken.
        accepted: u64,
        /// Rows refused.
        refused: u64,
    },
    /// The bytes of an upload were ingested before: events come more than once.
    UploadKnown {
        /// The upload's name.
        upload: &'a str,
    },
    /// Nothing of an upload could be taken.
    UploadSkipped {
        /// The upload's name.
        upload: &'a str,
        /// Why.
        reason: &'a str,
    },
    /// A training run was handed to the trainer.
    RunSubmitted {
        /// The run.
        run: &'a str,
        /// The dataset version it trains on.
        dataset_version: u64,
        /// Why it was started.
        trigger: &'a str,
    },
    /// A retrain was asked for and not started.
    RunSkipped {
        /// Why.
        reason: &'a str,
    },
    /// A training run ended without a model.
    RunFailed {
        /// The run.
        run: &'a str,
        /// Why.
        reason: &'a str,
    },
    /// A candidate went through its gate.
    CandidateGated {
        /// The model version.
        version: u64,
        /// Whether it passed.
        passed: bool,
        /// What failed.
        failures: &'a [String],
    },
    /// A report was written.
    ReportWritten {
        /// Its path in the reports container.
        path: &'a str,
        /// The verdict in one sentence.
        verdict: &'a str,
        /// How many alerts it holds.
        alerts: usize,
    },
    /// Predictions that were answered could not be written to the log yet.
    PredictionLogDelayed {
        /// Bytes waiting.
        waiting_bytes: usize,
        /// Why.
        error: &'a str,
    },
}

impl Event<'_> {
    /// Writes the event's log line.
    pub fn emit(&self) {
        match self {
            Self::ModelLoaded {
                release,
                version,
                digest,
                took,
            } => info!(
                release.number = release,
                model.version = version,
                model.digest = digest,
                duration_ms = took.as_millis(),
                "model version {version} answers now (release {release})"
            ),
            Self::ModelLoadFailed { error } => error!(
                error,
                "the released model cannot be loaded; the one before goes on answering"
            ),
            Self::UploadIngested {
                upload,
                version,
                accepted,
                refused,
            } => info!(
                upload.name = upload,
                dataset.version = version,
                rows.accepted = accepted,
                rows.refused = refused,
                "ingested {upload} into dataset version {version}: {accepted} rows taken, {refused} refused"
            ),
            Self::UploadKnown { upload } => info!(
                upload.name = upload,
                "upload {upload} changed nothing: the same bytes were ingested before"
            ),
            Self::UploadSkipped { upload, reason } => warn!(
                upload.name = upload,
                reason, "upload {upload} changed nothing: {reason}"
            ),
            Self::RunSubmitted {
                run,
                dataset_version,
                trigger,
            } => info!(
                run.id = run,
                dataset.version = dataset_version,
                trigger,
                "training run {run} started on dataset version {dataset_version} ({trigger})"
            ),
            Self::RunSkipped { reason } => info!(reason, "no training run started: {reason}"),
            Self::RunFailed { run, reason } => {
                error!(run.id = run, reason, "training run {run} failed: {reason}")
            }
            Self::CandidateGated {
                version,
                passed: true,
                ..
            } => {
                info!(
                    model.version = version,
                    "candidate version {version} passed its gate and waits for approval"
                );
            }
            Self::CandidateGated {
                version, failures, ..
            } => {
                warn!(
                    model.version = version,
                    ?failures,
                    "candidate version {version} failed its gate: {}",
                    failures.join("; ")
                );
            }
            Self::ReportWritten {
                path,
                verdict,
                alerts,
            } => {
                info!(
                    report.path = path,
                    report.alerts = alerts,
                    "report {path}: {verdict}"
                );
            }
            Self::PredictionLogDelayed {
                waiting_bytes,
                error,
            } => {
                warn!(
                    waiting_bytes,
                    error,
                    "the prediction log cannot be written; {waiting_bytes} bytes wait for the next try"
                );
            }
        }
    }
}
