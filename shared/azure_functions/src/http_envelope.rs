//! HTTP functions when the host is not set to forward requests.
//!
//! Then the host packs the request into an envelope (`GetRequestAsJObject` in `HttpRequestExtensions.cs`) and wants the
//! response packed too. The same handler answers, on a request that is put together again.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;

use crate::envelope::{self, Envelope};
use crate::event::parse_envelope;
use crate::{Error, Failure, FailureKind, Reply, answers, wire};

/// What an address may not hold although the host sends it when the client did.
const NOT_IN_ADDRESSES: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'{')
    .add(b'}');

/// Headers about the client's connection, which are wrong for the request and the response as put together again.
const OF_THE_CONNECTION: [HeaderName; 4] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::EXPECT,
];

/// Adds the route `POST /{function}` to a function's own route, which serves both. `limit` is in bytes.
pub(crate) fn beside(own: Router, function: Arc<str>, limit: usize) -> Router {
    // The copy answers for itself what the app's router answers for the original.
    let alone = own
        .clone()
        .fallback(answers::not_found)
        .method_not_allowed_fallback(answers::method_not_allowed);
    let path = format!("/{function}");
    let warned = Arc::new(AtomicBool::new(false));
    let endpoint = move |request: Request| {
        if !warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                function = &*function,
                "the host sends HTTP requests in envelopes: set customHandler.enableForwardingHttpRequest in host.json"
            );
        }
        let alone = alone.clone();
        async move {
            answer(request, limit, alone)
                .await
                .unwrap_or_else(Failure::into_response)
        }
    };
    own.route(&path, post(endpoint))
}

async fn answer(request: Request, limit: usize, alone: Router) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let body = envelope::read(body, limit, usize::MAX).await?;
    let mut inner = parse_envelope(body, |body| rebuild(&body)).await?;
    for name in [wire::INVOCATION_ID, wire::HOST_VERSION, wire::TRACEPARENT] {
        if let Some(value) = parts.headers.get(&name) {
            inner.headers_mut().insert(name, value.clone());
        }
    }
    let response = match alone.oneshot(inner).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let packed = pack(response).await?;
    Ok(Reply::new()
        .output(wire::HTTP_OUTPUT, packed)?
        .into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HttpRequest {
    url: String,
    method: String,
    #[serde(default)]
    headers: BTreeMap<String, Values>,
    #[serde(default)]
    body: Value,
}

/// The host sends arrays; its documentation shows plain strings.
#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    Many(Vec<String>),
    One(String),
}

fn rebuild(body: &[u8]) -> Result<Request, Error> {
    let envelope = Envelope::parse(body)?;
    let request: HttpRequest = envelope.input(envelope.trigger_input("Url")?)?;
    let wrong = |part: &str, reason: &str| Error::envelope(part, reason);
    let address = utf8_percent_encode(&request.url, NOT_IN_ADDRESSES).to_string();
    let uri: Uri = address
        .parse()
        .map_err(|_| wrong("Url", "it is no address"))?;
    let path = uri
        .path_and_query()
        .map_or("/", http::uri::PathAndQuery::as_str);
    let method: Method = request
        .method
        .parse()
        .map_err(|_| wrong("Method", "it is no method"))?;
    let headers = headers(request.headers)?;
    let content = content(request.body, headers.get(header::CONTENT_TYPE))?;
    let mut rebuilt = Request::builder()
        .method(method)
        .uri(path)
        .body(Body::from(content))
        .map_err(|_| wrong("Url", "its path is no path"))?;
    *rebuilt.headers_mut() = headers;
    Ok(rebuilt)
}

/// Errors: more headers than a request can have. What is no header is left out.
fn headers(values: BTreeMap<String, Values>) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    for (name, values) in values {
        let Ok(name) = HeaderName::try_from(name) else {
            continue;
        };
        if OF_THE_CONNECTION.contains(&name) {
            continue;
        }
        let values = match values {
            Values::Many(values) => values,
            Values::One(value) => vec![value],
        };
        for value in values {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers
                    .try_append(&name, value)
                    .map_err(|_| Error::envelope("Headers", "there are too many"))?;
            }
        }
    }
    Ok(headers)
}

/// The body is text, or base64 for the media types that the host takes as binary.
fn content(body: Value, content_type: Option<&HeaderValue>) -> Result<Vec<u8>, Error> {
    let content_type = content_type
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_ascii_lowercase();
    let is_binary = content_type.starts_with("application/octet-stream")
        || content_type.starts_with("multipart/");
    match body {
        Value::Null => Ok(Vec::new()),
        Value::String(text) if is_binary => STANDARD
            .decode(text)
            .map_err(|_| Error::envelope("Body", "it is not base64 although its type is binary")),
        Value::String(text) => Ok(text.into_bytes()),
        other => Ok(other.to_string().into_bytes()),
    }
}

async fn pack(response: Response) -> Result<Value, Failure> {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX)
        .await
        .map_err(Failure::internal)?;
    let Ok(text) = String::from_utf8(body.into()) else {
        let message =
            "a binary answer needs customHandler.enableForwardingHttpRequest in host.json";
        tracing::error!("{message}");
        let failure = Failure::new(FailureKind::Internal, message).with_code("forwarding_needed");
        let headers = json!({"Content-Type": "application/json"});
        return Ok(
            json!({"statusCode": 500, "body": failure.to_json().to_string(), "headers": headers}),
        );
    };
    Ok(
        json!({"statusCode": parts.status.as_u16(), "body": text, "headers": packed_headers(&parts.headers)}),
    )
}

/// The host takes one string per name; several values become a list, which is right for all but `Set-Cookie`.
fn packed_headers(headers: &HeaderMap) -> Map<String, Value> {
    let kept = headers
        .keys()
        .filter(|name| !OF_THE_CONNECTION.contains(name));
    let joined = |name: &HeaderName| {
        let values: Vec<Cow<'_, str>> = headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        (name.as_str().to_owned(), Value::from(values.join(", ")))
    };
    kept.map(joined).collect()
}
