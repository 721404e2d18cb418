//! A deliberate failure of one invocation: what the caller is told, and what the log is told.
//!
//! Handlers return [`Failure`] and nothing else, so that each failure is a decision. The public message goes to
//! the caller; the source goes to the log and nowhere else. The conversion into a response never logs: the layer
//! around each function does, once, and only when the fault is the server's.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};

use crate::Error;

/// The kinds of failure. Each has one HTTP status and one code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// The request is malformed (400).
    BadRequest,
    /// The caller may not do this (403).
    Forbidden,
    /// There is no such thing (404).
    NotFound,
    /// The path exists, the method does not (405).
    MethodNotAllowed,
    /// The state of the thing does not permit it (409).
    Conflict,
    /// The body is over the limit (413).
    TooLarge,
    /// The body has a media type that is not understood (415).
    UnsupportedMediaType,
    /// The request is well-formed and makes no sense (422).
    Unprocessable,
    /// Too many requests at once (429).
    TooManyRequests,
    /// A fault of the program or of something it uses (500).
    Internal,
    /// Not possible now, possible later (503).
    Unavailable,
    /// It took too long (504).
    TimedOut,
}

impl FailureKind {
    /// The HTTP status of this kind.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The code of this kind in an error body, unless the failure names a more exact one.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Conflict => "conflict",
            Self::TooLarge => "too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::Unprocessable => "unprocessable",
            Self::TooManyRequests => "too_many_requests",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
            Self::TimedOut => "timed_out",
        }
    }

    /// Whether the same request may succeed later: too many requests, not available, too slow, internal.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::TooManyRequests | Self::Internal | Self::Unavailable | Self::TimedOut
        )
    }

    /// Whether the fault is the server's (status 5xx). Only these are logged as errors.
    #[must_use]
    pub const fn is_server_fault(self) -> bool {
        matches!(self, Self::Internal | Self::Unavailable | Self::TimedOut)
    }
}

/// A failed invocation.
///
/// As an HTTP answer it is `{"error": {"code", "message", …details}}` with the status of its kind. For every other
/// trigger any non-2xx status fails the invocation, and the host decides what follows: a blob is tried again at
/// once, five times in all; a timer is tried again only under a retry policy. So fail only if another attempt can
/// help; for input that will never be right, succeed and put it on record.
#[derive(Debug, Clone)]
pub struct Failure {
    kind: FailureKind,
    code: &'static str,
    message: String,
    details: BTreeMap<&'static str, Value>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
    retryable: bool,
}

impl Failure {
    /// A failure whose message the caller may read: what was wrong, where, what to do.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: kind.code(),
            message: message.into(),
            details: BTreeMap::new(),
            source: None,
            retryable: kind.is_retryable(),
        }
    }

    /// A fault of the program: the caller learns only that, the log gets the cause.
    #[must_use]
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(
            FailureKind::Internal,
            "the function failed, its log says why",
        )
        .with_source(source)
    }

    /// Replaces the code of the kind by a more exact one, for instance `no_champion`.
    #[must_use]
    pub fn with_code(mut self, code: &'static str) -> Self {
        self.code = code;
        self
    }

    /// Adds a public member to the error body, for instance `field`. `code` and `message` cannot be replaced.
    #[must_use]
    pub fn with_detail(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.details.insert(name, value.into());
        self
    }

    /// Adds the cause, which goes to the log only.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// Says whether another attempt can help, where the kind alone says it wrongly. It is logged; the
    /// host's own retry rules do not read it.
    #[must_use]
    pub fn with_retryable(mut self, retryable: bool) -> Self {
        self.retryable = retryable;
        self
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// The code in the error body.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The public message.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether another attempt can help.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }

    /// The error body.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut error = serde_json::Map::new();
        for (name, value) in &self.details {
            error.insert((*name).to_owned(), value.clone());
        }
        error.insert("code".to_owned(), self.code.into());
        error.insert("message".to_owned(), self.message.as_str().into());
        json!({ "error": error })
    }

    /// The message and its causes on one line, for the log.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.message.clone();
        let mut next = self.source();
        while let Some(cause) = next {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            next = cause.source();
        }
        text
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl StdError for Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// A bad envelope is the sender's fault; every other error of this crate is the program's.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Envelope { .. } => {
                Self::new(FailureKind::BadRequest, error.to_string()).with_code("bad_envelope")
            }
            other => Self::internal(other),
        }
    }
}

/// The failure also rides along in the response's extensions, where the layer around the function finds it.
impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = self.to_json().to_string();
        let content_type = [(header::CONTENT_TYPE, "application/json")];
        let mut response = (self.kind.status(), content_type, body).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_holds_the_public_side_only() {
        let failure = Failure::internal("password is hunter2").with_detail("field", "inputs");
        let body = failure.to_json().to_string();
        assert!(!body.contains("hunter2"));
        assert!(body.contains(r#""field":"inputs""#));
        assert!(failure.chain().contains("hunter2"));
    }

    #[test]
    fn a_detail_cannot_replace_the_code() {
        let failure = Failure::new(FailureKind::Conflict, "taken").with_detail("code", "x");
        assert_eq!(failure.to_json()["error"]["code"], "conflict");
    }

    #[test]
    fn server_faults_are_retryable_and_client_faults_are_not() {
        assert!(Failure::new(FailureKind::Unavailable, "later").is_retryable());
        assert!(!Failure::new(FailureKind::BadRequest, "never").is_retryable());
        assert!(
            Failure::new(FailureKind::BadRequest, "raced")
                .with_retryable(true)
                .is_retryable()
        );
    }
}
