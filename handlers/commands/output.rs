//! How commands print: text for people, JSON for programs.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;

/// Prints one line. A closed pipe ends nothing: what was to be done is done.
pub(super) fn line(text: impl Display) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Prints a result: as JSON for programs, as text for people.
pub(super) fn result<T: Serialize, D: Display>(
    json: bool,
    value: &T,
    text: impl FnOnce() -> D,
) -> anyhow::Result<()> {
    if json {
        return self::json(value);
    }
    line(text());
    Ok(())
}

/// Prints a value as JSON, indented.
pub(super) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Whether a person is looking.
pub(super) fn is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// A table with aligned columns: text to the left, numbers to the right.
pub(super) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count());
        cells
            .chain([header[column].chars().count()])
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let is_number = |text: &str| {
        text.starts_with(|c: char| {
            c.is_ascii_digit() || c == '-' || c == '+' || c == '.' || c == '–'
        })
    };
    let print = |cells: &[String], numbers: &[bool]| {
        let cells: Vec<String> = cells
            .iter()
            .zip(&widths)
            .zip(numbers)
            .map(|((cell, width), number)| {
                if *number {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            })
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    let numbers: Vec<bool> = (0..header.len())
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .all(|cell| is_number(cell))
        })
        .collect();
    let header: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
    let mut lines = vec![
        print(&header, &numbers),
        widths
            .iter()
            .map(|width| "-".repeat(*width))
            .collect::<Vec<_>>()
            .join("  "),
    ];
    lines.extend(rows.iter().map(|row| print(row, &numbers)));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned() {
        let rows = vec![
            vec!["a".to_owned(), "1.5".to_owned()],
            vec!["bcd".to_owned(), "10.0".to_owned()],
        ];
        assert_eq!(
            table(&["name", "f1"], &rows),
            "name    f1\n----  ----\na      1.5\nbcd   10.0"
        );
    }
}
