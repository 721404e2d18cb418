//! A labelled row, as training, replay and the generator of messages use it.

use jiff::Timestamp;

/// A labelled row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its identity, when the schema has an id column and the row a value there.
    pub id: Option<String>,
    /// When it happened, to the microsecond.
    pub time: Option<Timestamp>,
    /// The group that it belongs to.
    pub slice: Option<String>,
    /// The index of its label in the schema.
    pub label: u32,
    /// What the model sees.
    pub text: String,
}
