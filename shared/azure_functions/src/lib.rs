#![doc = include_str!("../README.md")]

mod answers;
mod app;
mod context;
mod date;
pub mod envelope;
mod error;
mod event;
mod failure;
mod http_envelope;
mod invocation;
mod reply;
mod serve;
mod trigger;
pub mod wire;

pub use app::{App, FunctionInfo, Methods};
pub use context::{InvocationContext, RetryContext};
pub use envelope::Envelope;
pub use error::Error;
pub use failure::{Failure, FailureKind};
pub use reply::Reply;
pub use serve::{DRAIN_DEADLINE, Server, port_from, serve, shutdown_signal};
pub use trigger::{
    BlobEvent, BlobProperties, EventGridEvent, QueueEvent, ScheduleStatus, TimerEvent, Trigger,
    TriggerKind,
};
