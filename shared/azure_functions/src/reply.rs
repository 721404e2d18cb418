//! The answer of a timer, blob, queue or Event Grid function.

use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{Error, Failure};

/// The answer to an invocation that succeeded.
///
/// It is always sent as status 200, `application/json` and a non-empty object. That matters: an empty 2xx answer,
/// a 204 or `null` makes the host wait until the function's time-out and then kill the whole process.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Reply {
    outputs: Map<String, Value>,
    logs: Vec<String>,
    return_value: Value,
}

impl Reply {
    /// An answer without logs, outputs or return value.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line to the invocation's log. The host shows it only when the invocation succeeds.
    #[must_use]
    pub fn log(mut self, line: impl Into<String>) -> Self {
        self.logs.push(line.into());
        self
    }

    /// Sets an output binding. The host ignores names that `function.json` does not declare.
    ///
    /// # Errors
    /// [`Error::SniffedOutput`] for a string that reads as base64, such as `done` or `1234`: the host would decode it
    /// and write three bytes of noise. Send an object, or use [`Reply::output_bytes`].
    pub fn output(
        mut self,
        name: impl Into<String>,
        value: impl Into<Value>,
    ) -> Result<Self, Error> {
        let (name, value) = (name.into(), value.into());
        refuse_sniffed(&name, &value)?;
        self.outputs.insert(name, value);
        Ok(self)
    }

    /// Sets an output binding to bytes, as base64. The binding must not have `"dataType": "binary"`, with which the
    /// host writes the base64 text itself.
    #[must_use]
    pub fn output_bytes(mut self, name: impl Into<String>, bytes: &[u8]) -> Self {
        self.outputs
            .insert(name.into(), STANDARD.encode(bytes).into());
        self
    }

    /// Sets the value of the output binding `$return`. Without such a binding the host spreads an object's members
    /// over the output bindings.
    ///
    /// # Errors
    /// [`Error::SniffedOutput`], as for [`Reply::output`].
    pub fn return_value(mut self, value: impl Into<Value>) -> Result<Self, Error> {
        let value = value.into();
        refuse_sniffed("$return", &value)?;
        self.return_value = value;
        Ok(self)
    }
}

/// As `GetBindingValue` in the host's `HttpScriptInvocationResultExtensions.cs`: strings only, not what is inside
/// objects and arrays.
fn refuse_sniffed(output: &str, value: &Value) -> Result<(), Error> {
    match value {
        Value::String(text) if reads_as_base64(text) => Err(Error::SniffedOutput {
            output: output.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Whether .NET's `Convert.FromBase64String` accepts the text: white space is skipped, the length is a multiple
/// of four, at most two `=` at the end. The empty string decodes to itself and is harmless.
pub(crate) fn reads_as_base64(text: &str) -> bool {
    let mut length = 0_usize;
    let mut padding = 0_usize;
    for byte in text.bytes() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => continue,
            b'=' => padding += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => {}
            _ => return false,
        }
        length += 1;
    }
    length > 0 && length.is_multiple_of(4) && padding <= 2
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self) {
            Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
            Err(error) => Failure::internal(error).into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_reply_is_still_a_full_object() {
        let text = serde_json::to_string(&Reply::new()).unwrap();
        assert_eq!(text, r#"{"Outputs":{},"Logs":[],"ReturnValue":null}"#);
    }

    #[test]
    fn texts_that_the_host_would_decode_are_refused() {
        for text in ["done", "1234", "abcd", "ab==", "abc=", "ab\ncd", "  abcd  "] {
            assert!(Reply::new().output("out", text).is_err(), "{text:?}");
            assert!(Reply::new().return_value(text).is_err(), "{text:?}");
        }
        for text in ["", "finished", "done.", "a b c", "a===", "=abc", "{}"] {
            let decoded = text == "finished";
            assert_eq!(
                Reply::new().output("out", text).is_err(),
                decoded,
                "{text:?}"
            );
        }
        assert!(Reply::new().output("out", json!({"state": "done"})).is_ok());
        assert!(Reply::new().output("out", json!(["done"])).is_ok());
    }

    proptest! {
        #[test]
        fn whatever_is_base64_is_recognised(bytes in prop::collection::vec(any::<u8>(), 1..40)) {
            prop_assert!(reads_as_base64(&STANDARD.encode(bytes)));
        }
    }
}
