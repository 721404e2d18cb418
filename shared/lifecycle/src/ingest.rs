//! `ingest_upload`: from a file in the incoming container to a new dataset version.
//!
//! The commit point is the create-only write of the version's manifest. Everything before it (parts, profile) is named by
//! content and harmless when left behind; everything after it (ledger, audit) is written again by the next attempt.

use std::io::{Cursor, Read};
use std::path::Path;

use bytes::Bytes;
use serde::Serialize;
use sluice_dataset::{Ingest, IngestedUpload, KnownRows, Outcome, StreamReader, TakenRows};
use sluice_monitoring::Profile;
use sluice_registry::{
    DatasetVersion, Digest, LedgerEntry, RegistryError, Schema, UploadOutcome, UploadRef,
};
use sluice_storage::{Container, StorageError};
use sluice_telemetry::Event;

use crate::profile::RowProfiler;
use crate::{Lifecycle, LifecycleError};

/// How often an ingest starts again because another upload was faster.
const ATTEMPTS: u32 = 20;

/// What became of an upload.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum IngestOutcome {
    /// Its rows are in a dataset version.
    Ingested {
        /// The version.
        version: u64,
        /// Rows taken.
        accepted: u64,
        /// Rows refused.
        refused: u64,
        /// The blob of refused rows in the quarantine container.
        quarantine: Option<String>,
    },
    /// Nothing in it could be taken.
    Refused {
        /// Why.
        reason: String,
        /// The record of it in the quarantine container.
        quarantine: Option<String>,
    },
    /// The same bytes were ingested before: nothing changed.
    AlreadyKnown {
        /// What became of them then.
        before: UploadOutcome,
    },
    /// It is gone, or it is not for this dataset: nothing to do.
    NotTaken {
        /// Why.
        reason: String,
    },
}

/// Where rows come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A blob of the incoming container.
    Incoming(String),
    /// Rows that we made: labelled predictions.
    Bytes {
        /// What they are called.
        name: String,
        /// An upload's bytes.
        bytes: Bytes,
    },
}

impl Source {
    fn name(&self) -> &str {
        match self {
            Self::Incoming(name) | Self::Bytes { name, .. } => name,
        }
    }
}

/// One pass over an upload: what it held, and the profile of the accepted rows.
struct Pass {
    upload: IngestedUpload,
    profile: Profile,
}

impl Lifecycle {
    /// Ingests the upload `name` (`{dataset}/{file}`) of the incoming container. Doing it twice changes nothing.
    ///
    /// # Errors
    /// Only faults that a later try may not meet: storage, races lost again and again. A bad upload is no error.
    pub async fn ingest_upload(&self, name: &str) -> Result<IngestOutcome, LifecycleError> {
        let outcome = self.ingest_unreported(name).await?;
        match &outcome {
            IngestOutcome::Ingested {
                version,
                accepted,
                refused,
                ..
            } => {
                Event::UploadIngested {
                    upload: name,
                    version: *version,
                    accepted: *accepted,
                    refused: *refused,
                }
                .emit();
            }
            IngestOutcome::Refused { reason, .. } | IngestOutcome::NotTaken { reason } => {
                Event::UploadSkipped {
                    upload: name,
                    reason,
                }
                .emit();
            }
            IngestOutcome::AlreadyKnown { .. } => {
                Event::UploadKnown { upload: name }.emit();
            }
        }
        Ok(outcome)
    }

    async fn ingest_unreported(&self, name: &str) -> Result<IngestOutcome, LifecycleError> {
        let dataset = &self.config.dataset;
        if name
            .strip_prefix(dataset.as_str())
            .is_none_or(|rest| !rest.starts_with('/') || rest.len() < 2)
        {
            return Ok(IngestOutcome::NotTaken {
                reason: format!("expected a file in {dataset}/ of the incoming container"),
            });
        }
        let gone = || IngestOutcome::NotTaken {
            reason: "it is not there any more".into(),
        };
        let info = match self.store.info(Container::Incoming, name).await {
            Ok(info) => info,
            Err(error) if error.is_not_found() => return Ok(gone()),
            Err(error) => return Err(error.into()),
        };
        let datasets = self.registry.datasets();
        if let Some(digest) = datasets.seen(dataset, name, &info.etag).await?
            && let Some(before) = datasets.ledger_entry(dataset, digest).await?
        {
            return Ok(IngestOutcome::AlreadyKnown {
                before: before.outcome,
            });
        }
        let source = Source::Incoming(name.to_owned());
        let (digest, outcome) = match self.ingest_from(&source).await {
            Err(LifecycleError::Storage(StorageError::NotFound {
                container: Container::Incoming,
                ..
            })) => return Ok(gone()),
            ingested => ingested?,
        };
        datasets
            .mark_seen(dataset, name, &info.etag, digest)
            .await?;
        Ok(outcome)
    }

    /// Ingests from a source, again on top of the newest version whenever another upload was committed in between.
    pub(crate) async fn ingest_from(
        &self,
        source: &Source,
    ) -> Result<(Digest, IngestOutcome), LifecycleError> {
        for _ in 0..ATTEMPTS {
            match self.ingest_once(source).await {
                Err(LifecycleError::Registry(RegistryError::LostRace { .. })) => {}
                other => return other,
            }
        }
        Err(LifecycleError::Busy {
            what: format!("dataset {}", self.config.dataset),
            attempts: ATTEMPTS,
        })
    }

    async fn ingest_once(
        &self,
        source: &Source,
    ) -> Result<(Digest, IngestOutcome), LifecycleError> {
        let dataset = &self.config.dataset;
        let datasets = self.registry.datasets();
        let parent = datasets.current(dataset).await?.map(|(version, _)| version);
        if let Some(parent) = &parent {
            self.check_schema(parent)?;
        }

        let directory = self.temporary_directory()?;
        let pass = self
            .read_source(source, parent.as_ref(), directory.path())
            .await?;
        let digest = pass.upload.digest;
        if let Some(before) = datasets.ledger_entry(dataset, digest).await? {
            return Ok((
                digest,
                IngestOutcome::AlreadyKnown {
                    before: before.outcome,
                },
            ));
        }

        let quarantine = self.write_quarantine(source.name(), &pass.upload).await?;
        let upload = UploadRef {
            digest,
            name: source.name().to_owned(),
            size_bytes: pass.upload.size_bytes,
            accepted: 0,
            refused: pass.upload.refused,
            ingested_at: self.clock.now(),
        };
        let entry = |upload: UploadRef, outcome: UploadOutcome| LedgerEntry {
            upload,
            outcome,
            refused_by_reason: pass.upload.refused_by_reason.clone(),
            quarantine: quarantine.clone(),
        };
        let taken = match &pass.upload.outcome {
            Outcome::Taken(taken) if taken.accepted > 0 => taken,
            outcome => {
                let reason = match outcome {
                    Outcome::Refused(refusal) => refusal.to_string(),
                    Outcome::Taken(_) => {
                        format!("none of its {} rows could be taken", pass.upload.refused)
                    }
                };
                let refused = UploadOutcome::Refused {
                    reason: reason.clone(),
                };
                datasets
                    .record_upload(dataset, entry(upload, refused))
                    .await?;
                return Ok((digest, IngestOutcome::Refused { reason, quarantine }));
            }
        };
        let upload = UploadRef {
            accepted: taken.accepted,
            ..upload
        };
        let version = self
            .commit_version(parent, upload.clone(), taken, &pass.profile)
            .await?;
        let (accepted, refused) = (upload.accepted, upload.refused);
        datasets
            .record_upload(dataset, entry(upload, UploadOutcome::Ingested { version }))
            .await?;
        Ok((
            digest,
            IngestOutcome::Ingested {
                version,
                accepted,
                refused,
                quarantine,
            },
        ))
    }

    /// Streams the source through the row checks on a blocking thread.
    async fn read_source(
        &self,
        source: &Source,
        parent: Option<&DatasetVersion>,
        directory: &Path,
    ) -> Result<Pass, LifecycleError> {
        let mut known = self.known_rows(parent).await?;
        let input: Box<dyn Read + Send> = match source {
            Source::Incoming(name) => Box::new(StreamReader::spawn(
                self.store.read_stream(Container::Incoming, name).await?.1,
            )),
            Source::Bytes { bytes, .. } => Box::new(Cursor::new(bytes.clone())),
        };
        let (config, now, name, directory) = (
            self.config.clone(),
            self.clock.now(),
            source.name().to_owned(),
            directory.to_owned(),
        );
        self.blocking(move || {
            let mut profiler = RowProfiler::new(&config.schema);
            let ingest = Ingest {
                schema: &config.schema,
                checks: &config.checks,
                split: &config.split,
                now,
                directory: &directory,
            };
            let upload = ingest.run(&name, input, &mut known, &mut |row| profiler.observe(row))?;
            Ok(Pass {
                upload,
                profile: profiler.finish(),
            })
        })
        .await
    }

    /// The index of the rows that the dataset has already.
    async fn known_rows(
        &self,
        parent: Option<&DatasetVersion>,
    ) -> Result<KnownRows, LifecycleError> {
        let mut known = KnownRows::new();
        for part in parent.iter().flat_map(|parent| &parent.parts) {
            let bytes = self
                .registry
                .datasets()
                .part(&self.config.dataset, part.digest)
                .await?;
            let config = self.config.clone();
            known = self
                .blocking(move || {
                    known.load_part(bytes, &config.schema)?;
                    Ok(known)
                })
                .await?;
        }
        Ok(known)
    }

    /// Writes parts, profile and manifest; says the new version.
    pub(crate) async fn commit_version(
        &self,
        parent: Option<DatasetVersion>,
        upload: UploadRef,
        taken: &TakenRows,
        profile: &Profile,
    ) -> Result<u64, LifecycleError> {
        let dataset = &self.config.dataset;
        let datasets = self.registry.datasets();
        for part in &taken.parts {
            datasets
                .put_part(dataset, part.part.digest, &part.path)
                .await?;
        }
        let mut profile = profile.clone();
        if let Some(parent) = &parent {
            let bytes = datasets.profile(dataset, parent.profile).await?;
            let before: Profile =
                serde_json::from_slice(&bytes).map_err(|error| LifecycleError::Unreadable {
                    what: format!("profile of dataset version {}", parent.version),
                    source: error,
                })?;
            profile.merge(&before)?;
        }
        let profile = datasets
            .put_profile(
                dataset,
                Bytes::from(serde_json::to_vec(&profile).map_err(LifecycleError::encode)?),
            )
            .await?;

        let number = parent.as_ref().map_or(1, |parent| parent.version + 1);
        let parts = taken.parts.iter().map(|part| part.part.clone());
        let new = DatasetVersion {
            dataset: dataset.clone(),
            version: number,
            parent: parent.as_ref().map(|parent| parent.version),
            created_at: self.clock.now(),
            parts: Vec::new(),
            schema: self.config.schema.clone(),
            split: self.config.split.clone(),
            rows: taken.accepted,
            class_counts: taken.class_counts.clone(),
            split_counts: taken.split_counts,
            time_range: taken.time_range,
            profile,
            uploads: Vec::new(),
        };
        let mut new = match parent {
            Some(parent) => added(parent, new),
            None => new,
        };
        new.parts.extend(parts);
        new.uploads.push(upload);
        let (committed, _) = datasets.commit(new).await?;
        Ok(committed.version)
    }

    /// Refused rows, or the refusal of the whole upload, as one blob of JSON lines. Named by content: a repeat finds it there.
    async fn write_quarantine(
        &self,
        name: &str,
        upload: &IngestedUpload,
    ) -> Result<Option<String>, LifecycleError> {
        #[derive(Serialize)]
        struct RefusedUpload<'a> {
            upload: &'a str,
            digest: Digest,
            size_bytes: u64,
            reason: &'a str,
            detail: String,
        }
        let path = format!("{}/{}.jsonl", self.config.dataset, upload.digest.hex());
        let written = match (&upload.outcome, &upload.quarantine) {
            (Outcome::Refused(refusal), _) => {
                let record = RefusedUpload {
                    upload: name,
                    digest: upload.digest,
                    size_bytes: upload.size_bytes,
                    reason: refusal.reason.as_str(),
                    detail: refusal.to_string(),
                };
                let mut line = serde_json::to_vec(&record).map_err(LifecycleError::encode)?;
                line.push(b'\n');
                self.store
                    .create(Container::Quarantine, &path, line.into())
                    .await
            }
            (Outcome::Taken(_), Some(file)) => {
                self.store
                    .create_from_file(Container::Quarantine, &path, file)
                    .await
            }
            (Outcome::Taken(_), None) => return Ok(None),
        };
        match written {
            Ok(_) | Err(StorageError::AlreadyExists { .. }) => Ok(Some(path)),
            Err(error) => Err(error.into()),
        }
    }

    /// Rows of another shape cannot join a dataset: its versions would not be comparable.
    fn check_schema(&self, parent: &DatasetVersion) -> Result<(), LifecycleError> {
        let same =
            |a: &Schema, b: &Schema| a.columns == b.columns && a.label_names() == b.label_names();
        if same(&parent.schema, &self.config.schema) && parent.split == self.config.split {
            return Ok(());
        }
        Err(LifecycleError::SchemaChanged {
            dataset: self.config.dataset.clone(),
            version: parent.version,
        })
    }
}

/// The parent's rows and the new ones as one manifest.
fn added(parent: DatasetVersion, new: DatasetVersion) -> DatasetVersion {
    let mut class_counts = parent.class_counts;
    for (label, rows) in new.class_counts {
        *class_counts.entry(label).or_default() += rows;
    }
    let time_range = match (parent.time_range, new.time_range) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    };
    DatasetVersion {
        parts: parent.parts,
        uploads: parent.uploads,
        rows: parent.rows + new.rows,
        class_counts,
        split_counts: sluice_registry::SplitCounts {
            train: parent.split_counts.train + new.split_counts.train,
            calibration: parent.split_counts.calibration + new.split_counts.calibration,
            test: parent.split_counts.test + new.split_counts.test,
        },
        time_range,
        ..new
    }
}
