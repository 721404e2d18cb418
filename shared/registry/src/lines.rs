//! Blobs of lines, read piece by piece.

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use sluice_storage::ByteStream;

use crate::error::Result;

/// The lines of a blob, without their newlines. The memory used is that of one line and one piece.
pub(crate) struct Lines {
    stream: ByteStream,
    buffer: BytesMut,
    /// How much of the buffer was searched for a newline already.
    searched: usize,
    ended: bool,
    torn: bool,
}

impl Lines {
    pub(crate) fn new(stream: ByteStream) -> Self {
        Self {
            stream,
            buffer: BytesMut::new(),
            searched: 0,
            ended: false,
            torn: false,
        }
    }

    /// The next line; a rest without a newline counts as a line too.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some(at) = memchr(&self.buffer[self.searched..]) {
                let line = self.buffer.split_to(self.searched + at + 1).freeze();
                self.searched = 0;
                return Ok(Some(line.slice(..line.len() - 1)));
            }
            self.searched = self.buffer.len();
            if self.ended {
                if self.buffer.is_empty() {
                    return Ok(None);
                }
                self.torn = true;
                self.searched = 0;
                return Ok(Some(self.buffer.split().freeze()));
            }
            match self.stream.next().await {
                Some(piece) => self.buffer.extend_from_slice(&piece?),
                None => self.ended = true,
            }
        }
    }

    /// Whether the last line had no newline. Known once `next` gave `None`.
    pub(crate) const fn ended_torn(&self) -> bool {
        self.torn
    }
}

fn memchr(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n')
}
