//! What the local host prints: the handler's own lines, and what a person must know about the host.

use std::io::{self, Write as _};

use sluice_functions_host::{HandlerEnd, HostEvent, OutputLevel};

/// Prints one event of the host, or nothing when it is everyday business.
pub(super) fn print(event: &HostEvent, verbose: bool) {
    if let Some(line) = describe(event, verbose) {
        let _ = writeln!(io::stdout().lock(), "{line}");
    }
}

fn describe(event: &HostEvent, verbose: bool) -> Option<String> {
    Some(match event {
        HostEvent::HandlerOutput {
            level: OutputLevel::System,
            ..
        } => return None,
        HostEvent::HandlerOutput {
            level: OutputLevel::Information,
            line,
            ..
        } => line.clone(),
        HostEvent::HandlerOutput { line, .. } => format!("handler: {line}"),
        HostEvent::FunctionRejected { function, reason } => {
            format!("host: function {function} is not served: {reason}")
        }
        HostEvent::FunctionWarning { function, warning } => {
            format!("host: function {function}: {warning}")
        }
        HostEvent::HandlerEnded {
            end: HandlerEnd::HostStopped,
            ..
        } => return None,
        HostEvent::HandlerEnded { pid, end, .. } => {
            format!("host: the handler (process {pid}) ended: {end}")
        }
        HostEvent::HandlerRestarting { counted, .. } => {
            format!(
                "host: the handler is started again{}",
                if *counted {
                    ""
                } else {
                    " (not counted as an error)"
                }
            )
        }
        HostEvent::InvocationFailed {
            function,
            invocation_id,
            reason,
        } => {
            format!("host: {function} failed: {reason} (invocation {invocation_id})")
        }
        HostEvent::Conformance {
            function, fault, ..
        } => format!("host: {function} breaks the contract: {fault}"),
        HostEvent::TimerHeldElsewhere { function } => {
            format!("host: another host on this folder runs the timer {function}")
        }
        HostEvent::BlobsHeldElsewhere => {
            "host: another host on this folder handles its blob events; this one does not"
                .to_owned()
        }
        HostEvent::BlobTooLarge { blob, size_bytes } => {
            format!(
                "host: {blob} has {size_bytes} bytes, too many for a blob event (Sluice's reconcile ingests it within five minutes)"
            )
        }
        HostEvent::BlobPoisoned {
            function,
            blob,
            record,
        } => {
            format!(
                "host: {function} failed five times for {blob}; its event is in {}",
                record.display()
            )
        }
        HostEvent::StateFault { reason } => format!("host: {reason}"),
        event if verbose => format!("host: {event:?}"),
        _ => return None,
    })
}
