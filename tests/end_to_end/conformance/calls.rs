//! Callers of the host.

use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use sluice_functions_host::RunningHost;

use super::support::PATIENCE;

type Body = UnsyncBoxBody<Bytes, std::convert::Infallible>;

/// An answer with its whole body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

pub(crate) fn sized(content: impl Into<Bytes>) -> Body {
    Full::new(content.into()).boxed_unsync()
}

pub(crate) fn chunked(content: &'static str) -> Body {
    StreamBody::new(stream::iter([Ok(Frame::data(Bytes::from_static(
        content.as_bytes(),
    )))]))
    .boxed_unsync()
}

pub(crate) fn client() -> Client<HttpConnector, Body> {
    Client::builder(TokioExecutor::new()).build_http()
}

pub(crate) async fn send(
    request: Request<Body>,
) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
    let answered = async {
        let response = client().request(request).await?;
        let (parts, body) = response.into_parts();
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await?.to_bytes(),
        })
    };
    let answered = tokio::time::timeout(PATIENCE, answered).await;
    answered.expect("the host answers or cuts the connection")
}

pub(crate) async fn call(
    method: Method,
    url: String,
    headers: &[(&str, &str)],
    body: Body,
) -> Answer {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(request.body(body).unwrap()).await.unwrap()
}

pub(crate) async fn get(host: &RunningHost, path: &str) -> Answer {
    call(Method::GET, format!("{}{path}", host.url()), &[], sized("")).await
}

pub(crate) async fn post(host: &RunningHost, path: &str, body: impl Into<Bytes>) -> Answer {
    call(
        Method::POST,
        format!("{}{path}", host.url()),
        &[],
        sized(body),
    )
    .await
}
