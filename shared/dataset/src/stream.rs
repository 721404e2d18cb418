//! The bridge from a store's asynchronous stream to the synchronous readers of this crate.

use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use futures::StreamExt as _;
use sluice_storage::ByteStream;
use tokio::sync::mpsc;

/// How many pieces are read ahead.
const PIECES_AHEAD: usize = 4;

/// Reads a [`ByteStream`] from a blocking thread, a few pieces ahead.
#[derive(Debug)]
pub struct StreamReader {
    pieces: mpsc::Receiver<io::Result<Piece>>,
    piece: Bytes,
    ended: bool,
}

#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    /// The stream came to its end. A channel that only closes says that it did not.
    End,
}

impl StreamReader {
    /// Starts to read on the current runtime. Dropping the reader ends it.
    ///
    /// The reader itself is for `spawn_blocking`: reading from it on an async thread panics.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn spawn(mut stream: ByteStream) -> Self {
        let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
        tokio::spawn(async move {
            while let Some(piece) = stream.next().await {
                let piece = piece.map(Piece::Bytes).map_err(io::Error::other);
                let failed = piece.is_err();
                if sender.send(piece).await.is_err() || failed {
                    return;
                }
            }
            // Nobody listens any more when the reader was dropped.
            let _ = sender.send(Ok(Piece::End)).await;
        });
        Self {
            pieces,
            piece: Bytes::new(),
            ended: false,
        }
    }
}

impl Read for StreamReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() && !self.ended {
            match self.pieces.blocking_recv() {
                Some(Ok(Piece::Bytes(piece))) => self.piece = piece,
                Some(Ok(Piece::End)) => self.ended = true,
                Some(Err(error)) => return Err(error),
                None => {
                    return Err(io::Error::new(
                        io::ErrorKind::BrokenPipe,
                        "the stream stopped before its end",
                    ));
                }
            }
        }
        let read = self.piece.len().min(buffer.len());
        self.piece.copy_to_slice(&mut buffer[..read]);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use sluice_storage::{Container, StorageError};

    use super::*;

    fn read_all(pieces: Vec<sluice_storage::Result<Bytes>>) -> (Vec<u8>, io::Result<usize>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut reader = StreamReader::spawn(stream::iter(pieces).boxed());
            let read = tokio::task::spawn_blocking(move || {
                let mut bytes = Vec::new();
                let result = reader.read_to_end(&mut bytes);
                (bytes, result)
            });
            read.await.unwrap()
        })
    }

    #[test]
    fn the_pieces_come_in_order_also_when_some_are_empty() {
        let pieces = (0..100u8)
            .flat_map(|i| [Ok(Bytes::new()), Ok(Bytes::from(vec![i; 3]))])
            .collect();
        let (bytes, result) = read_all(pieces);
        assert_eq!(result.unwrap(), 300);
        assert_eq!(bytes, (0..100u8).flat_map(|i| [i; 3]).collect::<Vec<_>>());
    }

    #[test]
    fn a_failing_stream_is_an_error_and_not_an_end() {
        let failure = StorageError::NotFound {
            container: Container::Incoming,
            name: "a".to_owned(),
        };
        let (bytes, result) = read_all(vec![Ok(Bytes::from_static(b"abc")), Err(failure)]);
        assert_eq!(bytes, b"abc");
        assert!(result.unwrap_err().to_string().contains("does not exist"));
    }

    #[test]
    fn a_stream_that_is_dropped_is_an_error_and_not_an_end() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let mut reader = runtime.block_on(async { StreamReader::spawn(stream::pending().boxed()) });
        drop(runtime);
        assert_eq!(
            reader.read(&mut [0; 8]).unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
    }
}
