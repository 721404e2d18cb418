//! An HTTP answer, read to its end, and what must hold for every one.

use axum::Router;
use axum::body::{Body, to_bytes};
use bytes::Bytes;
use futures::stream;
use http::{Request, StatusCode, header};
use serde_json::Value;
use tower::ServiceExt as _;

/// An answer.
#[derive(Debug, PartialEq)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Value,
}

impl Answer {
    /// Sends the request. The answer must be a JSON object; one with an error must say what it is.
    pub async fn of(router: &Router, request: Request<Body>) -> Self {
        let response = match router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX)
            .await
            .expect("an answer in memory can be read");
        assert_eq!(
            parts
                .headers
                .get(header::CONTENT_TYPE)
                .map(|value| value.as_bytes()),
            Some(&b"application/json"[..])
        );
        let body: Value = serde_json::from_slice(&body).expect("an answer is JSON");
        assert!(body.is_object(), "{body}");
        if !parts.status.is_success() {
            assert!(body["error"]["code"].is_string(), "{body}");
            assert!(body["error"]["message"].is_string(), "{body}");
        }
        Self {
            status: parts.status,
            body,
        }
    }

    /// The stable word of an error.
    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }
}

/// A JSON request in one piece.
pub fn post(path: &str, body: &[u8]) -> Request<Body> {
    request(path, Body::from(body.to_vec()))
}

/// The same request in pieces and without a length.
pub fn post_in_pieces(path: &str, body: &[u8], piece: usize) -> Request<Body> {
    let pieces: Vec<_> = body
        .chunks(piece)
        .map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece)))
        .collect();
    request(path, Body::from_stream(stream::iter(pieces)))
}

fn request(path: &str, body: Body) -> Request<Body> {
    Request::post(path)
        .header(header::CONTENT_TYPE, "application/json")
        .body(body)
        .expect("the request of a target is right")
}
