//! Reading a JSON body: method, type, size, encoding and shape are checked in that order, each with its own answer.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use azure_functions::wire::MAX_REQUEST_BODY_BYTES;
use futures::StreamExt as _;
use serde::Deserialize;

use super::ApiError;

/// The bytes of a body that is valid UTF-8 and says that it is JSON.
#[derive(Debug)]
pub struct JsonBody(Bytes);

/// Takes the body of a POST request, at most `max_bytes` of it.
///
/// # Errors
/// 405 for another method, 413 over the limit, 415 for another content type, 400 for invalid UTF-8 or a broken body.
pub async fn read_json(request: Request, max_bytes: usize) -> Result<JsonBody, ApiError> {
    let (parts, body) = request.into_parts();
    let checked = check_method(&parts.method).and_then(|()| check_content_type(&parts.headers));
    let bytes = collect(body, if checked.is_ok() { max_bytes } else { 0 }).await;
    checked?;
    let bytes = bytes.map_err(|refused| match refused {
        Refused::TooLarge => ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("the body is larger than {max_bytes} bytes; send fewer or shorter inputs"),
        )
        .about("body"),
        Refused::Broken => ApiError::invalid(
            "broken_body",
            "body",
            "the body ended before its announced length",
        ),
    })?;
    if let Err(error) = std::str::from_utf8(&bytes) {
        let at = error.valid_up_to();
        return Err(ApiError::invalid(
            "invalid_utf8",
            "body",
            format!("the body is not valid UTF-8 at byte {at}"),
        ));
    }
    Ok(JsonBody(bytes))
}

enum Refused {
    TooLarge,
    Broken,
}

/// Reads the whole body, and keeps it when it has at most `max_bytes`.
///
/// A body that is refused is read to its end all the same, as far as the host lets one through: whoever is answered
/// while still sending sees a broken connection and not the answer.
async fn collect(body: Body, max_bytes: usize) -> Result<Bytes, Refused> {
    let (mut pieces, mut length) = (Vec::new(), 0);
    let mut stream = body.into_data_stream();
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|_| Refused::Broken)?;
        length += piece.len();
        if length <= max_bytes {
            pieces.push(piece);
        } else if length <= MAX_REQUEST_BODY_BYTES {
            pieces.clear();
        } else {
            break;
        }
    }
    if length > max_bytes {
        return Err(Refused::TooLarge);
    }
    Ok(match pieces.len() {
        1 => pieces.swap_remove(0),
        _ => pieces.concat().into(),
    })
}

fn check_method(method: &Method) -> Result<(), ApiError> {
    if method == Method::POST {
        return Ok(());
    }
    let message = format!("expected POST, got {method}");
    Err(ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        message,
    )
    .about("method"))
}

fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let given = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_content_type",
        format!("expected content-type application/json, got {given:?}"),
    )
    .about("content-type"))
}

impl JsonBody {
    /// Reads the body as a `T`.
    ///
    /// # Errors
    /// 400: `invalid_json` with line and column, or `invalid_request` with the field.
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, ApiError> {
        // The plain way first: following the path of every field costs time that only an error needs.
        serde_json::from_slice(&self.0).map_err(|error| self.explain::<T>(&error))
    }

    fn explain<'a, T: Deserialize<'a>>(&'a self, error: &serde_json::Error) -> ApiError {
        if !error.is_data() {
            return ApiError::invalid(
                "invalid_json",
                "body",
                format!("the body is not JSON: {error}"),
            );
        }
        let mut deserializer = serde_json::Deserializer::from_slice(&self.0);
        let field = match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
            Err(error) if error.path().iter().len() > 0 => error.path().to_string(),
            _ => "body".to_owned(),
        };
        ApiError::invalid("invalid_request", field, error.to_string())
    }
}
