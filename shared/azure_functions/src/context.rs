//! What is known about one invocation beside its input.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use jiff::Timestamp;
use serde::Deserialize;
use tracing::Span;

use crate::envelope::Envelope;
use crate::{Error, date, wire};

/// The context of one invocation. For HTTP functions it is an axum extractor that never refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvocationContext {
    /// The host's id of the invocation, empty when no host sent it. Attempts of a retry policy share one id and
    /// a redelivered blob event has a new one, so it is for logs and never for deduplication.
    pub invocation_id: String,
    /// The function's name.
    pub function: Arc<str>,
    /// Which attempt this is. `None` unless the function has a retry policy.
    pub retry: Option<RetryContext>,
    /// The host's version, for instance `4.1037.0.0`.
    pub host_version: Option<String>,
    /// The W3C trace context header.
    pub traceparent: Option<String>,
    /// When the host started the invocation. `None` for HTTP functions.
    pub started_at: Option<Timestamp>,
}

/// The attempt, under a retry policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryContext {
    /// 0 at the first attempt.
    pub retry_count: u32,
    /// How often the host will try again. `None` means without end.
    pub max_retry_count: Option<u32>,
}

impl RetryContext {
    /// Whether the host will not try again after this attempt.
    #[must_use]
    pub fn is_last_attempt(&self) -> bool {
        self.max_retry_count
            .is_some_and(|most| self.retry_count >= most)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RetryMetadata {
    #[serde(default)]
    retry_count: i64,
    #[serde(default = "without_end")]
    max_retry_count: i64,
}

/// The host writes an unlimited policy as -1.
fn without_end() -> i64 {
    -1
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SysMetadata {
    #[serde(default)]
    utc_now: Option<String>,
}

impl InvocationContext {
    pub(crate) fn from_headers(function: Arc<str>, headers: &HeaderMap) -> Self {
        Self {
            invocation_id: host_value(headers, &wire::INVOCATION_ID)
                .unwrap_or_default()
                .to_owned(),
            function,
            retry: None,
            host_version: host_value(headers, &wire::HOST_VERSION).map(str::to_owned),
            traceparent: host_value(headers, &wire::TRACEPARENT).map(str::to_owned),
            started_at: None,
        }
    }

    pub(crate) fn with_metadata(mut self, envelope: &Envelope<'_>) -> Result<Self, Error> {
        let retry: Option<RetryMetadata> = envelope.metadata(wire::RETRY_CONTEXT)?;
        self.retry = retry.map(|retry| RetryContext {
            retry_count: u32::try_from(retry.retry_count).unwrap_or_default(),
            max_retry_count: u32::try_from(retry.max_retry_count).ok(),
        });
        let sys: Option<SysMetadata> = envelope.metadata(wire::SYS)?;
        self.started_at = sys.and_then(|sys| date::parse(&sys.utc_now?));
        Ok(self)
    }
}

/// The span of one invocation.
pub(crate) fn span(function: &str, headers: &HeaderMap) -> Span {
    let id = host_value(headers, &wire::INVOCATION_ID);
    tracing::info_span!("invocation", function, invocation.id = id)
}

/// The host appends its headers to the client's, so of several values the last is the host's.
fn host_value<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let value = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    value.rsplit(',').next().map(str::trim)
}

/// The name of the function that a request was routed to.
#[derive(Clone)]
pub(crate) struct FunctionName(pub(crate) Arc<str>);

impl<S: Sync> FromRequestParts<S> for InvocationContext {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let function = parts
            .extensions
            .get::<FunctionName>()
            .map_or_else(|| Arc::from(""), |name| Arc::clone(&name.0));
        Ok(Self::from_headers(function, &parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn of_several_ids_the_hosts_own_counts() {
        let mut headers = HeaderMap::new();
        headers.append(wire::INVOCATION_ID, HeaderValue::from_static("forged"));
        headers.append(wire::INVOCATION_ID, HeaderValue::from_static("real"));
        assert_eq!(host_value(&headers, &wire::INVOCATION_ID), Some("real"));
        headers.insert(
            wire::INVOCATION_ID,
            HeaderValue::from_static("forged, real"),
        );
        assert_eq!(host_value(&headers, &wire::INVOCATION_ID), Some("real"));
    }

    #[test]
    fn retry_metadata_is_read_in_both_encodings_and_minus_one_is_without_end() {
        let context = || InvocationContext::from_headers(Arc::from("f"), &HeaderMap::new());
        let body = br#"{"Metadata": {"RetryContext": {"RetryCount": 2, "MaxRetryCount": 2, "Exception": null}}}"#;
        let retry = context()
            .with_metadata(&Envelope::parse(body).unwrap())
            .unwrap()
            .retry
            .unwrap();
        assert_eq!((retry.retry_count, retry.max_retry_count), (2, Some(2)));
        assert!(retry.is_last_attempt());
        let body =
            br#"{"Metadata": {"RetryContext": "{\"RetryCount\": 7, \"MaxRetryCount\": -1}"}}"#;
        let retry = context()
            .with_metadata(&Envelope::parse(body).unwrap())
            .unwrap()
            .retry
            .unwrap();
        assert_eq!((retry.retry_count, retry.max_retry_count), (7, None));
        assert!(!retry.is_last_attempt());
    }
}
