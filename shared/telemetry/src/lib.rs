//! Logs, and the events of the loop as types.
//!
//! Each event of the loop is a type with one place that writes its log line ([`Event`]), so that a message, its fields
//! and its level cannot differ between two callers. Standard output carries the lines: the Functions host takes every
//! line of standard error for an error.

mod events;
mod line;
mod logging;

pub use events::Event;
pub use logging::{LogFormat, init};
