//! A log of lines in front of append blobs: batched by time and size, bounded, flushed on a clean stop.
//!
//! A caller waits only when the buffer is full, that is when storage cannot keep up. What was pushed and not yet
//! flushed is lost by a SIGKILL; what must not be lost (feedback) is written without this buffer.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sluice_storage::{Container, Store};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// How lines are gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchOptions {
    /// The longest time that a line waits.
    pub interval: Duration,
    /// Enough bytes to write before the interval is over.
    pub flush_bytes: usize,
    /// The bound of the buffer, in bytes: beyond it `push` waits.
    pub max_bytes: usize,
    /// How long `push` waits before it gives up.
    pub max_wait: Duration,
}

impl Default for BatchOptions {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(1),
            flush_bytes: 1 << 20,
            max_bytes: 16 << 20,
            max_wait: Duration::from_secs(2),
        }
    }
}

/// The buffer is full and storage does not take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log cannot be written: {waiting_bytes} bytes wait for storage")]
pub struct LogFull {
    /// What waits, in bytes.
    pub waiting_bytes: usize,
}

/// The log. Dropping it without [`AppendLog::close`] leaves the rest to the last flush.
#[derive(Debug)]
pub struct AppendLog {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    store: Arc<dyn Store>,
    container: Container,
    options: BatchOptions,
    buffer: Mutex<Buffer>,
    wake: Notify,
    /// Bytes that are durable, counted from the start: flushes and full pushes wait for it to move.
    written: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Buffer {
    /// Lines for one blob each, oldest first.
    batches: VecDeque<(String, Vec<u8>)>,
    /// Bytes accepted since the start.
    accepted: u64,
    closed: bool,
}

impl AppendLog {
    /// Starts the writer of a log into `container`.
    #[must_use]
    pub fn start(store: Arc<dyn Store>, container: Container, options: BatchOptions) -> Self {
        let shared = Arc::new(Shared {
            store,
            container,
            options,
            buffer: Mutex::default(),
            wake: Notify::new(),
            written: watch::Sender::new(0),
        });
        let writer = tokio::spawn(shared.clone().write_batches());
        Self {
            shared,
            writer: Mutex::new(Some(writer)),
        }
    }

    /// Takes lines for the blob at `path`; each must end with a newline. Waits when the buffer is full.
    ///
    /// # Errors
    /// The buffer stayed full for `max_wait`: nothing was taken.
    pub async fn push(&self, path: &str, lines: &[u8]) -> Result<(), LogFull> {
        if self.shared.try_push(path, lines).is_ok() {
            return Ok(());
        }
        let mut written = self.shared.written.subscribe();
        let wait = async {
            loop {
                written.mark_unchanged();
                match self.shared.try_push(path, lines) {
                    Ok(()) => return,
                    Err(_) if written.changed().await.is_ok() => {}
                    Err(_) => std::future::pending().await,
                }
            }
        };
        tokio::time::timeout(self.shared.options.max_wait, wait)
            .await
            .map_err(|_| LogFull {
                waiting_bytes: self.shared.waiting_bytes(),
            })
    }

    /// Waits until everything that was pushed before is durable, at most `max_wait`. Says whether it is.
    pub async fn flush(&self) -> bool {
        let target = self.shared.lock().accepted;
        self.shared.wake.notify_one();
        let mut written = self.shared.written.subscribe();
        let durable = written.wait_for(|written| *written >= target);
        matches!(
            tokio::time::timeout(self.shared.options.max_wait, durable).await,
            Ok(Ok(_))
        )
    }

    /// Writes what is left and stops the writer. Says whether everything is durable.
    pub async fn close(&self) -> bool {
        let flushed = self.flush().await;
        self.shared.lock().closed = true;
        self.shared.wake.notify_one();
        let writer = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(writer) = writer {
            if flushed {
                // It ends by itself: there is nothing left to write.
                drop(writer.await);
            } else {
                writer.abort();
            }
        }
        flushed
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Buffer> {
        // A panic elsewhere cannot leave the buffer half-changed: every change is one push to a queue.
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting_bytes(&self) -> usize {
        let accepted = self.lock().accepted;
        usize::try_from(accepted - *self.written.borrow()).unwrap_or(usize::MAX)
    }

    fn try_push(&self, path: &str, lines: &[u8]) -> Result<(), LogFull> {
        let mut buffer = self.lock();
        let waiting =
            usize::try_from(buffer.accepted - *self.written.borrow()).unwrap_or(usize::MAX);
        // One push may be larger than the whole buffer: it goes alone.
        if waiting > 0 && waiting + lines.len() > self.options.max_bytes {
            return Err(LogFull {
                waiting_bytes: waiting,
            });
        }
        match buffer.batches.back_mut() {
            Some((last, bytes)) if last == path => bytes.extend_from_slice(lines),
            _ => buffer.batches.push_back((path.to_owned(), lines.to_vec())),
        }
        buffer.accepted += lines.len() as u64;
        drop(buffer);
        if waiting + lines.len() >= self.options.flush_bytes {
            self.wake.notify_one();
        }
        Ok(())
    }

    async fn write_batches(self: Arc<Self>) {
        loop {
            // Either the interval is over or somebody asks for it.
            drop(tokio::time::timeout(self.options.interval, self.wake.notified()).await);
            let (batches, closed) = {
                let mut buffer = self.lock();
                (std::mem::take(&mut buffer.batches), buffer.closed)
            };
            for (path, bytes) in batches {
                self.write(&path, bytes.into()).await;
            }
            if closed && self.lock().batches.is_empty() {
                return;
            }
        }
    }

    /// Appends until storage takes it: the bound of the buffer is what limits a long outage.
    async fn write(&self, path: &str, bytes: bytes::Bytes) {
        let mut pause = Duration::from_millis(50);
        loop {
            match self
                .store
                .append(self.container, path, bytes.clone(), None)
                .await
            {
                Ok(_) => break,
                Err(error) => {
                    let waiting_bytes = self.waiting_bytes();
                    tracing::warn!(%error, waiting_bytes, log.path = path, "a log cannot be written yet; trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(5));
                }
            }
        }
        self.written
            .send_modify(|written| *written += bytes.len() as u64);
    }
}
