//! A small HTTP client for tests that are not asynchronous.

use std::sync::OnceLock;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::{HeaderMap, Method, Request, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::runtime::Runtime;

/// An answer with its whole body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A header's value, empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// Sends a request; nothing comes back when the server cannot be reached or breaks off.
pub(crate) fn try_send(request: Request<Full<Bytes>>) -> Result<Answer, String> {
    static CLIENT: OnceLock<(Runtime, Client<HttpConnector, Full<Bytes>>)> = OnceLock::new();
    let (runtime, client) = CLIENT.get_or_init(|| {
        (
            Runtime::new().unwrap(),
            Client::builder(TokioExecutor::new()).build_http(),
        )
    });
    runtime.block_on(async {
        let response = client
            .request(request)
            .await
            .map_err(|error| sluice_telemetry::chain(&error))?;
        let (parts, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .map_err(|error| sluice_telemetry::chain(&error))?;
        Ok(Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.to_bytes(),
        })
    })
}

/// Sends a request and needs an answer.
pub(crate) fn send(request: Request<Full<Bytes>>) -> Answer {
    let what = format!("{} {}", request.method(), request.uri());
    try_send(request).unwrap_or_else(|error| panic!("{what}: {error}"))
}

/// A request with a body.
pub(crate) fn request(
    method: Method,
    url: &str,
    content_type: &str,
    body: impl Into<Bytes>,
) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(url)
        .header(header::CONTENT_TYPE, content_type)
        .body(Full::new(body.into()))
        .unwrap()
}

/// Posts JSON.
pub(crate) fn post(url: &str, body: &Value) -> Answer {
    send(request(
        Method::POST,
        url,
        "application/json",
        body.to_string(),
    ))
}

/// Asks for a page.
pub(crate) fn get(url: &str) -> Result<Answer, String> {
    try_send(Request::get(url).body(Full::default()).unwrap())
}
