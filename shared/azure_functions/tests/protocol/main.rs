//! The protocol as a host sees it: requests in, answers out, mostly without a socket.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod event;
mod forwarded;
mod logged;
mod packed;
mod registration;
mod socket;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::response::Response;
use futures::stream;
use http::{Request, StatusCode, header};
use serde_json::Value;
use tower::ServiceExt as _;

/// An answer, read to its end.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: http::HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/json");
        serde_json::from_slice(&self.body).unwrap()
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn error_code(&self) -> String {
        let body = self.json();
        assert!(body["error"]["message"].is_string(), "{body}");
        body["error"]["code"].as_str().unwrap().to_owned()
    }
}

async fn call(router: &Router, request: Request<Body>) -> Answer {
    read(router.clone().oneshot(request).await.unwrap()).await
}

async fn read(response: Response) -> Answer {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}

/// A request as the host sends it for a function, with the headers of an invocation.
fn invocation(function: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post(format!("/{function}"))
        .header("X-Azure-Functions-InvocationId", "6f1c")
        .header("X-Azure-Functions-HostVersion", "4.1037.0.0")
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
        .header(
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        )
        .body(body.into())
        .unwrap()
}

/// A body in pieces, without a length.
fn chunked(body: &[u8], piece: usize) -> Body {
    let pieces: Vec<_> = body
        .chunks(piece)
        .map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece)))
        .collect();
    Body::from_stream(stream::iter(pieces))
}

fn panics(message: &str) -> StatusCode {
    panic!("{message}")
}
