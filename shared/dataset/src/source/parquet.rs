//! Rows of a Parquet file that somebody else wrote.

use std::fs::File;
use std::io::{BufRead, Read as _, Write as _};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType, UInt64Type};
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_schema::{DataType, TimeUnit};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
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
    /// For each of the schema's columns its name in the file.
    columns: Vec<Option<String>>,
    batch: Vec<Option<Values>>,
    batch_rows: usize,
    next_in_batch: usize,
    number: u64,
    max_row_bytes: usize,
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
        let builder =
            guarded(|| ParquetRecordBatchReaderBuilder::try_new_with_options(file, options))?;

        let present: Vec<String> = builder
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        let roots = locate(schema, &present)?;
        let columns = roots
            .iter()
            .map(|root| root.map(|root| present[root].clone()))
            .collect();
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots.into_iter().flatten());

        let groups = builder.metadata().row_groups();
        let unpacked: u64 = groups
            .iter()
            .map(|group| u64::try_from(group.total_byte_size()).unwrap_or(0))
            .sum();
        if unpacked > checks.max_decompressed_bytes {
            let detail = format!(
                "the Parquet file unpacks to {unpacked} bytes, more than {}: upload it in pieces",
                checks.max_decompressed_bytes
            );
            return Err(Stop::refused(UploadFault::GzipBomb, detail));
        }
        let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
        let row_bytes = unpacked / rows.max(1);
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
            max_row_bytes: checks.max_row_bytes,
        })
    }

    /// Decodes the next batch that has rows. False at the end of the file.
    fn next_batch(&mut self) -> Result<bool, Stop> {
        loop {
            let Some(batch) = guarded(|| self.reader.next().transpose())? else {
                return Ok(false);
            };
            let values = |name: &Option<String>| {
                let array = name.as_ref().and_then(|name| batch.column_by_name(name));
                array.map(|array| guarded(|| Values::of(array))).transpose()
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
        if row.bytes.len() > self.max_row_bytes {
            let detail = format!("the row is longer than {} bytes", self.max_row_bytes);
            return Ok(Step::Fault(Fault::row(RowFault::RowTooLong, detail)));
        }
        Ok(Step::Row)
    }
}

/// One column of a batch in one of the few types that cells have.
enum Values {
    Bytes(arrow_array::BinaryArray),
    Integer(arrow_array::Int64Array),
    Unsigned(arrow_array::UInt64Array),
    Float(arrow_array::Float64Array),
    Boolean(arrow_array::BooleanArray),
    Micros(arrow_array::TimestampMicrosecondArray, ArrayRef),
    Other(ArrayRef),
}

impl Values {
    fn of(array: &ArrayRef) -> Result<Self, arrow_schema::ArrowError> {
        use DataType as T;
        let to = |data_type: &DataType| cast(array, data_type);
        Ok(match array.data_type() {
            T::Utf8
            | T::LargeUtf8
            | T::Utf8View
            | T::Binary
            | T::LargeBinary
            | T::BinaryView
            | T::FixedSizeBinary(_) => Self::Bytes(to(&T::Binary)?.as_binary().clone()),
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
            Self::Other(values) if values.is_valid(index) => Cell::Other("a nested value"),
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
