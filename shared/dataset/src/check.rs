//! The checks of one row by itself: types, required values, texts, labels, times. Duplicates are `ingest`'s.

use hashbrown::HashMap;
use jiff::Timestamp;
use sluice_registry::{ColumnType, Role, Schema, content_hash};
use xxhash_rust::xxh3::xxh3_64;

use crate::Result;
use crate::checks::Checks;
use crate::error::DatasetError;
use crate::known::KnownRows;
use crate::part_reader::{CONTENT_HASH, ID_HASH};
use crate::refusal::RowFault;
use crate::source::{Cell, Fault, RawRow, is_required};
use crate::time::{micros_of_integer, micros_of_number, micros_of_text};

/// A value with its column's type. Text is a range of the row's bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Text {
        start: usize,
        end: usize,
    },
    Integer(i64),
    Float(f64),
    Boolean(bool),
    /// Microseconds since 1970.
    Micros(i64),
    /// The index of a label.
    Label(u32),
}

/// A row that is right by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckedRow<'a> {
    /// What the ranges of `values` are of.
    pub(crate) text: &'a str,
    /// One for each of the schema's columns.
    pub(crate) values: &'a [Value],
    pub(crate) content_hash: u64,
    pub(crate) id_hash: Option<u64>,
    pub(crate) label: u32,
    roles: Roles,
}

impl<'a> CheckedRow<'a> {
    pub(crate) fn input(&self) -> &'a str {
        self.text_of(Some(self.roles.input)).unwrap_or_default()
    }

    pub(crate) fn slice(&self) -> Option<&'a str> {
        self.text_of(self.roles.slice)
    }

    /// The id as text, when it is one.
    pub(crate) fn id(&self) -> Option<Value> {
        self.roles.id.map(|column| self.values[column])
    }

    pub(crate) fn micros(&self) -> Option<i64> {
        match self.values[self.roles.time?] {
            Value::Micros(micros) => Some(micros),
            _ => None,
        }
    }

    fn text_of(&self, column: Option<usize>) -> Option<&'a str> {
        match self.values[column?] {
            Value::Text { start, end } => Some(&self.text[start..end]),
            _ => None,
        }
    }
}

/// The columns with a role.
#[derive(Clone, Copy, Debug)]
struct Roles {
    input: usize,
    label: usize,
    id: Option<usize>,
    time: Option<usize>,
    slice: Option<usize>,
}

struct ColumnRule {
    kind: ColumnType,
    role: Option<Role>,
    required: bool,
}

/// Checks rows against a schema.
pub(crate) struct RowChecker {
    columns: Vec<ColumnRule>,
    roles: Roles,
    labels: HashMap<String, u32>,
    label_names: Vec<String>,
    earliest: Timestamp,
    latest: Timestamp,
    max_text_chars: usize,
    values: Vec<Value>,
}

impl RowChecker {
    /// Errors: [`DatasetError::Schema`] for a schema that no row can have.
    pub(crate) fn new(schema: &Schema, checks: &Checks, now: Timestamp) -> Result<Self> {
        let at = |role| {
            schema
                .columns
                .iter()
                .position(|column| column.role == Some(role))
        };
        let missing =
            |role| DatasetError::Schema(format!("there is no column with the role {role}"));
        if let Some(column) = schema
            .columns
            .iter()
            .find(|column| [CONTENT_HASH, ID_HASH].contains(&&*column.name))
        {
            return Err(DatasetError::Schema(format!(
                "the column name {:?} is taken: choose another",
                column.name
            )));
        }
        if schema.labels.len() > KnownRows::MAX_LABELS {
            return Err(DatasetError::Schema(format!(
                "there are more than {} labels",
                KnownRows::MAX_LABELS
            )));
        }
        Ok(Self {
            roles: Roles {
                input: at(Role::Input).ok_or_else(|| missing("input"))?,
                label: at(Role::Label).ok_or_else(|| missing("label"))?,
                id: at(Role::Id),
                time: at(Role::Time),
                slice: at(Role::Slice),
            },
            columns: schema
                .columns
                .iter()
                .map(|column| ColumnRule {
                    kind: storage_type(column.kind, column.role),
                    role: column.role,
                    required: is_required(column),
                })
                .collect(),
            labels: schema
                .label_index()
                .into_iter()
                .map(|(name, index)| (name, index as u32))
                .collect(),
            label_names: schema.label_names(),
            earliest: checks.earliest,
            latest: checks.latest_at(now),
            max_text_chars: checks.max_text_chars,
            values: Vec::new(),
        })
    }

    /// Gives each cell its column's type. The first fault ends it.
    pub(crate) fn check<'r>(&'r mut self, row: &'r mut RawRow) -> Result<CheckedRow<'r>, Fault> {
        self.write_numbers_as_text(row);
        let row = &*row;
        let text = std::str::from_utf8(&row.bytes)
            .map_err(|error| self.invalid_utf8(row, error.valid_up_to()))?;
        self.values.clear();
        for column in 0..self.columns.len() {
            let cell = row.cells.get(column).copied().unwrap_or_default();
            let value = self.value(column, cell, text)?;
            self.values.push(value);
        }
        let Value::Label(label) = self.values[self.roles.label] else {
            return Err(Fault::column(
                RowFault::MissingColumn,
                self.roles.label,
                "there is no label",
            ));
        };
        let mut checked = CheckedRow {
            text,
            values: &self.values,
            content_hash: 0,
            id_hash: None,
            label,
            roles: self.roles,
        };
        checked.content_hash = content_hash(checked.input());
        checked.id_hash = checked.id().and_then(|id| match id {
            Value::Text { start, end } => Some(xxh3_64(&row.bytes[start..end])),
            Value::Integer(id) => Some(xxh3_64(&id.to_le_bytes())),
            _ => None,
        });
        Ok(checked)
    }

    /// A number in a column of texts (an id, a label `1`) counts as its digits.
    fn write_numbers_as_text(&self, row: &mut RawRow) {
        for (column, rule) in self.columns.iter().enumerate() {
            if !matches!(rule.kind, ColumnType::Text | ColumnType::Category) {
                continue;
            }
            let digits = match row.cells.get(column) {
                Some(Cell::Integer(number)) => number.to_string(),
                Some(Cell::Float(number)) => {
                    whole(*number).map_or_else(|| number.to_string(), |whole| whole.to_string())
                }
                Some(Cell::Boolean(value)) => value.to_string(),
                _ => continue,
            };
            row.cells[column] = row.push_text(digits.as_bytes());
        }
    }

    fn value(&self, column: usize, cell: Cell, text: &str) -> Result<Value, Fault> {
        let rule = &self.columns[column];
        let missing = || {
            if rule.required {
                Err(Fault::column(
                    RowFault::MissingColumn,
                    column,
                    "there is no value",
                ))
            } else {
                Ok(Value::Null)
            }
        };
        let (start, end) = match cell {
            Cell::Missing => return missing(),
            Cell::Text { start, end } => (start, end),
            _ => {
                let wrong = || Err(self.wrong_type(column, describe(cell)));
                return self.typed(column, cell).unwrap_or_else(wrong);
            }
        };
        let Some(raw) = text.get(start..end) else {
            return Err(Fault::column(
                RowFault::InvalidUtf8,
                column,
                "the value is not UTF-8",
            ));
        };
        if rule.kind == ColumnType::Text && rule.role != Some(Role::Id) {
            if raw.trim().is_empty() {
                return if rule.required {
                    Err(Fault::column(
                        RowFault::EmptyText,
                        column,
                        "the text is empty",
                    ))
                } else {
                    Ok(Value::Null)
                };
            }
            return self.text(column, raw, start, end);
        }
        let trimmed = raw.trim();
        if trimmed.is_empty() {
            return missing();
        }
        let start = start + (raw.len() - raw.trim_start().len());
        match rule.kind {
            _ if rule.role == Some(Role::Label) => self.label(column, trimmed),
            ColumnType::Text | ColumnType::Category => {
                self.text(column, trimmed, start, start + trimmed.len())
            }
            ColumnType::Integer => {
                let number = trimmed
                    .parse()
                    .ok()
                    .or_else(|| whole(trimmed.parse().ok()?));
                number
                    .map(Value::Integer)
                    .ok_or_else(|| self.wrong_type(column, &quote(trimmed)))
            }
            ColumnType::Float => {
                let number = trimmed
                    .parse()
                    .ok()
                    .filter(|number: &f64| number.is_finite());
                number
                    .map(Value::Float)
                    .ok_or_else(|| self.wrong_type(column, &quote(trimmed)))
            }
            ColumnType::Boolean => parse_boolean(trimmed)
                .map(Value::Boolean)
                .ok_or_else(|| self.wrong_type(column, &quote(trimmed))),
            ColumnType::Timestamp => {
                let micros = micros_of_text(trimmed)
                    .ok_or_else(|| self.wrong_type(column, &quote(trimmed)))?;
                self.time(column, micros)
            }
        }
    }

    /// A cell that is no text, in a column that takes no text.
    fn typed(&self, column: usize, cell: Cell) -> Option<Result<Value, Fault>> {
        Some(Ok(match (self.columns[column].kind, cell) {
            (ColumnType::Integer, Cell::Integer(number)) => Value::Integer(number),
            (ColumnType::Integer, Cell::Float(number)) => Value::Integer(whole(number)?),
            (ColumnType::Float, Cell::Integer(number)) => Value::Float(number as f64),
            (ColumnType::Float, Cell::Float(number)) if number.is_finite() => Value::Float(number),
            (ColumnType::Boolean, Cell::Boolean(value)) => Value::Boolean(value),
            (ColumnType::Boolean, Cell::Integer(number @ (0 | 1))) => Value::Boolean(number == 1),
            (ColumnType::Timestamp, Cell::Micros(micros)) => {
                return Some(self.time(column, micros));
            }
            (ColumnType::Timestamp, Cell::Integer(number)) => {
                return Some(self.time(column, micros_of_integer(number)?));
            }
            (ColumnType::Timestamp, Cell::Float(number)) => {
                return Some(self.time(column, micros_of_number(number)?));
            }
            _ => return None,
        }))
    }

    fn text(&self, column: usize, text: &str, start: usize, end: usize) -> Result<Value, Fault> {
        if text.len() > self.max_text_chars && text.chars().count() > self.max_text_chars {
            let detail = format!("the text is longer than {} characters", self.max_text_chars);
            return Err(Fault::column(RowFault::TextTooLong, column, detail));
        }
        if memchr::memchr(0, text.as_bytes()).is_some() {
            return Err(Fault::column(
                RowFault::Malformed,
                column,
                "the text has a NUL character",
            ));
        }
        Ok(Value::Text { start, end })
    }

    fn label(&self, column: usize, name: &str) -> Result<Value, Fault> {
        self.labels
            .get(name)
            .copied()
            .map(Value::Label)
            .ok_or_else(|| {
                let detail = format!(
                    "{} is no label; the labels are {}",
                    quote(name),
                    self.some_labels()
                );
                Fault::column(RowFault::UnknownLabel, column, detail)
            })
    }

    fn time(&self, column: usize, micros: i64) -> Result<Value, Fault> {
        let impossible = |detail| Err(Fault::column(RowFault::ImpossibleTime, column, detail));
        let Ok(time) = Timestamp::from_microsecond(micros) else {
            return impossible("the time is outside of the years -9999 to 9999".to_owned());
        };
        if self.columns[column].role == Some(Role::Time)
            && (time < self.earliest || time > self.latest)
        {
            return impossible(format!(
                "{time} is not between {} and {}",
                self.earliest, self.latest
            ));
        }
        Ok(Value::Micros(micros))
    }

    fn wrong_type(&self, column: usize, found: &str) -> Fault {
        let expected = match self.columns[column].kind {
            ColumnType::Text | ColumnType::Category => "a text",
            ColumnType::Integer => "a whole number",
            ColumnType::Float => "a finite number",
            ColumnType::Boolean => "true or false",
            ColumnType::Timestamp => "a time (RFC 3339, or seconds or milliseconds since 1970)",
        };
        Fault::column(
            RowFault::WrongType,
            column,
            format!("{found} is not {expected}"),
        )
    }

    fn invalid_utf8(&self, row: &RawRow, at: usize) -> Fault {
        let holds =
            |cell: &Cell| matches!(cell, Cell::Text { start, end } if (*start..*end).contains(&at));
        Fault {
            reason: RowFault::InvalidUtf8,
            column: row.cells.iter().position(holds),
            detail: "the row is not UTF-8: save the file as UTF-8".to_owned(),
        }
    }

    fn some_labels(&self) -> String {
        let mut shown: Vec<_> = self
            .label_names
            .iter()
            .take(10)
            .map(|name| format!("{name:?}"))
            .collect();
        if self.label_names.len() > shown.len() {
            shown.push(format!("{} more", self.label_names.len() - shown.len()));
        }
        shown.join(", ")
    }
}

/// The type that a column's values have in a part: labels are stored by name, ids as text unless they are numbers.
pub(crate) fn storage_type(kind: ColumnType, role: Option<Role>) -> ColumnType {
    match (role, kind) {
        (Some(Role::Label | Role::Slice), _) => ColumnType::Category,
        (Some(Role::Input), _) => ColumnType::Text,
        (Some(Role::Id), ColumnType::Integer) => ColumnType::Integer,
        (Some(Role::Id), _) => ColumnType::Text,
        (Some(Role::Time), _) => ColumnType::Timestamp,
        (None, kind) => kind,
    }
}

fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

fn parse_boolean(text: &str) -> Option<bool> {
    match text {
        "1" => Some(true),
        "0" => Some(false),
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn describe(cell: Cell) -> &'static str {
    match cell {
        Cell::Missing => "nothing",
        Cell::Text { .. } => "a text",
        Cell::Integer(_) => "this whole number",
        Cell::Float(_) => "this number",
        Cell::Boolean(_) => "true or false",
        Cell::Micros(_) => "a time",
        Cell::Other(what) => what,
    }
}

/// The beginning of a value, for a message.
fn quote(text: &str) -> String {
    let end = text
        .char_indices()
        .nth(40)
        .map_or(text.len(), |(end, _)| end);
    format!("{:?}", &text[..end])
}
