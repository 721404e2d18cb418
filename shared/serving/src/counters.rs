//! How many requests there were and how many failed: one line for each batch interval, beside the prediction log.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use sluice_registry::RequestCounts;

/// Counts since the last [`Counters::take`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    served: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
}

impl Counters {
    /// Counts one request by the status of its answer.
    pub(crate) fn count(&self, status: u16) {
        let counter = match status {
            ..400 => &self.served,
            400..500 => &self.refused,
            500.. => &self.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// The counts since the last call, or nothing when there were none.
    pub(crate) fn take(&self, at: Timestamp) -> Option<RequestCounts> {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        let counts = RequestCounts {
            at,
            served: take(&self.served),
            refused: take(&self.refused),
            failed: take(&self.failed),
        };
        (counts.served + counts.refused + counts.failed > 0).then_some(counts)
    }
}
