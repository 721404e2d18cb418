//! What every verb works with.

use std::sync::Arc;

use sluice_dataset::Checks;
use sluice_monitoring::MonitorConfig;
use sluice_registry::{Clock, Registry, Schema, SplitRule};
use sluice_storage::Store;
use sluice_training::{GateConfig, TrainingConfig};
use tempfile::TempDir;

use crate::{LifecycleError, RetrainPolicy, Trainer};

/// What the model is, as far as the loop needs to know.
#[derive(Clone, Debug)]
pub struct LoopConfig {
    /// The model's name.
    pub model: String,
    /// The dataset's name.
    pub dataset: String,
    /// Columns and labels.
    pub schema: Schema,
    /// Who is on which side.
    pub split: SplitRule,
    /// What a row must satisfy.
    pub checks: Checks,
    /// How a model is fitted.
    pub training: TrainingConfig,
    /// What a candidate must satisfy.
    pub gate: GateConfig,
    /// When a model is fitted.
    pub retrain: RetrainPolicy,
    /// What is watched.
    pub monitor: MonitorConfig,
}

/// The verbs of the loop. Cheap to clone; every verb may run twice and at once in several processes.
#[derive(Clone, Debug)]
pub struct Lifecycle {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) registry: Registry,
    pub(crate) config: Arc<LoopConfig>,
    pub(crate) clock: Clock,
    pub(crate) trainer: Arc<dyn Trainer>,
}

impl Lifecycle {
    /// Puts the loop together.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        registry: Registry,
        config: LoopConfig,
        clock: Clock,
        trainer: Arc<dyn Trainer>,
    ) -> Self {
        Self {
            store,
            registry,
            config: Arc::new(config),
            clock,
            trainer,
        }
    }

    /// The documents.
    #[must_use]
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What the model is.
    #[must_use]
    pub fn config(&self) -> &LoopConfig {
        &self.config
    }

    /// Runs work that blocks on a thread where it blocks nobody.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, LifecycleError> + Send + 'static,
    ) -> Result<T, LifecycleError> {
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| LifecycleError::Interrupted(error.to_string()))?
    }

    /// A folder of this call's own that goes when it ends.
    pub(crate) fn temporary_directory(&self) -> Result<TempDir, LifecycleError> {
        tempfile::Builder::new()
            .prefix("sluice-")
            .tempdir()
            .map_err(LifecycleError::Temporary)
    }
}
