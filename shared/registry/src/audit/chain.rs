//! Checking one stream, line by line.

use crate::Digest;
use crate::audit::line::expected_hash;
use crate::audit::stream::LINES_PER_SEGMENT;
use crate::audit::{
    AuditEvent, AuditLine, BrokenLine, Damage, RecordedEvent, StreamHead, StreamReport,
};
use crate::paths::DocumentPath;

/// One stream while it is checked.
pub(super) struct Chain {
    stream: String,
    /// The hashes of the good lines so far.
    hashes: Vec<Digest>,
    lines: u64,
    blob: String,
    line_in_blob: u64,
    broken: Option<BrokenLine>,
    /// What this stream saw of the others.
    pub(super) witnessed: Vec<(String, StreamHead)>,
}

impl Chain {
    pub(super) fn new(stream: &str) -> Self {
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

    pub(super) fn start_segment(&mut self, blob: &str) {
        self.blob = blob.to_owned();
        self.line_in_blob = 0;
    }

    pub(super) fn check(&mut self, bytes: &[u8]) {
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

    /// Whether somebody saw more of this stream than was read, and nothing else is wrong with it.
    pub(super) fn is_behind(&self, seen: &StreamHead) -> bool {
        self.broken.is_none() && seen.seq > self.hashes.len() as u64
    }

    /// Compares with what somebody saw of this stream. Damage inside the chain was found already and comes first.
    pub(super) fn compare(&mut self, witness: &str, seen: &StreamHead) {
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

    pub(super) fn report(self) -> StreamReport {
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
