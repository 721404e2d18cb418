//! One invocation: what is told about it, and the call with an envelope.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::client::{self, Received};
use crate::event::{HostEvent, InvocationFailure};
use crate::function::Function;
use crate::outcome::{self, Answer};
use crate::runtime::Runtime;

/// Tells the sink how an invocation begins and ends, also when its future is dropped in between.
pub(crate) struct Invocation {
    runtime: Arc<Runtime>,
    pub(crate) function: Arc<str>,
    pub(crate) id: Arc<str>,
    started: Instant,
    is_over: bool,
}

impl Invocation {
    pub(crate) fn begin(
        runtime: Arc<Runtime>,
        function: Arc<str>,
        id: Arc<str>,
        retry: u32,
    ) -> Self {
        runtime.emit(HostEvent::InvocationStarted {
            function: function.clone(),
            invocation_id: id.clone(),
            retry,
        });
        Self {
            runtime,
            function,
            id,
            started: Instant::now(),
            is_over: false,
        }
    }

    pub(crate) fn succeed(mut self) {
        self.is_over = true;
        self.runtime.emit(HostEvent::InvocationSucceeded {
            function: self.function.clone(),
            invocation_id: self.id.clone(),
            took: self.started.elapsed(),
        });
    }

    pub(crate) fn fail(mut self, reason: InvocationFailure) -> InvocationFailure {
        self.end_with(reason.clone());
        reason
    }

    fn end_with(&mut self, reason: InvocationFailure) {
        self.is_over = true;
        self.runtime.emit(HostEvent::InvocationFailed {
            function: self.function.clone(),
            invocation_id: self.id.clone(),
            reason,
        });
    }

    /// What the handler returned beside the answer itself.
    fn tell(&self, answer: &Answer) {
        let (function, invocation_id) = (&self.function, &self.id);
        for line in &answer.logs {
            self.runtime.emit(HostEvent::InvocationLog {
                function: function.clone(),
                invocation_id: invocation_id.clone(),
                line: line.clone(),
            });
        }
        for (binding, value) in &answer.outputs {
            self.runtime.emit(HostEvent::Output {
                function: function.clone(),
                invocation_id: invocation_id.clone(),
                binding: binding.clone(),
                value: value.clone(),
            });
        }
    }
}

impl Drop for Invocation {
    fn drop(&mut self) {
        if !self.is_over {
            let host_stops = self.runtime.stop.borrow().is_some();
            self.end_with(if host_stops {
                InvocationFailure::HostNotRunning
            } else {
                InvocationFailure::CallerGone
            });
        }
    }
}

/// Calls the handler with an envelope and reads its answer. A call that exceeds `functionTimeout` kills the handler.
pub(crate) async fn call(
    runtime: &Arc<Runtime>,
    function: &Function,
    id: Arc<str>,
    retry: u32,
    envelope: Bytes,
) -> Result<Answer, InvocationFailure> {
    let instance = runtime.instance(function)?;
    let life = instance.ready().await?;
    let invocation = Invocation::begin(runtime.clone(), function.name.clone(), id, retry);
    let sent = client::send_envelope(
        &runtime.client,
        instance.authority(),
        &function.name,
        &invocation.id,
        envelope,
        runtime.options.envelope_framing,
    );
    let received = match within(runtime.config.function_timeout, sent).await {
        Ok(received) => received,
        Err(reason) => {
            if matches!(reason, InvocationFailure::TimedOut { .. }) {
                instance.restart_after_timeout(life);
            }
            return Err(invocation.fail(reason));
        }
    };
    let Received {
        status,
        headers,
        body,
    } = received;
    let outcome = outcome::read(status, &headers, &body, &function.outputs);
    for fault in outcome.faults {
        runtime.emit(HostEvent::Conformance {
            function: function.name.clone(),
            invocation_id: invocation.id.clone(),
            fault,
        });
    }
    match outcome.result {
        Ok(answer) => {
            invocation.tell(&answer);
            invocation.succeed();
            Ok(answer)
        }
        Err(reason) => Err(invocation.fail(reason)),
    }
}

/// Runs the work under the function time-out.
pub(crate) async fn within<T>(
    limit: Option<std::time::Duration>,
    work: impl Future<Output = Result<T, InvocationFailure>>,
) -> Result<T, InvocationFailure> {
    match limit {
        None => work.await,
        Some(limit) => match tokio::time::timeout(limit, work).await {
            Ok(done) => done,
            Err(_) => Err(InvocationFailure::TimedOut { limit }),
        },
    }
}
