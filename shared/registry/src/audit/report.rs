//! What a check of the streams found.

use serde::{Deserialize, Serialize};

use crate::Digest;

/// The end of a stream: how many lines it has and the hash of the last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamHead {
    /// The stream's name.
    pub stream: String,
    /// Lines in it.
    pub seq: u64,
    /// The hash of the last line, `None` for an empty stream.
    pub hash: Option<Digest>,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "damage", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Damage {
    /// It is not a line of an audit stream.
    #[error("it is not a line of an audit stream: {detail}")]
    Unreadable {
        /// Where reading stopped.
        detail: String,
    },
    /// Its hash is not the hash of its bytes.
    #[error("it was edited: its hash is not the hash of its bytes")]
    Edited,
    /// Lines before it were removed.
    #[error("lines {first} to {last} before it are gone")]
    Missing {
        /// The first one that is not there.
        first: u64,
        /// The last one that is not there.
        last: u64,
    },
    /// It stands where another line, which comes later, should stand.
    #[error("it is line {seq} and stands where another should")]
    Reordered {
        /// The line's own number.
        seq: u64,
    },
    /// Its number was there before.
    #[error("line {seq} was there before")]
    Repeated {
        /// The line's own number.
        seq: u64,
    },
    /// Itself intact, but the line before it is not the one that it was written after.
    #[error("the line before it is not the one that it was written after")]
    Relinked,
    /// It belongs to another stream.
    #[error("it belongs to the stream {writer}")]
    Foreign {
        /// The stream that it names.
        writer: String,
    },
    /// Lines at the end, from this one on, are gone: the head was further already.
    #[error("the end is gone: {witness} saw {known} lines")]
    Truncated {
        /// How many lines there were.
        known: u64,
        /// Who saw them: a stream, or `given` for a head that the caller knew.
        witness: String,
    },
    /// The line is another one than the witness saw: the stream was written anew from here or before.
    #[error("{witness} saw another line here: the stream was written anew")]
    Rewritten {
        /// Who saw it.
        witness: String,
    },
}

/// The first broken line of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenLine {
    /// The blob in the audit container.
    pub blob: String,
    /// The line in that blob, from 1.
    pub line: u64,
    /// What is wrong.
    #[serde(flatten)]
    pub damage: Damage,
}

/// One stream, checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamReport {
    /// Lines read.
    pub lines: u64,
    /// The end of the part that is proven.
    #[serde(flatten)]
    pub head: StreamHead,
    /// The first broken line, `None` when the whole chain holds.
    pub broken: Option<BrokenLine>,
}

/// All streams, checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyReport {
    /// By name.
    pub streams: Vec<StreamReport>,
}

impl VerifyReport {
    /// Whether every chain holds.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.first_broken().is_none()
    }

    /// Lines in all streams.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.streams.iter().map(|stream| stream.lines).sum()
    }

    /// The ends of all streams: keep them elsewhere and give them to the next [`AuditLog::verify`](super::AuditLog::verify).
    #[must_use]
    pub fn heads(&self) -> Vec<StreamHead> {
        self.streams
            .iter()
            .map(|stream| stream.head.clone())
            .collect()
    }

    /// The first stream with a broken line, and that line.
    #[must_use]
    pub fn first_broken(&self) -> Option<(&str, &BrokenLine)> {
        self.streams
            .iter()
            .find_map(|stream| Some((stream.head.stream.as_str(), stream.broken.as_ref()?)))
    }
}
