//! Rows of a Parquet file that somebody else wrote.

use std::fs::File;
use std::io::{BufRead, Read as _, Write as _};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType, UInt64Type};
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_schema::{DataType, Field, Schema as ArrowSchema, SchemaRef, TimeUnit};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use sluice_registry::Schema;

use super::{Cell, Fault, RawRow, RowSource, Step, locate};
use crate::body::Stop;
use crate::checks::Checks;
use crate::error::DatasetError;
use crate::refusal::{RowFault, UploadFault};

/// About how many bytes of rows are decoded at once.
const BATCH_BYTES: u64 = 8 << 20;
const MAX_BATCH_ROWS: u64 = 8_192;

/// Reads Parquet by way of a temporary file, because the format is read from its end.
pub(super) struct ParquetSource {
    reader: ParquetRecordBatchReader,
    /// For each of the schema's columns where it is in the file.
    columns: Vec<Place>,
    batch: Vec<Option<Values>>,
    batch_rows: usize,
    next_in_batch: usize,
    number: u64,
    /// Bytes of texts given out so far: the file can say of itself what it wants.
    unpacked: u64,
    max_unpacked: u64,
    max_row_bytes: usize,
}

/// Where a column of the schema is in a file.
enum Place {
    Absent,
    /// It is a list or a structure, which no column takes: not decoded, for a few bytes can be many of them.
    Nested,
    /// Under this name.
    Column(String),
}

impl ParquetSource {
    pub(super) fn open(
        body: Box<dyn BufRead + '_>,
        schema: &Schema,
        checks: &Checks,
        directory: &Path,
    ) -> Result<Self, Stop> {
        let file = spool(body, directory)?;
        // The types that the writing program noted are not used: Parquet's own are fewer, and enough.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = guarded(|| ArrowReaderMetadata::load(&file, options.clone()))?;
        let metadata = guarded(|| {
            let options = options.with_schema(with_views(metadata.schema()));
            ArrowReaderMetadata::try_new(metadata.metadata().clone(), options)
        })?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);

        let present: Vec<String> = builder
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        let roots = locate(schema, &present)?;
        let fields = builder.schema().fields();
        let is_nested = |root: usize| fields[root].data_type().is_nested();
        let columns = roots
            .iter()
            .map(|root| match *root {
                None => Place::Absent,
                Some(root) if is_nested(root) => Place::Nested,
                Some(root) => Place::Column(present[root].clone()),
            })
            .collect();
        let decoded: Vec<usize> = roots
            .into_iter()
            .flatten()
            .filter(|root| !is_nested(*root))
            .collect();
        let fixed_bytes = decoded.iter().map(|root| fixed_width(&fields[*root])).sum();
        let mask = ProjectionMask::roots(builder.parquet_schema(), decoded);

        let groups = builder.metadata().row_groups();
        let unpacked = groups
            .iter()
            .map(|group| u64::try_from(group.total_byte_size()).unwrap_or(0))
            .fold(0, u64::saturating_add);
        if unpacked > checks.max_decompressed_bytes {
            let detail = format!(
                "the Parquet file unpacks to {unpacked} bytes, more than {}: upload it in pieces",
                checks.max_decompressed_bytes
            );
            return Err(Stop::refused(UploadFault::GzipBomb, detail));
        }
        let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
        let row_bytes = (unpacked / rows.max(1)).max(fixed_bytes);
        let batch_rows = (BATCH_BYTES / row_bytes.max(1)).clamp(1, MAX_BATCH_ROWS);
        let reader = guarded(|| {
            builder
                .with_projection(mask)
                .with_batch_size(batch_rows as usize)
                .build()
        })?;
        Ok(Self {
            reader,
            columns,
            batch: Vec::new(),
            batch_rows: 0,
            next_in_batch: 0,
            number: 0,
            unpacked: 0,
            max_unpacked: checks.max_decompressed_bytes,
            max_row_bytes: checks.max_row_bytes,
        })
    }

    /// Decodes the next batch that has rows. False at the end of the file.
    fn next_batch(&mut self) -> Result<bool, Stop> {
        loop {
            let Some(batch) = guarded(|| self.reader.next().transpose())? else {
                return Ok(false);
            };
            let values = |place: &Place| match place {
                Place::Absent => Ok(None),
                Place::Nested => Ok(Some(Values::Nested)),
                Place::Column(name) => batch
                    .column_by_name(name)
                    .map(|array| guarded(|| Values::of(array)))
                    .transpose(),
            };
            self.batch = self.columns.iter().map(values).collect::<Result<_, _>>()?;
            self.batch_rows = RecordBatch::num_rows(&batch);
            self.next_in_batch = 0;
            if self.batch_rows > 0 {
                return Ok(true);
            }
        }
    }
}

impl RowSource for ParquetSource {
    fn next(&mut self, row: &mut RawRow) -> Result<Step, Stop> {
        row.reset(self.columns.len());
        if self.next_in_batch == self.batch_rows && !self.next_batch()? {
            return Ok(Step::End);
        }
        let index = self.next_in_batch;
        self.next_in_batch += 1;
        self.number += 1;
        row.line = self.number;
        for (column, values) in self.batch.iter().enumerate() {
            if let Some(values) = values {
                row.cells[column] = values.get(index, row);
            }
        }
        self.unpacked = self.unpacked.saturating_add(row.bytes.len() as u64);
        if self.unpacked > self.max_unpacked {
            let detail = format!(
                "the texts of the Parquet file are more than {} bytes: upload it in pieces",
                self.max_unpacked
            );
            return Err(Stop::refused(UploadFault::GzipBomb, detail));
        }
        if row.bytes.len() > self.max_row_bytes {
            let detail = format!("the row is longer than {} bytes", self.max_row_bytes);
            return Ok(Step::Fault(Fault::row(RowFault::RowTooLong, detail)));
        }
        Ok(Step::Row)
    }
}

/// The schema of a file with its texts as views: rows that repeat a text share its bytes. Otherwise a file of a thousand
/// bytes, with one long text in a dictionary and thousands of rows that name it, would take gigabytes.
fn with_views(schema: &SchemaRef) -> SchemaRef {
    let viewed = |field: &Arc<Field>| match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => with_type(field, DataType::Utf8View),
        DataType::Binary | DataType::LargeBinary => with_type(field, DataType::BinaryView),
        _ => field.clone(),
    };
    let fields: Vec<Arc<Field>> = schema.fields().iter().map(viewed).collect();
    Arc::new(ArrowSchema::new(fields))
}

fn with_type(field: &Field, data_type: DataType) -> Arc<Field> {
    Arc::new(field.clone().with_data_type(data_type))
}

/// The bytes of a value when all have the same number, which repeats do not share.
fn fixed_width(field: &Field) -> u64 {
    match field.data_type() {
        DataType::FixedSizeBinary(width) => u64::try_from(*width).unwrap_or(0),
        _ => 0,
    }
}

/// One column of a batch in one of the few types that cells have.
enum Values {
    Views(arrow_array::BinaryViewArray),
    Bytes(arrow_array::BinaryArray),
    Integer(arrow_array::Int64Array),
    Unsigned(arrow_array::UInt64Array),
    Float(arrow_array::Float64Array),
    Boolean(arrow_array::BooleanArray),
    Micros(arrow_array::TimestampMicrosecondArray, ArrayRef),
    Other(ArrayRef),
    Nested,
}

impl Values {
    fn of(array: &ArrayRef) -> Result<Self, arrow_schema::ArrowError> {
        use DataType as T;
        let to = |data_type: &DataType| cast(array, data_type);
        Ok(match array.data_type() {
            T::Utf8View | T::BinaryView => {
                Self::Views(to(&T::BinaryView)?.as_binary_view().clone())
            }
            T::FixedSizeBinary(_) => Self::Bytes(to(&T::Binary)?.as_binary().clone()),
            T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::UInt8 | T::UInt16 | T::UInt32 => {
                Self::Integer(to(&T::Int64)?.as_primitive::<Int64Type>().clone())
            }
            T::UInt64 => Self::Unsigned(array.as_primitive::<UInt64Type>().clone()),
            T::Float16
            | T::Float32
            | T::Float64
            | T::Decimal32(..)
            | T::Decimal64(..)
            | T::Decimal128(..) => {
                Self::Float(to(&T::Float64)?.as_primitive::<Float64Type>().clone())
            }
            T::Boolean => Self::Boolean(array.as_boolean().clone()),
            T::Timestamp(..) | T::Date32 | T::Date64 => {
                let micros = to(&T::Timestamp(TimeUnit::Microsecond, None))?;
                Self::Micros(
                    micros.as_primitive::<TimestampMicrosecondType>().clone(),
                    array.clone(),
                )
            }
            _ => Self::Other(array.clone()),
        })
    }

    /// The value in row `index` of the batch; a text is added to `row`.
    fn get(&self, index: usize, row: &mut RawRow) -> Cell {
        match self {
            Self::Views(values) if values.is_valid(index) => row.push_text(values.value(index)),
            Self::Bytes(values) if values.is_valid(index) => row.push_text(values.value(index)),
            Self::Integer(values) if values.is_valid(index) => Cell::Integer(values.value(index)),
            Self::Unsigned(values) if values.is_valid(index) => {
                let number = values.value(index);
                i64::try_from(number).map_or_else(
                    |_| row.push_text(number.to_string().as_bytes()),
                    Cell::Integer,
                )
            }
            Self::Float(values) if values.is_valid(index) => Cell::Float(values.value(index)),
            Self::Boolean(values) if values.is_valid(index) => Cell::Boolean(values.value(index)),
            Self::Micros(values, _) if values.is_valid(index) => Cell::Micros(values.value(index)),
            // A moment that does not fit into microseconds is lost in the cast.
            Self::Micros(_, original) if original.is_valid(index) => {
                Cell::Other("a time out of range")
            }
            Self::Other(values) if values.is_valid(index) => Cell::Other("a value of another type"),
            Self::Nested => Cell::Other("a nested value"),
            _ => Cell::Missing,
        }
    }
}

/// Calls into the Parquet library. What it cannot read is refused, also where it panics on damaged data.
fn guarded<T, E: std::fmt::Display>(call: impl FnOnce() -> Result<T, E>) -> Result<T, Stop> {
    let refused = |detail: String| {
        let (reason, detail) = if detail.to_ascii_lowercase().contains("encrypt") {
            (
                UploadFault::Encrypted,
                "the Parquet file is encrypted: upload it without encryption".to_owned(),
            )
        } else {
            (
                UploadFault::CorruptParquet,
                format!("the Parquet file cannot be read ({detail}): write and upload it again"),
            )
        };
        Stop::refused(reason, detail)
    };
    match panic::catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|error| refused(error.to_string())),
        Err(_) => Err(refused("its parts contradict each other".to_owned())),
    }
}

fn spool(mut body: Box<dyn BufRead + '_>, directory: &Path) -> Result<File, Stop> {
    let output = DatasetError::output("the copy of a Parquet upload");
    let mut file = match tempfile::tempfile_in(directory) {
        Ok(file) => file,
        Err(error) => return Err(output(error).into()),
    };
    let mut buffer = vec![0; 256 << 10];
    loop {
        let read = body.read(&mut buffer)?;
        if read == 0 {
            return Ok(file);
        }
        file.write_all(&buffer[..read])
            .map_err(DatasetError::output("the copy of a Parquet upload"))?;
    }
}
