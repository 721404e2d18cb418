//! What an ingest gives back.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use sluice_registry::{Digest, Split, SplitCounts};

use crate::format::Format;
use crate::part_writer::LocalPart;
use crate::refusal::Refusal;

/// An accepted row, for whoever wants to look at each (a profile).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowView<'a> {
    /// What the model sees.
    pub text: &'a str,
    /// The index of its label in the schema.
    pub label: u32,
    /// When it happened.
    pub time: Option<Timestamp>,
    /// The group that it belongs to.
    pub slice: Option<&'a str>,
    /// Its side of the split.
    pub split: Split,
}

/// What became of an upload.
#[derive(Clone, Debug, PartialEq)]
pub struct IngestedUpload {
    /// The digest of the bytes as they were uploaded.
    pub digest: Digest,
    /// Their number.
    pub size_bytes: u64,
    /// How it was written, when that could be told.
    pub format: Option<Format>,
    /// How many rows were refused. For an upload that is refused as a whole: until that was clear.
    pub refused: u64,
    /// How many for each [`crate::RowFault`], by its name.
    pub refused_by_reason: BTreeMap<String, u64>,
    /// The file of refused rows, a [`crate::RefusedRow`] on each line, when there are any.
    pub quarantine: Option<PathBuf>,
    /// The rows, or why there are none.
    pub outcome: Outcome,
}

/// The rows of an upload, or why there are none.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The accepted rows; none of them when all were there already.
    Taken(TakenRows),
    /// Nothing was taken.
    Refused(Refusal),
}

/// The accepted rows of an upload.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TakenRows {
    /// How many.
    pub accepted: u64,
    /// The files that hold them.
    pub parts: Vec<LocalPart>,
    /// How many of each label, also of those that have none.
    pub class_counts: BTreeMap<String, u64>,
    /// How many on each side of the split.
    pub split_counts: SplitCounts,
    /// The earliest and the latest, when any has a time.
    pub time_range: Option<(Timestamp, Timestamp)>,
}
