//! Reads parts back: the rows for training and replay, a few columns for the index of known rows.

use std::fmt;
use std::sync::Arc;
use std::vec;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int64Type, TimestampMicrosecondType, UInt64Type};
use arrow_array::{Array as _, ArrayRef, RecordBatch, StringArray};
use hashbrown::HashMap;
use jiff::Timestamp;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::file::reader::ChunkReader;
use sluice_registry::{Role, Schema};

use crate::Result;
use crate::error::DatasetError;
use crate::row::Row;

/// The column with the hash of a row's normalised content.
pub(crate) const CONTENT_HASH: &str = "_content_hash";
/// The column with the hash of a row's id.
pub(crate) const ID_HASH: &str = "_id_hash";

const BATCH_ROWS: usize = 4_096;

/// A row of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRow {
    /// The row.
    pub row: Row,
    /// The hash of its normalised content: decides its side of the split ([`crate::split_of`]).
    pub content_hash: u64,
}

/// The rows of a part, in order, decoded a few thousand at a time.
///
/// Does not check the part's digest: whoever fetches the bytes does.
pub struct PartReader {
    batches: ParquetRecordBatchReader,
    columns: Arc<RoleColumns>,
    rows: vec::IntoIter<StoredRow>,
    failed: bool,
}

impl PartReader {
    /// Opens a part: a `File` or `Bytes`. Only columns with a role are read.
    ///
    /// # Errors
    /// [`DatasetError::Part`] when it is damaged or lacks a column of the schema.
    pub fn open(part: impl ChunkReader + 'static, schema: &Schema) -> Result<Self> {
        let columns = RoleColumns::of(schema)?;
        let batches = open_columns(part, &columns.names())?;
        Ok(Self {
            batches,
            columns: Arc::new(columns),
            rows: Vec::new().into_iter(),
            failed: false,
        })
    }
}

impl Iterator for PartReader {
    type Item = Result<StoredRow>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.rows.next() {
                return Some(Ok(row));
            }
            if self.failed {
                return None;
            }
            let batch = self.batches.next()?.map_err(DatasetError::damaged_part);
            match batch.and_then(|batch| self.columns.rows(&batch)) {
                Ok(rows) => self.rows = rows.into_iter(),
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl fmt::Debug for PartReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartReader").finish_non_exhaustive()
    }
}

/// Opens a part for some of its columns. A name that the part does not have is an error.
pub(crate) fn open_columns(
    part: impl ChunkReader + 'static,
    names: &[&str],
) -> Result<ParquetRecordBatchReader> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(part, options)
        .map_err(DatasetError::damaged_part)?;
    let roots = names
        .iter()
        .map(|name| builder.schema().index_of(name))
        .collect::<Result<Vec<_>, _>>();
    let mask = ProjectionMask::roots(
        builder.parquet_schema(),
        roots.map_err(DatasetError::damaged_part)?,
    );
    builder
        .with_projection(mask)
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(DatasetError::damaged_part)
}

/// Finds labels by the names under which parts have them.
#[derive(Debug)]
pub(crate) struct LabelNames(HashMap<String, u32>);

impl LabelNames {
    pub(crate) fn of(schema: &Schema) -> Self {
        Self(schema.label_names().into_iter().zip(0..).collect())
    }

    pub(crate) fn column<'b>(&self, batch: &'b RecordBatch, name: &str) -> Result<&'b StringArray> {
        texts(column(batch, name)?, name)
    }

    pub(crate) fn index(&self, name: Option<&str>) -> Result<u32> {
        name.and_then(|name| self.0.get(name).copied())
            .ok_or_else(|| part_error(format!("the label {name:?} is not in the schema")))
    }
}

/// The names of the columns with a role.
#[derive(Debug)]
struct RoleColumns {
    text: String,
    label: String,
    id: Option<String>,
    time: Option<String>,
    slice: Option<String>,
    labels: LabelNames,
}

impl RoleColumns {
    fn of(schema: &Schema) -> Result<Self> {
        let name = |role| schema.column(role).map(|column| column.name.clone());
        let missing =
            |role| DatasetError::Schema(format!("there is no column with the role {role}"));
        Ok(Self {
            text: name(Role::Input).ok_or_else(|| missing("input"))?,
            label: name(Role::Label).ok_or_else(|| missing("label"))?,
            id: name(Role::Id),
            time: name(Role::Time),
            slice: name(Role::Slice),
            labels: LabelNames::of(schema),
        })
    }

    fn names(&self) -> Vec<&str> {
        let optional = [&self.id, &self.time, &self.slice].into_iter().flatten();
        optional
            .chain([&self.text, &self.label])
            .map(String::as_str)
            .chain([CONTENT_HASH])
            .collect()
    }

    fn rows(&self, batch: &RecordBatch) -> Result<Vec<StoredRow>> {
        let input = texts(column(batch, &self.text)?, &self.text)?;
        let label = self.labels.column(batch, &self.label)?;
        let content_hash = column(batch, CONTENT_HASH)?;
        let content_hash = content_hash
            .as_primitive_opt::<UInt64Type>()
            .ok_or_else(|| wrong_type(CONTENT_HASH))?;
        let optional =
            |name: &Option<String>| name.as_ref().map(|name| column(batch, name)).transpose();
        let slice = self
            .slice
            .as_ref()
            .map(|name| texts(column(batch, name)?, name))
            .transpose()?;
        let time = optional(&self.time)?.map(|array| {
            array
                .as_primitive_opt::<TimestampMicrosecondType>()
                .ok_or_else(|| wrong_type("the time column"))
        });
        let time = time.transpose()?;
        let id = optional(&self.id)?;

        let row = |i: usize| {
            let time = time
                .filter(|time| time.is_valid(i))
                .map(|time| Timestamp::from_microsecond(time.value(i)));
            Ok(StoredRow {
                row: Row {
                    id: id.and_then(|array| id_text(array, i)),
                    time: time.transpose().map_err(DatasetError::damaged_part)?,
                    slice: slice
                        .filter(|slice| slice.is_valid(i))
                        .map(|slice| slice.value(i).to_owned()),
                    label: self
                        .labels
                        .index(label.is_valid(i).then(|| label.value(i)))?,
                    text: input.value(i).to_owned(),
                },
                content_hash: content_hash.value(i),
            })
        };
        (0..batch.num_rows()).map(row).collect()
    }
}

fn id_text(array: &ArrayRef, row: usize) -> Option<String> {
    if array.is_null(row) {
        return None;
    }
    if let Some(texts) = array.as_string_opt::<i32>() {
        return Some(texts.value(row).to_owned());
    }
    array
        .as_primitive_opt::<Int64Type>()
        .map(|numbers| numbers.value(row).to_string())
}

fn column<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b ArrayRef> {
    batch
        .column_by_name(name)
        .ok_or_else(|| part_error(format!("there is no column {name:?}")))
}

fn texts<'b>(array: &'b ArrayRef, name: &str) -> Result<&'b StringArray> {
    array.as_string_opt::<i32>().ok_or_else(|| wrong_type(name))
}

fn wrong_type(name: &str) -> DatasetError {
    part_error(format!("the column {name:?} has another type"))
}

fn part_error(detail: String) -> DatasetError {
    DatasetError::Part {
        detail,
        source: None,
    }
}
