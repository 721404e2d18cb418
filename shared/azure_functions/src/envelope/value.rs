//! The encoding of one envelope value.
//!
//! The host (`GetHttpScriptInvocationContextValue` in `ScriptInvocationContextExtensions.cs`) sends objects as they
//! are and everything else as JSON text inside a JSON string: `hello` travels as `"\"hello\""`, 1 as `"1"`. Dates and
//! bytes are the exceptions, they are plain strings. So both forms occur, and both are read.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

/// Reads a value in either form.
///
/// A string is first taken as JSON text; if that does not give a `T`, it is taken as it is.
///
/// # Errors
/// The parser's error when neither form gives a `T`.
pub fn decode<T: DeserializeOwned>(raw: &RawValue) -> Result<T, serde_json::Error> {
    let text = raw.get();
    if text.starts_with('"')
        && let Ok(inner) = serde_json::from_str::<String>(text)
        && let Ok(value) = serde_json::from_str(&inner)
    {
        return Ok(value);
    }
    serde_json::from_str(text)
}

/// Writes a value as the host does: objects as they are, everything else as JSON text in a string.
#[must_use]
pub fn encode(value: &Value) -> Value {
    match value {
        Value::Object(_) => value.clone(),
        other => Value::String(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::to_raw_value;

    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn both_encodings_of_one_value_read_alike() {
        for text in [r#""hello""#, r#""\"hello\"""#] {
            assert_eq!(decode::<String>(&raw(text)).unwrap(), "hello");
        }
        for text in ["3", r#""3""#] {
            assert_eq!(decode::<u32>(&raw(text)).unwrap(), 3);
        }
        for text in ["[1,2]", r#""[1,2]""#] {
            assert_eq!(decode::<Vec<u8>>(&raw(text)).unwrap(), [1, 2]);
        }
        assert!(decode::<bool>(&raw(r#""perhaps""#)).is_err());
    }

    #[test]
    fn digits_stay_a_text_when_a_text_is_wanted() {
        for text in [r#""2024""#, r#""\"2024\"""#] {
            assert_eq!(decode::<String>(&raw(text)).unwrap(), "2024");
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_the_host_encodes_is_decoded(value in json()) {
            let wire = to_raw_value(&encode(&value)).unwrap();
            prop_assert_eq!(decode::<Value>(&wire).unwrap(), value);
        }

        #[test]
        fn every_text_survives(text in any::<String>()) {
            let wire = to_raw_value(&encode(&Value::from(text.as_str()))).unwrap();
            prop_assert_eq!(decode::<String>(&wire).unwrap(), text);
        }
    }
}
