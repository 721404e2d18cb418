//! The ledger: what became of every upload.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sluice_storage::ETag;

use super::Datasets;
use crate::document::{self, Created, create, encode};
use crate::error::Result;
use crate::names::check_dataset_name;
use crate::paths::DocumentPath;
use crate::{Digest, LedgerEntry, UploadOutcome};

/// `{dataset}/seen/{sha256 of the name}.json`: a hint that a blob was ingested in this state already.
#[derive(Debug, Serialize, Deserialize)]
struct Seen {
    name: String,
    etag: ETag,
    upload: Digest,
}

impl Datasets<'_> {
    /// What became of an upload, `None` when it was never seen to its end.
    ///
    /// An upload whose rows were committed by a process that died before it wrote the entry gets its entry now. The
    /// reasons of its refused rows are then only in the quarantine.
    ///
    /// # Errors
    /// `InvalidName`, `Unreadable`, `ReadOnly` (when an entry must be written), `Storage`.
    pub async fn ledger_entry(&self, dataset: &str, upload: Digest) -> Result<Option<LedgerEntry>> {
        check_dataset_name(dataset)?;
        let path = DocumentPath::Ledger {
            dataset: dataset.to_owned(),
            upload,
        };
        if let Some(entry) = document::read(&**self.registry.store(), &path, "ledger entry").await?
        {
            return Ok(Some(entry.document));
        }
        let Some((newest, _)) = self.current(dataset).await? else {
            return Ok(None);
        };
        let Some(upload) = newest
            .uploads
            .iter()
            .find(|known| known.digest == upload)
            .cloned()
        else {
            return Ok(None);
        };
        let mut version = newest.version;
        while version > 1 {
            let (earlier, _) = self.version(dataset, version - 1).await?;
            if !earlier
                .uploads
                .iter()
                .any(|known| known.digest == upload.digest)
            {
                break;
            }
            version -= 1;
        }
        let refused_by_reason = match upload.refused {
            0 => BTreeMap::new(),
            refused => BTreeMap::from([("see quarantine".to_owned(), refused)]),
        };
        let outcome = UploadOutcome::Ingested { version };
        let entry = LedgerEntry {
            upload,
            outcome,
            refused_by_reason,
            quarantine: None,
        };
        self.record_upload(dataset, entry).await.map(Some)
    }

    /// Writes down what became of an upload, once: the first entry stays, and is returned.
    ///
    /// # Errors
    /// `InvalidName`, `ReadOnly`, `Storage`.
    pub async fn record_upload(&self, dataset: &str, entry: LedgerEntry) -> Result<LedgerEntry> {
        check_dataset_name(dataset)?;
        self.registry.auditor()?;
        let path = DocumentPath::Ledger {
            dataset: dataset.to_owned(),
            upload: entry.upload.digest,
        };
        let bytes = encode(&path.full(), &entry)?;
        let store = &**self.registry.store();
        match create(store, &path, &bytes).await? {
            Created::New => {
                self.registry.recorded(&path, &bytes).await?;
                Ok(entry)
            }
            Created::Same => Ok(entry),
            Created::Different => {
                let stored = document::read::<LedgerEntry>(store, &path, "ledger entry").await?;
                Ok(stored.map_or(entry, |stored| stored.document))
            }
        }
    }

    /// The digest of the upload at `name`, when it was ingested while the blob had this `etag`: then it need not be
    /// read again.
    ///
    /// # Errors
    /// `InvalidName`, `Unreadable`, `Storage`.
    pub async fn seen(&self, dataset: &str, name: &str, etag: &ETag) -> Result<Option<Digest>> {
        check_dataset_name(dataset)?;
        let seen = document::read::<Seen>(
            &**self.registry.store(),
            &seen_path(dataset, name),
            "seen upload",
        )
        .await?;
        Ok(seen
            .filter(|seen| seen.document.etag == *etag)
            .map(|seen| seen.document.upload))
    }

    /// Remembers that the blob `name`, at `etag`, is the upload `upload` and is at the end of its way. Call it after
    /// [`Datasets::record_upload`].
    ///
    /// # Errors
    /// `InvalidName`, `Storage`.
    pub async fn mark_seen(
        &self,
        dataset: &str,
        name: &str,
        etag: &ETag,
        upload: Digest,
    ) -> Result<()> {
        check_dataset_name(dataset)?;
        let path = seen_path(dataset, name);
        let seen = encode(
            "seen upload",
            &Seen {
                name: name.to_owned(),
                etag: etag.clone(),
                upload,
            },
        )?;
        self.registry
            .store()
            .put(path.container(), &path.to_string(), seen)
            .await?;
        Ok(())
    }
}

fn seen_path(dataset: &str, name: &str) -> DocumentPath {
    DocumentPath::Seen {
        dataset: dataset.to_owned(),
        name: Digest::of(name.as_bytes()),
    }
}
