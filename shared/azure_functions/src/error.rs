//! What can go wrong in this crate, named for what the caller can do about it.

use std::net::SocketAddr;
use std::time::Duration;

use crate::wire::PORT_VARIABLE;

/// An error of the protocol library. A failed *invocation* is a [`Failure`](crate::Failure) instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The process was not started by a Functions host.
    #[error(
        "{PORT_VARIABLE} is not set: start this program through the Functions host, or set it to a free port"
    )]
    PortMissing,
    /// The port variable does not hold a port.
    #[error("{variable} is {value:?}: it must be a port from 1 to 65535")]
    PortInvalid {
        /// The variable that was read.
        variable: &'static str,
        /// Its value.
        value: String,
    },
    /// Two functions collide, or one cannot be served as it was registered: correct the program.
    #[error("function {function:?} cannot be registered: {reason}")]
    Registration {
        /// The function's name as registered.
        function: String,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// The address is taken or may not be used.
    #[error("cannot listen on {address}: another process may hold the port")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The server stopped by itself.
    #[error("the server stopped")]
    Serve {
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// Invocations were still running when the time for a clean stop was over. They are lost.
    #[error("invocations were still running {after:?} after the order to stop")]
    DrainDeadline {
        /// How long the server waited.
        after: Duration,
    },
    /// The host sent an envelope that cannot be read. Answered with status 400.
    #[error("{part} of the envelope is not understood: {reason}")]
    Envelope {
        /// The part at fault, for instance `Metadata.Uri`.
        part: String,
        /// What is wrong with it. It never quotes the content.
        reason: String,
    },
    /// The host would decode this text as base64 and write other bytes than were meant.
    #[error(
        "the text for output {output:?} reads as base64, so the host would decode it: \
         send an object, or bytes with `Reply::output_bytes`"
    )]
    SniffedOutput {
        /// The output binding, or `$return`.
        output: String,
    },
}

impl Error {
    /// An envelope error that tells where the JSON is wrong and never quotes it.
    pub(crate) fn json(part: &str, error: &serde_json::Error) -> Self {
        let reason = match error.classify() {
            serde_json::error::Category::Data => {
                "a value has an unexpected type or a member is missing"
            }
            serde_json::error::Category::Eof => "the JSON text ends too early",
            _ => "the JSON text is malformed",
        };
        match error.line() {
            // The value came from memory, not from text.
            0 => Self::envelope(part, reason),
            line => Self::envelope(
                part,
                format!("{reason}, line {line} column {}", error.column()),
            ),
        }
    }

    pub(crate) fn envelope(part: &str, reason: impl Into<String>) -> Self {
        Self::Envelope {
            part: part.to_owned(),
            reason: reason.into(),
        }
    }

    pub(crate) fn registration(function: &str, reason: impl Into<String>) -> Self {
        Self::Registration {
            function: function.to_owned(),
            reason: reason.into(),
        }
    }
}
