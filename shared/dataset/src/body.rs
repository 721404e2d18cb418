//! The bytes of an upload, unpacked: finds gzip, holds its limits, tells a damaged upload from a failing read.

use std::fmt;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

use crate::checks::Checks;
use crate::error::DatasetError;
use crate::format::{self, Format, GZIP_MAGIC, UTF8_BOM};
use crate::refusal::{Refusal, UploadFault};

/// How much of the beginning is looked at to know the format.
const HEAD_BYTES: u64 = 64 << 10;
const BUFFER_BYTES: usize = 256 << 10;
/// Below this size the ratio of a gzip file says nothing: a bomb this small is harmless.
const RATIO_FLOOR_BYTES: u64 = 1 << 20;

/// Why reading an upload ended before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Nothing of it can be taken.
    Refused(Refusal),
    /// The upload may be fine.
    Failed(DatasetError),
}

impl Stop {
    pub(crate) fn refused(reason: UploadFault, detail: impl Into<String>) -> Self {
        Self::Refused(Refusal::new(reason, detail))
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<DatasetError> for Stop {
    fn from(error: DatasetError) -> Self {
        Self::Failed(error)
    }
}

/// An error from a [`Body`]'s reader: either the refusal that [`Gunzip`] put into it, or a failing read.
impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        match error.downcast::<Refusal>() {
            Ok(refusal) => Self::Refused(refusal),
            Err(error) => Self::Failed(DatasetError::Input(error)),
        }
    }
}

/// An upload, unpacked, from its first byte (without the UTF-8 byte order mark).
pub(crate) struct Body<'a> {
    pub(crate) format: Format,
    pub(crate) gzip: bool,
    /// The first bytes, which `reader` gives once more.
    pub(crate) head: Vec<u8>,
    pub(crate) reader: Box<dyn BufRead + 'a>,
}

impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("format", &self.format)
            .field("gzip", &self.gzip)
            .finish_non_exhaustive()
    }
}

impl<'a> Body<'a> {
    /// Looks at the beginning of `input` and unpacks it as far as that needs.
    pub(crate) fn open(input: impl Read + 'a, name: &str, checks: &Checks) -> Result<Self, Stop> {
        let mut input = Counted::new(input);
        let head = read_head(&mut input)?;
        if !head.starts_with(GZIP_MAGIC) {
            return Self::with_head(head, input, name, false);
        }
        let mut unpacked = Gunzip::new(Cursor::new(head).chain(input), checks);
        let head = read_head(&mut unpacked)?;
        if head.starts_with(GZIP_MAGIC) {
            return Err(Stop::refused(
                UploadFault::NestedGzip,
                "the gzip file holds another gzip file: pack it once",
            ));
        }
        Self::with_head(head, unpacked, name, true)
    }

    fn with_head(
        mut head: Vec<u8>,
        rest: impl Read + 'a,
        name: &str,
        gzip: bool,
    ) -> Result<Self, Stop> {
        if head.trim_ascii().is_empty() && (head.len() as u64) < HEAD_BYTES {
            return Err(Stop::refused(UploadFault::Empty, "the file is empty"));
        }
        let format = format::detect(&head, name)?;
        if head.starts_with(UTF8_BOM) {
            head.drain(..UTF8_BOM.len());
        }
        let reader = BufReader::with_capacity(BUFFER_BYTES, Cursor::new(head.clone()).chain(rest));
        Ok(Self {
            format,
            gzip,
            head,
            reader: Box::new(reader),
        })
    }
}

fn read_head(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    reader.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(head)
}

/// Counts the bytes that were read and remembers whether a read failed.
struct Counted<R> {
    inner: R,
    bytes: u64,
    failed: bool,
}

impl<R> Counted<R> {
    fn new(inner: R) -> Self {
        Self {
            inner,
            bytes: 0,
            failed: false,
        }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.inner.read(buffer) {
                Ok(read) => {
                    self.bytes += read as u64;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failed = true;
                    return Err(error);
                }
            }
        }
    }
}

type Packed<R> = BufReader<Chain<Cursor<Vec<u8>>, Counted<R>>>;

/// Unpacks gzip. What is wrong with the data is a [`Refusal`] inside the `io::Error`; other errors are failing reads.
struct Gunzip<R> {
    decoder: MultiGzDecoder<Packed<R>>,
    unpacked: u64,
    max_bytes: u64,
    max_ratio: u64,
}

impl<R: Read> Gunzip<R> {
    fn new(input: Chain<Cursor<Vec<u8>>, Counted<R>>, checks: &Checks) -> Self {
        Self {
            decoder: MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, input)),
            unpacked: 0,
            max_bytes: checks.max_decompressed_bytes,
            max_ratio: checks.max_gzip_ratio,
        }
    }

    fn input(&self) -> &Counted<R> {
        self.decoder.get_ref().get_ref().get_ref().1
    }

    fn damaged(&self, error: &io::Error) -> Refusal {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            let detail = format!(
                "the gzip file ends too early, after {} bytes: upload it again",
                self.input().bytes
            );
            return Refusal::new(UploadFault::TruncatedGzip, detail);
        }
        Refusal::new(
            UploadFault::CorruptGzip,
            format!("the gzip file is damaged ({error}): pack and upload it again"),
        )
    }

    fn check_limits(&self) -> Result<(), Refusal> {
        if self.unpacked > self.max_bytes {
            let detail = format!(
                "the gzip file unpacks to more than {} bytes: upload it in pieces",
                self.max_bytes
            );
            return Err(Refusal::new(UploadFault::GzipBomb, detail));
        }
        let allowed = self
            .input()
            .bytes
            .saturating_mul(self.max_ratio)
            .max(RATIO_FLOOR_BYTES);
        if self.unpacked > allowed {
            let detail = format!(
                "the gzip file unpacks to more than {} times its size: no table of rows does",
                self.max_ratio
            );
            return Err(Refusal::new(UploadFault::GzipBomb, detail));
        }
        Ok(())
    }
}

impl<R: Read> Read for Gunzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.decoder.read(buffer) {
            Ok(read) => {
                self.unpacked += read as u64;
                self.check_limits().map_err(io::Error::other)?;
                Ok(read)
            }
            Err(error) if self.input().failed => Err(error),
            Err(error) => Err(io::Error::other(self.damaged(&error))),
        }
    }
}
