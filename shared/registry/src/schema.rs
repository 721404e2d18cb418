//! What a row looks like: its columns, their types and roles, and the labels. Comes from `sluice.toml`.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// The type of a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// Unicode text.
    Text,
    /// One of a few values, written as text.
    Category,
    /// A whole number (64 bits, signed).
    Integer,
    /// A finite number (64-bit floating point).
    Float,
    /// `true` or `false`.
    Boolean,
    /// A moment: RFC 3339, or seconds or milliseconds since 1970.
    Timestamp,
}

/// What a column is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// What the model sees.
    Input,
    /// The true answer.
    Label,
    /// The row's identity: a second row with the same id is a duplicate.
    Id,
    /// When the row happened.
    Time,
    /// A group whose quality is watched by itself (an event, a country, a product).
    Slice,
}

/// A column of the uploads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// The column's name in the uploads.
    pub name: String,
    /// The type of its values.
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// What it is for; a column without a role is kept and not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Whether every row must have a value there.
    pub required: bool,
}

/// A label and the other ways in which uploads write it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// The name that answers use.
    pub name: String,
    /// Other spellings accepted in uploads and feedback (`1`, `yes`).
    #[serde(default)]
    pub aliases: Vec<String>,
}

/// The columns and labels of a dataset. Checked when made from `sluice.toml`: exactly one text input, exactly one
/// label column, at most one id, time and slice column, two labels or more, no name or alias twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// In the order of `sluice.toml`.
    pub columns: Vec<Column>,
    /// In the order of the model's outputs.
    pub labels: Vec<Label>,
    /// Which label `f1` speaks of, when one is singled out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positive_label: Option<String>,
}

impl Schema {
    /// The column with a role.
    #[must_use]
    pub fn column(&self, role: Role) -> Option<&Column> {
        self.columns.iter().find(|column| column.role == Some(role))
    }

    /// The names of the labels, in the order of the model's outputs.
    #[must_use]
    pub fn label_names(&self) -> Vec<String> {
        self.labels.iter().map(|label| label.name.clone()).collect()
    }

    /// From every accepted spelling of a label to its index.
    #[must_use]
    pub fn label_index(&self) -> HashMap<String, usize> {
        let spellings = |label: &Label| {
            std::iter::once(&label.name)
                .chain(&label.aliases)
                .cloned()
                .collect::<Vec<_>>()
        };
        self.labels
            .iter()
            .enumerate()
            .flat_map(|(index, label)| spellings(label).into_iter().map(move |name| (name, index)))
            .collect()
    }
}
