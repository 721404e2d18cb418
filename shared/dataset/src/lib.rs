//! Rows in and out: reads uploads, checks each row, writes content-addressed Parquet parts, reads them back.
//!
//! * [`Ingest`] turns one upload (CSV, JSON lines or Parquet, plain or gzip) into [`LocalPart`]s, a file of refused rows
//!   and the counts of a dataset version, in one pass at constant memory.
//! * [`KnownRows`] remembers the rows of earlier parts, so that a row is taken once.
//! * [`PartReader`] reads parts back; [`RowReader`] reads an upload without taking it; [`UploadWriter`] writes one.
//!
//! Knows files and rows. Dataset versions, the ledger and the quarantine container belong to the caller. Everything is
//! synchronous: async callers use `spawn_blocking`, with [`StreamReader`] as the bridge from a store.

mod body;
mod check;
mod checks;
mod digesting;
mod error;
mod format;
mod ingest;
mod known;
mod outcome;
mod part_reader;
mod part_writer;
mod quarantine;
mod refusal;
mod row;
mod row_reader;
mod source;
mod split;
mod stream;
mod time;
mod upload_writer;

pub use checks::{Checks, RepeatedContent};
pub use error::DatasetError;
pub use format::Format;
pub use ingest::Ingest;
pub use known::KnownRows;
pub use outcome::{IngestedUpload, Outcome, RowView, TakenRows};
pub use part_reader::{PartReader, StoredRow};
pub use part_writer::LocalPart;
pub use quarantine::RefusedRow;
pub use refusal::{Refusal, RowFault, UploadFault};
pub use row::Row;
pub use row_reader::{RowReadError, RowReader, UploadedRow};
pub use split::split_of;
pub use stream::StreamReader;
pub use upload_writer::UploadWriter;

/// The result of a call.
pub type Result<T, E = DatasetError> = std::result::Result<T, E>;
