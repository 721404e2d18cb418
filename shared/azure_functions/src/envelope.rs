//! The request envelope `{"Data": {…}, "Metadata": {…}}` of every invocation that is not forwarded HTTP.

mod buffer;
mod read;
mod value;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;

pub(crate) use read::{read, too_large};
pub use value::{decode, encode};

use crate::Error;
use crate::wire::{DATA, METADATA};

/// A parsed envelope that borrows its values from the request body. Unknown members are ignored.
#[derive(Debug)]
pub struct Envelope<'a> {
    data: BTreeMap<String, &'a RawValue>,
    metadata: BTreeMap<String, &'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Members<'a> {
    #[serde(borrow, default)]
    data: Option<BTreeMap<String, &'a RawValue>>,
    #[serde(borrow, default)]
    metadata: Option<BTreeMap<String, &'a RawValue>>,
}

impl<'a> Envelope<'a> {
    /// Parses an envelope.
    ///
    /// # Errors
    /// [`Error::Envelope`] when the text is no JSON object, or `Data` or `Metadata` is neither an object nor null.
    pub fn parse(body: &'a [u8]) -> Result<Self, Error> {
        // A derived type would take an array as well.
        if body
            .trim_ascii_start()
            .first()
            .is_some_and(|first| *first != b'{')
        {
            return Err(Error::envelope("the body", "it is no JSON object"));
        }
        let members: Members<'_> =
            serde_json::from_slice(body).map_err(|error| Error::json("the body", &error))?;
        Ok(Self {
            data: members.data.unwrap_or_default(),
            metadata: members.metadata.unwrap_or_default(),
        })
    }

    /// The input bindings, by name.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.data
            .iter()
            .map(|(name, value)| (name.as_str(), *value))
    }

    /// One input binding, single- or double-encoded.
    ///
    /// # Errors
    /// [`Error::Envelope`] when there is no such input or it is not a `T`.
    pub fn input<T: DeserializeOwned>(&self, name: &str) -> Result<T, Error> {
        let part = format!("{DATA}.{name}");
        let raw = self
            .data
            .get(name)
            .ok_or_else(|| Error::envelope(&part, "it is missing"))?;
        decode(raw).map_err(|error| Error::json(&part, &error))
    }

    /// One metadata value, single- or double-encoded. `None` when it is missing or null.
    ///
    /// # Errors
    /// [`Error::Envelope`] when it is there and is not a `T`.
    pub fn metadata<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        match self.metadata.get(name) {
            None => Ok(None),
            Some(raw) => {
                decode(raw).map_err(|error| Error::json(&format!("{METADATA}.{name}"), &error))
            }
        }
    }

    /// The metadata values, by name.
    pub fn metadata_values(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.metadata
            .iter()
            .map(|(name, value)| (name.as_str(), *value))
    }

    /// The name of the trigger's input: the only one, or the one that is an object with this member.
    ///
    /// A function may have other input bindings beside its trigger, and the envelope does not say which is which.
    ///
    /// # Errors
    /// [`Error::Envelope`] when no input fits.
    pub fn trigger_input(&self, member: &str) -> Result<&str, Error> {
        if self.data.len() == 1
            && let Some(name) = self.data.keys().next()
        {
            return Ok(name);
        }
        let fits = |raw: &&RawValue| {
            decode::<BTreeMap<String, IgnoredAny>>(raw)
                .is_ok_and(|object| object.contains_key(member))
        };
        let found = self.data.iter().find(|(_, raw)| fits(raw));
        match found {
            Some((name, _)) => Ok(name),
            None => Err(Error::envelope(
                DATA,
                format!("none of its {} values has a {member}", self.data.len()),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_members_are_ignored_and_absent_ones_are_empty() {
        let envelope = Envelope::parse(br#"{"Data": null, "New": [1, {"a": 2}]}"#).unwrap();
        assert_eq!(envelope.inputs().count(), 0);
        assert_eq!(envelope.metadata::<String>("x").unwrap(), None);
    }

    #[test]
    fn what_is_no_envelope_is_an_error_that_quotes_nothing() {
        for body in [
            &b""[..],
            b"null",
            b"[]",
            b"{",
            b"{\"Data\":\"secret\"}",
            b"\xff\xfe",
            b"{} {}",
        ] {
            let error = Envelope::parse(body).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn the_trigger_is_found_among_other_inputs() {
        let body = br#"{"Data": {"a": "\"IsPastDue\"", "b": {"IsPastDue": true}, "c": {}}}"#;
        let envelope = Envelope::parse(body).unwrap();
        assert_eq!(envelope.trigger_input("IsPastDue").unwrap(), "b");
        assert!(envelope.trigger_input("Url").is_err());
    }
}
