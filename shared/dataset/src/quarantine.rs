//! The file of refused rows: one JSON line for each, with what is needed to correct it.

use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sluice_registry::Schema;
use tempfile::NamedTempFile;

use crate::Result;
use crate::error::DatasetError;
use crate::refusal::RowFault;
use crate::source::{Cell, Fault, RawRow};

/// The most characters of a row that are shown.
const ROW_CHARS: usize = 2_000;
const FILE_NAME: &str = "refused.jsonl";

/// A row that was refused, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedRow {
    /// The name of the upload.
    pub file: String,
    /// The line on which the row starts (CSV, JSON lines) or its number (Parquet), from 1.
    pub line: u64,
    /// Why.
    pub reason: RowFault,
    /// The column, when it is one column's fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// What is wrong and what is expected.
    pub detail: String,
    /// The row as the file has it (Parquet: as JSON), cut at 2,000 characters.
    pub row: String,
}

impl RefusedRow {
    pub(crate) fn new(file: &str, row: &RawRow, fault: Fault, schema: &Schema) -> Self {
        Self {
            file: file.to_owned(),
            line: row.line,
            reason: fault.reason,
            column: fault
                .column
                .and_then(|column| schema.columns.get(column))
                .map(|column| column.name.clone()),
            detail: fault.detail,
            row: show(row, schema),
        }
    }
}

/// Writes refused rows. Makes no file as long as there is none.
pub(crate) struct Quarantine<'a> {
    directory: &'a Path,
    file: Option<BufWriter<NamedTempFile>>,
}

impl<'a> Quarantine<'a> {
    pub(crate) fn new(directory: &'a Path) -> Self {
        Self {
            directory,
            file: None,
        }
    }

    pub(crate) fn write(&mut self, row: &RefusedRow) -> Result<()> {
        let output = DatasetError::output("the file of refused rows");
        let file = match &mut self.file {
            Some(file) => file,
            None => match NamedTempFile::new_in(self.directory) {
                Ok(file) => self.file.insert(BufWriter::new(file)),
                Err(error) => return Err(output(error)),
            },
        };
        serde_json::to_writer(&mut *file, row)
            .map_err(|error| error.into())
            .and_then(|()| file.write_all(b"\n"))
            .map_err(output)
    }

    /// Ends the file and gives its path, when there is one.
    pub(crate) fn finish(self) -> Result<Option<PathBuf>> {
        let Some(file) = self.file else {
            return Ok(None);
        };
        let path = self.directory.join(FILE_NAME);
        let file = file.into_inner().map_err(|error| {
            DatasetError::output("the file of refused rows")(error.into_error())
        })?;
        file.persist(&path)
            .map_err(|error| DatasetError::output("the file of refused rows")(error.error))?;
        Ok(Some(path))
    }
}

fn show(row: &RawRow, schema: &Schema) -> String {
    let text = if row.excerpt.is_empty() {
        as_json(row, schema)
    } else {
        String::from_utf8_lossy(&row.excerpt)
            .trim_end_matches(['\r', '\n'])
            .to_owned()
    };
    match text.char_indices().nth(ROW_CHARS) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    }
}

/// A row of a format without lines.
fn as_json(row: &RawRow, schema: &Schema) -> String {
    let value = |cell: &Cell| match *cell {
        Cell::Missing => serde_json::Value::Null,
        Cell::Text { start, end } => {
            let shown = &row.bytes[start..end.min(start + crate::source::EXCERPT_BYTES)];
            String::from_utf8_lossy(shown).into()
        }
        Cell::Integer(number) => number.into(),
        Cell::Float(number) => number.into(),
        Cell::Boolean(value) => value.into(),
        Cell::Micros(micros) => jiff::Timestamp::from_microsecond(micros)
            .map_or_else(|_| micros.into(), |time| time.to_string().into()),
        Cell::Other(what) => what.into(),
    };
    let pairs = schema
        .columns
        .iter()
        .zip(&row.cells)
        .map(|(column, cell)| (column.name.clone(), value(cell)));
    serde_json::Value::Object(pairs.collect()).to_string()
}
