//! The body of an invocation that is not forwarded: `{"Data":{...},"Metadata":{...}}`.
//!
//! Source of the encoding: `ScriptInvocationContextExtensions.cs` of the host.

mod blob;
mod http_request;
mod timer;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

pub(crate) use blob::{BlobFacts, blob_envelope};
pub(crate) use http_request::{HttpFacts, http_envelope};
pub(crate) use timer::timer_envelope;

use crate::identity::guid;

/// What the host knows about a trigger, in the host's encoding.
#[derive(Debug, Default)]
pub(crate) struct Metadata(Map<String, Value>);

impl Metadata {
    /// The metadata that every invocation has.
    pub(crate) fn new(function: &str, now: Timestamp) -> Self {
        let mut metadata = Self::default();
        metadata.insert(
            "sys",
            &json!({ "MethodName": function, "UtcNow": now.to_string(), "RandGuid": guid() }),
        );
        metadata
    }

    /// Adds a value. Nulls and keys that end in "trigger" never reach a handler.
    pub(crate) fn insert(&mut self, name: &str, value: &Value) {
        if !value.is_null() && !name.to_ascii_lowercase().ends_with("trigger") {
            self.0.insert(name.to_owned(), encode(value));
        }
    }

    fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}

/// The host's encoding of a value: an object stays an object; a text, number, truth value or list becomes its JSON text inside
/// a JSON string.
pub(crate) fn encode(value: &Value) -> Value {
    match value {
        Value::Object(_) => value.clone(),
        other => Value::String(other.to_string()),
    }
}

/// A whole envelope whose only input has this value, already encoded.
fn envelope(binding: &str, value: Value, metadata: Metadata) -> Bytes {
    let data = Map::from_iter([(binding.to_owned(), value)]);
    Bytes::from(json!({ "Data": data, "Metadata": metadata.into_value() }).to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[a-z]{1,5}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn an_encoded_value_is_an_object_or_the_text_of_the_value(value in any_json()) {
            match encode(&value) {
                Value::Object(object) => prop_assert_eq!(Value::Object(object), value),
                Value::String(text) => {
                    prop_assert!(!value.is_object());
                    prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
                }
                other => prop_assert!(false, "{}", other),
            }
        }
    }

    #[test]
    fn scalars_and_lists_are_encoded_twice() {
        for (value, text) in [
            (json!("hello"), "\"hello\""),
            (json!(1), "1"),
            (json!(true), "true"),
            (json!([1, 2]), "[1,2]"),
        ] {
            assert_eq!(encode(&value), json!(text));
        }
    }

    #[test]
    fn nulls_and_trigger_keys_are_left_out() {
        let mut metadata = Metadata::default();
        metadata.insert("BlobTrigger", &json!("incoming/x"));
        metadata.insert("Nothing", &Value::Null);
        metadata.insert("name", &json!("x"));
        assert_eq!(metadata.into_value(), json!({ "name": "\"x\"" }));
    }
}
