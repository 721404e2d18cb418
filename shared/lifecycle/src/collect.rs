//! `collect_training`: what became of the run that is going, and the proposal of a candidate that passed its gate.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use sluice_registry::{ModelCard, Proposal, RegistryError, Run, RunState};
use sluice_storage::{Container, StorageError};
use sluice_telemetry::Event;

use crate::trainer::JobStatus;
use crate::{Lifecycle, LifecycleError};

/// How long a recorded run may wait for the process that recorded it to submit it.
const SUBMIT_PATIENCE: SignedDuration = SignedDuration::from_mins(2);

/// `{run}.result.json`: the last thing that a job writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum JobResult {
    /// The model is registered.
    Succeeded {
        /// Its version.
        model_version: u64,
    },
    /// There is no model.
    Failed {
        /// Why.
        reason: String,
    },
}

/// What collecting found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum CollectOutcome {
    /// No run is going.
    Idle,
    /// It is still going.
    Running {
        /// The run.
        run: String,
    },
    /// It made a model.
    Succeeded {
        /// The run.
        run: String,
        /// The model's version.
        model_version: u64,
        /// Whether the model passed its gate.
        passed: bool,
        /// What failed in the gate.
        failures: Vec<String>,
    },
    /// It ended without a model.
    Failed {
        /// The run.
        run: String,
        /// Why.
        reason: String,
    },
}

impl Lifecycle {
    /// Looks after the run that is going: submits it when its starter died, takes its result, gives up on it after its
    /// deadline. Proposes the newest model when it passed its gate and nobody did.
    ///
    /// # Errors
    /// Storage, registry, trainer.
    pub async fn collect_training(&self) -> Result<CollectOutcome, LifecycleError> {
        let outcome = match self.registry.runs().active(&self.config.model).await? {
            None => CollectOutcome::Idle,
            Some(run) => self.collect(run).await?,
        };
        self.propose_newest().await?;
        Ok(outcome)
    }

    /// Whether a run's job has ended, so that [`Lifecycle::collect_training`] has something to collect.
    ///
    /// # Errors
    /// Storage, trainer.
    pub async fn has_ended(&self, run: &Run) -> Result<bool, LifecycleError> {
        let RunState::Submitted { job, .. } = &run.state else {
            return Ok(false);
        };
        Ok(self.job_result(run).await?.is_some()
            || self.trainer.status(run, job).await? != JobStatus::Running)
    }

    async fn collect(&self, run: Run) -> Result<CollectOutcome, LifecycleError> {
        let now = self.clock.now();
        if let Some(result) = self.job_result(&run).await? {
            return self.finish(&run, result).await;
        }
        let job = match &run.state {
            RunState::Created if now.duration_since(run.created_at) > SUBMIT_PATIENCE => {
                let run = self.submit(run).await?;
                return Ok(CollectOutcome::Running { run: run.id });
            }
            RunState::Submitted { job, .. } => job,
            _ => return Ok(CollectOutcome::Running { run: run.id }),
        };
        match self.trainer.status(&run, job).await? {
            JobStatus::Running
                if now.duration_since(run.created_at) > self.config.retrain.deadline =>
            {
                self.trainer.cancel(&run, job).await?;
                let reason = format!(
                    "it took longer than its deadline of {:#}",
                    self.config.retrain.deadline
                );
                self.finish(&run, JobResult::Failed { reason }).await
            }
            JobStatus::Running => Ok(CollectOutcome::Running { run: run.id }),
            JobStatus::Ended { log } => {
                // It may have written its result after we looked and before it ended.
                let lost = || JobResult::Failed {
                    reason: format!("the job ended without a result; the end of its log:\n{log}"),
                };
                let result = self.job_result(&run).await?.unwrap_or_else(lost);
                self.finish(&run, result).await
            }
        }
    }

    async fn finish(&self, run: &Run, result: JobResult) -> Result<CollectOutcome, LifecycleError> {
        let at = self.clock.now();
        // A run that the trainer never confirmed went through that state all the same.
        if run.state == RunState::Created {
            let submitted = RunState::Submitted {
                job: "unconfirmed".into(),
                at,
            };
            self.advance(run, submitted).await?;
        }
        let end = match result {
            JobResult::Succeeded { model_version } => {
                // A result without its model would be no success.
                self.registry
                    .models()
                    .card(&run.model, model_version)
                    .await?;
                RunState::Succeeded { model_version, at }
            }
            JobResult::Failed { reason } => RunState::Failed { reason, at },
        };
        self.report_end(self.advance(run, end).await?).await
    }

    /// Brings a run into `state`. When another process was first to bring it to its end, that end stands.
    pub(crate) async fn advance(&self, run: &Run, state: RunState) -> Result<Run, LifecycleError> {
        match self.registry.runs().advance(&run.id, state).await {
            Err(RegistryError::IllegalTransition { .. }) => self.run(&run.id).await,
            advanced => Ok(advanced?),
        }
    }

    /// What became of a run, told to everybody.
    async fn report_end(&self, run: Run) -> Result<CollectOutcome, LifecycleError> {
        let (id, model) = (run.id, run.model);
        match run.state {
            RunState::Created | RunState::Submitted { .. } => {
                Ok(CollectOutcome::Running { run: id })
            }
            RunState::Succeeded { model_version, .. } => {
                let card = self.registry.models().card(&model, model_version).await?;
                let (passed, failures) = (card.gate.passed, card.gate.failures);
                Event::CandidateGated {
                    version: model_version,
                    passed,
                    failures: &failures,
                }
                .emit();
                Ok(CollectOutcome::Succeeded {
                    run: id,
                    model_version,
                    passed,
                    failures,
                })
            }
            RunState::Failed { reason, .. } => {
                Event::RunFailed {
                    run: &id,
                    reason: &reason,
                }
                .emit();
                Ok(CollectOutcome::Failed { run: id, reason })
            }
        }
    }

    /// Proposes the newest model if it passed its gate; a proposal that is there stays.
    async fn propose_newest(&self) -> Result<(), LifecycleError> {
        let Some(card) = self.registry.models().latest(&self.config.model).await? else {
            return Ok(());
        };
        if card.gate.passed
            && self
                .registry
                .releases()
                .proposal(&card.model_ref())
                .await?
                .is_none()
        {
            self.propose(&card, "gate").await?;
        }
        Ok(())
    }

    /// Says that a candidate waits for a person.
    ///
    /// # Errors
    /// The candidate did not pass its gate; storage, registry.
    pub async fn propose(&self, card: &ModelCard, by: &str) -> Result<Proposal, LifecycleError> {
        let proposal = Proposal {
            model: card.model_ref(),
            evidence: card.gate.evidence,
            proposed_by: by.to_owned(),
            proposed_at: self.clock.now(),
        };
        Ok(self.registry.releases().propose(proposal).await?)
    }

    async fn job_result(&self, run: &Run) -> Result<Option<JobResult>, LifecycleError> {
        match self
            .store
            .read(Container::Runs, &result_path(&run.id))
            .await
        {
            Ok((bytes, _)) => serde_json::from_slice(&bytes).map(Some).map_err(|source| {
                LifecycleError::Unreadable {
                    what: format!("result of run {}", run.id),
                    source,
                }
            }),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a job's result; the first one stays.
    pub(crate) async fn write_result(
        &self,
        run: &Run,
        result: &JobResult,
    ) -> Result<(), LifecycleError> {
        let bytes = serde_json::to_vec(result).map_err(LifecycleError::encode)?;
        match self
            .store
            .create(Container::Runs, &result_path(&run.id), bytes.into())
            .await
        {
            Ok(_) | Err(StorageError::AlreadyExists { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn result_path(run: &str) -> String {
    format!("{run}.result.json")
}
