//! Which format an upload has: its first bytes say, its name only when they leave a doubt.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::refusal::{Refusal, UploadFault};

/// How rows are written in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A header, then one row on each line; fields with commas, quotes or line ends in quotes (RFC 4180). Semicolons
    /// and tabs between the fields are recognised by the header.
    Csv,
    /// One JSON object on each line.
    JsonLines,
    /// An Apache Parquet file.
    Parquet,
}

pub(crate) const UTF8_BOM: &[u8] = b"\xef\xbb\xbf";
pub(crate) const GZIP_MAGIC: &[u8] = b"\x1f\x8b";

/// Files that people upload by mistake, known by their first bytes.
const FOREIGN: [(&[u8], &str); 8] = [
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Office document"),
    (b"%PDF", "a PDF document"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"ARROW1", "an Arrow IPC file"),
];

/// The format of a file that begins with `head` (unpacked) and is called `name`.
pub(crate) fn detect(head: &[u8], name: &str) -> Result<Format, Refusal> {
    if head.starts_with(b"PAR1") {
        return Ok(Format::Parquet);
    }
    if head.starts_with(b"PARE") {
        return Err(Refusal::new(
            UploadFault::Encrypted,
            "the Parquet file is encrypted: upload it without encryption",
        ));
    }
    if let Some((_, kind)) = FOREIGN.iter().find(|(magic, _)| head.starts_with(magic)) {
        let detail =
            format!("the file is {kind}: upload CSV, JSON lines or Parquet, plain or gzip");
        return Err(Refusal::new(UploadFault::Binary, detail));
    }
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return Err(Refusal::new(
            UploadFault::WrongEncoding,
            "the file is UTF-16: save it as UTF-8",
        ));
    }
    if let Some(at) = memchr::memchr(0, head) {
        let detail = format!(
            "the file has a NUL byte at offset {at}, so it is no text: upload CSV, JSON lines or Parquet"
        );
        return Err(Refusal::new(UploadFault::Binary, detail));
    }
    text_format(head.strip_prefix(UTF8_BOM).unwrap_or(head), name)
}

fn text_format(head: &[u8], name: &str) -> Result<Format, Refusal> {
    let text = head.trim_ascii_start();
    match text.first() {
        Some(b'{') if !is_named_csv(name) || starts_with_object(text) => Ok(Format::JsonLines),
        Some(b'[') if text[1..].trim_ascii_start().starts_with(b"{") => Err(Refusal::new(
            UploadFault::NotJsonLines,
            "the file is a JSON array: write one object on each line, without brackets and commas around them",
        )),
        _ => Ok(Format::Csv),
    }
}

fn is_named_csv(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.ends_with(".csv") || name.ends_with(".tsv")
}

fn starts_with_object(text: &[u8]) -> bool {
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or(text);
    serde_json::from_slice::<IgnoredAny>(line).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(head: &[u8]) -> UploadFault {
        detect(head, "rows.csv").unwrap_err().reason
    }

    #[test]
    fn the_content_decides() {
        for (head, name, format) in [
            (&b"PAR1\0\0"[..], "rows.csv", Format::Parquet),
            (b"{\"text\": 1}\n", "rows.csv", Format::JsonLines),
            (b" \n{\"text\": 1}\n", "rows", Format::JsonLines),
            (b"\xef\xbb\xbf{\"text\": 1}", "rows", Format::JsonLines),
            (b"text,label\n", "rows.jsonl", Format::Csv),
            (b"", "rows.jsonl", Format::Csv),
        ] {
            assert_eq!(detect(head, name), Ok(format), "{head:?}");
        }
    }

    #[test]
    fn the_name_decides_when_the_content_does_not() {
        assert_eq!(detect(b"{id},text\n", "ROWS.CSV.gz"), Ok(Format::Csv));
        assert_eq!(detect(b"{id},text\n", "rows.jsonl"), Ok(Format::JsonLines));
    }

    #[test]
    fn what_is_no_table_is_named() {
        assert_eq!(fault(b"PK\x03\x04 xl/workbook.xml"), UploadFault::Binary);
        assert_eq!(fault(b"text,label\n\0"), UploadFault::Binary);
        assert_eq!(fault(b"\xff\xfet\0e\0"), UploadFault::WrongEncoding);
        assert_eq!(fault(b"[\n {\"text\": 1}]"), UploadFault::NotJsonLines);
        assert_eq!(fault(b"PARE"), UploadFault::Encrypted);
    }
}
