//! What the parts of a running host share.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use crate::blob::Queue;
use crate::client::HandlerClient;
use crate::event::{EventSink, HostEvent, InvocationFailure, StopReason};
use crate::front::{Keys, Routes};
use crate::function::Function;
use crate::handler::{Handlers, Instance};
use crate::host_json::HostConfig;
use crate::options::HostOptions;

/// A running host's shared state.
pub(crate) struct Runtime {
    pub(crate) options: HostOptions,
    pub(crate) config: HostConfig,
    pub(crate) functions: Vec<Arc<Function>>,
    pub(crate) routes: Routes,
    /// `None`: every route is open.
    pub(crate) keys: Option<Keys>,
    pub(crate) largest_body: u64,
    pub(crate) handlers: Handlers,
    pub(crate) client: HandlerClient,
    pub(crate) queue: Queue,
    pub(crate) url: String,
    pub(crate) started: std::time::Instant,
    pub(crate) sink: Arc<dyn EventSink>,
    pub(crate) stop: watch::Sender<Option<StopReason>>,
}

impl Runtime {
    pub(crate) fn emit(&self, event: HostEvent) {
        self.sink.event(event);
    }

    /// The served function of this name, whatever its case.
    pub(crate) fn function(&self, name: &str) -> Option<&Arc<Function>> {
        self.functions
            .iter()
            .find(|function| function.name.eq_ignore_ascii_case(name))
    }

    /// The handler process that serves the function.
    pub(crate) fn instance(
        &self,
        function: &Function,
    ) -> Result<&Arc<Instance>, InvocationFailure> {
        self.handlers
            .of(function)
            .ok_or(InvocationFailure::HostNotRunning)
    }

    /// Where timers keep their state.
    pub(crate) fn timer_folder(&self) -> PathBuf {
        self.options.state_root.join("timers")
    }

    /// Stops the host; the first reason counts.
    pub(crate) fn stop(&self, reason: StopReason) {
        self.stop.send_if_modified(|stop| {
            let is_first = stop.is_none();
            if is_first {
                *stop = Some(reason);
            }
            is_first
        });
    }
}
