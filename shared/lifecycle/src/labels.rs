//! Labelled predictions become rows: the labels that callers send back join the dataset like any upload.

use std::collections::HashMap;

use bytes::Bytes;
use futures::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};
use sluice_dataset::{Format, Row, UploadWriter};
use sluice_registry::{FeedbackRecord, PredictionId, PredictionRecord, Role};
use sluice_storage::{Container, StorageError};

use crate::ingest::Source;
use crate::{IngestOutcome, Lifecycle, LifecycleError};

/// Names of uploads made of feedback start with this.
const UPLOAD_PREFIX: &str = "feedback/";

/// Feedback is read again from a little before the last time, for labels whose line came late.
const OVERLAP: SignedDuration = SignedDuration::from_mins(10);

impl Lifecycle {
    /// Ingests the labels that came back since the last time as rows of the dataset. `None` when there is nothing new,
    /// or when the prediction log keeps no inputs.
    ///
    /// # Errors
    /// Storage, registry.
    pub async fn ingest_feedback(&self) -> Result<Option<IngestOutcome>, LifecycleError> {
        let now = self.clock.now();
        let newest = self
            .registry
            .datasets()
            .current(&self.config.dataset)
            .await?
            .map(|(version, _)| version);
        let uploads = newest.iter().flat_map(|version| &version.uploads);
        let last = uploads
            .filter(|upload| upload.name.starts_with(UPLOAD_PREFIX))
            .map(|upload| upload.ingested_at)
            .max();
        let from = last.map_or(Timestamp::UNIX_EPOCH, |last| last - OVERLAP);

        let rows = self.labelled_rows(from, now).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let bytes = self.encode_rows(&rows)?;
        let digest = sluice_registry::Digest::of(&bytes);
        // Kept under its digest, so that a dataset version can be traced to the very labels.
        match self
            .store
            .create(
                Container::Feedback,
                &format!("rows/{}.jsonl", digest.hex()),
                bytes.clone(),
            )
            .await
        {
            Ok(_) | Err(StorageError::AlreadyExists { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let source = Source::Bytes {
            name: format!("{UPLOAD_PREFIX}{now:.0}.jsonl"),
            bytes,
        };
        let (_, outcome) = self.ingest_from(&source).await?;
        Ok(Some(outcome))
    }

    /// The last label of each prediction that got one in the window, as rows, in the order of the predictions.
    async fn labelled_rows(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Row>, LifecycleError> {
        let predictions = self.registry.predictions();
        let feedback: Vec<FeedbackRecord> = predictions.feedback(from, to).try_collect().await?;
        let mut labels: HashMap<String, FeedbackRecord> = HashMap::new();
        for record in feedback {
            let last = labels
                .entry(record.id.clone())
                .or_insert_with(|| record.clone());
            if record.at >= last.at {
                *last = record;
            }
        }
        let mut ids: Vec<PredictionId> = labels.keys().filter_map(|id| id.parse().ok()).collect();
        ids.sort_unstable();
        let index = self.config.schema.label_index();
        let mut rows = Vec::with_capacity(ids.len());
        for record in predictions.find_many(&ids).await?.into_iter().flatten() {
            let Some(feedback) = labels.get(&record.id) else {
                continue;
            };
            let Some(label) = index.get(&feedback.label) else {
                continue;
            };
            rows.extend(self.row(record, *label));
        }
        Ok(rows)
    }

    fn row(&self, record: PredictionRecord, label: usize) -> Option<Row> {
        let slice = self
            .config
            .schema
            .column(Role::Slice)
            .filter(|column| column.required);
        Some(Row {
            id: Some(record.id),
            time: Some(record.at),
            slice: slice.map(|_| "feedback".to_owned()),
            label: u32::try_from(label).ok()?,
            text: record.input?,
        })
    }

    fn encode_rows(&self, rows: &[Row]) -> Result<Bytes, LifecycleError> {
        let mut writer = UploadWriter::new(Vec::new(), Format::JsonLines, &self.config.schema)?;
        for row in rows {
            writer.write(row)?;
        }
        Ok(writer.finish()?.into())
    }
}
