//! Appending to one stream.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use jiff::Timestamp;
use sluice_storage::{Container, StorageError, Store};
use tokio::sync::Mutex;

use crate::audit::line::{Entry, Unhashed, expected_hash};
use crate::audit::log::segments;
use crate::audit::{AuditEvent, AuditLine, StreamHead};
use crate::document::found;
use crate::error::Result;
use crate::lines::Lines;
use crate::paths::DocumentPath;
use crate::{Digest, RegistryError, names};

/// Lines in one segment. Azure bounds an append blob at 50,000 appends, and a writer reads its last segment once.
pub(super) const LINES_PER_SEGMENT: u64 = 1_000;

/// How often an append is tried again because another process with the same name was first.
const ATTEMPTS: usize = 100;

/// A writer's own stream. Cheap to clone; clones share what they know of the end.
///
/// Safe with several processes of the same name: every append says where the stream must end, and whoever is second
/// reads the new end and chains onto it.
#[derive(Clone, Debug)]
pub struct AuditStream {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Arc<dyn Store>,
    writer: String,
    /// With the counter, different in every line that any process writes.
    nonce: u64,
    lines: AtomicU64,
    tail: Mutex<Option<Tail>>,
}

/// The end of a stream.
#[derive(Clone, Debug)]
struct Tail {
    seq: u64,
    hash: Option<Digest>,
    segment: u64,
    /// The segment's length in bytes.
    size: u64,
    /// Whether a line of somebody else's making ends the segment without a newline.
    torn: bool,
}

impl AuditStream {
    /// The stream of `writer`. Reads nothing yet.
    ///
    /// # Errors
    /// `InvalidName`.
    pub fn open(store: Arc<dyn Store>, writer: &str) -> Result<Self> {
        names::check_writer_name(writer)?;
        let inner = Inner {
            store,
            writer: writer.to_owned(),
            nonce: RandomState::new().hash_one(writer),
            lines: AtomicU64::new(0),
            tail: Mutex::new(None),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The stream's name.
    #[must_use]
    pub fn writer(&self) -> &str {
        &self.inner.writer
    }

    /// Appends one event and returns the new end of the stream. The line is durable when this returns.
    ///
    /// # Errors
    /// `Storage`. The line may have been written when the answer was lost; it is never written twice by one call.
    pub async fn append(&self, at: Timestamp, event: AuditEvent) -> Result<StreamHead> {
        self.write(
            at,
            &Entry {
                event,
                document: None,
                repaired: false,
            },
        )
        .await
    }

    pub(crate) async fn write(&self, at: Timestamp, entry: &Entry) -> Result<StreamHead> {
        let inner = &*self.inner;
        let nonce = format!(
            "{:016x}-{:x}",
            inner.nonce,
            inner.lines.fetch_add(1, Ordering::Relaxed)
        );
        let mut known = inner.tail.lock().await;
        let mut last = None;
        for _ in 0..ATTEMPTS {
            // Taken, so that a call that is dropped halfway leaves "unknown" behind, not a wrong end.
            let tail = match known.take() {
                Some(tail) => tail,
                None => inner.read_tail().await?,
            };
            let (tail_after, line) = inner.next_line(&tail, at, &nonce, entry)?;
            let at_size = if tail_after.segment == tail.segment {
                tail.size
            } else {
                0
            };
            let path = inner.segment_path(tail_after.segment);
            match inner
                .store
                .append(Container::Audit, &path, line.clone(), Some(at_size))
                .await
            {
                Ok(_) => {
                    let head = tail_after.head(&inner.writer);
                    *known = Some(tail_after);
                    return Ok(head);
                }
                Err(error) => {
                    let conflict = matches!(error, StorageError::Conflict { .. });
                    // The answer to an append may be lost while the line is there: then the work is done.
                    if let Ok(true) = inner.is_at(&path, at_size, &line).await {
                        return Ok(tail_after.head(&inner.writer));
                    }
                    if !conflict {
                        return Err(error.into());
                    }
                    last = Some(error);
                }
            }
        }
        Err(last.map_or_else(
            || RegistryError::LostRace {
                what: format!("audit stream {}", inner.writer),
            },
            Into::into,
        ))
    }
}

impl Inner {
    fn segment_path(&self, segment: u64) -> String {
        DocumentPath::AuditSegment {
            writer: self.writer.clone(),
            segment,
        }
        .to_string()
    }

    fn next_line(
        &self,
        tail: &Tail,
        at: Timestamp,
        nonce: &str,
        entry: &Entry,
    ) -> Result<(Tail, Bytes)> {
        let seq = tail.seq + 1;
        let segment = (seq - 1) / LINES_PER_SEGMENT;
        let unhashed = Unhashed {
            seq,
            at,
            writer: &self.writer,
            nonce,
            event: &entry.event,
            document: entry.document.as_ref(),
            repaired: entry.repaired,
            prev: tail.hash,
        };
        let (mut line, hash) = unhashed.seal().map_err(|error| {
            RegistryError::inconsistent(
                "an audit line",
                format!("it cannot be written as JSON: {error}"),
            )
        })?;
        let same_segment = segment == tail.segment;
        if same_segment && tail.torn {
            line.insert(0, b'\n');
        }
        let size = if same_segment { tail.size } else { 0 } + line.len() as u64;
        Ok((
            Tail {
                seq,
                hash: Some(hash),
                segment,
                size,
                torn: false,
            },
            line.into(),
        ))
    }

    /// Whether exactly `line` is at `offset`: the nonce in it makes it this call's own.
    async fn is_at(&self, path: &str, offset: u64, line: &Bytes) -> Result<bool> {
        let range = offset..offset + line.len() as u64;
        Ok(
            found(self.store.read_range(Container::Audit, path, range).await)?
                .is_some_and(|bytes| bytes == *line),
        )
    }

    /// Reads the end of the stream. Damage does not stop the loop: the chain goes on from the last line whose hash is
    /// right, and `verify` names what is broken.
    async fn read_tail(&self) -> Result<Tail> {
        let mut tail = Tail {
            seq: 0,
            hash: None,
            segment: 0,
            size: 0,
            torn: false,
        };
        let Some(segment) = segments(&*self.store, &self.writer).await?.pop() else {
            return Ok(tail);
        };
        let (info, stream) = self
            .store
            .read_stream(Container::Audit, &segment.name)
            .await?;
        let segment = segment.number;
        // A segment without one good line: its number still says how many lines came before.
        tail.seq = segment * LINES_PER_SEGMENT;
        (tail.segment, tail.size) = (segment, info.size_bytes);
        let mut lines = Lines::new(stream);
        while let Some(line) = lines.next().await? {
            let good = AuditLine::parse(&line)
                .ok()
                .filter(|parsed| expected_hash(&line) == Some(parsed.hash));
            if let Some(good) = good {
                (tail.seq, tail.hash) = (good.seq, Some(good.hash));
            }
        }
        tail.torn = lines.ended_torn();
        // A damaged file can claim any number; the next line stays in the newest segment or goes to the next.
        tail.seq = tail.seq.clamp(
            segment * LINES_PER_SEGMENT,
            (segment + 1) * LINES_PER_SEGMENT,
        );
        Ok(tail)
    }
}

impl Tail {
    fn head(&self, stream: &str) -> StreamHead {
        StreamHead {
            stream: stream.to_owned(),
            seq: self.seq,
            hash: self.hash,
        }
    }
}
