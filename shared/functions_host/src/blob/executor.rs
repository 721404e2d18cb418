//! Turns queued blob events into invocations: an immediate retry after a failure, and a poison record after the last.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use super::LARGEST_INLINED_BYTES;
use super::message::Message;
use super::queue::{Entry, Queue};
use crate::envelope::{BlobFacts, Metadata, blob_envelope};
use crate::event::{HostEvent, InvocationFailure};
use crate::function::{BlobTrigger, Function, Trigger};
use crate::identity::guid;
use crate::invocation;
use crate::runtime::Runtime;

/// How long to wait when the state folder cannot be written.
const PAUSE_AFTER_FAULT: Duration = Duration::from_secs(1);

/// What came of one attempt.
enum Attempt {
    Succeeded,
    Failed,
    /// There is no such blob any more.
    Gone,
    TooLarge(u64),
    /// The host stops; the message waits on disk for the next one.
    HostStops,
}

/// Handles messages one after the other, for ever. Several of these run side by side.
pub(crate) async fn run(runtime: Arc<Runtime>) {
    loop {
        let entry = runtime.queue.take().await;
        let function = runtime.function(entry.message.function()).cloned();
        match function {
            Some(function) => match &function.trigger {
                Trigger::Blob(trigger) => handle(&runtime, &function, trigger, entry).await,
                _ => unclaimed(&runtime, &entry),
            },
            None => unclaimed(&runtime, &entry),
        }
    }
}

/// The message stays on disk for a host that has the function again.
fn unclaimed(runtime: &Runtime, entry: &Entry) {
    let reason = format!(
        "no loaded function {:?} with a blob trigger handles the queued event of {}",
        entry.message.function(),
        entry.message.path()
    );
    runtime.emit(HostEvent::StateFault { reason });
}

async fn handle(
    runtime: &Arc<Runtime>,
    function: &Arc<Function>,
    trigger: &BlobTrigger,
    mut entry: Entry,
) {
    let blob = entry.message.path();
    loop {
        if entry.dequeue_count >= runtime.config.blob_poison_threshold {
            let poisoned = entry.clone();
            if let Some(record) = on_disk(runtime, move |queue| queue.poison(&poisoned)).await {
                runtime.emit(HostEvent::BlobPoisoned {
                    function: function.name.clone(),
                    blob,
                    record,
                });
            }
            return;
        }
        // An attempt counts only when there is a handler to make it.
        let Ok(instance) = runtime.instance(function) else {
            return;
        };
        if instance.ready().await.is_err() {
            return;
        }
        let mut counted = entry.clone();
        let Some(counted) = on_disk(runtime, move |queue| {
            queue.begin_attempt(&mut counted).map(|()| counted)
        })
        .await
        else {
            tokio::time::sleep(PAUSE_AFTER_FAULT).await;
            continue;
        };
        entry = counted;
        match attempt(runtime, function, trigger, &entry.message).await {
            Attempt::Failed => continue,
            Attempt::HostStops => return,
            Attempt::Succeeded => {}
            Attempt::Gone => runtime.emit(HostEvent::BlobGone {
                function: function.name.clone(),
                blob,
            }),
            Attempt::TooLarge(size_bytes) => {
                runtime.emit(HostEvent::BlobTooLarge { blob, size_bytes })
            }
        }
        // When this fails the event is raised once more by the next host: handlers must bear it.
        on_disk(runtime, move |queue| queue.remove(&entry)).await;
        return;
    }
}

/// Works on the queue's files without blocking the others; a failure is reported and gives `None`.
async fn on_disk<T: Send + 'static>(
    runtime: &Arc<Runtime>,
    work: impl FnOnce(&Queue) -> io::Result<T> + Send + 'static,
) -> Option<T> {
    let shared = runtime.clone();
    let done = tokio::task::spawn_blocking(move || work(&shared.queue)).await;
    match done.map_err(io::Error::other).flatten() {
        Ok(value) => Some(value),
        Err(error) => {
            runtime.emit(HostEvent::StateFault {
                reason: format!("the blob queue cannot be written: {error}"),
            });
            None
        }
    }
}

async fn attempt(
    runtime: &Arc<Runtime>,
    function: &Arc<Function>,
    trigger: &BlobTrigger,
    message: &Message,
) -> Attempt {
    let metadata = Metadata::new(&function.name, runtime.options.clock.now());
    let (data_root, binding) = (runtime.options.data_root.clone(), trigger.binding.clone());
    let parameters = trigger
        .pattern
        .parameters(message.blob())
        .unwrap_or_default();
    let of = message.clone();
    let read =
        tokio::task::spawn_blocking(move || read(&of, &data_root, &binding, parameters, metadata))
            .await;
    let envelope = match read.map_err(io::Error::other).flatten() {
        Ok(Content::Envelope(envelope)) => envelope,
        Ok(Content::Gone) => return Attempt::Gone,
        Ok(Content::TooLarge(size)) => return Attempt::TooLarge(size),
        Err(error) => {
            let reason = format!("the blob {} cannot be read: {error}", message.path());
            runtime.emit(HostEvent::StateFault { reason });
            tokio::time::sleep(PAUSE_AFTER_FAULT).await;
            return Attempt::Failed;
        }
    };
    // Each dequeue is an invocation of its own.
    match invocation::call(runtime, function, guid().into(), 0, envelope).await {
        Ok(_) => Attempt::Succeeded,
        Err(InvocationFailure::HostNotRunning) => Attempt::HostStops,
        Err(_) => Attempt::Failed,
    }
}

enum Content {
    Envelope(Bytes),
    Gone,
    TooLarge(u64),
}

fn read(
    message: &Message,
    data_root: &std::path::Path,
    binding: &str,
    parameters: Vec<(String, String)>,
    metadata: Metadata,
) -> io::Result<Content> {
    let Some(path) = message.file(data_root) else {
        return Ok(Content::Gone);
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Content::Gone);
        }
        Err(error) => return Err(error),
    };
    let about = file.metadata()?;
    if !about.is_file() {
        return Ok(Content::Gone);
    }
    if about.len() > LARGEST_INLINED_BYTES {
        return Ok(Content::TooLarge(about.len()));
    }
    let facts = BlobFacts {
        container: message.container().to_owned(),
        name: message.blob().to_owned(),
        size_bytes: about.len(),
        modified: Timestamp::try_from(about.modified()?).map_err(io::Error::other)?,
        parameters,
    };
    blob_envelope(binding, &facts, file, metadata).map(Content::Envelope)
}
