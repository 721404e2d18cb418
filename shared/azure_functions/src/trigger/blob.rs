//! The blob trigger.

use std::collections::BTreeMap;

use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::{Trigger, TriggerKind};
use crate::envelope::{Envelope, decode};
use crate::{Error, date, wire};

/// A blob was created or changed.
///
/// The host sends the blob's content along, as base64; it is left out while the request is read. Read the blob
/// from storage by [`container`](Self::container) and [`name`](Self::name). One change can come as several events, and a failed
/// invocation comes again at once, five times in all: be idempotent, and do not fail for a blob that will never be right.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlobEvent {
    /// The container.
    pub container: String,
    /// The blob's name, decoded; it may contain `/`.
    pub name: String,
    /// The blob's address as the host sent it, percent-encoded, without the query (which can hold a signature).
    /// `None` if only container and name were sent.
    pub uri: Option<String>,
    /// What storage says about the blob.
    pub properties: BlobProperties,
    /// The user's metadata of the blob.
    pub metadata: BTreeMap<String, String>,
    /// The values of the placeholders in the binding's `path`, for instance `name` for `incoming/{name}`. Empty if
    /// the blob did not match, which with Event Grid as the source does not keep the function from running.
    pub path_params: BTreeMap<String, String>,
}

/// The properties of a blob that say something about its content. The ETag is not among them: the host sends it as
/// an empty object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BlobProperties {
    /// The size in bytes.
    pub content_length: Option<u64>,
    /// The media type.
    pub content_type: Option<String>,
    /// The content encoding, for instance `gzip`.
    pub content_encoding: Option<String>,
    /// The MD5 of the content in base64, if the uploader or storage computed it.
    pub content_md5: Option<String>,
    /// When the blob was last changed.
    pub last_modified: Option<Timestamp>,
    /// When the blob was created.
    pub created_on: Option<Timestamp>,
    /// The version, in an account that keeps versions.
    pub version_id: Option<String>,
}

impl BlobEvent {
    /// The size in bytes, if the host sent it.
    #[must_use]
    pub fn size_bytes(&self) -> Option<u64> {
        self.properties.content_length
    }

    /// The value of a placeholder of the binding's `path`.
    #[must_use]
    pub fn path_param(&self, name: &str) -> Option<&str> {
        self.path_params.get(name).map(String::as_str)
    }
}

impl BlobProperties {
    /// A property of another type than expected counts as absent: none is worth failing for.
    fn from_json(members: &Map<String, Value>) -> Self {
        let text = |name: &str| {
            let text = members.get(name)?.as_str()?;
            (!text.is_empty()).then(|| text.to_owned())
        };
        let moment = |name: &str| date::parse(members.get(name)?.as_str()?);
        let length = members.get("ContentLength");
        Self {
            content_length: length
                .and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok())),
            content_type: text("ContentType"),
            content_encoding: text("ContentEncoding"),
            content_md5: text("ContentHash"),
            last_modified: moment("LastModified"),
            created_on: moment("CreatedOn"),
            version_id: text("VersionId"),
        }
    }
}

impl Trigger for BlobEvent {
    const KIND: TriggerKind = TriggerKind::Blob;

    /// The longest value of interest is an address: 1,024 characters, each up to 9 bytes when encoded.
    const LONGEST_STRING: usize = 64 * 1024;

    fn from_envelope(envelope: &Envelope<'_>) -> Result<Self, Error> {
        let uri: Option<String> = envelope.metadata(wire::BLOB_URI)?;
        let (container, name) = match &uri {
            Some(uri) => locate(uri)?,
            None => from_trigger_path(envelope.metadata(wire::BLOB_TRIGGER)?)?,
        };
        let properties: Option<Map<String, Value>> = envelope.metadata(wire::BLOB_PROPERTIES)?;
        let metadata: Option<Map<String, Value>> = envelope.metadata(wire::BLOB_METADATA)?;
        let as_text = |(name, value): (String, Value)| Some((name, value.as_str()?.to_owned()));
        Ok(Self {
            container,
            name,
            uri: uri.map(without_query),
            properties: properties
                .as_ref()
                .map(BlobProperties::from_json)
                .unwrap_or_default(),
            metadata: metadata.into_iter().flatten().filter_map(as_text).collect(),
            path_params: path_params(envelope),
        })
    }
}

/// Whatever else in the metadata is a string is the value of a placeholder.
fn path_params(envelope: &Envelope<'_>) -> BTreeMap<String, String> {
    let others = envelope.metadata_values().filter(|(name, raw)| {
        let is_known = [wire::BLOB_URI, wire::BLOB_TRIGGER].contains(name);
        !is_known && raw.get().starts_with('"')
    });
    others
        .filter_map(|(name, raw)| Some((name.to_owned(), decode(raw).ok()?)))
        .collect()
}

fn without_query(mut uri: String) -> String {
    let end = uri.find(['?', '#']).unwrap_or(uri.len());
    uri.truncate(end);
    uri
}

/// Container and name from `https://{account}.blob.core.windows.net/{container}/{name}`, or, for an emulator, from
/// `http://127.0.0.1:10000/{account}/{container}/{name}`.
///
/// As in the Azure SDK's `BlobUriBuilder`: the account is in the path when the host is an IP address or has no dot.
fn locate(uri: &str) -> Result<(String, String), Error> {
    let wrong = |reason: &str| Error::envelope("Metadata.Uri", reason);
    let address = uri.split(['?', '#']).next().unwrap_or_default();
    let (_, rest) = address
        .split_once("://")
        .ok_or_else(|| wrong("it is no absolute address"))?;
    let (authority, path) = rest
        .split_once('/')
        .ok_or_else(|| wrong("it has no path"))?;
    let path = if account_is_in_path(authority) {
        path.split_once('/')
            .ok_or_else(|| wrong("it has no container"))?
            .1
    } else {
        path
    };
    let (container, name) = path.split_once('/').unwrap_or(("$root", path));
    let decode = |text: &str| match percent_decode_str(text).decode_utf8() {
        Ok(text) if !text.is_empty() => Ok(text.into_owned()),
        Ok(_) => Err(wrong("its container or blob name is empty")),
        Err(_) => Err(wrong("its blob name is not UTF-8")),
    };
    Ok((decode(container)?, decode(name)?))
}

fn account_is_in_path(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    host.starts_with('[') || !host.contains('.') || host.parse::<std::net::Ipv4Addr>().is_ok()
}

fn from_trigger_path(path: Option<String>) -> Result<(String, String), Error> {
    let path = path.ok_or_else(|| Error::envelope("Metadata.Uri", "it is missing"))?;
    match path.split_once('/') {
        Some((container, name)) if !container.is_empty() && !name.is_empty() => {
            Ok((container.into(), name.into()))
        }
        _ => Err(Error::envelope(
            "Metadata.BlobTrigger",
            "it is not container/name",
        )),
    }
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;

    fn found(uri: &str) -> (String, String) {
        locate(uri).unwrap()
    }

    #[test]
    fn addresses_of_accounts_and_emulators_are_understood() {
        let expected = ("incoming".to_owned(), "tweets/a b+c.csv".to_owned());
        assert_eq!(
            found("https://acct.blob.core.windows.net/incoming/tweets/a%20b+c.csv"),
            expected
        );
        assert_eq!(
            found("https://acct.blob.core.windows.net/incoming/tweets%2Fa%20b%2Bc.csv?sig=x/y"),
            expected
        );
        assert_eq!(
            found("http://127.0.0.1:10000/devstoreaccount1/incoming/tweets/a%20b+c.csv"),
            expected
        );
        assert_eq!(
            found("http://azurite:10000/devstoreaccount1/incoming/tweets/a%20b+c.csv"),
            expected
        );
        assert_eq!(
            found("http://[::1]:10000/devstoreaccount1/incoming/tweets/a%20b+c.csv"),
            expected
        );
        assert_eq!(
            found("https://acct.blob.core.windows.net/a.csv"),
            ("$root".into(), "a.csv".into())
        );
    }

    #[test]
    fn addresses_without_a_blob_are_refused() {
        for uri in [
            "",
            "incoming/a.csv",
            "https://h.net",
            "https://h.net/",
            "https://h.net/c/",
            "https://h.net/c/%FF",
        ] {
            assert!(locate(uri).is_err(), "{uri}");
        }
        assert!(locate("http://127.0.0.1:10000/account").is_err());
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name in "[^/]\\PC{0,40}") {
            let encoded = utf8_percent_encode(&name, NON_ALPHANUMERIC);
            let uri = format!("https://acct.blob.core.windows.net/c/{encoded}");
            prop_assert_eq!(found(&uri), ("c".to_owned(), name));
        }
    }
}
