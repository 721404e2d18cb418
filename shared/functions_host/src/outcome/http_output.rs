//! The HTTP response inside an answer: `{"statusCode", "body", "headers"}`.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::malformed;
use crate::event::{ConformanceFault, InvocationFailure};
use crate::host_json::at;

/// What the caller gets.
#[derive(Clone, Debug, Default)]
pub(crate) struct HttpOutput {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl HttpOutput {
    /// What the caller gets when the answer has no HTTP output.
    pub(super) fn absent(has_outputs: bool) -> Self {
        if has_outputs {
            Self {
                body: Bytes::from_static(b"{}"),
                ..Self::default()
            }
        } else {
            Self {
                status: StatusCode::NO_CONTENT,
                ..Self::default()
            }
        }
    }

    /// Reads an object, or a text that holds one.
    pub(super) fn read(
        value: &Value,
        faults: &mut Vec<ConformanceFault>,
    ) -> Result<Self, InvocationFailure> {
        let unreadable = || {
            malformed(
                "the http output is not an object with statusCode, body and headers".to_owned(),
            )
        };
        let parsed;
        let object = match value {
            Value::Object(_) => value,
            Value::String(text) => {
                parsed = serde_json::from_str::<Value>(text).map_err(|_| unreadable())?;
                &parsed
            }
            _ => return Err(unreadable()),
        };
        if !object.is_object() {
            return Err(unreadable());
        }
        if at(object, "statusCode").is_null() && !at(object, "status").is_null() {
            faults.push(ConformanceFault::StatusIgnored);
        }
        let mut headers = headers(at(object, "headers"))?;
        let body = match at(object, "body") {
            Value::Null => Bytes::new(),
            Value::String(text) => {
                headers
                    .entry(CONTENT_TYPE)
                    .or_insert(HeaderValue::from_static("text/plain; charset=utf-8"));
                Bytes::from(text.clone())
            }
            other => Bytes::from(other.to_string()),
        };
        Ok(Self {
            status: status(at(object, "statusCode")),
            headers,
            body,
        })
    }
}

/// A number or a text; whatever cannot be read is 200.
fn status(value: &Value) -> StatusCode {
    let number = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number
        .and_then(|number| u16::try_from(number).ok())
        .and_then(|number| StatusCode::from_u16(number).ok())
        .unwrap_or_default()
}

fn headers(value: &Value) -> Result<HeaderMap, InvocationFailure> {
    let mut headers = HeaderMap::new();
    let Value::Object(members) = value else {
        return if value.is_null() {
            Ok(headers)
        } else {
            Err(malformed(
                "headers of the http output is not an object".to_owned(),
            ))
        };
    };
    for (name, value) in members {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Null => {
                return Err(malformed(format!(
                    "the header {name:?} of the http output is null"
                )));
            }
            other => other.to_string(),
        };
        let wrong = |_| {
            malformed(format!(
                "the header {name:?} of the http output cannot be sent"
            ))
        };
        let header = HeaderName::try_from(name.as_str()).map_err(|_| wrong(()))?;
        headers.append(header, HeaderValue::try_from(text).map_err(|_| wrong(()))?);
    }
    // The host writes the body itself and frames it anew.
    headers.remove(http::header::CONTENT_LENGTH);
    headers.remove(http::header::TRANSFER_ENCODING);
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> (HttpOutput, Vec<ConformanceFault>) {
        let mut faults = Vec::new();
        (HttpOutput::read(&value, &mut faults).unwrap(), faults)
    }

    #[test]
    fn the_status_is_a_number_or_a_text_and_otherwise_200() {
        for (code, expected) in [
            (json!(404), 404),
            (json!("201"), 201),
            (json!("x"), 200),
            (json!(99_999), 200),
        ] {
            assert_eq!(
                read(json!({ "statusCode": code })).0.status.as_u16(),
                expected
            );
        }
        let (output, faults) = read(json!({ "status": 404 }));
        assert_eq!(
            (output.status.as_u16(), faults),
            (200, vec![ConformanceFault::StatusIgnored])
        );
    }

    #[test]
    fn the_body_is_text_or_json() {
        assert_eq!(read(json!({ "body": "hello" })).0.body, "hello");
        assert_eq!(read(json!({ "body": { "a": [1] } })).0.body, r#"{"a":[1]}"#);
        assert_eq!(
            read(json!(r#"{"statusCode":418,"body":"tea"}"#))
                .0
                .status
                .as_u16(),
            418
        );
    }

    #[test]
    fn what_cannot_be_read_fails_the_invocation() {
        for value in [
            json!("SomeBlah"),
            json!(3),
            json!([1]),
            json!({"headers": {"a": null}}),
            json!({"headers": {"a b": "c"}}),
        ] {
            assert!(
                HttpOutput::read(&value, &mut Vec::new()).is_err(),
                "{value}"
            );
        }
    }
}
