//! The mode `enableProxyingHttpRequest`: request and answer are streamed. It wins over forwarding.
//!
//! Sources: `DefaultHttpProxyService.cs`, `RetryProxyHandler.cs` of the host. The host hands the request to YARP's
//! `IHttpForwarder` with `HttpTransformer.Default`.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use azure_functions::wire;
use bytes::Bytes;
use http::header::{HOST, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

use super::activity::{Activity, Noted};
use super::forwarded::drop_connection_headers;
use super::server;
use crate::client::{self, Body, BoxError};
use crate::event::InvocationFailure;
use crate::function::Function;
use crate::handler::Instance;
use crate::identity::guid;
use crate::invocation::{Invocation, within};
use crate::runtime::Runtime;
use crate::wire::{HOST_VERSION, MS_INVOCATION_ID};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Streams the request to the handler and its answer back.
pub(super) async fn answer(
    runtime: Arc<Runtime>,
    function: &Function,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Response<Body> {
    let Ok(instance) = runtime.instance(function) else {
        return server::not_running();
    };
    let instance = instance.clone();
    let Ok(life) = instance.ready().await else {
        return server::not_running();
    };
    let invocation = Invocation::begin(runtime.clone(), function.name.clone(), guid().into(), 0);
    let deadline = runtime
        .config
        .function_timeout
        .map(|limit| (Instant::now() + limit, limit));
    let activity = Activity::new(runtime.options.proxying_idle_limit);
    let sent = async {
        let request = outgoing(
            request,
            instance.authority(),
            &invocation.id,
            peer,
            runtime.largest_body,
            &activity,
        )?;
        let answered = runtime.client.patient.request(request);
        tokio::select! {
            response = answered => response.map_err(client::unreachable),
            () = activity.clone().stands_still() => Err(InvocationFailure::Idle { limit: activity.limit }),
        }
    };
    match within(runtime.config.function_timeout, sent).await {
        Ok(response) => {
            let (mut parts, body) = response.into_parts();
            drop_connection_headers(&mut parts.headers);
            activity.note();
            let body = Answer {
                stands_still: Box::pin(activity.clone().stands_still()),
                body: Noted { body, activity },
                invocation: Some(invocation),
                timeout: deadline.map(|(at, limit)| Timeout {
                    sleep: Box::pin(tokio::time::sleep_until(at)),
                    limit,
                }),
                instance,
                life,
            };
            Response::from_parts(parts, body.boxed_unsync())
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

fn outgoing(
    request: Request<Incoming>,
    authority: &Authority,
    invocation_id: &str,
    peer: SocketAddr,
    largest_body: u64,
    activity: &Activity,
) -> Result<Request<Body>, InvocationFailure> {
    let (parts, body) = request.into_parts();
    let activity = activity.clone();
    let body = Noted { body, activity };
    let path = parts
        .uri
        .path_and_query()
        .cloned()
        .unwrap_or(PathAndQuery::from_static("/"));
    // A length told in advance was checked already; then there is nothing to count.
    let body = if body.size_hint().exact().is_some() {
        body.map_err(Into::into).boxed_unsync()
    } else {
        Limited::new(body, usize::try_from(largest_body).unwrap_or(usize::MAX)).boxed_unsync()
    };
    let mut outgoing = Request::new(body);
    *outgoing.method_mut() = parts.method;
    *outgoing.uri_mut() = client::uri(authority, path)?;
    *outgoing.headers_mut() = handed_on(parts.headers, authority, invocation_id, peer)?;
    Ok(outgoing)
}

/// The headers as the handler gets them.
///
/// Which `X-Forwarded-*` headers the host adds is **unconfirmed** by its own source. These are YARP's defaults: For, Host and
/// Proto are set anew, whatever the caller sent, and Prefix is the part of the path that the server is mounted at. The host is
/// mounted at the root, so there is none, and a caller's own is removed.
fn handed_on(
    mut headers: HeaderMap,
    authority: &Authority,
    invocation_id: &str,
    peer: SocketAddr,
) -> Result<HeaderMap, InvocationFailure> {
    drop_connection_headers(&mut headers);
    let own = HeaderValue::try_from(authority.as_str()).map_err(client::unreachable)?;
    if let Some(host) = headers.insert(HOST, own) {
        headers.insert(FORWARDED_HOST, host);
    }
    headers.insert(
        FORWARDED_FOR,
        HeaderValue::try_from(peer.ip().to_string()).map_err(client::unreachable)?,
    );
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
    headers.remove(FORWARDED_PREFIX);
    let id = HeaderValue::try_from(invocation_id).map_err(client::unreachable)?;
    headers.insert(wire::HOST_VERSION, HeaderValue::from_static(HOST_VERSION));
    headers.insert(wire::INVOCATION_ID, id.clone());
    headers.insert(MS_INVOCATION_ID, id);
    Ok(headers)
}

/// The handler's body on its way to the caller. The invocation lasts as long as it does.
struct Answer {
    body: Noted<Incoming>,
    /// Ends when nothing has moved for too long.
    stands_still: Pin<Box<dyn Future<Output = ()> + Send>>,
    invocation: Option<Invocation>,
    timeout: Option<Timeout>,
    instance: Arc<Instance>,
    life: u64,
}

struct Timeout {
    sleep: Pin<Box<Sleep>>,
    limit: std::time::Duration,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            let frame = match frame {
                Some(Ok(frame)) => Some(Ok(frame)),
                Some(Err(error)) => {
                    let reason = client::unreachable(error);
                    Some(Err(self.fail(reason)))
                }
                None => None,
            };
            if (frame.is_none() || self.body.is_end_stream())
                && let Some(invocation) = self.invocation.take()
            {
                invocation.succeed();
            }
            return Poll::Ready(frame);
        }
        if self.invocation.is_some() && self.stands_still.as_mut().poll(context).is_ready() {
            // The handler goes on living: only this exchange is over.
            let limit = self.body.activity.limit;
            return Poll::Ready(Some(Err(self.fail(InvocationFailure::Idle { limit }))));
        }
        let Some(timeout) = &mut self.timeout else {
            return Poll::Pending;
        };
        ready!(timeout.sleep.as_mut().poll(context));
        let limit = timeout.limit;
        self.timeout = None;
        self.instance.restart_after_timeout(self.life);
        Poll::Ready(Some(Err(self.fail(InvocationFailure::TimedOut { limit }))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Answer {
    fn fail(&mut self, reason: InvocationFailure) -> BoxError {
        match self.invocation.take() {
            Some(invocation) => invocation.fail(reason).into(),
            None => reason.into(),
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // An empty body is never polled: the answer was whole all the same.
        if self.body.is_end_stream()
            && let Some(invocation) = self.invocation.take()
        {
            invocation.succeed();
        }
    }
}
