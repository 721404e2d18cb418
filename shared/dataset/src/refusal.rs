//! Why a row or a whole upload was not taken.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a row was refused. The other rows of the upload are not touched by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RowFault {
    /// Not one row of the format: no JSON object, more fields than the header, a quote that is never closed.
    Malformed,
    /// Longer than `max_row_bytes`.
    RowTooLong,
    /// Not UTF-8.
    InvalidUtf8,
    /// A required column has no value.
    MissingColumn,
    /// A value does not have its column's type.
    WrongType,
    /// A required text is empty or only white space.
    EmptyText,
    /// A text is longer than `max_text_chars`.
    TextTooLong,
    /// The label is none of the schema's.
    UnknownLabel,
    /// The time is before `earliest` or after `latest`.
    ImpossibleTime,
    /// A row with this id is there already.
    DuplicateId,
    /// A row with the same normalised content and the same label is there already.
    DuplicateContent,
    /// A row with the same normalised content and another label is there already.
    ContradictingLabel,
}

impl RowFault {
    /// The name in counts and in the file of refused rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::RowTooLong => "row_too_long",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::MissingColumn => "missing_column",
            Self::WrongType => "wrong_type",
            Self::EmptyText => "empty_text",
            Self::TextTooLong => "text_too_long",
            Self::UnknownLabel => "unknown_label",
            Self::ImpossibleTime => "impossible_time",
            Self::DuplicateId => "duplicate_id",
            Self::DuplicateContent => "duplicate_content",
            Self::ContradictingLabel => "contradicting_label",
        }
    }

    /// Whether the row is fine by itself and only there already. An export that overlaps an earlier one is full of these.
    #[must_use]
    pub const fn is_repeat(self) -> bool {
        matches!(self, Self::DuplicateId | Self::DuplicateContent)
    }
}

impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why nothing of an upload was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum UploadFault {
    /// No bytes, or nothing but white space.
    Empty,
    /// A header and no row.
    NoRows,
    /// Not a text: NUL bytes, or the signature of another kind of file.
    Binary,
    /// A text in another encoding than UTF-8.
    WrongEncoding,
    /// The gzip stream ends too early.
    TruncatedGzip,
    /// The gzip stream is damaged.
    CorruptGzip,
    /// A gzip file inside a gzip file.
    NestedGzip,
    /// Unpacks to more than `max_decompressed_bytes`, or to more than `max_gzip_ratio` times its size.
    GzipBomb,
    /// A column that every row needs is not there.
    MissingColumn,
    /// A column is there twice.
    RepeatedColumn,
    /// JSON, but not one object on each line.
    NotJsonLines,
    /// A Parquet file that cannot be read.
    CorruptParquet,
    /// An encrypted Parquet file.
    Encrypted,
    /// So many rows are wrong that it is probably the wrong file: more than `max_refused_share`.
    TooManyRefused,
}

impl UploadFault {
    /// The name in logs and documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NoRows => "no_rows",
            Self::Binary => "binary",
            Self::WrongEncoding => "wrong_encoding",
            Self::TruncatedGzip => "truncated_gzip",
            Self::CorruptGzip => "corrupt_gzip",
            Self::NestedGzip => "nested_gzip",
            Self::GzipBomb => "gzip_bomb",
            Self::MissingColumn => "missing_column",
            Self::RepeatedColumn => "repeated_column",
            Self::NotJsonLines => "not_json_lines",
            Self::CorruptParquet => "corrupt_parquet",
            Self::Encrypted => "encrypted",
            Self::TooManyRefused => "too_many_refused",
        }
    }
}

impl fmt::Display for UploadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Nothing of an upload was taken, and why. A normal result: trying again cannot help.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Refusal {
    /// Why.
    pub reason: UploadFault,
    /// What is wrong and what to do, in one sentence for the person who uploaded it.
    pub detail: String,
}

impl Refusal {
    pub(crate) fn new(reason: UploadFault, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }
}
