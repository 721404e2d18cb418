//! The registry: all documents of one store, and the audit stream that every change goes to.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use sluice_storage::Store;

use crate::audit::{AuditEvent, AuditLog, AuditStream, DocumentRef, Entry};
use crate::clock::Clock;
use crate::datasets::Datasets;
use crate::error::Result;
use crate::evidence::events_of;
use crate::models::Models;
use crate::paths::DocumentPath;
use crate::predictions::Predictions;
use crate::releases::Releases;
use crate::runs::Runs;
use crate::{Digest, RegistryError};

/// All documents of one store. Cheap to clone; all state is in storage.
#[derive(Clone, Debug)]
pub struct Registry {
    store: Arc<dyn Store>,
    audit: Option<AuditStream>,
    clock: Clock,
}

impl Registry {
    /// A registry that reads. Changes need [`Registry::with_audit`].
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            audit: None,
            clock: Clock::default(),
        }
    }

    /// Lets the registry change documents: every change writes its line to `stream`.
    #[must_use]
    pub fn with_audit(self, stream: AuditStream) -> Self {
        Self {
            audit: Some(stream),
            ..self
        }
    }

    /// Takes the time from `clock` instead of the machine.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Dataset versions, their profiles, and the ledger of uploads.
    #[must_use]
    pub const fn datasets(&self) -> Datasets<'_> {
        Datasets { registry: self }
    }

    /// Model versions.
    #[must_use]
    pub const fn models(&self) -> Models<'_> {
        Models { registry: self }
    }

    /// Training runs.
    #[must_use]
    pub const fn runs(&self) -> Runs<'_> {
        Runs { registry: self }
    }

    /// What serves.
    #[must_use]
    pub const fn releases(&self) -> Releases<'_> {
        Releases { registry: self }
    }

    /// The prediction log and the labels that came back.
    #[must_use]
    pub const fn predictions(&self) -> Predictions<'_> {
        Predictions { registry: self }
    }

    /// The audit streams of all writers.
    #[must_use]
    pub fn audit_log(&self) -> AuditLog {
        AuditLog::new(self.store.clone())
    }

    /// Records an event that belongs to no document of the registry: a report, a skipped run, a changed policy.
    ///
    /// # Errors
    /// `ReadOnly`, `Storage`.
    pub async fn record(&self, event: AuditEvent) -> Result<()> {
        self.auditor()?.append(self.now(), event).await?;
        Ok(())
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The stream for changes; asked for before anything is written.
    pub(crate) fn auditor(&self) -> Result<&AuditStream> {
        self.audit.as_ref().ok_or(RegistryError::ReadOnly)
    }

    /// Writes the lines of a document that was just written. After a crash in between, `repair` writes them.
    pub(crate) async fn recorded(&self, path: &DocumentPath, bytes: &Bytes) -> Result<()> {
        self.record_events(path, bytes, events_of(path, bytes)?)
            .await
    }

    pub(crate) async fn record_events(
        &self,
        path: &DocumentPath,
        bytes: &Bytes,
        events: Vec<AuditEvent>,
    ) -> Result<()> {
        let document = DocumentRef {
            path: path.full(),
            digest: Digest::of(bytes),
        };
        for event in events {
            let entry = Entry {
                event,
                document: Some(document.clone()),
                repaired: false,
            };
            self.auditor()?.write(self.now(), &entry).await?;
        }
        Ok(())
    }
}
