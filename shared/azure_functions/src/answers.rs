//! The answers that belong to no function.

use axum::response::IntoResponse as _;
use axum::response::Response;
use http::{Method, Uri};

use crate::{Failure, FailureKind};

/// The host's readiness and health probe. It must answer at once, whatever else the process does.
pub(crate) async fn probe() -> &'static str {
    "ready"
}

/// axum adds the `Allow` header.
pub(crate) async fn method_not_allowed(method: Method) -> Response {
    plain(Failure::new(
        FailureKind::MethodNotAllowed,
        format!("the method {method} is not allowed here"),
    ))
}

/// A `POST` to a single segment is the host calling a function: then folder and program disagree.
pub(crate) async fn not_found(method: Method, uri: Uri) -> Response {
    let path = uri.path();
    let name = path
        .strip_prefix('/')
        .filter(|name| !name.is_empty() && !name.contains('/'));
    if let (&Method::POST, Some(function)) = (&method, name) {
        tracing::warn!(
            function,
            "the host called a function that this program does not have"
        );
        let message = format!("this program has no function {function:?}");
        return plain(Failure::new(FailureKind::NotFound, message).with_code("unknown_function"));
    }
    plain(Failure::new(
        FailureKind::NotFound,
        format!("there is nothing at {path}"),
    ))
}

fn plain(failure: Failure) -> Response {
    let mut response = failure.into_response();
    response.extensions_mut().remove::<Failure>();
    response
}
