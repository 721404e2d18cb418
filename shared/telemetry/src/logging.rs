//! Where log lines go and how they look.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::line::PlainLine;

/// How a log line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people: time, level, message.
    #[default]
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// Starts logging to standard output.
///
/// `filter` is a `tracing` filter (`info`, `sluice=debug,info`). A second call changes nothing.
///
/// # Errors
/// The filter does not parse.
pub fn init(filter: &str, format: LogFormat) -> Result<(), ParseError> {
    let filter = EnvFilter::try_new(filter)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stdout)
        .with_target(false);
    let started = match format {
        LogFormat::Text => builder.event_format(PlainLine).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    // A subscriber that is there already (a test's, an embedding program's) stays.
    drop(started);
    Ok(())
}
