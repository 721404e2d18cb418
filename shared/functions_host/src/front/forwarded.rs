//! The mode `enableForwardingHttpRequest`: the raw request goes to the handler, the whole answer comes back.
//!
//! Sources: `HttpRequestExtensions.ToHttpRequestMessage`, `DefaultHttpWorkerService.AddHeaders` of the host.

use std::sync::Arc;

use azure_functions::wire;
use http::header::{
    ALLOW, CONNECTION, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH,
    CONTENT_LOCATION, CONTENT_RANGE, EXPECT, EXPIRES, HeaderName, HeaderValue, LAST_MODIFIED, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE, USER_AGENT,
};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

use super::{query, server};
use crate::client::{self, Body, Received, empty, full};
use crate::event::InvocationFailure;
use crate::function::Function;
use crate::identity::guid;
use crate::invocation::{Invocation, within};
use crate::runtime::Runtime;
use crate::wire::HOST_VERSION;

/// Content headers that .NET keeps apart and the host does not copy.
const DROPPED_CONTENT_HEADERS: [HeaderName; 8] = [
    ALLOW,
    CONTENT_DISPOSITION,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_LOCATION,
    CONTENT_RANGE,
    EXPIRES,
    LAST_MODIFIED,
];

/// Headers that belong to one connection.
const CONNECTION_HEADERS: [HeaderName; 6] =
    [CONNECTION, EXPECT, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

/// Passes the request on. Any status of the handler is a successful invocation.
pub(super) async fn answer(
    runtime: Arc<Runtime>,
    function: &Function,
    request: Request<Incoming>,
) -> Response<Body> {
    let Ok(instance) = runtime.instance(function) else {
        return server::not_running();
    };
    let Ok(life) = instance.ready().await else {
        return server::not_running();
    };
    let invocation = Invocation::begin(runtime.clone(), function.name.clone(), guid().into(), 0);
    let is_head = request.method() == Method::HEAD;
    let sent = async {
        let request = outgoing(request, instance.authority(), &invocation.id)?;
        let response = runtime
            .client
            .plain
            .request(request)
            .await
            .map_err(client::unreachable)?;
        client::receive(response).await
    };
    match within(runtime.config.function_timeout, sent).await {
        Ok(received) => {
            invocation.succeed();
            incoming(received, is_head)
        }
        Err(reason) => {
            if matches!(reason, InvocationFailure::TimedOut { .. }) {
                instance.restart_after_timeout(life);
            }
            invocation.fail(reason);
            server::status(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

/// The request as the handler gets it.
fn outgoing(
    request: Request<Incoming>,
    authority: &http::uri::Authority,
    invocation_id: &str,
) -> Result<Request<Body>, InvocationFailure> {
    let (parts, body) = request.into_parts();
    if parts.headers.contains_key(TRANSFER_ENCODING) {
        // The real host copies the header without the content, and its client throws.
        let reason =
            "its body is chunked: send a Content-Length, or turn enableProxyingHttpRequest on";
        return Err(InvocationFailure::NotForwardable { reason });
    }
    let path = match parts.uri.path_and_query() {
        Some(path) => path.clone(),
        None => PathAndQuery::from_static("/"),
    };
    let path = match path.query().and_then(query::rebuilt) {
        Some(query) => PathAndQuery::try_from(format!("{}?{query}", path.path()))
            .map_err(client::unreachable)?,
        None => path,
    };
    // The length comes from Content-Length, so the body is passed on as it arrives.
    let body = if body.size_hint().exact() == Some(0) {
        empty()
    } else {
        body.map_err(Into::into).boxed_unsync()
    };
    let mut outgoing = Request::new(body);
    *outgoing.method_mut() = parts.method;
    *outgoing.uri_mut() = client::uri(authority, path)?;
    *outgoing.headers_mut() = handed_on(parts.headers, invocation_id)?;
    Ok(outgoing)
}

fn handed_on(mut headers: HeaderMap, invocation_id: &str) -> Result<HeaderMap, InvocationFailure> {
    for name in DROPPED_CONTENT_HEADERS.iter().chain([&CONTENT_MD5]) {
        headers.remove(name);
    }
    drop_connection_headers(&mut headers);
    let agent = client::user_agent(headers.get(USER_AGENT));
    headers.insert(USER_AGENT, agent);
    // Appended, not replaced: a caller who sends the header makes it two values.
    headers.append(wire::HOST_VERSION, HeaderValue::from_static(HOST_VERSION));
    let id = HeaderValue::try_from(invocation_id).map_err(client::unreachable)?;
    headers.append(wire::INVOCATION_ID, id);
    Ok(headers)
}

/// Removes what concerns one connection only.
pub(super) fn drop_connection_headers(headers: &mut HeaderMap) {
    for name in CONNECTION_HEADERS
        .iter()
        .chain([&KEEP_ALIVE, &PROXY_CONNECTION])
    {
        headers.remove(name);
    }
}

/// The answer as the caller gets it.
fn incoming(received: Received, is_head: bool) -> Response<Body> {
    let Received {
        status,
        mut headers,
        body,
    } = received;
    drop_connection_headers(&mut headers);
    if !is_head {
        headers.remove(CONTENT_LENGTH);
    }
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
