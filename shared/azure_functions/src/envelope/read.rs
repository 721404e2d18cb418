//! Reading an envelope from a request: once, into one buffer, within a limit.

use axum::body::Body;
use http_body_util::BodyExt as _;

use super::buffer::EnvelopeBuffer;
use crate::{Failure, FailureKind};

/// The first allocation is no larger than this when long strings are left out.
const FIRST_CAPACITY_BYTES: usize = 16 * 1024;

/// Reads the body, chunked or with a length. Strings over `longest_string` bytes become empty on the way.
pub(crate) async fn read(
    mut body: Body,
    limit: usize,
    longest_string: usize,
) -> Result<Vec<u8>, Failure> {
    let announced = axum::body::HttpBody::size_hint(&body).lower();
    let announced = usize::try_from(announced).unwrap_or(usize::MAX).min(limit);
    let capacity = if longest_string == usize::MAX {
        announced
    } else {
        announced.min(FIRST_CAPACITY_BYTES)
    };
    let mut buffer = EnvelopeBuffer::new(longest_string, capacity);
    let mut received = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            Failure::new(FailureKind::BadRequest, "the request body broke off").with_source(error)
        })?;
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        received += piece.len();
        if received > limit {
            return Err(too_large(limit));
        }
        buffer.push(&piece);
    }
    Ok(buffer.into_bytes())
}

/// The answer to a body over the limit.
pub(crate) fn too_large(limit: usize) -> Failure {
    Failure::new(
        FailureKind::TooLarge,
        format!("the request body is over the limit of {limit} bytes"),
    )
    .with_detail("limit_bytes", limit)
}
