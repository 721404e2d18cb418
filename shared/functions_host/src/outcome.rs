//! What a handler's answer to an envelope means.
//!
//! Sources: `DefaultHttpWorkerService.cs`, `HttpScriptInvocationResultExtensions.cs`, `HttpBinding.cs` of the host.

mod http_output;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value};

pub(crate) use http_output::HttpOutput;

use crate::event::{ConformanceFault, InvocationFailure, OutputValue};
use crate::function::Output;
use crate::host_json::at;

const RETURN: &str = "$return";

/// The reading of an answer.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Whether the invocation succeeded, and with what.
    pub(crate) result: Result<Answer, InvocationFailure>,
    /// What a real host would treat badly.
    pub(crate) faults: Vec<ConformanceFault>,
}

/// A successful answer.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) logs: Vec<String>,
    /// Declared outputs that are not HTTP.
    pub(crate) outputs: Vec<(String, OutputValue)>,
    pub(crate) http: HttpOutput,
}

/// Reads an answer against the function's declared outputs.
pub(crate) fn read(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    declared: &[Output],
) -> Outcome {
    let mut faults = Vec::new();
    let result = read_answer(status, headers, body, declared, &mut faults);
    Outcome { result, faults }
}

fn read_answer(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    declared: &[Output],
    faults: &mut Vec<ConformanceFault>,
) -> Result<Answer, InvocationFailure> {
    if !status.is_success() {
        return Err(InvocationFailure::Status {
            status: status.as_u16(),
        });
    }
    if body.is_empty() {
        return Err(fatal(
            ConformanceFault::EmptyAnswer {
                status: status.as_u16(),
            },
            faults,
        ));
    }
    let media_type = media_type(headers);
    if !matches!(media_type.as_str(), "application/json" | "text/json") {
        return Err(fatal(
            ConformanceFault::MediaType { found: media_type },
            faults,
        ));
    }
    let answer: Value = serde_json::from_slice(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body))
        .map_err(|error| malformed(format!("it is not JSON: {error}")))?;
    match answer {
        Value::Null => Err(fatal(
            ConformanceFault::EmptyAnswer {
                status: status.as_u16(),
            },
            faults,
        )),
        Value::Object(_) => read_object(&answer, declared, faults),
        _ => Err(malformed("it is not a JSON object".to_owned())),
    }
}

fn read_object(
    answer: &Value,
    declared: &[Output],
    faults: &mut Vec<ConformanceFault>,
) -> Result<Answer, InvocationFailure> {
    let no_outputs = Map::new();
    let (outputs, has_outputs) = match at(answer, "Outputs") {
        Value::Null => (&no_outputs, false),
        Value::Object(outputs) => (outputs, true),
        _ => return Err(malformed("Outputs is not an object".to_owned())),
    };
    for name in outputs
        .keys()
        .filter(|name| declared.iter().all(|output| output.name != **name))
    {
        faults.push(ConformanceFault::UndeclaredOutput { name: name.clone() });
    }
    let returned = at(answer, "ReturnValue");
    let has_return_binding = declared.iter().any(|output| output.name == RETURN);

    let mut read = Answer {
        logs: logs(at(answer, "Logs"))?,
        http: HttpOutput::absent(has_outputs),
        ..Answer::default()
    };
    for output in declared {
        let value = if output.name == RETURN {
            returned
        } else {
            // Without a `$return` binding, an object as return value stands for more outputs.
            let spread = returned.get(&output.name).filter(|_| !has_return_binding);
            outputs
                .get(&output.name)
                .filter(|value| !value.is_null())
                .or(spread)
                .unwrap_or(&Value::Null)
        };
        if value.is_null() {
            continue;
        }
        if output.is_http {
            read.http = HttpOutput::read(value, faults)?;
        } else {
            read.outputs
                .push((output.name.clone(), output_value(output, value, faults)));
        }
    }
    Ok(read)
}

/// The host's guess: a text that decodes as base64 is taken for bytes, unless the binding is declared binary.
fn output_value(output: &Output, value: &Value, faults: &mut Vec<ConformanceFault>) -> OutputValue {
    if let (Value::String(text), false) = (value, output.is_binary) {
        // .NET's decoder skips white space.
        let packed: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        if let Ok(bytes) = STANDARD.decode(packed)
            && !text.is_empty()
        {
            faults.push(ConformanceFault::Base64Sniffed {
                name: output.name.clone(),
                bytes: bytes.len(),
            });
            return OutputValue::Bytes(Bytes::from(bytes));
        }
    }
    OutputValue::Json(value.clone())
}

fn logs(value: &Value) -> Result<Vec<String>, InvocationFailure> {
    let wrong = || malformed("Logs is not a list of texts".to_owned());
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(lines) => lines
            .iter()
            .filter(|line| !line.is_null())
            .map(|line| match line {
                Value::String(text) => Ok(text.clone()),
                Value::Number(_) | Value::Bool(_) => Ok(line.to_string()),
                _ => Err(wrong()),
            })
            .collect(),
        _ => Err(wrong()),
    }
}

fn media_type(headers: &HeaderMap) -> String {
    let value = headers
        .get(header::CONTENT_TYPE)
        .map(|value| String::from_utf8_lossy(value.as_bytes()));
    let value = value.as_deref().unwrap_or_default();
    value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

fn fatal(fault: ConformanceFault, faults: &mut Vec<ConformanceFault>) -> InvocationFailure {
    faults.push(fault.clone());
    InvocationFailure::Conformance(fault)
}

fn malformed(reason: String) -> InvocationFailure {
    InvocationFailure::Malformed { reason }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn output(name: &str, is_binary: bool) -> Output {
        Output {
            name: name.into(),
            is_http: false,
            is_binary,
        }
    }

    fn res() -> Output {
        Output {
            name: "res".into(),
            is_http: true,
            is_binary: false,
        }
    }

    fn read_with(
        status: u16,
        content_type: Option<&'static str>,
        body: &str,
        declared: &[Output],
    ) -> Outcome {
        let mut headers = HeaderMap::new();
        if let Some(value) = content_type {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(value));
        }
        read(
            StatusCode::from_u16(status).unwrap(),
            &headers,
            body.as_bytes(),
            declared,
        )
    }

    fn json(body: &str, declared: &[Output]) -> Outcome {
        read_with(200, Some("application/json; charset=utf-8"), body, declared)
    }

    #[test]
    fn the_outcome_table() {
        assert!(json("{}", &[]).result.is_ok());
        assert!(
            json(r#"{"outputs":{},"LOGS":["a",1],"other":1}"#, &[])
                .result
                .is_ok_and(|a| a.logs == ["a", "1"])
        );
        assert!(read_with(200, Some("text/json"), "{}", &[]).result.is_ok());
        for (status, content_type, body) in [
            (404, Some("application/json"), "{}"),
            (200, Some("application/json"), "{"),
            (200, Some("application/json"), "[]"),
            (200, Some("application/json"), r#"{"Logs":"x"}"#),
            (200, Some("application/json"), r#"{"Outputs":[]}"#),
            (200, Some("text/plain"), "{}"),
            (200, None, "{}"),
        ] {
            assert!(
                read_with(status, content_type, body, &[]).result.is_err(),
                "{status} {content_type:?} {body}"
            );
        }
    }

    #[test]
    fn an_empty_or_null_answer_is_flagged_at_once() {
        for (status, body) in [(200, ""), (204, ""), (200, "null"), (200, " null ")] {
            let outcome = read_with(status, Some("application/json"), body, &[]);
            assert_eq!(
                outcome.faults,
                [ConformanceFault::EmptyAnswer { status }],
                "{body:?}"
            );
            assert!(matches!(
                outcome.result,
                Err(InvocationFailure::Conformance(_))
            ));
        }
    }

    #[test]
    fn only_declared_outputs_count_and_others_are_flagged() {
        let outcome = json(
            r#"{"Outputs":{"a":{"x":1},"b":2,"c":null}}"#,
            &[output("a", false), output("c", false), output("d", false)],
        );
        assert_eq!(
            outcome.faults,
            [ConformanceFault::UndeclaredOutput { name: "b".into() }]
        );
        let outputs = outcome.result.unwrap().outputs;
        assert_eq!(
            outputs,
            [("a".into(), OutputValue::Json(serde_json::json!({"x": 1})))]
        );
    }

    #[test]
    fn a_text_that_looks_like_base64_becomes_bytes_and_is_flagged() {
        let body = r#"{"Outputs":{"a":"done","b":"done","c":"not base64!"}}"#;
        let outcome = json(
            body,
            &[output("a", false), output("b", true), output("c", false)],
        );
        assert_eq!(
            outcome.faults,
            [ConformanceFault::Base64Sniffed {
                name: "a".into(),
                bytes: 3
            }]
        );
        let outputs = outcome.result.unwrap().outputs;
        assert_eq!(
            outputs[0].1,
            OutputValue::Bytes(STANDARD.decode("done").unwrap().into())
        );
        assert_eq!(outputs[1].1, OutputValue::Json("done".into()));
        assert_eq!(outputs[2].1, OutputValue::Json("not base64!".into()));
    }

    #[test]
    fn the_return_value_goes_to_its_binding_or_is_spread() {
        let declared = [output("$return", true)];
        assert_eq!(
            json(r#"{"ReturnValue":"abcd"}"#, &declared)
                .result
                .unwrap()
                .outputs
                .len(),
            1
        );
        let spread = json(r#"{"ReturnValue":{"a":1}}"#, &[output("a", false)])
            .result
            .unwrap();
        assert_eq!(spread.outputs, [("a".into(), OutputValue::Json(1.into()))]);
    }

    #[test]
    fn a_missing_http_output_is_an_empty_object_or_no_content() {
        let status = |body| json(body, &[res()]).result.unwrap().http.status;
        assert_eq!(status(r#"{"Outputs":{}}"#), StatusCode::OK);
        assert_eq!(status("{}"), StatusCode::NO_CONTENT);
    }
}
