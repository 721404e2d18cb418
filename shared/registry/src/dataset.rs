//! Dataset versions: immutable manifests over content-addressed Parquet parts, and the ledger of uploads.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Digest, Schema};

/// Which side of the split a row is on, for ever: decided by a hash of its normalised content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Fits the weights.
    Train,
    /// Chooses the regularisation and calibrates the confidence.
    Calibration,
    /// Frozen: compares champion and candidate, never trained on.
    Test,
}

/// How rows are split. Changing it would move rows from one side to another, so it belongs to the dataset version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SplitRule {
    /// Mixed into the hash.
    pub seed: u64,
    /// Share of the rows in [`Split::Calibration`], 0 to 1.
    pub calibration: f64,
    /// Share of the rows in [`Split::Test`], 0 to 1.
    pub test: f64,
}

/// How many rows are on each side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitCounts {
    /// Rows in [`Split::Train`].
    pub train: u64,
    /// Rows in [`Split::Calibration`].
    pub calibration: u64,
    /// Rows in [`Split::Test`].
    pub test: u64,
}

/// One Parquet file of rows, named by its content: `parts/{sha256}.parquet`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The digest of the file.
    pub digest: Digest,
    /// Rows in it.
    pub rows: u64,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// The upload that its rows came from.
    pub upload: Digest,
}

/// An upload that a dataset version contains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadRef {
    /// The digest of the uploaded bytes.
    pub digest: Digest,
    /// Its name in the incoming container, or what made it (`feedback`).
    pub name: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Rows taken.
    pub accepted: u64,
    /// Rows refused.
    pub refused: u64,
    /// When it was ingested.
    pub ingested_at: Timestamp,
}

/// `versions/{n}.json`: one immutable version of a dataset. The file's own digest is the version's digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatasetVersion {
    /// The dataset's name.
    pub dataset: String,
    /// 1, 2, 3…
    pub version: u64,
    /// The version that this one adds to.
    pub parent: Option<u64>,
    /// When it was made.
    pub created_at: Timestamp,
    /// All rows: the parent's parts and the new ones.
    pub parts: Vec<Part>,
    /// The columns and labels of the rows.
    pub schema: Schema,
    /// The split of the rows.
    pub split: SplitRule,
    /// Rows in all parts.
    pub rows: u64,
    /// Rows of each label.
    pub class_counts: BTreeMap<String, u64>,
    /// Rows on each side.
    pub split_counts: SplitCounts,
    /// The earliest and the latest row, when there is a time column.
    pub time_range: Option<(Timestamp, Timestamp)>,
    /// Digest of the profile of the rows, a document beside this one: `profiles/{sha256}.json`.
    pub profile: Digest,
    /// All uploads behind the rows, oldest first.
    pub uploads: Vec<UploadRef>,
}

/// What became of an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum UploadOutcome {
    /// Its accepted rows are in this dataset version and all later ones.
    Ingested {
        /// The first version with its rows.
        version: u64,
    },
    /// Nothing in it could be taken.
    Refused {
        /// Why, in one sentence.
        reason: String,
    },
}

/// `ledger/{sha256 of the upload}.json`: the end of an upload's way. Written once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// The upload.
    pub upload: UploadRef,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: UploadOutcome,
    /// How many rows were refused for each reason.
    pub refused_by_reason: BTreeMap<String, u64>,
    /// The blob in the quarantine container, when anything was refused.
    pub quarantine: Option<String>,
}
