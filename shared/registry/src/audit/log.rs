//! All streams together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::TryStreamExt as _;
use jiff::Timestamp;
use sluice_storage::{Container, Store};

use crate::audit::chain::Chain;
use crate::audit::{AuditLine, StreamHead, VerifyReport};
use crate::error::Result;
use crate::lines::Lines;
use crate::paths::DocumentPath;

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
    /// the caller knows from before. Writers may go on meanwhile.
    ///
    /// # Errors
    /// `Storage`. Damage is no error: it is in the report.
    pub async fn verify(&self, known: &[StreamHead]) -> Result<VerifyReport> {
        let mut chains: BTreeMap<String, Chain> = BTreeMap::new();
        for segment in segments(&*self.store, "").await? {
            let chain = chains
                .entry(segment.writer.clone())
                .or_insert_with(|| Chain::new(&segment.writer));
            self.check_segment(chain, &segment).await?;
        }
        let given = known.iter().map(|head| ("given".to_owned(), head.clone()));
        let witnessed: Vec<(String, StreamHead)> = chains
            .values_mut()
            .flat_map(|chain| std::mem::take(&mut chain.witnessed))
            .chain(given)
            .collect();
        // A witness that was read later may have seen lines that were written after the stream itself was read.
        let behind: BTreeSet<&str> = witnessed
            .iter()
            .filter(|(_, head)| {
                let chain = chains.get(&head.stream);
                chain.is_none_or(|chain| chain.is_behind(head))
            })
            .map(|(_, head)| head.stream.as_str())
            .collect();
        for stream in behind {
            chains.insert(stream.to_owned(), self.check_stream(stream).await?);
        }
        for (witness, head) in witnessed {
            if let Some(chain) = chains.get_mut(&head.stream) {
                chain.compare(&witness, &head);
            }
        }
        Ok(VerifyReport {
            streams: chains.into_values().map(Chain::report).collect(),
        })
    }

    async fn check_stream(&self, stream: &str) -> Result<Chain> {
        let mut chain = Chain::new(stream);
        for segment in segments(&*self.store, stream).await? {
            self.check_segment(&mut chain, &segment).await?;
        }
        Ok(chain)
    }

    async fn check_segment(&self, chain: &mut Chain, segment: &Segment) -> Result<()> {
        chain.start_segment(&segment.name);
        let (_, stream) = self
            .store
            .read_stream(Container::Audit, &segment.name)
            .await?;
        let mut lines = Lines::new(stream);
        while let Some(line) = lines.next().await? {
            chain.check(&line);
        }
        Ok(())
    }
}
