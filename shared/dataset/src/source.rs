//! Rows as they are in the file, before any check: one source for each format, one shape for all.

mod csv;
mod json_lines;
mod parquet;

use std::path::Path;

use sluice_registry::{Column, Role, Schema};

use crate::body::{Body, Stop};
use crate::checks::Checks;
use crate::format::Format;
use crate::refusal::{RowFault, UploadFault};

/// The most bytes of a row that are kept to show it: 2,000 characters of up to four bytes.
pub(crate) const EXCERPT_BYTES: usize = 8_000;

/// A value as the file has it. Text is a range of [`RawRow::bytes`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Cell {
    #[default]
    Missing,
    Text {
        start: usize,
        end: usize,
    },
    Integer(i64),
    Float(f64),
    Boolean(bool),
    /// Microseconds since 1970.
    Micros(i64),
    /// Something that no column takes: what it is.
    Other(&'static str),
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    pub(crate) reason: RowFault,
    /// The index of the schema's column, when it is one column's.
    pub(crate) column: Option<usize>,
    pub(crate) detail: String,
}

impl Fault {
    pub(crate) fn row(reason: RowFault, detail: impl Into<String>) -> Self {
        Self {
            reason,
            column: None,
            detail: detail.into(),
        }
    }

    pub(crate) fn column(reason: RowFault, column: usize, detail: impl Into<String>) -> Self {
        Self {
            reason,
            column: Some(column),
            detail: detail.into(),
        }
    }
}

/// One row. Reused from row to row, so that reading allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct RawRow {
    /// The line on which it starts (CSV, JSON lines) or its number (Parquet), from 1.
    pub(crate) line: u64,
    /// The bytes of its texts; not checked to be UTF-8.
    pub(crate) bytes: Vec<u8>,
    /// One for each of the schema's columns.
    pub(crate) cells: Vec<Cell>,
    /// The beginning of the row as it is in the file; empty when the format has no lines.
    pub(crate) excerpt: Vec<u8>,
}

impl RawRow {
    /// Empties the row for `columns` columns.
    pub(crate) fn reset(&mut self, columns: usize) {
        self.bytes.clear();
        self.excerpt.clear();
        self.cells.clear();
        self.cells.resize(columns, Cell::Missing);
    }

    /// Adds a text and says where it is.
    pub(crate) fn push_text(&mut self, text: &[u8]) -> Cell {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(text);
        Cell::Text {
            start,
            end: self.bytes.len(),
        }
    }

    /// Adds bytes to the excerpt as long as it has room.
    pub(crate) fn push_excerpt(&mut self, bytes: &[u8]) {
        let room = EXCERPT_BYTES.saturating_sub(self.excerpt.len());
        self.excerpt
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

/// What a call of [`RowSource::next`] found.
#[derive(Debug)]
pub(crate) enum Step {
    /// A row.
    Row,
    /// A row that cannot be read.
    Fault(Fault),
    /// The end.
    End,
}

/// Gives the rows of a file one after the other.
pub(crate) trait RowSource {
    /// Puts the next row into `row`. Whatever it returns, `row.line` and `row.excerpt` say which row it is about.
    fn next(&mut self, row: &mut RawRow) -> Result<Step, Stop>;
}

/// The source for the format of `body`. `directory` takes the temporary file that Parquet needs.
pub(crate) fn open<'a>(
    body: Body<'a>,
    schema: &Schema,
    checks: &Checks,
    directory: &Path,
) -> Result<Box<dyn RowSource + 'a>, Stop> {
    Ok(match body.format {
        Format::Csv => Box::new(csv::CsvSource::open(body, schema, checks)?),
        Format::JsonLines => Box::new(json_lines::JsonLinesSource::open(
            body.reader,
            schema,
            checks,
        )),
        Format::Parquet => Box::new(parquet::ParquetSource::open(
            body.reader,
            schema,
            checks,
            directory,
        )?),
    })
}

/// Whether no row can be taken without a value in this column.
pub(crate) fn is_required(column: &Column) -> bool {
    column.required || matches!(column.role, Some(Role::Input | Role::Label))
}

/// Where the schema's columns are among the columns of a file.
fn locate(schema: &Schema, present: &[String]) -> Result<Vec<Option<usize>>, Stop> {
    let locate_one = |column: &Column| {
        let mut found = (0..present.len()).filter(|i| present[*i] == column.name);
        let first = found.next();
        if found.next().is_some() {
            let detail = format!("the column {:?} is there twice: remove one", column.name);
            return Err(Stop::refused(UploadFault::RepeatedColumn, detail));
        }
        if first.is_none() && is_required(column) {
            let detail = format!(
                "there is no column {:?}; the file has {}",
                column.name,
                list(present)
            );
            return Err(Stop::refused(UploadFault::MissingColumn, detail));
        }
        Ok(first)
    };
    schema.columns.iter().map(locate_one).collect()
}

/// The first columns of a file, for a message.
fn list(present: &[String]) -> String {
    let cut = |name: &String| format!("{:?}", name.chars().take(40).collect::<String>());
    let mut shown: Vec<_> = present.iter().take(10).map(cut).collect();
    if present.len() > shown.len() {
        shown.push(format!("{} more", present.len() - shown.len()));
    }
    shown.join(", ")
}
