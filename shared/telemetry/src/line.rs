//! A log line for a person: time, level when it matters, the message, and the cause when the message does not say it.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Writes `TIME  message`, `TIME WARN  message: cause` or `TIME ERROR  message: cause (fields)`. Elsewhere the fields are
/// for programs: they are in the JSON format.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlainLine;

#[derive(Default)]
struct Parts {
    message: String,
    cause: String,
    fields: Vec<String>,
}

impl Visit for Parts {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "error" | "reason" => self.cause = format!("{value:?}"),
            name => self.fields.push(format!("{name}={value:?}")),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

impl<S, N> FormatEvent<S, N> for PlainLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut parts = Parts::default();
        event.record(&mut parts);
        SystemTime.format_time(&mut writer)?;
        let level = *event.metadata().level();
        if level != Level::INFO {
            write!(writer, " {level}")?;
        }
        write!(writer, "  {}", parts.message)?;
        if !parts.cause.is_empty() && !parts.message.contains(&parts.cause) {
            write!(writer, ": {}", parts.cause)?;
        }
        // Whoever looks for the cause of an error wants to know all that there is.
        if level == Level::ERROR && !parts.fields.is_empty() {
            write!(writer, " ({})", parts.fields.join(", "))?;
        }
        writeln!(writer)
    }
}
