//! The envelope of a blob trigger: the whole blob as base64, its address and properties.

use std::io::{self, Read};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{Metadata, envelope, timer};

/// What stays as it is in the path of a blob's address.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// Bytes read in one go; a multiple of 3, so that pieces of base64 can be joined.
const PIECE: usize = 3 * 256 * 1024;

/// A blob as far as the envelope tells of it.
#[derive(Clone, Debug)]
pub(crate) struct BlobFacts {
    pub(crate) container: String,
    pub(crate) name: String,
    pub(crate) size_bytes: u64,
    pub(crate) modified: Timestamp,
    /// From the path pattern.
    pub(crate) parameters: Vec<(String, String)>,
}

impl BlobFacts {
    /// The address, in the form of a storage account, percent-encoded.
    fn uri(&self) -> String {
        format!(
            "https://local.blob.core.windows.net/{}/{}",
            self.container,
            utf8_percent_encode(&self.name, PATH)
        )
    }

    /// `ETag` and `ContentHash` are as a handler sees them: the first is unusable, the second absent for blobs written in
    /// blocks. Members that no handler can use for a fresh blob are left out.
    fn properties(&self) -> Value {
        let modified = timer::date(Some(self.modified));
        json!({
            "LastModified": modified,
            "CreatedOn": modified,
            "Metadata": {},
            "BlobType": 0,
            "CopyId": null,
            "CopySource": null,
            "LeaseDuration": 0,
            "LeaseState": 0,
            "LeaseStatus": 1,
            "ContentLength": self.size_bytes,
            "ContentType": "application/octet-stream",
            "ETag": {},
            "ContentHash": null,
            "ContentEncoding": null,
            "ContentDisposition": null,
            "ContentLanguage": null,
            "CacheControl": null,
            "BlobSequenceNumber": 0,
            "AcceptRanges": "bytes",
            "IsServerEncrypted": true,
            "AccessTier": "Hot",
            "AccessTierInferred": true,
            "VersionId": null,
            "IsLatestVersion": false,
            "TagCount": 0,
            "IsSealed": false,
            "HasLegalHold": false,
        })
    }
}

/// Builds the envelope, encoding the content while it is read. It holds the content once, as base64.
///
/// Errors: the content cannot be read, or is not `size_bytes` long any more.
pub(crate) fn blob_envelope(
    binding: &str,
    facts: &BlobFacts,
    mut content: impl Read,
    mut metadata: Metadata,
) -> io::Result<Bytes> {
    metadata.insert("Uri", &json!(facts.uri()));
    metadata.insert("Properties", &facts.properties());
    metadata.insert("Metadata", &json!({}));
    for (name, value) in &facts.parameters {
        metadata.insert(name, &json!(value));
    }
    // The frame is written with an empty content, which is then filled in: base64 needs no JSON escapes.
    let frame = envelope(binding, json!(""), metadata);
    let head = format!("{{\"Data\":{{{}:\"", json!(binding)).len();
    let (head, tail) = frame.split_at(head);

    let size = usize::try_from(facts.size_bytes).map_err(io::Error::other)?;
    let mut body = String::with_capacity(frame.len() + size.div_ceil(3) * 4);
    body.push_str(std::str::from_utf8(head).map_err(io::Error::other)?);
    let mut piece = vec![0; PIECE.min(size)];
    let mut left = size;
    while left > 0 {
        let piece = &mut piece[..left.min(PIECE)];
        content.read_exact(piece)?;
        STANDARD.encode_string(&*piece, &mut body);
        left -= piece.len();
    }
    body.push_str(std::str::from_utf8(tail).map_err(io::Error::other)?);
    Ok(Bytes::from(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(name: &str, size: usize) -> BlobFacts {
        BlobFacts {
            container: "incoming".into(),
            name: name.into(),
            size_bytes: size as u64,
            modified: "2026-11-20T10:00:00Z".parse().unwrap(),
            parameters: vec![
                ("dataset".into(), "tweets".into()),
                ("name".into(), "a b.csv".into()),
            ],
        }
    }

    fn build(content: &[u8]) -> Value {
        let metadata = Metadata::new("ingest", "2026-11-20T10:00:01.5Z".parse().unwrap());
        let body = blob_envelope(
            "blob",
            &facts("tweets/a b.csv", content.len()),
            content,
            metadata,
        )
        .unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    #[test]
    fn the_content_is_one_base64_text_whatever_its_bytes_and_length() {
        for content in [
            &b""[..],
            b"\xff\x00\xfe",
            b"id,text\n",
            &vec![7; PIECE * 2 + 1],
        ] {
            let json = build(content);
            assert_eq!(
                STANDARD
                    .decode(json["Data"]["blob"].as_str().unwrap())
                    .unwrap(),
                content
            );
        }
    }

    #[test]
    fn texts_are_encoded_twice_and_what_the_host_hides_is_hidden() {
        let json = build(b"x");
        let metadata = &json["Metadata"];
        assert_eq!(
            metadata["Uri"],
            "\"https://local.blob.core.windows.net/incoming/tweets/a%20b.csv\""
        );
        assert_eq!(
            (&metadata["dataset"], &metadata["name"]),
            (&json!("\"tweets\""), &json!("\"a b.csv\""))
        );
        assert_eq!(metadata["Properties"]["ETag"], json!({}));
        assert_eq!(metadata["Properties"]["ContentLength"], 1);
        assert_eq!(metadata["sys"]["UtcNow"], "2026-11-20T10:00:01.5Z");
        assert!(metadata.get("BlobTrigger").is_none() && metadata.get("DequeueCount").is_none());
    }

    #[test]
    fn a_blob_that_shrank_meanwhile_is_an_error() {
        let metadata = Metadata::new("ingest", Timestamp::UNIX_EPOCH);
        assert!(blob_envelope("blob", &facts("x", 10), &b"short"[..], metadata).is_err());
    }
}
