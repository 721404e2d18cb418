//! Reading all streams, and proving them.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::TryStreamExt as _;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sluice_storage::{Container, Store};

use crate::Digest;
use crate::audit::line::expected_hash;
use crate::audit::stream::LINES_PER_SEGMENT;
use crate::audit::{AuditEvent, AuditLine, RecordedEvent};
use crate::error::Result;
use crate::lines::Lines;
use crate::paths::DocumentPath;

/// The end of a stream: how many lines it has and the hash of the last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamHead {
    /// The stream's name.
    pub stream: String,
    /// Lines in it.
    pub seq: u64,
    /// The hash of the last line, `None` for an empty stream.
    pub hash: Option<Digest>,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "damage", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Damage {
    /// It is not a line of an audit stream.
    Unreadable {
        /// Where reading stopped.
        detail: String,
    },
    /// Its hash is not the hash of its bytes.
    Edited,
    /// Lines before it were removed.
    Missing {
        /// The first one that is not there.
        first: u64,
        /// The last one that is not there.
        last: u64,
    },
    /// It stands where another line, which comes later, should stand.
    Reordered {
        /// The line's own number.
        seq: u64,
    },
    /// Its number was there before.
    Repeated {
        /// The line's own number.
        seq: u64,
    },
    /// Itself intact, but the line before it is not the one that it was written after.
    Relinked,
    /// It belongs to another stream.
    Foreign {
        /// The stream that it names.
        writer: String,
    },
    /// Lines at the end, from this one on, are gone: the head was further already.
    Truncated {
        /// How many lines there were.
        known: u64,
        /// Who saw them: a stream, or `given` for a head that the caller knew.
        witness: String,
    },
    /// The line is another one than the witness saw: the stream was written anew from here or before.
    Rewritten {
        /// Who saw it.
        witness: String,
    },
}

/// The first broken line of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenLine {
    /// The blob in the audit container.
    pub blob: String,
    /// The line in that blob, from 1.
    pub line: u64,
    /// What is wrong.
    #[serde(flatten)]
    pub damage: Damage,
}

/// One stream, checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamReport {
    /// Lines read.
    pub lines: u64,
    /// The end of the part that is proven.
    #[serde(flatten)]
    pub head: StreamHead,
    /// The first broken line, `None` when the whole chain holds.
    pub broken: Option<BrokenLine>,
}

/// All streams, checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyReport {
    /// By name.
    pub streams: Vec<StreamReport>,
}

impl VerifyReport {
    /// Whether every chain holds.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.first_broken().is_none()
    }

    /// Lines in all streams.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.streams.iter().map(|stream| stream.lines).sum()
    }

    /// The ends of all streams: keep them elsewhere and give them to the next [`AuditLog::verify`].
    #[must_use]
    pub fn heads(&self) -> Vec<StreamHead> {
        self.streams
            .iter()
            .map(|stream| stream.head.clone())
            .collect()
    }

    /// The first stream with a broken line, and that line.
    #[must_use]
    pub fn first_broken(&self) -> Option<(&str, &BrokenLine)> {
        self.streams
            .iter()
            .find_map(|stream| Some((stream.head.stream.as_str(), stream.broken.as_ref()?)))
    }
}

/// All streams together. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AuditLog {
    store: Arc<dyn Store>,
}

/// One blob of a stream.
pub(super) struct Segment {
    pub(super) writer: String,
    pub(super) number: u64,
    pub(super) name: String,
    modified: Timestamp,
}

/// The segments of one writer, or of all for "", by writer and number.
pub(super) async fn segments(store: &dyn Store, writer: &str) -> Result<Vec<Segment>> {
    let prefix = if writer.is_empty() {
        String::new()
    } else {
        format!("{writer}/")
    };
    let mut segments = Vec::new();
    let mut list = store.list(Container::Audit, &prefix).await?;
    while let Some(info) = list.try_next().await? {
        if let Some(DocumentPath::AuditSegment { writer, segment }) =
            DocumentPath::parse(Container::Audit, &info.name)
        {
            segments.push(Segment {
                writer,
                number: segment,
                name: info.name,
                modified: info.modified,
            });
        }
    }
    segments.sort_by(|a, b| (&a.writer, a.number).cmp(&(&b.writer, b.number)));
    Ok(segments)
}

impl AuditLog {
    /// Reads from `store`.
    #[must_use]
    pub const fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Shows every readable line to `visit`, stream by stream, each in order. With `since`, segments that were last
    /// written before are left out. Checks nothing: see [`AuditLog::verify`].
    ///
    /// # Errors
    /// `Storage`.
    pub async fn scan(
        &self,
        since: Option<Timestamp>,
        mut visit: impl FnMut(AuditLine) + Send,
    ) -> Result<()> {
        for segment in segments(&*self.store, "").await? {
            if since.is_some_and(|since| segment.modified < since) {
                continue;
            }
            let (_, stream) = self
                .store
                .read_stream(Container::Audit, &segment.name)
                .await?;
            let mut lines = Lines::new(stream);
            while let Some(line) = lines.next().await? {
                if let Ok(line) = AuditLine::parse(&line) {
                    visit(line);
                }
            }
        }
        Ok(())
    }

    /// The end of every stream, as the last readable line says. Reads only the last segment of each.
    ///
    /// # Errors
    /// `Storage`.
    pub async fn heads(&self) -> Result<Vec<StreamHead>> {
        let mut newest: BTreeMap<String, Segment> = BTreeMap::new();
        for segment in segments(&*self.store, "").await? {
            newest.insert(segment.writer.clone(), segment);
        }
        let mut heads = Vec::new();
        for (stream, segment) in newest {
            let (_, bytes) = self
                .store
                .read_stream(Container::Audit, &segment.name)
                .await?;
            let mut lines = Lines::new(bytes);
            let mut head = StreamHead {
                stream,
                seq: 0,
                hash: None,
            };
            while let Some(line) = lines.next().await? {
                if let Ok(line) = AuditLine::parse(&line) {
                    (head.seq, head.hash) = (line.seq, Some(line.hash));
                }
            }
            heads.push(head);
        }
        Ok(heads)
    }

    /// Checks every line of every stream, against each other and against the heads that streams saw of each other and
    /// the caller knows from before.
    ///
    /// # Errors
    /// `Storage`. Damage is no error: it is in the report.
    pub async fn verify(&self, known: &[StreamHead]) -> Result<VerifyReport> {
        let mut chains: BTreeMap<String, Chain> = BTreeMap::new();
        for segment in segments(&*self.store, "").await? {
            let chain = chains
                .entry(segment.writer.clone())
                .or_insert_with(|| Chain::new(&segment.writer));
            chain.start_segment(&segment);
            let (_, stream) = self
                .store
                .read_stream(Container::Audit, &segment.name)
                .await?;
            let mut lines = Lines::new(stream);
            while let Some(line) = lines.next().await? {
                chain.check(&line);
            }
        }
        let given = known.iter().map(|head| ("given".to_owned(), head.clone()));
        let witnessed: Vec<(String, StreamHead)> = chains
            .values_mut()
            .flat_map(|chain| std::mem::take(&mut chain.witnessed))
            .chain(given)
            .collect();
        for (witness, head) in witnessed {
            chains
                .entry(head.stream.clone())
                .or_insert_with(|| Chain::new(&head.stream))
                .compare(&witness, &head);
        }
        Ok(VerifyReport {
            streams: chains.into_values().map(Chain::report).collect(),
        })
    }
}

/// One stream while it is checked.
struct Chain {
    stream: String,
    /// The hashes of the good lines so far.
    hashes: Vec<Digest>,
    lines: u64,
    blob: String,
    line_in_blob: u64,
    broken: Option<BrokenLine>,
    witnessed: Vec<(String, StreamHead)>,
}

impl Chain {
    fn new(stream: &str) -> Self {
        Self {
            stream: stream.to_owned(),
            hashes: Vec::new(),
            lines: 0,
            blob: segment_name(stream, 0),
            line_in_blob: 0,
            broken: None,
            witnessed: Vec::new(),
        }
    }

    fn start_segment(&mut self, segment: &Segment) {
        self.blob.clone_from(&segment.name);
        self.line_in_blob = 0;
    }

    fn check(&mut self, bytes: &[u8]) {
        self.lines += 1;
        self.line_in_blob += 1;
        let line = AuditLine::parse(bytes);
        let intact = line
            .as_ref()
            .is_ok_and(|line| expected_hash(bytes) == Some(line.hash));
        if let (Ok(line), true) = (&line, intact)
            && let RecordedEvent::Known(AuditEvent::HeadsWitnessed { heads }) = &line.event
        {
            self.witnessed
                .extend(heads.iter().map(|head| (self.stream.clone(), head.clone())));
        }
        let expected = self.hashes.len() as u64 + 1;
        if let Some(broken) = &mut self.broken {
            // A gap whose first line turns up later is no gap: the lines change places.
            if let (Damage::Missing { first, last }, Ok(line), true) =
                (&broken.damage, &line, intact)
                && line.seq == *first
            {
                broken.damage = Damage::Reordered { seq: *last + 1 };
            }
            return;
        }
        let damage = match line {
            Err(error) => Damage::Unreadable {
                detail: error.to_string(),
            },
            Ok(_) if !intact => Damage::Edited,
            Ok(line) if line.writer != self.stream => Damage::Foreign {
                writer: line.writer,
            },
            Ok(line) if line.seq > expected => Damage::Missing {
                first: expected,
                last: line.seq - 1,
            },
            Ok(line) if line.seq < expected => Damage::Repeated { seq: line.seq },
            Ok(line) if line.prev != self.hashes.last().copied() => Damage::Relinked,
            Ok(line) => {
                self.hashes.push(line.hash);
                return;
            }
        };
        self.broken = Some(BrokenLine {
            blob: self.blob.clone(),
            line: self.line_in_blob,
            damage,
        });
    }

    /// Compares with what somebody saw of this stream. Damage inside the chain was found already and comes first.
    fn compare(&mut self, witness: &str, seen: &StreamHead) {
        let (Some(hash), 1..) = (seen.hash, seen.seq) else {
            return;
        };
        let proven = self.hashes.len() as u64;
        let damage = if seen.seq > proven {
            if self
                .broken
                .as_ref()
                .is_some_and(|broken| !matches!(broken.damage, Damage::Truncated { .. }))
            {
                return;
            }
            Damage::Truncated {
                known: seen.seq,
                witness: witness.to_owned(),
            }
        } else if self.hashes.get(seen.seq as usize - 1) != Some(&hash) {
            Damage::Rewritten {
                witness: witness.to_owned(),
            }
        } else {
            return;
        };
        let seq = if matches!(damage, Damage::Truncated { .. }) {
            proven + 1
        } else {
            seen.seq
        };
        let broken = BrokenLine {
            blob: segment_name(&self.stream, (seq - 1) / LINES_PER_SEGMENT),
            line: (seq - 1) % LINES_PER_SEGMENT + 1,
            damage,
        };
        let place = |broken: &BrokenLine| (broken.blob.clone(), broken.line);
        if self
            .broken
            .as_ref()
            .is_none_or(|first| place(&broken) < place(first) || further(first, &broken))
        {
            self.broken = Some(broken);
        }
    }

    fn report(self) -> StreamReport {
        let head = StreamHead {
            stream: self.stream,
            seq: self.hashes.len() as u64,
            hash: self.hashes.last().copied(),
        };
        StreamReport {
            lines: self.lines,
            head,
            broken: self.broken,
        }
    }
}

/// Whether the second witness of a cut saw more lines than the first.
fn further(first: &BrokenLine, second: &BrokenLine) -> bool {
    matches!((&first.damage, &second.damage), (Damage::Truncated { known: a, .. }, Damage::Truncated { known: b, .. }) if b > a)
}

fn segment_name(stream: &str, segment: u64) -> String {
    DocumentPath::AuditSegment {
        writer: stream.to_owned(),
        segment,
    }
    .to_string()
}
