//! The layer around every function: span, body limit, caught panics, and one log line per server fault.

use std::any::Any;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::{DefaultBodyLimit, Request};
use axum::response::{IntoResponse as _, Response};
use futures::FutureExt as _;
use futures::future::{CatchUnwind, Either, Map};
use http::{HeaderValue, StatusCode, header};
use http_body_util::BodyExt as _;
use tower::Service;
use tracing::instrument::{Instrument as _, Instrumented};

use crate::context::{self, FunctionName};
use crate::envelope::too_large;
use crate::{Failure, FailureKind};

/// How long the rest of a refused body is read, so that the client gets to see the refusal.
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// A function's service within the layer. It allocates nothing per request but the entry for the function's name.
#[derive(Debug, Clone)]
pub(crate) struct InvocationService<S> {
    inner: S,
    function: Arc<str>,
    body_limit: usize,
}

impl<S> InvocationService<S> {
    /// `body_limit` is in bytes.
    pub(crate) fn new(function: Arc<str>, body_limit: usize, inner: S) -> Self {
        Self {
            inner,
            function,
            body_limit,
        }
    }
}

type Answer = Result<Response, Infallible>;
type Caught = Result<Answer, Box<dyn Any + Send>>;
type Guarded<F> = Map<CatchUnwind<AssertUnwindSafe<F>>, fn(Caught) -> Answer>;

impl<S> Service<Request> for InvocationService<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Instrumented<Either<Ready<Answer>, Guarded<S::Future>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let span = context::span(&self.function, request.headers());
        let announced = request.body().size_hint().lower();
        if announced > self.body_limit as u64 {
            let refusal = span.in_scope(|| refuse(request.into_body(), self.body_limit));
            return Either::Left(ready(Ok(refusal))).instrument(span);
        }
        DefaultBodyLimit::max(self.body_limit).apply(&mut request);
        request
            .extensions_mut()
            .insert(FunctionName(Arc::clone(&self.function)));
        let inner = &mut self.inner;
        let called = span.in_scope(|| catch_unwind(AssertUnwindSafe(|| inner.call(request))));
        let future = match called {
            Ok(future) => Either::Right(
                AssertUnwindSafe(future)
                    .catch_unwind()
                    .map(finish as fn(Caught) -> Answer),
            ),
            Err(panic) => Either::Left(ready(span.in_scope(|| finish(Err(panic))))),
        };
        future.instrument(span)
    }
}

/// Runs within the invocation's span.
fn finish(outcome: Caught) -> Answer {
    let mut response = match outcome {
        Ok(Ok(response)) => response,
        Err(panic) => Failure::internal(format!("the handler panicked: {}", panic_text(&*panic)))
            .into_response(),
    };
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        log(&failure);
    } else if response.status().is_server_error() {
        tracing::error!(
            status = response.status().as_u16(),
            "the function answered with a server error"
        );
    } else if is_plain_too_large(&response) {
        response = Failure::new(FailureKind::TooLarge, "the request body is over the limit")
            .into_response();
        response.extensions_mut().remove::<Failure>();
    }
    Ok(response)
}

/// Client faults are routine; server faults need somebody to look.
fn log(failure: &Failure) {
    let (code, retryable, chain) = (failure.code(), failure.is_retryable(), failure.chain());
    if failure.kind().is_server_fault() {
        tracing::error!(code, retryable, "the function failed: {chain}");
    } else {
        tracing::debug!(code, retryable, "the function refused the request: {chain}");
    }
}

/// axum's extractors answer a chunked body over the limit in plain text.
fn is_plain_too_large(response: &Response) -> bool {
    let content_type = response
        .headers()
        .get(header::CONTENT_TYPE)
        .map(HeaderValue::as_bytes);
    response.status() == StatusCode::PAYLOAD_TOO_LARGE
        && content_type.is_some_and(|value| value.starts_with(b"text/plain"))
}

/// Answers at once and lets the body run out beside. A connection closed on a client that is still sending would
/// be reset, and the client would never read the answer.
fn refuse(body: Body, limit: usize) -> Response {
    let failure = too_large(limit);
    log(&failure);
    tokio::spawn(tokio::time::timeout(DRAIN_TIME, async move {
        let mut body = body;
        while let Some(Ok(_)) = body.frame().await {}
    }));
    let mut response = failure.into_response();
    response.extensions_mut().remove::<Failure>();
    response
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
