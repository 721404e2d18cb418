//! Accepts callers and decides what each request is for.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use hyper::body::{Body as _, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{admin, enveloped, event_grid, forwarded, proxied};
use crate::client::{Body, empty, full};
use crate::runtime::Runtime;

/// How long to wait when no connection can be accepted, for instance without free file descriptors.
const PAUSE_AFTER_FAULT: Duration = Duration::from_millis(100);

/// Serves callers until it is dropped, which also drops their connections.
pub(crate) async fn serve(runtime: Arc<Runtime>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, peer)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "the caller's connection keeps its delay");
                }
                connections.spawn(connection(runtime.clone(), TokioIo::new(stream), peer));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(PAUSE_AFTER_FAULT).await;
            }
        }
    }
}

async fn connection(
    runtime: Arc<Runtime>,
    stream: TokioIo<tokio::net::TcpStream>,
    peer: SocketAddr,
) {
    let service = service_fn(|request| {
        let runtime = runtime.clone();
        async move { Ok::<_, Infallible>(answer(runtime, request, peer).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(stream, service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a caller's connection broke");
    }
}

async fn answer(
    runtime: Arc<Runtime>,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Response<Body> {
    let path = request.uri().path();
    if path.starts_with("/admin/") {
        return admin::answer(&runtime, request).await;
    }
    if path.starts_with("/runtime/") {
        return event_grid::answer(&runtime, request).await;
    }
    let Some((function, parameters)) = runtime.routes.find(request.method(), path) else {
        let is_home = path == "/" && request.method() == Method::GET;
        return status(if is_home {
            StatusCode::OK
        } else {
            StatusCode::NOT_FOUND
        });
    };
    let Some(http) = function.http() else {
        return status(StatusCode::NOT_FOUND);
    };
    let query = request.uri().query().unwrap_or_default();
    if let Some(keys) = &runtime.keys
        && !keys.admits(http.auth_level, &function.name, request.headers(), query)
    {
        return status(StatusCode::UNAUTHORIZED);
    }
    // A length told in advance is refused before the handler hears of it; the host answers such a request with 500.
    if request.body().size_hint().lower() > runtime.largest_body {
        return status(StatusCode::INTERNAL_SERVER_ERROR);
    }
    let function = function.clone();
    let handler = &runtime.config.handler;
    if function.is_forwardable() && handler.proxying {
        proxied::answer(runtime, &function, request, peer).await
    } else if function.is_forwardable() && handler.forwarding {
        forwarded::answer(runtime, &function, request).await
    } else {
        enveloped::answer(runtime, function, request, parameters).await
    }
}

/// An answer without content.
pub(super) fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(empty());
    *response.status_mut() = status;
    response
}

/// An answer with JSON.
pub(super) fn json(code: StatusCode, value: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(full(value.to_string().into()));
    *response.status_mut() = code;
    let json = http::HeaderValue::from_static("application/json; charset=utf-8");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, json);
    response
}

/// The answer when there is no handler to ask.
pub(super) fn not_running() -> Response<Body> {
    let mut response = Response::new(full("Function host is not running.".into()));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}
