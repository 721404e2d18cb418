//! Writes uploads of our own: sample messages, rows of a replay, labels that came back.

use std::fmt;
use std::io::{self, Write};

use serde::Serializer as _;
use serde::ser::SerializeMap as _;
use sluice_registry::{Role, Schema};

use crate::Result;
use crate::error::DatasetError;
use crate::format::Format;
use crate::row::Row;
use crate::source::is_required;

/// Writes rows as CSV or JSON lines with the schema's columns. Columns without a role are left out.
pub struct UploadWriter<W: Write> {
    output: Output<W>,
    columns: Vec<(String, Role)>,
    labels: Vec<String>,
}

enum Output<W: Write> {
    Csv(Box<csv::Writer<W>>),
    JsonLines(W),
}

impl<W: Write> UploadWriter<W> {
    /// Starts an upload; a CSV header is written at once.
    ///
    /// # Errors
    /// [`DatasetError::Schema`] when a column without a role is required (a [`Row`] has no value for it) or the format
    /// is Parquet; [`DatasetError::Output`].
    pub fn new(output: W, format: Format, schema: &Schema) -> Result<Self> {
        if let Some(column) = schema
            .columns
            .iter()
            .find(|column| column.role.is_none() && is_required(column))
        {
            let detail = format!(
                "the column {:?} is required and has no role, so no value is known for it",
                column.name
            );
            return Err(DatasetError::Schema(detail));
        }
        let columns: Vec<_> = schema
            .columns
            .iter()
            .filter_map(|column| Some((column.name.clone(), column.role?)))
            .collect();
        let output = match format {
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(output);
                writer
                    .write_record(columns.iter().map(|(name, _)| name))
                    .map_err(csv_error)?;
                Output::Csv(Box::new(writer))
            }
            Format::JsonLines => Output::JsonLines(output),
            Format::Parquet => {
                return Err(DatasetError::Schema(
                    "uploads are written as CSV or JSON lines".to_owned(),
                ));
            }
        };
        Ok(Self {
            output,
            columns,
            labels: schema.label_names(),
        })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// [`DatasetError::Schema`] when its label is not in the schema; [`DatasetError::Output`].
    pub fn write(&mut self, row: &Row) -> Result<()> {
        let label = self.labels.get(row.label as usize);
        let label = label.ok_or_else(|| {
            DatasetError::Schema(format!("there is no label with the index {}", row.label))
        })?;
        let time = row.time.map(|time| time.to_string());
        let value = |role: &Role| match role {
            Role::Input => Some(row.text.as_str()),
            Role::Label => Some(label.as_str()),
            Role::Id => row.id.as_deref(),
            Role::Time => time.as_deref(),
            Role::Slice => row.slice.as_deref(),
        };
        match &mut self.output {
            Output::Csv(writer) => writer
                .write_record(
                    self.columns
                        .iter()
                        .map(|(_, role)| value(role).unwrap_or_default()),
                )
                .map_err(csv_error),
            Output::JsonLines(writer) => {
                let pairs = self.columns.iter().map(|(name, role)| (name, value(role)));
                write_object(writer, pairs).map_err(DatasetError::output("an upload"))
            }
        }
    }

    /// Ends the upload.
    ///
    /// # Errors
    /// [`DatasetError::Output`].
    pub fn finish(self) -> Result<W> {
        let output = DatasetError::output("an upload");
        match self.output {
            Output::Csv(writer) => writer
                .into_inner()
                .map_err(|error| output(error.into_error())),
            Output::JsonLines(mut writer) => match writer.flush() {
                Ok(()) => Ok(writer),
                Err(error) => Err(output(error)),
            },
        }
    }
}

impl<W: Write> fmt::Debug for UploadWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadWriter")
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

fn write_object<'v>(
    writer: &mut impl Write,
    pairs: impl Iterator<Item = (&'v String, Option<&'v str>)>,
) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::new(&mut *writer);
    let mut map = serializer.serialize_map(None)?;
    for (name, value) in pairs {
        map.serialize_entry(name, &value)?;
    }
    map.end()?;
    writer.write_all(b"\n")
}

fn csv_error(error: csv::Error) -> DatasetError {
    DatasetError::Output {
        file: "an upload",
        source: error.into(),
    }
}
