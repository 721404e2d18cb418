//! Reads a labelled file without taking it: replay walks through one by the time of its rows.

use std::fmt;
use std::io::Read;
use std::path::Path;

use jiff::Timestamp;
use sluice_registry::Schema;

use crate::body::{Body, Stop};
use crate::check::{CheckedRow, RowChecker, Value};
use crate::checks::Checks;
use crate::error::DatasetError;
use crate::quarantine::RefusedRow;
use crate::refusal::Refusal;
use crate::row::Row;
use crate::source::{self, Fault, RawRow, RowSource, Step};

/// A row of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadedRow {
    /// The line on which it starts (CSV, JSON lines) or its number (Parquet), from 1.
    pub line: u64,
    /// The row.
    pub row: Row,
}

/// Why the next row of a file cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RowReadError {
    /// This row is wrong; the next one may be right.
    #[error("line {}: {}: {}", .0.line, .0.reason, .0.detail)]
    Row(Box<RefusedRow>),
    /// The file is wrong. Nothing comes after it.
    #[error(transparent)]
    Upload(#[from] Refusal),
    /// The file could not be read. Nothing comes after it.
    #[error(transparent)]
    Failed(#[from] DatasetError),
}

impl From<Stop> for RowReadError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Refused(refusal) => Self::Upload(refusal),
            Stop::Failed(error) => Self::Failed(error),
        }
    }
}

/// The rows of a file in its order, with the checks of an ingest but for duplicates and contradictions.
pub struct RowReader<'a> {
    source: Box<dyn RowSource + 'a>,
    checker: RowChecker,
    schema: Schema,
    name: String,
    raw: RawRow,
    ended: bool,
}

impl<'a> RowReader<'a> {
    /// Opens a file of any format, plain or gzip. `directory` takes a temporary copy of a Parquet file; `now` is the
    /// current time, for the latest plausible time of a row.
    ///
    /// # Errors
    /// [`RowReadError::Upload`] and [`RowReadError::Failed`].
    pub fn open(
        name: &str,
        input: impl Read + 'a,
        schema: &Schema,
        checks: &Checks,
        now: Timestamp,
        directory: &Path,
    ) -> Result<Self, RowReadError> {
        let body = Body::open(input, name, checks)?;
        Ok(Self {
            source: source::open(body, schema, checks, directory)?,
            checker: RowChecker::new(schema, checks, now)?,
            schema: schema.clone(),
            name: name.to_owned(),
            raw: RawRow::default(),
            ended: false,
        })
    }

    fn refused(&self, fault: Fault) -> RowReadError {
        RowReadError::Row(Box::new(RefusedRow::new(
            &self.name,
            &self.raw,
            fault,
            &self.schema,
        )))
    }
}

impl Iterator for RowReader<'_> {
    type Item = Result<UploadedRow, RowReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        match self.source.next(&mut self.raw) {
            Ok(Step::End) => {
                self.ended = true;
                None
            }
            Ok(Step::Fault(fault)) => Some(Err(self.refused(fault))),
            Ok(Step::Row) => {
                let row = self.checker.check(&mut self.raw).map(|row| owned(&row));
                let line = self.raw.line;
                Some(
                    row.map(|row| UploadedRow { line, row })
                        .map_err(|fault| self.refused(fault)),
                )
            }
            Err(stop) => {
                self.ended = true;
                Some(Err(stop.into()))
            }
        }
    }
}

impl fmt::Debug for RowReader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowReader")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

fn owned(row: &CheckedRow<'_>) -> Row {
    let id = row.id().and_then(|id| match id {
        Value::Text { start, end } => Some(row.text[start..end].to_owned()),
        Value::Integer(number) => Some(number.to_string()),
        _ => None,
    });
    Row {
        id,
        time: row
            .micros()
            .and_then(|micros| Timestamp::from_microsecond(micros).ok()),
        slice: row.slice().map(str::to_owned),
        label: row.label,
        text: row.input().to_owned(),
    }
}
