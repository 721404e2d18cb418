//! Where log lines go and how they look.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

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

/// Where log lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStream {
    /// Standard output: for the handler, whose standard error the Functions host takes for errors.
    Output,
    /// Standard error: for commands, whose standard output is their result.
    Error,
}

/// Starts logging.
///
/// `filter` is a `tracing` filter (`info`, `sluice=debug,info`). A second call changes nothing.
///
/// # Errors
/// The filter does not parse.
pub fn init(filter: &str, format: LogFormat, stream: LogStream) -> Result<(), ParseError> {
    let filter = EnvFilter::try_new(filter)?;
    let writer = match stream {
        LogStream::Output => BoxMakeWriter::new(io::stdout),
        LogStream::Error => BoxMakeWriter::new(io::stderr),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_target(false);
    let started = match format {
        LogFormat::Text => builder.event_format(PlainLine).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    // A subscriber that is there already (a test's, an embedding program's) stays.
    drop(started);
    Ok(())
}
