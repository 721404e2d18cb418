//! Rows of a JSON lines file: one object on each line.

use std::fmt;
use std::io::{self, BufRead};

use hashbrown::HashMap;
use serde::de::{
    DeserializeSeed, Deserializer as _, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use sluice_registry::Schema;

use super::{Cell, Fault, RawRow, RowSource, Step};
use crate::body::Stop;
use crate::checks::Checks;
use crate::refusal::RowFault;

/// Reads JSON lines; blank lines are skipped, columns that the schema does not name are not looked at.
pub(super) struct JsonLinesSource<R> {
    input: R,
    columns: HashMap<String, usize>,
    max_row_bytes: usize,
    line: Vec<u8>,
    number: u64,
}

impl<R: BufRead> JsonLinesSource<R> {
    pub(super) fn open(input: R, schema: &Schema, checks: &Checks) -> Self {
        Self {
            input,
            columns: schema
                .columns
                .iter()
                .enumerate()
                .map(|(i, column)| (column.name.clone(), i))
                .collect(),
            max_row_bytes: checks.max_row_bytes,
            line: Vec::new(),
            number: 0,
        }
    }

    /// Puts the next line, without its end, into `self.line`; of a line that is too long, its beginning.
    /// Gives its length, or nothing at the end of the file.
    fn read_line(&mut self) -> io::Result<Option<usize>> {
        self.line.clear();
        let mut length = 0;
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return Ok((length > 0).then_some(length));
            }
            let end = memchr::memchr(b'\n', buffer);
            let piece = &buffer[..end.unwrap_or(buffer.len())];
            let room = self
                .max_row_bytes
                .saturating_add(1)
                .saturating_sub(self.line.len());
            self.line.extend_from_slice(&piece[..piece.len().min(room)]);
            length += piece.len();
            let read = piece.len() + usize::from(end.is_some());
            self.input.consume(read);
            if end.is_some() {
                return Ok(Some(length));
            }
        }
    }
}

impl<R: BufRead> RowSource for JsonLinesSource<R> {
    fn next(&mut self, row: &mut RawRow) -> Result<Step, Stop> {
        loop {
            row.reset(self.columns.len());
            let Some(length) = self.read_line()? else {
                return Ok(Step::End);
            };
            self.number += 1;
            let line = self.line.trim_ascii();
            if line.is_empty() && length == self.line.len() {
                continue;
            }
            row.line = self.number;
            row.push_excerpt(line);
            if length > self.max_row_bytes.saturating_add(1) || line.len() > self.max_row_bytes {
                let detail = format!("the row is longer than {} bytes", self.max_row_bytes);
                return Ok(Step::Fault(Fault::row(RowFault::RowTooLong, detail)));
            }
            return Ok(
                read_object(line, &self.columns, row).map_or_else(Step::Fault, |()| Step::Row)
            );
        }
    }
}

fn read_object(
    line: &[u8],
    columns: &HashMap<String, usize>,
    row: &mut RawRow,
) -> Result<(), Fault> {
    let text = std::str::from_utf8(line).map_err(|error| {
        let detail = format!(
            "the row is not UTF-8 at its byte {}",
            error.valid_up_to() + 1
        );
        Fault::row(RowFault::InvalidUtf8, detail)
    })?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer
        .deserialize_map(ObjectVisitor { columns, row })
        .and_then(|()| deserializer.end())
        .map_err(|error| {
            Fault::row(
                RowFault::Malformed,
                format!("no JSON object with the columns as keys: {error}"),
            )
        })
}

struct ObjectVisitor<'a> {
    columns: &'a HashMap<String, usize>,
    row: &'a mut RawRow,
}

impl<'de> Visitor<'de> for ObjectVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(column) = map.next_key_seed(KeySeed(self.columns))? {
            let Some(column) = column else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if self.row.cells[column] != Cell::Missing {
                return Err(A::Error::custom("a column is there twice"));
            }
            self.row.cells[column] = map.next_value_seed(CellSeed(self.row))?;
        }
        Ok(())
    }
}

/// Finds the column of a key.
struct KeySeed<'a>(&'a HashMap<String, usize>);

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = Option<usize>;

    fn deserialize<D: serde::Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.get(key).copied())
    }
}

/// Reads a value into the row.
struct CellSeed<'a>(&'a mut RawRow);

impl<'de> DeserializeSeed<'de> for CellSeed<'_> {
    type Value = Cell;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Cell, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CellSeed<'_> {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Cell, E> {
        Ok(self.0.push_text(text.as_bytes()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Cell, E> {
        Ok(Cell::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Cell, E> {
        // Ids above 2^63 exist; as text they keep all their digits.
        Ok(i64::try_from(number).map_or_else(
            |_| self.0.push_text(number.to_string().as_bytes()),
            Cell::Integer,
        ))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Cell, E> {
        Ok(Cell::Float(number))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Cell, E> {
        Ok(Cell::Boolean(value))
    }

    fn visit_unit<E>(self) -> Result<Cell, E> {
        Ok(Cell::Missing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Cell, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cell::Other("a JSON array"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Cell::Other("a JSON object"))
    }
}
