//! Logs, and the events of the loop as types.
//!
//! Each event of the loop is a type with one place that writes its log line ([`Event`]), so that a message, its fields
//! and its level cannot differ between two callers. The handler's lines go to standard output, because the Functions
//! host takes every line of standard error for an error; a command's go to standard error, beside its result.

mod chain;
mod events;
mod line;
mod logging;

pub use chain::chain;
pub use events::Event;
pub use logging::{LogFormat, LogStream, init};
