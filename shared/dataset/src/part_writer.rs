//! Writes parts: Parquet files that are named by their digest and the same for the same rows.

use std::fs;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{
    ArrayBuilder as _, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder, UInt64Builder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema as ArrowSchema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use sluice_registry::{ColumnType, Digest, Part, Schema};
use tempfile::NamedTempFile;

use crate::Result;
use crate::check::{CheckedRow, Value, storage_type};
use crate::digesting::Digesting;
use crate::error::DatasetError;
use crate::part_reader::{CONTENT_HASH, ID_HASH};

/// Where parts, and the pieces that they are written in, end. The same rows end in the same places.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PartLimits {
    pub(crate) part_rows: usize,
    pub(crate) part_bytes: usize,
    /// A row group is held in memory until it is complete.
    pub(crate) group_bytes: usize,
    pub(crate) batch_rows: usize,
    pub(crate) batch_bytes: usize,
}

impl Default for PartLimits {
    fn default() -> Self {
        Self {
            part_rows: 1 << 20,
            part_bytes: 64 << 20,
            group_bytes: 16 << 20,
            batch_rows: 4_096,
            batch_bytes: 4 << 20,
        }
    }
}

/// A part in the working directory, ready to be stored as `parts/{sha256}.parquet`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalPart {
    /// The file, `{sha256}.parquet`.
    pub path: PathBuf,
    /// What the dataset version says of it.
    pub part: Part,
}

/// A part without its upload, whose digest is known last.
#[derive(Debug)]
pub(crate) struct FinishedPart {
    path: PathBuf,
    digest: Digest,
    rows: u64,
    size_bytes: u64,
}

impl FinishedPart {
    pub(crate) fn of_upload(self, upload: Digest) -> LocalPart {
        let part = Part {
            digest: self.digest,
            rows: self.rows,
            size_bytes: self.size_bytes,
            upload,
        };
        LocalPart {
            path: self.path,
            part,
        }
    }
}

type Writer = ArrowWriter<Digesting<NamedTempFile>>;

/// Writes checked rows into parts in a directory. Dropped before [`PartWriter::finish`], it leaves nothing there.
pub(crate) struct PartWriter<'a> {
    directory: &'a Path,
    limits: PartLimits,
    fields: SchemaRef,
    properties: WriterProperties,
    columns: Vec<ColumnBuilder>,
    labels: Vec<String>,
    content_hashes: UInt64Builder,
    id_hashes: UInt64Builder,
    batch_bytes: usize,
    part: Option<Writer>,
    part_rows: usize,
    finished: Vec<FinishedPart>,
}

impl<'a> PartWriter<'a> {
    pub(crate) fn new(schema: &Schema, directory: &'a Path, limits: PartLimits) -> Self {
        Self {
            directory,
            limits,
            fields: arrow_schema(schema),
            properties: properties(schema, limits),
            columns: schema
                .columns
                .iter()
                .map(|column| ColumnBuilder::new(storage_type(column.kind, column.role)))
                .collect(),
            labels: schema.label_names(),
            content_hashes: UInt64Builder::new(),
            id_hashes: UInt64Builder::new(),
            batch_bytes: 0,
            part: None,
            part_rows: 0,
            finished: Vec::new(),
        }
    }

    pub(crate) fn write(&mut self, row: &CheckedRow<'_>) -> Result<()> {
        for (column, value) in self.columns.iter_mut().zip(row.values) {
            column.append(*value, row.text, &self.labels);
        }
        self.content_hashes.append_value(row.content_hash);
        self.id_hashes.append_option(row.id_hash);
        self.batch_bytes += row.text.len();
        let rows = self.content_hashes.len();
        let full = rows >= self.limits.batch_rows || self.batch_bytes >= self.limits.batch_bytes;
        if full || self.part_rows + rows >= self.limits.part_rows {
            self.write_batch()?;
        }
        Ok(())
    }

    /// Ends the last part and gives all of them.
    pub(crate) fn finish(mut self) -> Result<Vec<FinishedPart>> {
        self.write_batch()?;
        self.finish_part()?;
        Ok(mem::take(&mut self.finished))
    }

    fn write_batch(&mut self) -> Result<()> {
        let rows = self.content_hashes.len();
        if rows == 0 {
            return Ok(());
        }
        let mut arrays: Vec<ArrayRef> =
            self.columns.iter_mut().map(ColumnBuilder::finish).collect();
        arrays.push(Arc::new(self.content_hashes.finish()));
        arrays.push(Arc::new(self.id_hashes.finish()));
        self.batch_bytes = 0;
        let batch = RecordBatch::try_new(self.fields.clone(), arrays)
            .map_err(|error| DatasetError::part_file(error.into()))?;

        let mut part = match self.part.take() {
            Some(part) => part,
            None => self.start_part()?,
        };
        part.write(&batch).map_err(DatasetError::part_file)?;
        if part.in_progress_size() >= self.limits.group_bytes {
            part.flush().map_err(DatasetError::part_file)?;
        }
        self.part_rows += rows;
        let full = self.part_rows >= self.limits.part_rows
            || part.bytes_written() >= self.limits.part_bytes;
        self.part = Some(part);
        if full { self.finish_part() } else { Ok(()) }
    }

    fn start_part(&self) -> Result<Writer> {
        let file = NamedTempFile::new_in(self.directory).map_err(DatasetError::output("a part"))?;
        // Without the Arrow schema in the file its bytes depend on nothing but the rows and the Parquet types.
        let options = ArrowWriterOptions::new()
            .with_properties(self.properties.clone())
            .with_skip_arrow_metadata(true);
        ArrowWriter::try_new_with_options(Digesting::new(file), self.fields.clone(), options)
            .map_err(DatasetError::part_file)
    }

    fn finish_part(&mut self) -> Result<()> {
        let Some(part) = self.part.take() else {
            return Ok(());
        };
        let (file, digest, size_bytes) =
            part.into_inner().map_err(DatasetError::part_file)?.finish();
        let path = self.directory.join(format!("{}.parquet", digest.hex()));
        file.persist(&path)
            .map_err(|error| DatasetError::output("a part")(error.error))?;
        let rows = mem::take(&mut self.part_rows) as u64;
        self.finished.push(FinishedPart {
            path,
            digest,
            rows,
            size_bytes,
        });
        Ok(())
    }
}

impl Drop for PartWriter<'_> {
    fn drop(&mut self) {
        for part in &self.finished {
            // Two parts with the same rows are one file; the directory is temporary anyway.
            let _ = fs::remove_file(&part.path);
        }
    }
}

/// Builds one column of a batch.
enum ColumnBuilder {
    Text(StringBuilder),
    Integer(Int64Builder),
    Float(Float64Builder),
    Boolean(BooleanBuilder),
    Micros(TimestampMicrosecondBuilder),
}

impl ColumnBuilder {
    fn new(kind: ColumnType) -> Self {
        match kind {
            ColumnType::Text | ColumnType::Category => Self::Text(StringBuilder::new()),
            ColumnType::Integer => Self::Integer(Int64Builder::new()),
            ColumnType::Float => Self::Float(Float64Builder::new()),
            ColumnType::Boolean => Self::Boolean(BooleanBuilder::new()),
            ColumnType::Timestamp => {
                Self::Micros(TimestampMicrosecondBuilder::new().with_timezone("UTC"))
            }
        }
    }

    /// Adds a value; one that is not of this column's type, which the checks do not let through, as null.
    fn append(&mut self, value: Value, text: &str, labels: &[String]) {
        match (self, value) {
            (Self::Text(builder), Value::Text { start, end }) => {
                builder.append_value(&text[start..end]);
            }
            (Self::Text(builder), Value::Label(label)) => {
                builder.append_option(labels.get(label as usize));
            }
            (Self::Integer(builder), Value::Integer(value)) => builder.append_value(value),
            (Self::Float(builder), Value::Float(value)) => builder.append_value(value),
            (Self::Boolean(builder), Value::Boolean(value)) => builder.append_value(value),
            (Self::Micros(builder), Value::Micros(value)) => builder.append_value(value),
            (Self::Text(builder), _) => builder.append_null(),
            (Self::Integer(builder), _) => builder.append_null(),
            (Self::Float(builder), _) => builder.append_null(),
            (Self::Boolean(builder), _) => builder.append_null(),
            (Self::Micros(builder), _) => builder.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Integer(builder) => Arc::new(builder.finish()),
            Self::Float(builder) => Arc::new(builder.finish()),
            Self::Boolean(builder) => Arc::new(builder.finish()),
            Self::Micros(builder) => Arc::new(builder.finish()),
        }
    }
}

fn arrow_schema(schema: &Schema) -> SchemaRef {
    let field = |name: &str, kind| {
        let data_type = match kind {
            ColumnType::Text | ColumnType::Category => DataType::Utf8,
            ColumnType::Integer => DataType::Int64,
            ColumnType::Float => DataType::Float64,
            ColumnType::Boolean => DataType::Boolean,
            ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        };
        Field::new(name, data_type, true)
    };
    let mut fields: Vec<_> = schema
        .columns
        .iter()
        .map(|column| field(&column.name, storage_type(column.kind, column.role)))
        .collect();
    fields.push(Field::new(CONTENT_HASH, DataType::UInt64, false));
    fields.push(Field::new(ID_HASH, DataType::UInt64, true));
    Arc::new(ArrowSchema::new(fields))
}

/// Dictionaries only where values repeat, compression only where it helps: hashes are noise.
fn properties(schema: &Schema, limits: PartLimits) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_created_by("sluice".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_max_row_group_row_count(Some(limits.part_rows));
    for hashes in [CONTENT_HASH, ID_HASH] {
        let path = ColumnPath::from(hashes);
        properties = properties.set_column_compression(path, Compression::UNCOMPRESSED);
    }
    for column in &schema.columns {
        // Not `ColumnPath::from`, which cuts the name at its dots.
        let path = ColumnPath::new(vec![column.name.clone()]);
        properties = match storage_type(column.kind, column.role) {
            ColumnType::Category => properties.set_column_dictionary_enabled(path, true),
            ColumnType::Integer | ColumnType::Timestamp => {
                properties.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED)
            }
            _ => properties,
        };
    }
    properties.build()
}
