//! HTTP without forwarding: the request travels in an envelope, the response in the handler's answer.

use std::sync::Arc;

use http::header::HOST;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

use super::route::Parameters;
use super::{query, server};
use crate::client::{Body, full};
use crate::envelope::{HttpFacts, Metadata, http_envelope};
use crate::event::InvocationFailure;
use crate::function::Function;
use crate::identity::guid;
use crate::invocation;
use crate::runtime::Runtime;

/// Invokes the function and unpacks its HTTP output. A failed invocation is an empty 500.
pub(super) async fn answer(
    runtime: Arc<Runtime>,
    function: Arc<Function>,
    request: Request<Incoming>,
    parameters: Parameters,
) -> Response<Body> {
    let Some(http) = function.http() else {
        return server::status(StatusCode::NOT_FOUND);
    };
    let (parts, body) = request.into_parts();
    // The host asks for the length; a chunked body is lost.
    let body = match body.size_hint().exact() {
        Some(length) if length > 0 => match body.collect().await {
            Ok(body) => Some(body.to_bytes()),
            // The caller left in the middle of its request.
            Err(_) => return server::status(StatusCode::BAD_REQUEST),
        },
        _ => None,
    };
    let host = parts
        .headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let facts = HttpFacts {
        method: &parts.method,
        url: format!(
            "http://{host}{}",
            parts.uri.path_and_query().map_or("/", |path| path.as_str())
        ),
        query: query::pairs(parts.uri.query().unwrap_or_default()),
        headers: &parts.headers,
        parameters,
        body: body.as_deref(),
    };
    let metadata = Metadata::new(&function.name, runtime.options.clock.now());
    let envelope = http_envelope(&http.binding, &facts, metadata);

    // A task of its own: the invocation goes on when the caller leaves.
    let called = tokio::spawn(async move {
        invocation::call(&runtime, &function, guid().into(), 0, envelope).await
    });
    match called.await {
        Ok(Ok(answer)) => {
            let mut response = Response::new(full(answer.http.body));
            *response.status_mut() = answer.http.status;
            *response.headers_mut() = answer.http.headers;
            response
        }
        Ok(Err(InvocationFailure::HostNotRunning)) => server::not_running(),
        Ok(Err(_)) | Err(_) => server::status(StatusCode::INTERNAL_SERVER_ERROR),
    }
}
