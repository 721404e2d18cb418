//! Functions that the host calls with an envelope: everything but HTTP.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler as _;
use axum::response::IntoResponse as _;
use axum::routing::post_service;

use crate::envelope::{self, Envelope};
use crate::invocation::InvocationService;
use crate::{Error, Failure, InvocationContext, Reply, Trigger};

/// Envelopes up to this size are parsed in place; a larger one would hold up the executor.
const PARSE_IN_PLACE_BYTES: usize = 256 * 1024;

/// The route `POST /{function}`. `limit` is that of the envelope, in bytes.
pub(crate) fn router<E, H, F>(function: Arc<str>, limit: usize, handler: Arc<H>) -> Router
where
    E: Trigger,
    H: Fn(E, InvocationContext) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Reply, Failure>> + Send + 'static,
{
    let path = format!("/{function}");
    let name = Arc::clone(&function);
    let endpoint = move |request: Request| {
        let context = InvocationContext::from_headers(Arc::clone(&name), request.headers());
        let handler = Arc::clone(&handler);
        async move {
            match invoke(request, context, limit, &*handler).await {
                Ok(reply) => reply.into_response(),
                Err(failure) => failure.into_response(),
            }
        }
    };
    let service = InvocationService::new(function, limit, endpoint.with_state(()));
    Router::new().route(&path, post_service(service))
}

async fn invoke<E, H, F>(
    request: Request,
    context: InvocationContext,
    limit: usize,
    handler: &H,
) -> Result<Reply, Failure>
where
    E: Trigger,
    H: Fn(E, InvocationContext) -> F,
    F: Future<Output = Result<Reply, Failure>>,
{
    let body = envelope::read(request.into_body(), limit, E::LONGEST_STRING).await?;
    let parse = move |body: Vec<u8>| -> Result<(E, InvocationContext), Error> {
        let envelope = Envelope::parse(&body)?;
        let context = context.with_metadata(&envelope)?;
        Ok((E::from_envelope(&envelope)?, context))
    };
    let (event, context) = parse_envelope(body, parse).await?;
    handler(event, context).await
}

/// Parses an envelope, on a thread of its own if it is large. One that is not understood is worth a warning: its sender
/// is the host, not a client.
pub(crate) async fn parse_envelope<T, P>(body: Vec<u8>, parse: P) -> Result<T, Failure>
where
    T: Send + 'static,
    P: FnOnce(Vec<u8>) -> Result<T, Error> + Send + 'static,
{
    let parsed = if body.len() > PARSE_IN_PLACE_BYTES {
        tokio::task::spawn_blocking(move || parse(body))
            .await
            .map_err(Failure::internal)?
    } else {
        parse(body)
    };
    parsed.map_err(|error| {
        tracing::warn!("the host sent an envelope that is not understood: {error}");
        Failure::from(error)
    })
}
