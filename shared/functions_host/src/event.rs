//! Everything observable about a running host, as types.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

/// Receives what happens. It is called in the middle of the host's work: it must return quickly and must not block.
pub trait EventSink: Send + Sync + 'static {
    /// Takes one event.
    fn event(&self, event: HostEvent);
}

impl<F: Fn(HostEvent) + Send + Sync + 'static> EventSink for F {
    fn event(&self, event: HostEvent) {
        self(event);
    }
}

/// One thing that happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum HostEvent {
    /// A folder with a `function.json` is not served.
    FunctionRejected {
        /// The folder's name.
        function: String,
        /// What to correct.
        reason: String,
    },
    /// A setting of a function has no effect.
    FunctionWarning {
        /// The function.
        function: Arc<str>,
        /// Which setting and why.
        warning: String,
    },
    /// Callers can connect.
    Listening {
        /// For instance `http://127.0.0.1:7071`.
        url: String,
    },
    /// The handler's process was started.
    HandlerStarted {
        /// Which handler process: `app`, or the scaling group when groups run apart.
        instance: Arc<str>,
        /// Its process id.
        pid: u32,
        /// The port it must listen on.
        port: u16,
        /// The GUID of this start.
        worker_id: String,
    },
    /// The handler answered `GET /`.
    HandlerReady {
        /// Which handler process.
        instance: Arc<str>,
        /// Its process id.
        pid: u32,
        /// From start to the first answer.
        after: Duration,
    },
    /// The handler wrote a line.
    HandlerOutput {
        /// Which handler process.
        instance: Arc<str>,
        /// How the host would log it.
        level: OutputLevel,
        /// The line without its end.
        line: String,
    },
    /// The handler's process ended.
    HandlerEnded {
        /// Which handler process.
        instance: Arc<str>,
        /// Its process id.
        pid: u32,
        /// How.
        end: HandlerEnd,
    },
    /// The handler will be started again.
    HandlerRestarting {
        /// Which handler process.
        instance: Arc<str>,
        /// Whether the end counts as one of the three errors that stop the host.
        counted: bool,
    },
    /// An invocation begins. A retry of it carries the same id.
    InvocationStarted {
        /// The function.
        function: Arc<str>,
        /// The invocation's id.
        invocation_id: Arc<str>,
        /// Attempts before this one.
        retry: u32,
    },
    /// A line that the handler returned in `Logs`.
    InvocationLog {
        /// The function.
        function: Arc<str>,
        /// The invocation's id.
        invocation_id: Arc<str>,
        /// The line.
        line: String,
    },
    /// A value for a declared output other than the HTTP response. This host shows it and writes it nowhere.
    Output {
        /// The function.
        function: Arc<str>,
        /// The invocation's id.
        invocation_id: Arc<str>,
        /// The binding's name.
        binding: String,
        /// The value as the binding would get it.
        value: OutputValue,
    },
    /// The handler's answer is one that the real host treats badly or silently misreads.
    Conformance {
        /// The function.
        function: Arc<str>,
        /// The invocation's id.
        invocation_id: Arc<str>,
        /// What is wrong.
        fault: ConformanceFault,
    },
    /// The invocation succeeded.
    InvocationSucceeded {
        /// The function.
        function: Arc<str>,
        /// The invocation's id.
        invocation_id: Arc<str>,
        /// How long it took.
        took: Duration,
    },
    /// The invocation failed.
    InvocationFailed {
        /// The function.
        function: Arc<str>,
        /// The invocation's id.
        invocation_id: Arc<str>,
        /// Why.
        reason: InvocationFailure,
    },
    /// A timer waits.
    TimerScheduled {
        /// The function.
        function: Arc<str>,
        /// When it fires; `None` when its schedule never comes.
        next: Option<Timestamp>,
    },
    /// Another host runs this timer.
    TimerHeldElsewhere {
        /// The function.
        function: Arc<str>,
    },
    /// Another host on this state folder handles the blob events; this one does not, until it is started again.
    BlobsHeldElsewhere,
    /// A blob event was put on the queue.
    BlobQueued {
        /// The function.
        function: Arc<str>,
        /// `container/name`.
        blob: String,
    },
    /// The blob was gone before its event was handled; this is a success.
    BlobGone {
        /// The function.
        function: Arc<str>,
        /// `container/name`.
        blob: String,
    },
    /// The blob is larger than a host can inline, so no event is raised for it.
    BlobTooLarge {
        /// `container/name`.
        blob: String,
        /// Its size.
        size_bytes: u64,
    },
    /// Every attempt failed. The event's message was put aside.
    BlobPoisoned {
        /// The function.
        function: Arc<str>,
        /// `container/name`.
        blob: String,
        /// The file that holds the message.
        record: PathBuf,
    },
    /// The host could not read or write its own state; it tries again.
    StateFault {
        /// What was tried and why it failed.
        reason: String,
    },
    /// The host stopped.
    Stopped {
        /// Why.
        reason: StopReason,
    },
}

/// The level of a line that the handler wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputLevel {
    /// Standard output.
    Information,
    /// A standard error line that contains "warn".
    Warning,
    /// Any other standard error line.
    Error,
    /// A line with a prefix that the platform keeps for itself; people do not see it.
    System,
}

/// How a handler process ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandlerEnd {
    /// It exited by itself.
    #[error("exit code {code}")]
    Exited {
        /// The exit code.
        code: i32,
    },
    /// A signal ended it that this host did not send.
    #[error("signal {signal}")]
    Signalled {
        /// The signal's number.
        signal: i32,
    },
    /// It did not answer `GET /` in time and was killed.
    #[error("no answer to GET / within {} ms", within.as_millis())]
    NotReady {
        /// The time it had.
        within: Duration,
    },
    /// It could not be started.
    #[error("it could not be started: {reason}")]
    NotStarted {
        /// The operating system's reason.
        reason: String,
    },
    /// It was killed because an invocation exceeded `functionTimeout`.
    #[error("killed after a function time-out")]
    TimedOut,
    /// The host was stopped.
    #[error("killed because the host stops")]
    HostStopped,
}

/// A value for an output binding.
#[derive(Clone, Debug, PartialEq)]
pub enum OutputValue {
    /// A string that is not base64, or any other JSON value.
    Json(Value),
    /// What the real host makes of a string that happens to be base64.
    Bytes(Bytes),
}

/// An answer that the real host treats badly or silently misreads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConformanceFault {
    /// The real host would wait for its time-out and then kill the handler.
    #[error(
        "the answer is {status} with an empty or null body: the real host hangs until functionTimeout; answer a JSON object"
    )]
    EmptyAnswer {
        /// The handler's status.
        status: u16,
    },
    /// The real host drops the value silently.
    #[error("the output {name:?} is not declared in function.json: the real host drops it")]
    UndeclaredOutput {
        /// The key in `Outputs`.
        name: String,
    },
    /// The real host decodes the text.
    #[error(
        "the output {name:?} is a string that decodes as base64 to {bytes} bytes: the real host writes those bytes, not the text"
    )]
    Base64Sniffed {
        /// The output binding.
        name: String,
        /// How many bytes it becomes.
        bytes: usize,
    },
    /// The real host refuses the answer.
    #[error(
        "the answer's Content-Type is {found:?}: the real host accepts only application/json and text/json"
    )]
    MediaType {
        /// The header's value, empty when there is none.
        found: String,
    },
    /// The real host answers 200 instead.
    #[error("the http output has `status` but no `statusCode`: the real host answers 200")]
    StatusIgnored,
}

/// Why an invocation failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvocationFailure {
    /// The handler answered with a failure status.
    #[error("the handler answered {status}")]
    Status {
        /// The status.
        status: u16,
    },
    /// No connection, or it broke.
    #[error("the handler cannot be reached or broke the connection: {reason}")]
    Unreachable {
        /// The transport's reason.
        reason: String,
    },
    /// The answer is not the JSON that the contract asks for.
    #[error("the answer is malformed: {reason}")]
    Malformed {
        /// What is wrong.
        reason: String,
    },
    /// The answer breaks the contract in a way that fails the invocation.
    #[error(transparent)]
    Conformance(ConformanceFault),
    /// It ran longer than `functionTimeout`; the handler is killed.
    #[error("it ran longer than functionTimeout, {} ms", limit.as_millis())]
    TimedOut {
        /// The limit.
        limit: Duration,
    },
    /// A proxied exchange in which nothing moved for so long was cut off.
    #[error("nothing was sent in either direction for {} ms", limit.as_millis())]
    Idle {
        /// The limit.
        limit: Duration,
    },
    /// The request cannot be passed on in this mode.
    #[error("the request cannot be forwarded: {reason}")]
    NotForwardable {
        /// Why.
        reason: &'static str,
    },
    /// The caller left before the answer.
    #[error("the caller disconnected")]
    CallerGone,
    /// The handler never became ready, or the host stops.
    #[error("the host is not running")]
    HostNotRunning,
}

/// Why the host stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StopReason {
    /// Somebody asked for it.
    #[error("it was asked to stop")]
    Requested,
    /// The handler failed three times within 30 minutes.
    #[error(
        "the handler failed {errors} times within 30 minutes, last: {last}{}",
        last_lines(error_lines)
    )]
    HandlerFailed {
        /// How many counted failures there were.
        errors: usize,
        /// The last of them.
        last: HandlerEnd,
        /// The last lines on standard error.
        error_lines: Vec<String>,
    },
    /// Invocations waited too long for a ready handler.
    #[error("the handler was not ready after {} ms", waited.as_millis())]
    NeverReady {
        /// Four times the initialization time-out.
        waited: Duration,
    },
}

/// What the handler said last, for the end of a sentence.
fn last_lines(lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    format!("; it said:\n{}", lines.join("\n"))
}
