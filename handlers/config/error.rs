//! One line for a person: file, line, key, what is expected.

use std::fmt;
use std::path::PathBuf;

use toml::de::{DeTable, DeValue};

/// A setting that cannot be used.
#[derive(Debug)]
pub struct ConfigError {
    /// The file, or `environment`.
    pub file: PathBuf,
    /// The line in the file, from 1, when known.
    pub line: Option<usize>,
    /// The key, dotted: `gate.bootstrap_samples`.
    pub key: String,
    /// What is wrong and what is expected.
    pub problem: String,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", in_one_line(&self.key))?;
        }
        write!(f, ": {}", in_one_line(&self.problem))
    }
}

/// One line, whatever a parser put into its message or a person into a quoted key.
fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The line, from 1, on which a byte offset lies.
pub(super) fn line_of_offset(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
        + 1
}

/// The line on which a dotted key is written, or the nearest parent of it that is written.
pub(super) fn line_of_key(text: &str, key: &str) -> Option<usize> {
    let table = DeTable::parse(text).ok()?;
    let mut table = table.get_ref();
    let mut line = None;
    for segment in key.split('.') {
        let Some((name, value)) = table.iter().find(|(name, _)| name.get_ref() == segment) else {
            break;
        };
        line = Some(line_of_offset(text, name.span().start));
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    line
}
