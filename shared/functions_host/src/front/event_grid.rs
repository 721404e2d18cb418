//! `POST /runtime/webhooks/blobs`: where Event Grid delivers blob events.
//!
//! Sources: `HttpRequestProcessor.cs`, `BlobsExtensionConfigProvider.ProcessEventsAsync`.

use std::sync::Arc;

use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::{query, server};
use crate::blob::Message;
use crate::client::Body;
use crate::event::HostEvent;
use crate::function::{Function, Trigger};
use crate::host_json::at;
use crate::runtime::Runtime;
use crate::wire::{EVENT_TYPE, FUNCTION_ID_PREFIX};

const PATH: &str = "/runtime/webhooks/blobs";
/// Event Grid delivers at most 1 MB.
const LARGEST_DELIVERY: usize = 2 * 1024 * 1024;

/// Answers a request to `/runtime/...`.
pub(super) async fn answer(runtime: &Arc<Runtime>, request: Request<Incoming>) -> Response<Body> {
    let query = request.uri().query().unwrap_or_default().to_owned();
    if request.uri().path() != PATH || request.method() != Method::POST {
        return server::status(StatusCode::NOT_FOUND);
    }
    if let Some(keys) = &runtime.keys
        && !keys.admits_webhook(request.headers(), &query)
    {
        return server::status(StatusCode::UNAUTHORIZED);
    }
    let name = query::value(&query, "functionName").unwrap_or_default();
    let function = runtime.function(name.strip_prefix(FUNCTION_ID_PREFIX).unwrap_or(&name));
    let Some((function, container)) =
        function.and_then(|function| Some((function, container(function)?)))
    else {
        return server::status(StatusCode::NOT_FOUND);
    };
    let kind = request
        .headers()
        .get(EVENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let Ok(body) = Limited::new(request.into_body(), LARGEST_DELIVERY)
        .collect()
        .await
    else {
        return server::status(StatusCode::BAD_REQUEST);
    };
    let events = match serde_json::from_slice(&body.to_bytes()) {
        Ok(Value::Array(events)) => events,
        Ok(event @ Value::Object(_)) => vec![event],
        _ if kind == "Unsubscribe" => Vec::new(),
        _ => return server::status(StatusCode::BAD_REQUEST),
    };
    match kind.as_str() {
        "SubscriptionValidation" => {
            let code = events.first().map_or(&Value::Null, |event| {
                at(at(event, "data"), "validationCode")
            });
            match code.as_str() {
                Some(code) => server::json(StatusCode::OK, &json!({ "validationResponse": code })),
                None => server::status(StatusCode::BAD_REQUEST),
            }
        }
        "Notification" => {
            let messages: Option<Vec<_>> = events
                .iter()
                .map(|event| message(function, container, event))
                .collect();
            match messages {
                Some(messages) => enqueue(runtime, messages).await,
                None => server::status(StatusCode::BAD_REQUEST),
            }
        }
        "Unsubscribe" => server::status(StatusCode::ACCEPTED),
        _ => server::status(StatusCode::BAD_REQUEST),
    }
}

/// Puts messages on the queue and answers 202 once they are on disk.
pub(super) async fn enqueue(runtime: &Arc<Runtime>, messages: Vec<Message>) -> Response<Body> {
    let (queue_of, now) = (runtime.clone(), runtime.options.clock.now());
    let queued = tokio::task::spawn_blocking(move || {
        for message in messages {
            let (function, blob) = (message.function().into(), message.path());
            queue_of.queue.put(message, now)?;
            queue_of.emit(HostEvent::BlobQueued { function, blob });
        }
        Ok::<_, std::io::Error>(())
    });
    match queued.await.map_err(std::io::Error::other).flatten() {
        Ok(()) => server::status(StatusCode::ACCEPTED),
        Err(error) => {
            let reason = format!("the blob queue cannot be written: {error}");
            runtime.emit(HostEvent::StateFault { reason });
            server::status(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

fn container(function: &Function) -> Option<&str> {
    match &function.trigger {
        Trigger::Blob(blob) => Some(blob.pattern.container()),
        _ => None,
    }
}

/// The message of an event. The address names the container first, or, as emulators do, the account before it.
fn message(function: &Function, container: &str, event: &Value) -> Option<Message> {
    let data = at(event, "data");
    let url: Uri = at(data, "url").as_str()?.parse().ok()?;
    let path = percent_decode_str(url.path().trim_start_matches('/'))
        .decode_utf8()
        .ok()?;
    let (first, rest) = path.split_once('/')?;
    let (of, blob) = match rest.split_once('/') {
        Some((second, blob)) if first != container && second == container => (second, blob),
        _ => (first, rest),
    };
    let etag = at(data, "eTag").as_str().unwrap_or_default();
    Some(Message::new(&function.name, of, blob, etag))
}
