//! Fires a timer: at its times, once when a time was missed, never twice at once, on one host at a time.
//!
//! Source: `Listener/TimerListener.cs` of `Azure/azure-webjobs-sdk-extensions`.

use std::io;
use std::sync::Arc;

use jiff::Timestamp;

use super::monitor::{self, ScheduleStatus, StatusFile};
use crate::envelope::{Metadata, timer_envelope};
use crate::event::{HostEvent, InvocationFailure};
use crate::function::{Function, TimerTrigger};
use crate::identity::guid;
use crate::invocation;
use crate::lock;
use crate::runtime::Runtime;

/// Why a run happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    PastDue,
    Startup,
    Schedule,
}

/// Runs the timer until the host stops.
pub(crate) async fn run(runtime: Arc<Runtime>, function: Arc<Function>, timer: TimerTrigger) {
    let lock = runtime
        .timer_folder()
        .join(format!("{}.lock", function.name));
    let held_elsewhere = HostEvent::TimerHeldElsewhere {
        function: function.name.clone(),
    };
    let Some(_lock) = lock::acquire(&runtime, lock, held_elsewhere).await else {
        return;
    };
    let clock = runtime.options.clock.clone();
    let now = clock.now();
    let file = status_file(&runtime, &function, &timer, now);

    let (mut status, missed) = match &file {
        Some(file) => remembered(&runtime, file, &timer, now).await,
        None => (
            ScheduleStatus {
                next: timer.schedule.next_after(now),
                ..ScheduleStatus::default()
            },
            false,
        ),
    };
    let mut cause = match (missed, timer.run_on_startup) {
        (true, _) => Cause::PastDue,
        (false, true) => Cause::Startup,
        (false, false) => Cause::Schedule,
    };
    loop {
        if cause == Cause::Schedule {
            runtime.emit(HostEvent::TimerScheduled {
                function: function.name.clone(),
                next: status.next,
            });
            match status.next {
                Some(next) => clock.sleep_until(next).await,
                None => return,
            }
        }
        let mut fired = clock.now();
        let shown = file.as_ref().map(|_| &status);
        let outcome = fire(&runtime, &function, &timer, shown, cause == Cause::PastDue).await;
        if outcome == Err(InvocationFailure::HostNotRunning) {
            // It did not run: the next host finds it missed.
            return;
        }
        if let (Cause::Schedule, Some(next)) = (cause, status.next) {
            // Fired early: without this the same occurrence would come twice.
            fired = fired.max(next);
        }
        status = ScheduleStatus {
            last: Some(fired),
            next: timer.schedule.next_after(fired),
            last_updated: Some(fired),
        };
        if let Some(file) = &file {
            remember(&runtime, file, &status).await;
        }
        cause = Cause::Schedule;
    }
}

/// Runs the timer now, beside its schedule, which is not changed.
pub(crate) async fn run_once(
    runtime: &Arc<Runtime>,
    function: &Function,
    timer: &TimerTrigger,
) -> Result<(), InvocationFailure> {
    let now = runtime.options.clock.now();
    let status = match status_file(runtime, function, timer, now) {
        None => None,
        Some(file) => {
            let known = blocking(runtime, move || file.read()).await.flatten();
            Some(known.unwrap_or_else(|| ScheduleStatus {
                next: timer.schedule.next_after(now),
                ..ScheduleStatus::default()
            }))
        }
    };
    fire(runtime, function, timer, status.as_ref(), false).await
}

/// One invocation with its retries, which share the invocation's id.
async fn fire(
    runtime: &Arc<Runtime>,
    function: &Function,
    timer: &TimerTrigger,
    status: Option<&ScheduleStatus>,
    is_past_due: bool,
) -> Result<(), InvocationFailure> {
    let clock = &runtime.options.clock;
    let invocation_id: Arc<str> = guid().into();
    let (mut retries, mut failure) = (0, None::<String>);
    loop {
        let mut metadata = Metadata::new(&function.name, clock.now());
        if let Some(policy) = &function.retry {
            metadata.insert("RetryContext", &policy.context(retries, failure.as_deref()));
        }
        let dst = timer.schedule.adjusts_for_dst();
        let envelope = timer_envelope(&timer.binding, dst, status, is_past_due, metadata);
        let reason =
            match invocation::call(runtime, function, invocation_id.clone(), retries, envelope)
                .await
            {
                Ok(_) => return Ok(()),
                Err(InvocationFailure::HostNotRunning) => {
                    return Err(InvocationFailure::HostNotRunning);
                }
                Err(reason) => reason,
            };
        let Some(policy) = function
            .retry
            .as_ref()
            .filter(|policy| policy.allows(retries))
        else {
            return Err(reason);
        };
        let delay = policy.delay(retries, rand::random());
        if let Ok(at) = clock.now().checked_add(delay) {
            clock.sleep_until(at).await;
        }
        failure = Some(reason.to_string());
        retries = retries.saturating_add(1);
    }
}

/// The status at start and whether an occurrence was missed.
async fn remembered(
    runtime: &Arc<Runtime>,
    file: &StatusFile,
    timer: &TimerTrigger,
    now: Timestamp,
) -> (ScheduleStatus, bool) {
    let reader = file.clone();
    let known = blocking(runtime, move || reader.read()).await.flatten();
    let is_first_start = known.is_none();
    let start = monitor::start(known, &timer.schedule, now);
    if start.is_changed {
        remember(runtime, file, &start.status).await;
    }
    let mut status = start.status;
    if is_first_start {
        // The host shows "never" until the first run, though it has written the date.
        status.last_updated = None;
    }
    (status, start.is_past_due)
}

async fn remember(runtime: &Arc<Runtime>, file: &StatusFile, status: &ScheduleStatus) {
    let (file, status) = (file.clone(), status.clone());
    blocking(runtime, move || file.write(&status)).await;
}

/// The status file of a timer that has a monitor.
fn status_file(
    runtime: &Runtime,
    function: &Function,
    timer: &TimerTrigger,
    now: Timestamp,
) -> Option<StatusFile> {
    let is_monitored = timer.use_monitor && timer.schedule.can_be_monitored(now);
    is_monitored.then(|| StatusFile::new(&runtime.timer_folder(), &function.name))
}

/// Runs file work beside the executor; a failure is reported and gives `None`.
async fn blocking<T: Send + 'static>(
    runtime: &Arc<Runtime>,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Option<T> {
    match tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)
        .flatten()
    {
        Ok(value) => Some(value),
        Err(error) => {
            runtime.emit(HostEvent::StateFault {
                reason: format!("a timer's state cannot be used: {error}"),
            });
            None
        }
    }
}
