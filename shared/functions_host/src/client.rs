//! The HTTP client towards the handler: HTTP/1.1 with kept connections.

use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use azure_functions::wire;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, LOCATION, USER_AGENT};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;

use crate::event::InvocationFailure;
use crate::options::EnvelopeFraming;
use crate::wire::{HOST_VERSION, USER_AGENT as HOST_USER_AGENT};

/// What a body may fail with.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// Any body, in either direction.
pub(crate) type Body = UnsyncBoxBody<Bytes, BoxError>;

/// .NET's limit on redirects in a row.
const MOST_REDIRECTS: usize = 50;
/// The size of a chunk: a handler must put together many.
const CHUNK: usize = 64 * 1024;
/// Attempts to connect in proxying mode, and the pauses between them.
const PATIENT_ATTEMPTS: u32 = 10;
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// The clients of the modes.
#[derive(Clone, Debug)]
pub(crate) struct HandlerClient {
    /// Fails at once when nobody listens.
    pub(crate) plain: Client<Connector, Body>,
    /// Tries again for a while, as `RetryProxyHandler` does.
    pub(crate) patient: Client<Connector, Body>,
}

impl HandlerClient {
    pub(crate) fn new() -> Self {
        let client = |attempts| {
            Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(Duration::from_secs(60))
                .build(Connector { attempts })
        };
        Self {
            plain: client(1),
            patient: client(PATIENT_ATTEMPTS),
        }
    }
}

/// Connects to the address in the URI.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connector {
    attempts: u32,
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let attempts = self.attempts;
        Box::pin(async move {
            let host = uri
                .host()
                .map_or_else(|| Ipv4Addr::LOCALHOST.to_string(), str::to_owned);
            let port = uri.port_u16().unwrap_or(80);
            let mut pause = SHORTEST_PAUSE;
            let mut failed = 0;
            loop {
                match TcpStream::connect((host.as_str(), port)).await {
                    Ok(stream) => {
                        stream.set_nodelay(true)?;
                        return Ok(TokioIo::new(stream));
                    }
                    Err(error) => {
                        failed += 1;
                        if failed >= attempts {
                            return Err(error);
                        }
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(LONGEST_PAUSE);
                    }
                }
            }
        })
    }
}

/// An answer with its whole body.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// `POST /{function}` with an envelope. Redirects are followed, as .NET's client does.
pub(crate) async fn send_envelope(
    client: &HandlerClient,
    authority: &Authority,
    function: &str,
    invocation_id: &str,
    envelope: Bytes,
    framing: EnvelopeFraming,
) -> Result<Received, InvocationFailure> {
    let path = PathAndQuery::try_from(format!("/{function}")).map_err(unreachable)?;
    let mut uri = uri(authority, path)?;
    let (mut method, mut content) = (Method::POST, Some(envelope));
    for _ in 0..=MOST_REDIRECTS {
        let body = match (&content, framing) {
            (None, _) => empty(),
            (Some(content), EnvelopeFraming::ContentLength) => full(content.clone()),
            (Some(content), EnvelopeFraming::Chunked) => chunked(content.clone()),
        };
        let mut request = Request::builder()
            .method(method.clone())
            .uri(uri.clone())
            .header(wire::HOST_VERSION, HOST_VERSION)
            .header(wire::INVOCATION_ID, invocation_id)
            .header(USER_AGENT, HOST_USER_AGENT);
        if content.is_some() {
            request = request.header(CONTENT_TYPE, "application/json; charset=utf-8");
        }
        let request = request.body(body).map_err(unreachable)?;
        let received = receive(client.plain.request(request).await.map_err(unreachable)?).await?;
        let Some(target) = redirect(&received, &uri) else {
            return Ok(received);
        };
        if method == Method::POST && matches!(received.status.as_u16(), 300..=303) {
            (method, content) = (Method::GET, None);
        }
        uri = target;
    }
    Err(InvocationFailure::Malformed {
        reason: format!("more than {MOST_REDIRECTS} redirects in a row"),
    })
}

/// Where a redirect leads; `None` when the answer is not one that is followed.
fn redirect(received: &Received, from: &Uri) -> Option<Uri> {
    if !matches!(received.status.as_u16(), 300 | 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = received.headers.get(LOCATION)?.to_str().ok()?;
    let target: Uri = location.parse().ok()?;
    if target.authority().is_some() {
        return (target.scheme() == Some(&Scheme::HTTP)).then_some(target);
    }
    let path = if location.starts_with('/') {
        location.to_owned()
    } else {
        format!("/{location}")
    };
    uri(from.authority()?, PathAndQuery::try_from(path).ok()?).ok()
}

/// Reads the whole answer.
pub(crate) async fn receive(
    response: http::Response<hyper::body::Incoming>,
) -> Result<Received, InvocationFailure> {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(unreachable)?.to_bytes();
    Ok(Received {
        status: parts.status,
        headers: parts.headers,
        body,
    })
}

/// An address of the handler.
pub(crate) fn uri(authority: &Authority, path: PathAndQuery) -> Result<Uri, InvocationFailure> {
    Uri::builder()
        .scheme(Scheme::HTTP)
        .authority(authority.clone())
        .path_and_query(path)
        .build()
        .map_err(unreachable)
}

/// No content.
pub(crate) fn empty() -> Body {
    full(Bytes::new())
}

/// Content whose length is told.
pub(crate) fn full(content: Bytes) -> Body {
    Full::new(content)
        .map_err(|never: Infallible| match never {})
        .boxed_unsync()
}

/// Content whose length is not told, so that it is sent in chunks.
fn chunked(mut content: Bytes) -> Body {
    let pieces = std::iter::from_fn(move || {
        let piece = content.split_to(content.len().min(CHUNK));
        (!piece.is_empty()).then(|| Ok(Frame::data(piece)))
    });
    StreamBody::new(futures::stream::iter(pieces)).boxed_unsync()
}

/// The whole chain of causes: the transport's own message says little.
pub(crate) fn unreachable(error: impl std::error::Error) -> InvocationFailure {
    let mut reason = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        reason.push_str(": ");
        reason.push_str(&error.to_string());
        cause = error.source();
    }
    InvocationFailure::Unreachable { reason }
}

/// The host's own name in `User-Agent`, after what the caller sent.
pub(crate) fn user_agent(caller: Option<&HeaderValue>) -> HeaderValue {
    let joined = caller.and_then(|caller| {
        HeaderValue::from_bytes(&[caller.as_bytes(), b" ", HOST_USER_AGENT.as_bytes()].concat())
            .ok()
    });
    joined.unwrap_or(HeaderValue::from_static(HOST_USER_AGENT))
}
