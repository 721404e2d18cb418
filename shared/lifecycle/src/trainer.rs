//! Who carries out a training run: a process on this machine, or a service.

use std::fmt;

use async_trait::async_trait;
use sluice_registry::Run;

use crate::LifecycleError;

/// What a trainer says of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobStatus {
    /// It is still going.
    Running,
    /// It has ended; the job's result document says how.
    Ended {
        /// The last lines of its log.
        log: String,
    },
}

/// Carries out training runs. A job ends by writing the run's result document ([`crate::JobResult`]).
#[async_trait]
pub trait Trainer: fmt::Debug + Send + Sync + 'static {
    /// Starts the job of a run and says its name. Submitting the same run twice is harmless: a job writes the same
    /// model, and the second result is refused.
    ///
    /// # Errors
    /// The job cannot be started.
    async fn submit(&self, run: &Run) -> Result<String, LifecycleError>;

    /// Says how far a job is.
    ///
    /// # Errors
    /// It cannot be found out at present.
    async fn status(&self, run: &Run, job: &str) -> Result<JobStatus, LifecycleError>;

    /// Stops a job that took too long.
    ///
    /// # Errors
    /// It cannot be stopped at present.
    async fn cancel(&self, run: &Run, job: &str) -> Result<(), LifecycleError>;
}
