//! One loop, living through the weeks on a clock that is set by hand.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use sluice_dataset::{Format, Row, UploadWriter};
use sluice_lifecycle::{
    CollectOutcome, IngestOutcome, JobStatus, LifecycleError, StartOutcome, Trainer, TrainingJob,
};
use sluice_registry::{Approval, Clock, Run, RunTrigger, content_hash};
use sluice_serving::{Feedback, Prediction};
use sluice_storage::{Container, MemoryStore};
use sluice_training::NoProgress;

use super::Week;
use super::result::WeekResult;
use crate::config::{ModelConfig, Settings};
use crate::context::{Context, code_version};

/// Texts in one request.
const BATCH: usize = 256;
/// When the weekly timer fires after the week's end.
const RETRAIN_AFTER: SignedDuration = SignedDuration::from_hours(3);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Who approves in a replay; it is in the audit stream, too.
const APPROVER: &str = "replay (automatic)";

/// Which labels come back during the week, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct EarlyLabels {
    /// Share of the predictions.
    pub(super) share: f64,
    /// Time from the prediction to its label.
    pub(super) delay: SignedDuration,
    /// Which predictions: the same for the same seed.
    pub(super) seed: u64,
}

/// A loop.
pub(super) struct Simulation {
    name: &'static str,
    context: Arc<Context>,
    now: Arc<AtomicI64>,
    job: TrainingJob,
    weekly: bool,
    early: Option<EarlyLabels>,
    /// Labels on their way, by the time at which they come back.
    labels: VecDeque<(Timestamp, Feedback)>,
    released: u32,
}

/// Carries out nothing by itself: the simulation runs the job where it stands.
#[derive(Debug)]
struct InlineTrainer;

#[async_trait]
impl Trainer for InlineTrainer {
    async fn submit(&self, _run: &Run) -> Result<String, LifecycleError> {
        Ok("inline".to_owned())
    }

    async fn status(&self, _run: &Run, _job: &str) -> Result<JobStatus, LifecycleError> {
        Ok(JobStatus::Running)
    }

    async fn cancel(&self, _run: &Run, _job: &str) -> Result<(), LifecycleError> {
        Ok(())
    }
}

impl Simulation {
    /// A loop with a first model from the warm-up weeks.
    pub(super) async fn start(
        name: &'static str,
        settings: &Settings,
        config: &ModelConfig,
        warm_up: &[Week],
        weekly: bool,
        early: Option<EarlyLabels>,
    ) -> anyhow::Result<Self> {
        let now = Arc::new(AtomicI64::new(0));
        let time = now.clone();
        let clock = Clock::new(move || {
            Timestamp::from_microsecond(time.load(Ordering::SeqCst)).unwrap_or_default()
        });
        let store = Arc::new(MemoryStore::new());
        let context = Context::assemble(
            settings.clone(),
            config.clone(),
            store,
            clock,
            Arc::new(InlineTrainer),
            name,
        )?;
        let job = TrainingJob {
            runtime: context.runtime().await?,
            code: code_version(),
            progress: Arc::new(NoProgress),
        };
        let mut simulation = Self {
            name,
            context,
            now,
            job,
            weekly,
            early,
            labels: VecDeque::new(),
            released: 0,
        };
        for week in warm_up {
            simulation.set_clock(week.end);
            simulation.upload(week).await?;
        }
        let start = simulation
            .context
            .lifecycle
            .start_training(RunTrigger::Schedule)
            .await?;
        if !simulation.finish_run(&start).await? {
            bail!(
                "the model of the warm-up weeks did not pass its gate: see [gate] in sluice.toml"
            );
        }
        Ok(simulation)
    }

    /// Lives through one week: predicts every row, hears the labels that come back, is watched, is retrained.
    pub(super) async fn live(&mut self, week: &Week) -> anyhow::Result<WeekResult> {
        let before = self.released;
        let mut predicted = Vec::with_capacity(week.rows.len());
        match self.early {
            None => drop(self.predict(&week.rows, &mut predicted).await?),
            Some(early) => self.live_by_the_hour(week, early, &mut predicted).await?,
        }
        let early_runs = self.released - before;
        self.set_clock(week.end + RETRAIN_AFTER);
        if self.weekly {
            self.upload(week).await?;
            let start = self
                .context
                .lifecycle
                .start_training(RunTrigger::Schedule)
                .await?;
            self.finish_run(&start).await?;
        }
        let truth: Vec<u32> = week.rows.iter().map(|row| row.label).collect();
        Ok(WeekResult::new(&week.name, &truth, &predicted, early_runs))
    }

    async fn live_by_the_hour(
        &mut self,
        week: &Week,
        early: EarlyLabels,
        predicted: &mut Vec<u32>,
    ) -> anyhow::Result<()> {
        let mut rows = week.rows.as_slice();
        let mut hour = rows[0].time.unwrap_or_default();
        while !rows.is_empty() {
            hour += HOUR;
            let (now, later) =
                rows.split_at(rows.partition_point(|row| row.time.is_some_and(|time| time < hour)));
            rows = later;
            let ids = self.predict(now, predicted).await?;
            self.send_later(now, ids, early);
            self.set_clock(hour);
            if self.receive_labels(hour).await? || !now.is_empty() {
                self.watch().await?;
            }
        }
        // What is still on its way arrives during the night.
        self.receive_labels(week.end + RETRAIN_AFTER).await?;
        Ok(())
    }

    /// Asks for every row, in order; gives the ids of the predictions.
    async fn predict(&self, rows: &[Row], predicted: &mut Vec<u32>) -> anyhow::Result<Vec<String>> {
        let mut ids = Vec::with_capacity(rows.len());
        for batch in rows.chunks(BATCH) {
            self.set_clock(batch.last().and_then(|row| row.time).unwrap_or_default());
            let texts = batch.iter().map(|row| row.text.clone()).collect();
            let prediction = self.context.predictor.predict(texts).await?;
            for (index, scores) in prediction.scores.iter().enumerate() {
                predicted.push(Prediction::top(scores).0 as u32);
                ids.push(prediction.id.input(index as u32).to_string());
            }
        }
        Ok(ids)
    }

    /// Chooses the predictions whose label will come back.
    fn send_later(&mut self, rows: &[Row], ids: Vec<String>, early: EarlyLabels) {
        for (row, id) in rows.iter().zip(ids) {
            let draw = content_hash(&format!(
                "{} {}",
                early.seed,
                row.id.as_deref().unwrap_or(&row.text)
            ));
            if (draw >> 11) as f64 / (1_u64 << 53) as f64 >= early.share {
                continue;
            }
            let label = self.context.config.schema.labels[row.label as usize]
                .name
                .clone();
            self.labels.push_back((
                row.time.unwrap_or_default() + early.delay,
                Feedback { id, label },
            ));
        }
    }

    /// Sends the labels that are due. Says whether there were any.
    async fn receive_labels(&mut self, now: Timestamp) -> anyhow::Result<bool> {
        let due = self.labels.partition_point(|(at, _)| *at <= now);
        let feedback: Vec<Feedback> = self
            .labels
            .drain(..due)
            .map(|(_, feedback)| feedback)
            .collect();
        if feedback.is_empty() {
            return Ok(false);
        }
        let taken = self
            .context
            .predictor
            .take_feedback(&feedback, &self.context.label_names)
            .await;
        taken
            .map_err(|(_, error)| error)
            .context("a label was refused")?;
        Ok(true)
    }

    /// The monitor's hour; a retrain that it asks for is carried out at once.
    async fn watch(&mut self) -> anyhow::Result<()> {
        self.context.predictor.flush().await;
        let monitored = self.context.lifecycle.monitor().await?;
        if let Some(start) = &monitored.retrain {
            self.finish_run(start).await?;
        }
        Ok(())
    }

    /// Carries out a run that was started, approves and promotes its model. Says whether a model was released.
    async fn finish_run(&mut self, start: &StartOutcome) -> anyhow::Result<bool> {
        let StartOutcome::Started { run } = start else {
            return Ok(false);
        };
        let lifecycle = &self.context.lifecycle;
        lifecycle.train_run(&run.id, &self.job).await?;
        let version = match lifecycle.collect_training().await? {
            CollectOutcome::Succeeded {
                model_version,
                passed: true,
                ..
            } => model_version,
            CollectOutcome::Failed { reason, .. } => {
                bail!("{}: run {} failed: {reason}", self.name, run.id)
            }
            _ => return Ok(false),
        };
        let card = lifecycle
            .registry()
            .models()
            .card(&run.model, version)
            .await?;
        let approval = Approval {
            model: card.model_ref(),
            evidence: card.gate.evidence,
            approved_by: APPROVER.to_owned(),
            approved_at: self.context.clock.now(),
            comment: None,
        };
        lifecycle.registry().releases().approve(approval).await?;
        lifecycle.promote(&card, APPROVER, "replay").await?;
        self.context.predictor.refresh().await?;
        self.released += 1;
        Ok(true)
    }

    async fn upload(&self, week: &Week) -> anyhow::Result<()> {
        let mut writer = UploadWriter::new(Vec::new(), Format::Csv, &self.context.config.schema)?;
        for row in &week.rows {
            writer.write(row)?;
        }
        let name = format!("{}/{}.csv", self.context.config.dataset, week.name);
        self.context
            .store
            .create(Container::Incoming, &name, writer.finish()?.into())
            .await?;
        match self.context.lifecycle.ingest_upload(&name).await? {
            IngestOutcome::Refused { reason, .. } | IngestOutcome::NotTaken { reason } => {
                tracing::warn!(week = week.name, reason, "no row of this week was taken");
            }
            IngestOutcome::Ingested { .. } | IngestOutcome::AlreadyKnown { .. } => {}
        }
        Ok(())
    }

    fn set_clock(&self, now: Timestamp) {
        self.now.store(now.as_microsecond(), Ordering::SeqCst);
    }
}
