//! Documents and their audit lines belong together: finding what a crash tore apart, and mending it.
//!
//! A document is written first, its line second. When a process dies in between, the next [`Registry::repair`] of any
//! process adds the line and marks it `repaired`.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use futures::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sluice_storage::Container;

use crate::audit::{AuditEvent, DocumentRef, Entry, RecordedEvent, StreamHead};
use crate::document::{decode, found};
use crate::error::Result;
use crate::evidence::events_of;
use crate::paths::DocumentPath;
use crate::registry::Registry;
use crate::runs::RunDocument;
use crate::{DatasetVersion, Digest};

const AUDITED: [Container; 5] = [
    Container::Datasets,
    Container::Models,
    Container::Runs,
    Container::Releases,
    Container::Aborts,
];

/// How long a document may wait for its lines before somebody else may write them: a living process is far quicker.
const PATIENCE: SignedDuration = SignedDuration::from_mins(1);

/// What was written after this moment may still be getting its lines from a living process.
#[must_use]
pub fn settled_before(now: Timestamp) -> Timestamp {
    now.checked_sub(PATIENCE).unwrap_or(Timestamp::MIN)
}

/// Which documents a repair looks at, by the time the store last wrote them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RepairScope {
    /// From here on; `None`: all. A day is plenty for a repair that runs every few minutes.
    pub since: Option<Timestamp>,
    /// Before this; `None`: all. [`settled_before`] leaves alone what a living process is just writing.
    pub before: Option<Timestamp>,
}

/// What a repair did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairReport {
    /// Documents looked at.
    pub documents: u64,
    /// Lines that were added, `{event kind} {container}/{name}`.
    pub added: Vec<String>,
    /// Ledger entries that were added for uploads whose rows were committed.
    pub ledger_entries: u64,
    /// Documents that cannot be read, with the reason.
    pub unreadable: Vec<String>,
    /// Other streams whose heads were written down.
    pub witnessed: u64,
}

/// Documents compared with their audit lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentsReport {
    /// Documents looked at.
    pub documents: u64,
    /// Documents without all of their lines, and written so lately that their writer may be about to add them. No fault.
    pub pending: Vec<String>,
    /// Documents without all of their lines that have had them long since: a repair is due, or lines were cut off.
    pub unrecorded: Vec<String>,
    /// Documents whose bytes are none that a line speaks of.
    pub changed: Vec<String>,
    /// Documents that a line speaks of and that are gone.
    pub missing: Vec<String>,
    /// Documents that cannot be read, with the reason.
    pub unreadable: Vec<String>,
}

impl DocumentsReport {
    /// Whether every document is as its lines say, or is still getting them.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        [
            &self.unrecorded,
            &self.changed,
            &self.missing,
            &self.unreadable,
        ]
        .into_iter()
        .all(Vec::is_empty)
    }
}

/// A document that must have lines.
struct Audited {
    path: DocumentPath,
    bytes: Bytes,
    events: Vec<AuditEvent>,
    modified: Timestamp,
    /// No line of it is older than this.
    lines_since: Timestamp,
}

/// What all streams say of the documents.
#[derive(Default)]
struct Recorded {
    lines: HashMap<(String, String), usize>,
    digests: BTreeMap<String, HashSet<Digest>>,
    /// How far this process's stream saw the others.
    witnessed: HashMap<String, u64>,
    /// The last line of each stream that is no witness line: two streams that only witness each other would go on for
    /// ever.
    news: HashMap<String, u64>,
}

impl Registry {
    /// Adds the audit lines and ledger entries that a crash kept from being written, and writes down how far the other
    /// streams are. Running it twice, or in two processes at once, does no harm.
    ///
    /// # Errors
    /// `ReadOnly`, `Storage`.
    pub async fn repair(&self, scope: RepairScope) -> Result<RepairReport> {
        let stream = self.auditor()?;
        let mut report = RepairReport::default();
        let documents = self
            .audited_documents(scope, &mut report.unreadable)
            .await?;
        report.ledger_entries = self.repair_ledgers(&documents).await?;
        report.documents = documents.len() as u64;
        let since = documents.iter().map(|document| document.lines_since).min();
        // Witness lines of the last day are enough: a head is written down again when its stream has moved.
        let since = scope
            .since
            .map(|scope| since.map_or(scope, |since| since.min(scope)));
        let recorded = self.recorded_since(since).await?;
        for document in documents {
            let pinned = DocumentRef {
                path: document.path.full(),
                digest: Digest::of(&document.bytes),
            };
            for event in recorded.missing(&pinned.path, document.events) {
                report
                    .added
                    .push(format!("{} {}", event.kind(), pinned.path));
                let entry = Entry {
                    event,
                    document: Some(pinned.clone()),
                    repaired: true,
                };
                stream.write(self.now(), &entry).await?;
            }
        }
        report.witnessed = self.witness(&recorded).await?;
        Ok(report)
    }

    /// Compares every document with its audit lines. Those written at `settled` or later may be without theirs: they are
    /// `pending`, see [`settled_before`]. Writers may go on meanwhile.
    ///
    /// # Errors
    /// `Storage`. A difference is no error: it is in the report.
    pub async fn verify_documents(&self, settled: Timestamp) -> Result<DocumentsReport> {
        let mut report = DocumentsReport::default();
        let documents = self
            .audited_documents(RepairScope::default(), &mut report.unreadable)
            .await?;
        report.documents = documents.len() as u64;
        // After the documents: a line that is there by now is never missed.
        let mut recorded = self.recorded_since(None).await?;
        for document in documents {
            let path = document.path.full();
            let known = recorded.digests.remove(&path);
            let is_known = known.is_none_or(|known| known.contains(&Digest::of(&document.bytes)));
            let lacks_lines = !recorded.missing(&path, document.events).is_empty();
            // Only a run's document is written again, and its new bytes are known from the line that is still to come.
            let waits =
                lacks_lines && (is_known || matches!(document.path, DocumentPath::Run { .. }));
            match () {
                () if waits && document.modified >= settled => report.pending.push(path),
                () if waits => report.unrecorded.push(path),
                () if !is_known => report.changed.push(path),
                () => {}
            }
        }
        for path in recorded.digests.into_keys() {
            let is_damaged = report
                .unreadable
                .iter()
                .any(|unreadable| unreadable.starts_with(path.as_str()));
            // Documents of the time between the two looks are there, and only here unseen.
            if !is_damaged && !self.is_stored(&path).await? {
                report.missing.push(path);
            }
        }
        Ok(report)
    }

    /// Whether the document at `{container}/{name}` is there at this moment.
    async fn is_stored(&self, path: &str) -> Result<bool> {
        let parts = path.split_once('/');
        let place = parts.and_then(|(container, name)| {
            let container = Container::ALL
                .into_iter()
                .find(|known| known.name() == container)?;
            Some((container, name))
        });
        match place {
            Some((container, name)) => {
                Ok(found(self.store().info(container, name).await)?.is_some())
            }
            None => Ok(false),
        }
    }

    async fn audited_documents(
        &self,
        scope: RepairScope,
        unreadable: &mut Vec<String>,
    ) -> Result<Vec<Audited>> {
        let mut documents = Vec::new();
        for container in AUDITED {
            let mut list = self.store().list(container, "").await?;
            while let Some(info) = list.try_next().await? {
                let in_scope = scope.since.is_none_or(|since| info.modified >= since)
                    && scope.before.is_none_or(|before| info.modified < before);
                let Some(path) = DocumentPath::parse(container, &info.name)
                    .filter(|path| in_scope && is_audited(path))
                else {
                    continue;
                };
                let Some((bytes, _)) = found(self.store().read(container, &info.name).await)?
                else {
                    continue;
                };
                match events_of(&path, &bytes) {
                    Ok(events) => {
                        let lines_since = lines_since(&path, &bytes, info.modified);
                        documents.push(Audited {
                            path,
                            bytes,
                            events,
                            modified: info.modified,
                            lines_since,
                        });
                    }
                    Err(error) => unreadable.push(format!("{}: {error}", path.full())),
                }
            }
        }
        Ok(documents)
    }

    async fn recorded_since(&self, since: Option<Timestamp>) -> Result<Recorded> {
        let own = self
            .auditor()
            .map(|stream| stream.writer().to_owned())
            .unwrap_or_default();
        let mut recorded = Recorded::default();
        self.audit_log()
            .scan(since, |line| {
                if let Some(document) = line.document {
                    let kind = line.event.kind().to_owned();
                    recorded
                        .digests
                        .entry(document.path.clone())
                        .or_default()
                        .insert(document.digest);
                    *recorded.lines.entry((document.path, kind)).or_default() += 1;
                }
                match line.event {
                    RecordedEvent::Known(AuditEvent::HeadsWitnessed { heads })
                        if line.writer == own =>
                    {
                        recorded
                            .witnessed
                            .extend(heads.into_iter().map(|head| (head.stream, head.seq)));
                    }
                    RecordedEvent::Known(AuditEvent::HeadsWitnessed { .. }) => {}
                    _ => {
                        recorded.news.insert(line.writer, line.seq);
                    }
                }
            })
            .await?;
        Ok(recorded)
    }

    /// Writes the heads of the other streams into this one, when any moved since.
    async fn witness(&self, recorded: &Recorded) -> Result<u64> {
        let stream = self.auditor()?;
        let moved = |head: &StreamHead| {
            let seen = recorded.witnessed.get(&head.stream).copied().unwrap_or(0);
            head.stream != stream.writer()
                && recorded
                    .news
                    .get(&head.stream)
                    .is_some_and(|news| *news > seen)
        };
        let heads: Vec<StreamHead> = self
            .audit_log()
            .heads()
            .await?
            .into_iter()
            .filter(moved)
            .collect();
        let witnessed = heads.len() as u64;
        if witnessed > 0 {
            stream
                .append(self.now(), AuditEvent::HeadsWitnessed { heads })
                .await?;
        }
        Ok(witnessed)
    }

    /// Uploads whose rows were committed, and whose process died before it wrote the ledger entry.
    async fn repair_ledgers(&self, documents: &[Audited]) -> Result<u64> {
        let mut added = 0;
        for document in documents {
            let DocumentPath::DatasetVersion { dataset, .. } = &document.path else {
                continue;
            };
            let version: DatasetVersion =
                decode(&document.path, "dataset version", &document.bytes)?;
            let before = match version.parent {
                Some(parent) => self
                    .datasets()
                    .version(dataset, parent)
                    .await?
                    .0
                    .uploads
                    .len(),
                None => 0,
            };
            for upload in version.uploads.iter().skip(before) {
                let path = DocumentPath::Ledger {
                    dataset: dataset.clone(),
                    upload: upload.digest,
                };
                if found(self.store().info(path.container(), &path.to_string()).await)?.is_none() {
                    self.datasets().ledger_entry(dataset, upload.digest).await?;
                    added += 1;
                }
            }
        }
        Ok(added)
    }
}

impl Recorded {
    /// The events of a document that have no line yet.
    fn missing(&self, path: &str, events: Vec<AuditEvent>) -> Vec<AuditEvent> {
        let mut expected: HashMap<&'static str, usize> = HashMap::new();
        let mut missing = Vec::new();
        for event in events {
            let kind = event.kind();
            let count = expected.entry(kind).or_default();
            *count += 1;
            if *count
                > self
                    .lines
                    .get(&(path.to_owned(), kind.to_owned()))
                    .copied()
                    .unwrap_or(0)
            {
                missing.push(event);
            }
        }
        missing
    }
}

const fn is_audited(path: &DocumentPath) -> bool {
    matches!(
        path,
        DocumentPath::DatasetVersion { .. }
            | DocumentPath::Ledger { .. }
            | DocumentPath::ModelCard { .. }
            | DocumentPath::Proposal { .. }
            | DocumentPath::Run { .. }
            | DocumentPath::Approval { .. }
            | DocumentPath::Release { .. }
            | DocumentPath::Abort { .. }
    )
}

/// From when on a document can have lines: a run changes, so it has lines that are older than its last writing.
fn lines_since(path: &DocumentPath, bytes: &[u8], modified: Timestamp) -> Timestamp {
    let created = match path {
        DocumentPath::Run { .. } => decode::<RunDocument>(path, "run", bytes)
            .ok()
            .map(|run| run.run.created_at),
        _ => None,
    };
    // The store's clock and the writer's may differ a little.
    let created =
        created.and_then(|created| created.checked_sub(SignedDuration::from_hours(1)).ok());
    created.map_or(modified, |created| created.min(modified))
}
