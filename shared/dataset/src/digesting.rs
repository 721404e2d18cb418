//! Digests on the fly, of what is read and of what is written.

use std::io::{self, Read, Write};

use sha2::{Digest as _, Sha256};
use sluice_registry::Digest;

/// Passes bytes through, counts them and takes their SHA-256 digest.
#[derive(Debug)]
pub(crate) struct Digesting<T> {
    inner: T,
    hasher: Sha256,
    bytes: u64,
}

impl<T> Digesting<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self {
            inner,
            hasher: Sha256::new(),
            bytes: 0,
        }
    }

    /// What was wrapped, with the digest and the number of the bytes that went through.
    pub(crate) fn finish(self) -> (T, Digest, u64) {
        let digest = Digest::from_bytes(self.hasher.finalize().into());
        (self.inner, digest, self.bytes)
    }

    fn passed(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
    }
}

impl<R: Read> Digesting<R> {
    /// Reads what nobody wanted to read, so that the digest is that of the whole.
    pub(crate) fn drain(&mut self) -> io::Result<()> {
        io::copy(self, &mut io::sink()).map(drop)
    }
}

impl<R: Read> Read for Digesting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.passed(&buffer[..read]);
        Ok(read)
    }
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.passed(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_of_all_bytes_also_of_those_that_were_only_drained() {
        let bytes: Vec<u8> = (0..100_000u32).map(|i| i as u8).collect();
        let mut reader = Digesting::new(bytes.as_slice());
        reader.read_exact(&mut [0; 10]).unwrap();
        reader.drain().unwrap();
        let (_, digest, size) = reader.finish();
        assert_eq!((digest, size), (Digest::of(&bytes), 100_000));

        let mut writer = Digesting::new(Vec::new());
        writer.write_all(&bytes).unwrap();
        let (written, digest, size) = writer.finish();
        assert_eq!(
            (written, digest, size),
            (bytes.clone(), Digest::of(&bytes), 100_000)
        );
    }
}
