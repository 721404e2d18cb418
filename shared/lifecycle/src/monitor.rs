//! `monitor`: joins labels with predictions, holds the last window against the model's baseline, writes a report, and does
//! what its rules ask for: an early retrain, an abort of the release. It can never promote.

use std::collections::{HashMap, VecDeque};

use futures::TryStreamExt as _;
use jiff::SignedDuration;
use serde::Serialize;
use sluice_monitoring::page::Page;
use sluice_monitoring::{Baseline, JoinedOutcome, Observation, Report, Window, evaluate};
use sluice_registry::{
    Abort, AuditEvent, Digest, ModelArtifact, ModelRef, PredictionRecord, RunTrigger, Serving,
};
use sluice_storage::Container;
use sluice_telemetry::Event;

use crate::{Lifecycle, LifecycleError, StartOutcome};

/// Earlier reports that a page shows.
const HISTORY: usize = 48;

/// What the monitor found and did.
#[derive(Clone, Debug, Serialize)]
pub struct Monitored {
    /// Nothing serves: there is nothing to watch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nothing: Option<String>,
    /// The model that was watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelRef>,
    /// The report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
    /// The page in the reports container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// What became of the wish for an early retrain, when there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retrain: Option<StartOutcome>,
    /// The release that was aborted, when one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aborted: Option<u64>,
}

impl Monitored {
    /// The verdict, in sentences.
    #[must_use]
    pub fn describe(&self) -> String {
        let (Some(report), Some(page)) = (&self.report, &self.page) else {
            return self.nothing.clone().unwrap_or_default();
        };
        let mut text = format!("{} (reports/{page})", report.verdict);
        match &self.retrain {
            Some(StartOutcome::Started { run }) => {
                text.push_str(&format!(" An early training run started: {}.", run.id))
            }
            Some(StartOutcome::Skipped { reason }) => {
                text.push_str(&format!(" No early training run started: {reason}."))
            }
            None => {}
        }
        if let Some(release) = self.aborted {
            text.push_str(&format!(" Release {release} is aborted."));
        }
        text
    }
}

impl Lifecycle {
    /// Watches the model that serves: writes a report and does what its rules ask for.
    ///
    /// # Errors
    /// Storage, registry.
    pub async fn monitor(&self) -> Result<Monitored, LifecycleError> {
        let Some(serving) = self.registry.releases().serving().await? else {
            let nothing = Some("nothing is released yet: there is nothing to watch".to_owned());
            return Ok(Monitored {
                nothing,
                model: None,
                report: None,
                page: None,
                retrain: None,
                aborted: None,
            });
        };
        let baseline = self.baseline(&serving.model).await?;
        let window = self.window(&serving.model).await?;
        let report = evaluate(&self.config.monitor, &baseline, &window);
        let page = self
            .write_report(&serving, &baseline, &window, &report)
            .await?;
        Event::ReportWritten {
            path: &page,
            verdict: &report.verdict,
            alerts: report.alerts.len(),
        }
        .emit();

        let retrain = match &report.retrain {
            None => None,
            Some(reason) => Some(self.retrain_early(reason, &page).await?),
        };
        let aborted = match &report.abort {
            None => None,
            Some(reason) => self.abort(&serving, reason).await?,
        };
        Ok(Monitored {
            nothing: None,
            model: Some(serving.model),
            report: Some(report),
            page: Some(page),
            retrain,
            aborted,
        })
    }

    async fn baseline(&self, model: &ModelRef) -> Result<Baseline, LifecycleError> {
        let bytes = self
            .registry
            .models()
            .artifact(&model.name, model.version, ModelArtifact::Baseline)
            .await?;
        serde_json::from_slice(&bytes).map_err(|source| LifecycleError::Unreadable {
            what: format!("baseline of model version {}", model.version),
            source,
        })
    }

    /// What this model answered lately, with the labels that came back, at a memory of the labels.
    async fn window(&self, model: &ModelRef) -> Result<Window, LifecycleError> {
        let to = self.clock.now();
        let from = to - SignedDuration::from_hours(i64::from(self.config.monitor.window_hours));
        let mut window = Window::new(from, to, &self.config.schema.label_names());

        let predictions = self.registry.predictions();
        let mut labels = HashMap::new();
        let mut feedback = predictions.feedback(from, to);
        while let Some(record) = feedback.try_next().await? {
            window.labels_received += 1;
            labels.insert(record.id, record.label);
        }
        let mut records = predictions.window(from, to);
        while let Some(record) = records.try_next().await? {
            if record.model == model.digest && record.variant != "shadow" {
                add(&mut window, &record, labels.get(&record.id));
            }
        }
        let requests = predictions.request_counts(from, to).await?;
        window.requests = requests.served + requests.refused + requests.failed;
        window.errors = requests.failed;
        Ok(window)
    }

    /// Writes the report as JSON and as a page; says the page's name.
    async fn write_report(
        &self,
        serving: &Serving,
        baseline: &Baseline,
        window: &Window,
        report: &Report,
    ) -> Result<String, LifecycleError> {
        let model = &serving.model;
        let name = format!(
            "{}/{:06}/{}",
            model.name,
            model.version,
            report.to.strftime("%Y%m%dT%H%M%SZ")
        );
        let json = serde_json::to_vec_pretty(report).map_err(LifecycleError::encode)?;
        let subject = format!(
            "{}, version {}, release {}",
            model.name, model.version, serving.release.number
        );
        let history = self.history(model, &name).await?;
        let html = Page {
            subject: &subject,
            report,
            baseline,
            window,
            history: &history,
        }
        .to_html()?;
        let digest = Digest::of(&json);
        self.store
            .put(Container::Reports, &format!("{name}.json"), json.into())
            .await?;
        let page = format!("{name}.html");
        self.store
            .put(Container::Reports, &page, html.clone().into())
            .await?;
        self.store
            .put(Container::Reports, "latest.html", html.into())
            .await?;
        self.registry
            .record(AuditEvent::ReportWritten {
                report: format!("{name}.json"),
                digest,
            })
            .await?;
        Ok(page)
    }

    /// The last reports of a model before the one called `name`, oldest first.
    async fn history(&self, model: &ModelRef, name: &str) -> Result<Vec<Report>, LifecycleError> {
        let prefix = format!("{}/{:06}/", model.name, model.version);
        let mut names = VecDeque::new();
        let mut reports = self.store.list(Container::Reports, &prefix).await?;
        while let Some(report) = reports.try_next().await? {
            if report.name.ends_with(".json") && report.name.trim_end_matches(".json") < name {
                names.push_back(report.name);
                if names.len() > HISTORY {
                    names.pop_front();
                }
            }
        }
        let mut history = Vec::new();
        for name in names {
            let (bytes, _) = self.store.read(Container::Reports, &name).await?;
            // A report of another version of Sluice may not be readable: it is left out of the history.
            history.extend(serde_json::from_slice::<Report>(&bytes).ok());
        }
        Ok(history)
    }

    async fn retrain_early(
        &self,
        reason: &str,
        report: &str,
    ) -> Result<StartOutcome, LifecycleError> {
        let outcome = self
            .start_training(RunTrigger::Drift(reason.to_owned()))
            .await?;
        if matches!(outcome, StartOutcome::Started { .. }) {
            let (model, report) = (self.config.model.clone(), Some(report.to_owned()));
            self.registry
                .record(AuditEvent::RetrainRequested {
                    model,
                    reason: reason.to_owned(),
                    report,
                })
                .await?;
        }
        Ok(outcome)
    }

    /// Falls back from the release in force, once, if there is something to fall back to.
    async fn abort(&self, serving: &Serving, reason: &str) -> Result<Option<u64>, LifecycleError> {
        if serving.aborted.is_some() || serving.release.previous.is_none() {
            return Ok(None);
        }
        let abort = Abort {
            release: serving.release.number,
            reason: reason.to_owned(),
            requested_by: "monitor".to_owned(),
            requested_at: self.clock.now(),
        };
        self.registry.releases().abort(abort).await?;
        Ok(Some(serving.release.number))
    }
}

fn add(window: &mut Window, record: &PredictionRecord, truth: Option<&String>) {
    window.profile.observe(&Observation {
        at: Some(record.at),
        features: &record.features,
        label: &record.outcome.label,
        scores: &record.outcome.scores,
        slice: None,
    });
    // The time in the model is the whole request's: counted once.
    if record.id.ends_with(".0") {
        window.latency_ms.add(record.latency_us as f64 / 1_000.0);
    }
    if let Some(truth) = truth {
        window.outcomes.add(&JoinedOutcome {
            predicted: &record.outcome.label,
            truth,
            scores: &record.outcome.scores,
            slice: None,
        });
    }
}
