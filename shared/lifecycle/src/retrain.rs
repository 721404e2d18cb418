//! `start_training`: decides, records the run, hands it to the trainer. However often it is called, one run runs.

use jiff::Timestamp;
use jiff::tz::Offset;
use serde::Serialize;
use sluice_registry::{AuditEvent, Begin, DatasetRef, Digest, Run, RunState, RunTrigger};
use sluice_telemetry::Event;

use crate::{Lifecycle, LifecycleError, RetrainFacts};

/// Whether a run was started.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum StartOutcome {
    /// It was.
    Started {
        /// The run.
        run: Box<Run>,
    },
    /// It was not.
    Skipped {
        /// Why, as it is in the audit stream.
        reason: String,
    },
}

impl Lifecycle {
    /// Starts a training run if the policy allows it; labels that came back join the dataset first.
    ///
    /// # Errors
    /// Storage, registry, or the trainer cannot be started: the run stays recorded and the next reconcile submits it.
    pub async fn start_training(
        &self,
        trigger: RunTrigger,
    ) -> Result<StartOutcome, LifecycleError> {
        self.ingest_feedback().await?;
        match self.plan_run(&trigger).await? {
            Err(reason) => self.skip(trigger, reason).await,
            Ok(run) => {
                let deadline = self.clock.now() + self.config.retrain.deadline;
                match self.registry.runs().begin(run, deadline).await? {
                    Begin::Begun(run) => self
                        .submit(run)
                        .await
                        .map(|run| StartOutcome::Started { run: Box::new(run) }),
                    Begin::AlreadyRunning(run) => {
                        self.skip(trigger, format!("run {} is still going", run.id))
                            .await
                    }
                    Begin::AlreadyDone(run) => {
                        self.skip(trigger, format!("run {} has done the same before", run.id))
                            .await
                    }
                }
            }
        }
    }

    /// Hands a recorded run to the trainer.
    pub(crate) async fn submit(&self, run: Run) -> Result<Run, LifecycleError> {
        let job = self.trainer.submit(&run).await?;
        let submitted = RunState::Submitted {
            job,
            at: self.clock.now(),
        };
        // A quick job may be collected by another process before its submission is written down.
        let run = self.advance(&run, submitted).await?;
        let trigger = trigger_name(&run.trigger);
        Event::RunSubmitted {
            run: &run.id,
            dataset_version: run.dataset.version,
            trigger: &trigger,
        }
        .emit();
        Ok(run)
    }

    async fn skip(
        &self,
        trigger: RunTrigger,
        reason: String,
    ) -> Result<StartOutcome, LifecycleError> {
        Event::RunSkipped { reason: &reason }.emit();
        // Reconcile asks every few minutes whether there are enough rows: a no is not news.
        if trigger != RunTrigger::NewRows {
            let model = self.config.model.clone();
            self.registry
                .record(AuditEvent::RunSkipped {
                    model,
                    trigger,
                    reason: reason.clone(),
                })
                .await?;
        }
        Ok(StartOutcome::Skipped { reason })
    }

    /// The run that would start now, or the reason why none does.
    async fn plan_run(&self, trigger: &RunTrigger) -> Result<Result<Run, String>, LifecycleError> {
        let dataset = &self.config.dataset;
        let Some((version, digest)) = self.registry.datasets().current(dataset).await? else {
            return Ok(Err(LifecycleError::NoDataset {
                dataset: dataset.clone(),
            }
            .to_string()));
        };
        let mut runs = self.registry.runs().list().await?;
        runs.retain(|run| run.model == self.config.model);
        let active = self.registry.runs().active(&self.config.model).await?;
        let now = self.clock.now();
        let facts = facts(&runs, active.as_ref(), version.rows, now);
        if let Err(reason) = self.config.retrain.decide(trigger, &facts) {
            return Ok(Err(reason));
        }

        let dataset = DatasetRef {
            dataset: dataset.clone(),
            version: version.version,
            digest,
            rows: version.rows,
        };
        let attempt = runs
            .iter()
            .filter(|run| run.dataset.digest == digest)
            .count();
        let id = self.run_id(&dataset, attempt)?;
        let model_version = self
            .registry
            .models()
            .next_version(&self.config.model)
            .await?;
        let model_version = runs
            .iter()
            .map(|run| run.model_version + 1)
            .max()
            .unwrap_or(1)
            .max(model_version);
        Ok(Ok(Run {
            id,
            model: self.config.model.clone(),
            model_version,
            dataset,
            champion: self
                .registry
                .releases()
                .serving()
                .await?
                .map(|serving| serving.model),
            trigger: trigger.clone(),
            created_at: now,
            state: RunState::Created,
        }))
    }

    /// The id of a run: the same data and configuration give the same id, unless it is a further attempt.
    fn run_id(&self, dataset: &DatasetRef, attempt: usize) -> Result<String, LifecycleError> {
        let what = (
            &self.config.model,
            dataset.digest,
            &self.config.training,
            &self.config.gate,
            attempt,
        );
        let what = serde_json::to_vec(&what).map_err(LifecycleError::encode)?;
        Ok(format!("{}-{}", dataset.version, Digest::of(&what).short()))
    }
}

fn facts(runs: &[Run], active: Option<&Run>, rows: u64, now: Timestamp) -> RetrainFacts {
    let month = |at: Timestamp| {
        let date = Offset::UTC.to_datetime(at);
        (date.year(), date.month())
    };
    let by_hand = |run: &&Run| run.trigger == RunTrigger::Manual;
    let counted = runs
        .iter()
        .filter(|run| !by_hand(run) && month(run.created_at) == month(now))
        .count();
    let succeeded = runs
        .iter()
        .filter(|run| matches!(run.state, RunState::Succeeded { .. }));
    RetrainFacts {
        now,
        rows,
        rows_of_last_run: succeeded.map(|run| run.dataset.rows).max(),
        last_started: runs
            .iter()
            .filter(|run| !by_hand(run))
            .map(|run| run.created_at)
            .max(),
        last_scheduled: runs
            .iter()
            .filter(|run| run.trigger == RunTrigger::Schedule)
            .map(|run| run.created_at)
            .max(),
        runs_this_month: u32::try_from(counted).unwrap_or(u32::MAX),
        active_run: active.map(|run| run.id.clone()),
    }
}

/// A trigger in a few words.
#[must_use]
pub fn trigger_name(trigger: &RunTrigger) -> String {
    match trigger {
        RunTrigger::Schedule => "schedule".into(),
        RunTrigger::NewRows => "new rows".into(),
        RunTrigger::Drift(rule) => format!("drift: {rule}"),
        RunTrigger::Manual => "by hand".into(),
    }
}
