//! Rows of a CSV file. Uses `csv-core` directly, because a row that never ends must not be held in memory.

use std::io::{self, BufRead};

use csv_core::ReadRecordResult;
use sluice_registry::Schema;

use super::{Fault, RawRow, RowSource, Step, locate};
use crate::body::{Body, Stop};
use crate::checks::Checks;
use crate::refusal::{RowFault, UploadFault};

/// More fields than any table has. Bounds the memory of a row of nothing but commas.
const MAX_FIELDS: usize = 1 << 16;

/// Reads CSV: RFC 4180, any of CR LF, LF and CR as line end, blank lines skipped.
pub(super) struct CsvSource<'a> {
    records: Records<Box<dyn BufRead + 'a>>,
    /// For each of the schema's columns the index of its field.
    fields: Vec<Option<usize>>,
    /// Fields of the header.
    width: usize,
}

impl<'a> CsvSource<'a> {
    pub(super) fn open(body: Body<'a>, schema: &Schema, checks: &Checks) -> Result<Self, Stop> {
        let delimiter = detect_delimiter(&body.head, schema);
        let mut records = Records::new(body.reader, delimiter, checks.max_row_bytes);
        let header = match records.next(&mut RawRow::default())? {
            Record::End => return Err(Stop::refused(UploadFault::Empty, "the file is empty")),
            Record::Fault(fault) => {
                let detail = format!("the header cannot be read: {}", fault.detail);
                return Err(Stop::refused(UploadFault::Binary, detail));
            }
            Record::Fields => header_names(&records)?,
        };
        let fields = locate(schema, &header)?;
        Ok(Self {
            records,
            fields,
            width: header.len(),
        })
    }
}

impl RowSource for CsvSource<'_> {
    fn next(&mut self, row: &mut RawRow) -> Result<Step, Stop> {
        row.reset(self.fields.len());
        match self.records.next(row)? {
            Record::End => return Ok(Step::End),
            Record::Fault(fault) => return Ok(Step::Fault(fault)),
            Record::Fields => {}
        }
        let found = self.records.count;
        if found > self.width {
            let detail = format!(
                "{found} fields where the header has {}: a comma or a quote inside a field without quotes around it?",
                self.width
            );
            return Ok(Step::Fault(Fault::row(RowFault::Malformed, detail)));
        }
        row.bytes
            .extend_from_slice(&self.records.output[..self.records.used]);
        for (cell, field) in row.cells.iter_mut().zip(&self.fields) {
            if let Some((start, end)) = field.and_then(|field| self.records.range(field)) {
                *cell = super::Cell::Text { start, end };
            }
        }
        Ok(Step::Row)
    }
}

fn header_names<R: BufRead>(records: &Records<R>) -> Result<Vec<String>, Stop> {
    let name = |field| {
        let (start, end) = records.range(field).unwrap_or_default();
        std::str::from_utf8(&records.output[start..end]).map(|name| name.trim().to_owned())
    };
    (0..records.count)
        .map(name)
        .collect::<Result<_, _>>()
        .map_err(|_| {
            Stop::refused(
                UploadFault::Binary,
                "the first line is not UTF-8 text: upload CSV, JSON lines or Parquet",
            )
        })
}

/// The separator with which the first line has the most of the schema's columns; a comma when in doubt.
fn detect_delimiter(head: &[u8], schema: &Schema) -> u8 {
    let line = head
        .trim_ascii_start()
        .split(|byte| matches!(byte, b'\n' | b'\r'))
        .next()
        .unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let names_found = |delimiter: u8| {
        line.split(char::from(delimiter))
            .map(|name| name.trim().trim_matches('"'))
            .filter(|name| schema.columns.iter().any(|column| column.name == *name))
            .count()
    };
    [b'\t', b';', b',']
        .into_iter()
        .max_by_key(|delimiter| names_found(*delimiter))
        .unwrap_or(b',')
}

/// What one call of [`Records::next`] found.
enum Record {
    /// Fields, in `output` and `ends`.
    Fields,
    /// A record that is not kept.
    Fault(Fault),
    End,
}

/// The records of a CSV file, one at a time in a reused buffer.
struct Records<R> {
    input: R,
    parser: csv_core::Reader,
    output: Vec<u8>,
    ends: Vec<usize>,
    /// Bytes of `output` and entries of `ends` that belong to the current record.
    used: usize,
    count: usize,
    max_row_bytes: usize,
}

impl<R: BufRead> Records<R> {
    fn new(input: R, delimiter: u8, max_row_bytes: usize) -> Self {
        Self {
            input,
            parser: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            output: vec![0; 4 << 10],
            ends: vec![0; 64],
            used: 0,
            count: 0,
            max_row_bytes,
        }
    }

    /// Where a field is in `output`.
    fn range(&self, field: usize) -> Option<(usize, usize)> {
        let start = if field == 0 {
            0
        } else {
            self.ends[..self.count].get(field - 1).copied()?
        };
        Some((start, *self.ends[..self.count].get(field)?))
    }

    fn next(&mut self, row: &mut RawRow) -> io::Result<Record> {
        if !self.skip_line_ends()? {
            return Ok(Record::End);
        }
        row.line = self.parser.line();
        (self.used, self.count) = (0, 0);
        let mut length = 0;
        let mut fault = None;
        loop {
            let buffer = self.input.fill_buf()?;
            // At the end of the file a line end is made up: if the record goes on after it, a quote was left open.
            let at_end = buffer.is_empty();
            let chunk = if at_end { &b"\n"[..] } else { buffer };
            let (result, read, written, ended) = self.parser.read_record(
                chunk,
                &mut self.output[self.used..],
                &mut self.ends[self.count..],
            );
            row.push_excerpt(if at_end { &[] } else { &chunk[..read] });
            if !at_end {
                self.input.consume(read);
            }
            length += read;
            self.used += written;
            self.count += ended;
            if fault.is_none() && length > self.max_row_bytes.saturating_add(1) {
                fault = Some(Fault::row(
                    RowFault::RowTooLong,
                    format!(
                        "the row is longer than {} bytes: is a quote left open?",
                        self.max_row_bytes
                    ),
                ));
            }
            match result {
                ReadRecordResult::Record => return Ok(fault.map_or(Record::Fields, Record::Fault)),
                ReadRecordResult::End => return Ok(Record::End),
                ReadRecordResult::InputEmpty if at_end => {
                    let unclosed = || {
                        Fault::row(
                            RowFault::Malformed,
                            "a quote is left open until the end of the file",
                        )
                    };
                    return Ok(Record::Fault(fault.unwrap_or_else(unclosed)));
                }
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if fault.is_none() => {
                    self.output.resize(self.output.len() * 2, 0)
                }
                ReadRecordResult::OutputEndsFull
                    if fault.is_none() && self.ends.len() < MAX_FIELDS =>
                {
                    self.ends.resize(self.ends.len() * 2, 0);
                }
                ReadRecordResult::OutputEndsFull if fault.is_none() => {
                    fault = Some(Fault::row(
                        RowFault::Malformed,
                        format!("more than {MAX_FIELDS} fields"),
                    ));
                }
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {}
            }
            if fault.is_some() {
                // The rest of the record is read over and thrown away.
                (self.used, self.count) = (0, 0);
            }
        }
    }

    /// Skips blank lines, so that a record's line is the one it starts on. False at the end of the file.
    fn skip_line_ends(&mut self) -> io::Result<bool> {
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return Ok(false);
            }
            let blank = buffer
                .iter()
                .take_while(|byte| matches!(byte, b'\r' | b'\n'))
                .count();
            let lines = buffer[..blank]
                .iter()
                .filter(|byte| **byte == b'\n')
                .count();
            let done = blank < buffer.len();
            self.input.consume(blank);
            self.parser.set_line(self.parser.line() + lines as u64);
            if done {
                return Ok(true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// The records as (line, fields or fault), read in pieces of `capacity` bytes.
    fn records(
        text: &[u8],
        max_row_bytes: usize,
        capacity: usize,
    ) -> Vec<(u64, Result<Vec<String>, RowFault>)> {
        let mut records = Records::new(
            BufReader::with_capacity(capacity, text),
            b',',
            max_row_bytes,
        );
        let mut row = RawRow::default();
        let mut found = Vec::new();
        loop {
            row.reset(0);
            match records.next(&mut row).unwrap() {
                Record::End => return found,
                Record::Fault(fault) => found.push((row.line, Err(fault.reason))),
                Record::Fields => {
                    let text = |(start, end): (usize, usize)| {
                        String::from_utf8(records.output[start..end].to_vec()).unwrap()
                    };
                    let fields = (0..records.count)
                        .map(|field| text(records.range(field).unwrap()))
                        .collect();
                    found.push((row.line, Ok(fields)));
                }
            }
        }
    }

    fn fields(line: u64, fields: &[&str]) -> (u64, Result<Vec<String>, RowFault>) {
        (
            line,
            Ok(fields.iter().map(|field| (*field).to_owned()).collect()),
        )
    }

    #[test]
    fn lines_are_physical_lines_also_after_blank_lines_and_line_ends_in_quotes() {
        let text = b"a,b\r\n\r\n\n1,\"two\nlines \"\"x\"\"\"\r\n3,4\n\n5,";
        let expected = [
            fields(1, &["a", "b"]),
            fields(4, &["1", "two\nlines \"x\""]),
            fields(6, &["3", "4"]),
            fields(8, &["5", ""]),
        ];
        for capacity in [1, 2, 3, 7, 1000] {
            assert_eq!(records(text, 1000, capacity), expected, "{capacity}");
        }
    }

    #[test]
    fn a_row_at_the_limit_is_taken_and_a_longer_one_is_skipped_to_its_end() {
        let text = b"12345678,x\n123456789,x\n\"12\n45678901234567890\",y\nb,c";
        let expected = [
            fields(1, &["12345678", "x"]),
            fields(2, &["123456789", "x"]),
            (3, Err(RowFault::RowTooLong)),
            fields(5, &["b", "c"]),
        ];
        for capacity in [1, 5, 1000] {
            assert_eq!(records(text, 11, capacity), expected, "{capacity}");
        }
    }

    #[test]
    fn an_open_quote_and_a_row_of_commas_are_faults() {
        assert_eq!(
            records(b"a\n\"b\nc\n", 1000, 4),
            [fields(1, &["a"]), (2, Err(RowFault::Malformed))]
        );
        let commas = [vec![b','; 100_000], b"\na".to_vec()].concat();
        assert_eq!(
            records(&commas, 1_000_000, 4096),
            [(1, Err(RowFault::Malformed)), fields(2, &["a"])]
        );
    }

    #[test]
    fn memory_stays_bounded_while_a_long_row_is_skipped() {
        let long = [b"\"".to_vec(), vec![b'x'; 3_000_000], b"\"\nb".to_vec()].concat();
        let mut records = Records::new(long.as_slice(), b',', 10_000);
        assert!(matches!(
            records.next(&mut RawRow::default()).unwrap(),
            Record::Fault(_)
        ));
        assert!(matches!(
            records.next(&mut RawRow::default()).unwrap(),
            Record::Fields
        ));
        assert!(records.output.len() < 100_000, "{}", records.output.len());
    }
}
