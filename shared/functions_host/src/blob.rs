//! Blob events: from a new file in a container's folder to an invocation, or to a poison record.

mod executor;
mod message;
mod path_pattern;
mod queue;
mod receipts;
mod watcher;

pub(crate) use executor::run as run_executor;
pub(crate) use message::Message;
pub(crate) use path_pattern::PathPattern;
pub(crate) use queue::Queue;
pub(crate) use watcher::Watcher;

/// The largest blob that gets an event, in bytes. A subscription filters larger ones out; reconciling finds them.
pub(crate) const LARGEST_INLINED_BYTES: u64 = 104_857_600;
