//! A small Azure Functions host for one machine: the same wire contract, a directory as storage.
//!
//! It reads a staged app (`host.json`, one folder with a `function.json` for each function, the handler's executable), starts
//! the handler as its child and speaks the custom-handler protocol to it, with the real host's rules of readiness, crash,
//! restart and time-out. Timers fire, a new file in a container's folder is a blob event, HTTP is forwarded, proxied or put in
//! envelopes. Where the real host silently misbehaves, this one says so: [`HostEvent::Conformance`].
//!
//! What it does not do: other triggers, input bindings, writing outputs to queues or blobs, TLS, several machines.
//!
//! ```no_run
//! # async fn run() -> Result<(), sluice_functions_host::HostError> {
//! use sluice_functions_host::{Host, HostEvent, HostOptions};
//!
//! let options = HostOptions::new("target/app", "data", "data/.host");
//! let host = Host::start(options, |event: HostEvent| tracing::info!(?event)).await?;
//! host.ready().await?;
//! host.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! The handler and what it starts are one process group, which ends with the host however the host ends.
//!
//! [`check_conformance`] drives the handler of any staged app through the same contract and says what it finds.

mod blob;
mod client;
mod clock;
mod conformance;
mod envelope;
mod error;
mod event;
mod front;
mod function;
mod handler;
mod host;
mod host_json;
mod identity;
mod index;
mod invocation;
mod json_file;
mod local_settings;
mod lock;
mod ncrontab;
mod options;
mod outcome;
mod retry;
mod runtime;
mod settings;
mod state_file;
mod timer;
mod timespan;
mod validate;
mod wire;

pub use clock::{Clock, ManualClock, SystemClock};
pub use conformance::{ConformanceOptions, ConformanceReport, Finding, Verdict, check_conformance};
pub use error::HostError;
pub use event::{
    ConformanceFault, EventSink, HandlerEnd, HostEvent, InvocationFailure, OutputLevel,
    OutputValue, StopReason,
};
pub use front::Keys;
pub use function::AuthLevel;
pub use host::{Host, RunningHost};
pub use index::{FunctionReport, FunctionStatus};
pub use local_settings::read_local_settings;
pub use ncrontab::{NCrontab, NCrontabError};
pub use options::{EnvelopeFraming, HostGeneration, HostOptions, Instances, KeyPolicy, Profile};
pub use validate::{check_function_json, check_host_json};
