//! One line of a stream: its form, its hash.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::audit::AuditEvent;

/// The document that an event is about, pinned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentRef {
    /// The blob, `{container}/{name}`.
    pub path: String,
    /// The digest of its bytes when the event happened.
    pub digest: Digest,
}

/// An event as it was read: kinds that this version does not know are kept as they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RecordedEvent {
    /// A kind that this version knows.
    Known(AuditEvent),
    /// Any other.
    Unknown(serde_json::Value),
}

impl RecordedEvent {
    /// The event's name, empty when it has none.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Known(event) => event.kind(),
            Self::Unknown(value) => value["kind"].as_str().unwrap_or_default(),
        }
    }
}

/// One line of an audit stream, as it was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditLine {
    /// The line's place in its stream, from 1.
    pub seq: u64,
    /// When it was written.
    pub at: Timestamp,
    /// The stream's name.
    pub writer: String,
    /// Random: tells a writer whether a line is its own when the answer to an append was lost.
    pub nonce: String,
    /// What happened.
    pub event: RecordedEvent,
    /// The document that the event is about, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<DocumentRef>,
    /// Whether the line was added later for a document whose writer had died before it wrote the line.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repaired: bool,
    /// The hash of the line before, `None` for the first.
    pub prev: Option<Digest>,
    /// The hash of this line: SHA-256 over its bytes up to `,"hash"`, closed with a brace.
    pub hash: Digest,
}

impl AuditLine {
    /// Reads a line (without its newline). Does not check the hash.
    ///
    /// # Errors
    /// Not a line of an audit stream.
    pub fn parse(line: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(line)
    }
}

/// What the caller wants recorded.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) event: AuditEvent,
    pub(crate) document: Option<DocumentRef>,
    pub(crate) repaired: bool,
}

/// A line before its hash is known. The order of the fields is the order in the line.
#[derive(Serialize)]
pub(super) struct Unhashed<'a> {
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    pub(super) writer: &'a str,
    pub(super) nonce: &'a str,
    pub(super) event: &'a AuditEvent,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) document: Option<&'a DocumentRef>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) repaired: bool,
    pub(super) prev: Option<Digest>,
}

const HASH_FIELD: &[u8] = b",\"hash\":\"";
/// The length of `,"hash":"sha256:…"}`.
const SUFFIX_LEN: usize = HASH_FIELD.len() + "sha256:".len() + 64 + "\"}".len();

impl Unhashed<'_> {
    /// The line with its hash and newline.
    pub(super) fn seal(&self) -> Result<(Vec<u8>, Digest), serde_json::Error> {
        let mut line = serde_json::to_vec(self)?;
        let hash = Digest::of(&line);
        // The closing brace moves behind the hash.
        line.pop();
        line.extend_from_slice(HASH_FIELD);
        line.extend_from_slice(hash.to_string().as_bytes());
        line.extend_from_slice(b"\"}\n");
        Ok((line, hash))
    }
}

/// The hash that a line (without its newline) should have, computed from its bytes as they are: no field needs to be
/// understood for it. `None` when the line does not end with a hash.
pub(super) fn expected_hash(line: &[u8]) -> Option<Digest> {
    let (body, suffix) = line.split_at_checked(line.len().checked_sub(SUFFIX_LEN)?)?;
    if !suffix.starts_with(HASH_FIELD) || !suffix.ends_with(b"\"}") {
        return None;
    }
    let mut bytes = body.to_vec();
    bytes.push(b'}');
    Some(Digest::of(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_proves_its_own_bytes() {
        let event = AuditEvent::RunSubmitted {
            run: "1-abc".into(),
            job: "j".into(),
        };
        let line = Unhashed {
            seq: 1,
            at: Timestamp::UNIX_EPOCH,
            writer: "w",
            nonce: "00",
            event: &event,
            document: None,
            repaired: false,
            prev: None,
        };
        let (bytes, hash) = line.seal().unwrap();
        let line = bytes.strip_suffix(b"\n").unwrap();
        assert_eq!(expected_hash(line), Some(hash));
        let parsed = AuditLine::parse(line).unwrap();
        assert_eq!(
            (parsed.hash, parsed.event),
            (hash, RecordedEvent::Known(event))
        );
        for at in 0..line.len() - SUFFIX_LEN {
            let mut edited = line.to_vec();
            edited[at] ^= 1;
            assert_ne!(
                expected_hash(&edited),
                Some(hash),
                "byte {at} can be changed unseen"
            );
        }
    }

    #[test]
    fn a_kind_from_the_future_is_kept() {
        let event: RecordedEvent =
            serde_json::from_str(r#"{"kind":"moon_landed","where":"sea"}"#).unwrap();
        assert_eq!(event.kind(), "moon_landed");
        assert!(matches!(event, RecordedEvent::Unknown(_)));
    }
}
