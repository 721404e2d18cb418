//! The envelope of an HTTP trigger that is not forwarded.
//!
//! Source: `HttpRequestExtensions.GetRequestAsJObject`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, header};
use serde_json::{Map, Value, json};

use super::{Metadata, encode, envelope};

/// The request headers that Kestrel knows, as it spells them (`HttpHeaders.Generated.cs`), without rare ones.
const WELL_KNOWN: [&str; 26] = [
    "Accept",
    "Accept-Charset",
    "Accept-Encoding",
    "Accept-Language",
    "Authorization",
    "Cache-Control",
    "Connection",
    "Content-Encoding",
    "Content-Language",
    "Content-Length",
    "Content-Type",
    "Cookie",
    "Date",
    "Expect",
    "From",
    "Host",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "Origin",
    "Pragma",
    "Range",
    "Referer",
    "Transfer-Encoding",
    "User-Agent",
    "traceparent",
];

/// A caller's request as far as the envelope tells of it.
#[derive(Debug)]
pub(crate) struct HttpFacts<'a> {
    pub(crate) method: &'a http::Method,
    /// With scheme and host.
    pub(crate) url: String,
    /// Decoded; several values of one name are joined by a comma.
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: &'a HeaderMap,
    /// From the route.
    pub(crate) parameters: Vec<(String, String)>,
    /// Absent for a body of unknown length: the host loses it.
    pub(crate) body: Option<&'a [u8]>,
}

/// Builds the envelope.
pub(crate) fn http_envelope(binding: &str, facts: &HttpFacts<'_>, mut metadata: Metadata) -> Bytes {
    let query = texts(&facts.query);
    let mut by_name: Map<String, Value> = Map::new();
    for name in facts.headers.keys() {
        let values = facts.headers.get_all(name).iter();
        let values: Vec<Value> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into())
            .collect();
        by_name.insert(spelled(name), Value::Array(values));
    }
    let headers = Value::Object(by_name);
    let mut request = json!({
        "Url": facts.url,
        "Method": facts.method.as_str(),
        "Query": query,
        "Headers": headers,
        "Params": texts(&facts.parameters),
        "Identities": [{ "AuthenticationType": null, "IsAuthenticated": false, "Claims": [] }],
    });
    if let Some(body) = facts.body.filter(|body| !body.is_empty()) {
        let text = if is_binary(facts.headers) {
            STANDARD.encode(body)
        } else {
            String::from_utf8_lossy(body).into_owned()
        };
        request["Body"] = Value::String(text);
        if let Ok(Value::Object(members)) = serde_json::from_slice::<Value>(body) {
            for (name, value) in &members {
                metadata.insert(name, value);
            }
        }
    }
    for (name, value) in facts.query.iter().chain(&facts.parameters) {
        metadata.insert(name, &json!(value));
    }
    metadata.insert("Query", &query);
    metadata.insert("Headers", &flattened(facts.headers));
    envelope(binding, encode(&request), metadata)
}

fn texts(pairs: &[(String, String)]) -> Value {
    Value::Object(
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect(),
    )
}

/// Headers of the metadata: one text each.
fn flattened(headers: &HeaderMap) -> Value {
    let mut flat = Map::new();
    for name in headers.keys() {
        let values: Vec<_> = headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        flat.insert(spelled(name), json!(values.join(",")));
    }
    Value::Object(flat)
}

/// A header's name as the host's server spells it: a well-known one in its usual form, any other as it came.
fn spelled(name: &HeaderName) -> String {
    let usual = WELL_KNOWN.iter().find(|usual| name == **usual);
    usual.map_or_else(|| name.to_string(), |usual| (*usual).to_owned())
}

fn is_binary(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| {
            let kind = kind.trim().to_ascii_lowercase();
            kind.starts_with("application/octet-stream") || kind.starts_with("multipart/")
        })
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Method};

    use super::*;

    fn build(body: Option<&[u8]>, content_type: &'static str) -> Value {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        let facts = HttpFacts {
            method: &Method::POST,
            url: "http://localhost/api/predict?x=1".into(),
            query: vec![("x".into(), "1".into())],
            headers: &headers,
            parameters: vec![],
            body,
        };
        serde_json::from_slice(&http_envelope("req", &facts, Metadata::default())).unwrap()
    }

    #[test]
    fn the_request_is_an_object_and_its_json_members_are_metadata() {
        let json = build(Some(br#"{"a":1,"b":{"c":2}}"#), "application/json");
        let request = &json["Data"]["req"];
        assert_eq!(request["Method"], "POST");
        assert_eq!(request["Body"], r#"{"a":1,"b":{"c":2}}"#);
        assert_eq!(
            request["Headers"]["Content-Type"],
            json!(["application/json"])
        );
        assert_eq!(request["Query"]["x"], "1");
        assert_eq!(
            (&json["Metadata"]["a"], &json["Metadata"]["x"]),
            (&json!("1"), &json!("\"1\""))
        );
        assert_eq!(json["Metadata"]["b"], json!({ "c": 2 }));
    }

    #[test]
    fn a_binary_body_is_base64_and_an_unknown_one_absent() {
        assert_eq!(
            build(Some(b"\xff\x00"), "application/octet-stream")["Data"]["req"]["Body"],
            "/wA="
        );
        assert!(
            build(None, "application/json")["Data"]["req"]
                .get("Body")
                .is_none()
        );
    }
}
