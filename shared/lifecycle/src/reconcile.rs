//! `reconcile`: finishes what an event lost. Runs every few minutes and does nothing when nothing is lost.

use futures::TryStreamExt as _;
use jiff::SignedDuration;
use serde::Serialize;
use sluice_registry::{RepairScope, RunTrigger, settled_before};
use sluice_storage::Container;

use crate::{CollectOutcome, IngestOutcome, Lifecycle, LifecycleError, StartOutcome};

/// A file that was written so lately may not be whole yet.
const STILL_COPYING: SignedDuration = SignedDuration::from_secs(10);

/// What reconcile found to do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reconciled {
    /// Uploads that were still to be ingested, and what became of each.
    pub uploads: Vec<(String, IngestOutcome)>,
    /// The run that was going.
    pub training: CollectOutcome,
    /// Whether there were enough new rows for another run.
    pub started: StartOutcome,
    /// Audit lines that a crash had left out.
    pub repaired: Vec<String>,
}

impl Lifecycle {
    /// Ingests uploads that no event announced, collects a finished run, starts one when enough rows are new, and
    /// writes audit lines that a crash left out.
    ///
    /// # Errors
    /// The first fault; what was done before stays done.
    pub async fn reconcile(&self) -> Result<Reconciled, LifecycleError> {
        let uploads = self.ingest_stranded().await?;
        let training = self.collect_training().await?;
        let started = self.start_training(RunTrigger::NewRows).await?;
        let now = self.clock.now();
        let scope = RepairScope {
            since: Some(now - SignedDuration::from_hours(24)),
            before: Some(settled_before(now)),
        };
        let repaired = self.registry.repair(scope).await?;
        Ok(Reconciled {
            uploads,
            training,
            started,
            repaired: repaired.added,
        })
    }

    async fn ingest_stranded(&self) -> Result<Vec<(String, IngestOutcome)>, LifecycleError> {
        let dataset = &self.config.dataset;
        let mut stranded = Vec::new();
        let mut uploads = self
            .store
            .list(Container::Incoming, &format!("{dataset}/"))
            .await?;
        while let Some(upload) = uploads.try_next().await? {
            // A file that is still being copied grows; the next reconcile finds it whole.
            if self.clock.now().duration_since(upload.modified) < STILL_COPYING {
                continue;
            }
            if self
                .registry
                .datasets()
                .seen(dataset, &upload.name, &upload.etag)
                .await?
                .is_none()
            {
                stranded.push(upload.name);
            }
        }
        let mut ingested = Vec::new();
        for name in stranded {
            let outcome = self.ingest_upload(&name).await?;
            ingested.push((name, outcome));
        }
        Ok(ingested)
    }
}
