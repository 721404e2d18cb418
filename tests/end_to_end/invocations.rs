//! Invocations that come in envelopes, as the host sends them to the handler.

use hyper::Method;
use serde_json::{Value, json};

use crate::http::{self, Answer};

/// The event of a new blob in the incoming container, with what the host inlines of its content.
pub(crate) fn blob_event(name: &str, inlined: &str) -> Value {
    let uri = format!("https://local.blob.core.windows.net/incoming/messages/{name}");
    json!({
        "Data": { "blob": inlined },
        "Metadata": {
            "Uri": json!(uri).to_string(),
            "Properties": { "ContentLength": 1, "ETag": {} },
            "Metadata": {},
            "dataset": "\"messages\"",
            "name": json!(name).to_string(),
            "sys": sys("ingest"),
        },
    })
}

/// The event of a timer.
pub(crate) fn timer_event(function: &str) -> Value {
    json!({
        "Data": { "timer": {
            "Schedule": { "AdjustForDST": true },
            "ScheduleStatus": { "Last": "0001-01-01T00:00:00", "Next": "2026-11-23T03:00:00+00:00", "LastUpdated": "0001-01-01T00:00:00" },
            "IsPastDue": false,
        } },
        "Metadata": { "sys": sys(function) },
    })
}

fn sys(function: &str) -> Value {
    json!({ "MethodName": function, "UtcNow": "2026-11-23T03:00:00Z", "RandGuid": "5a9d6b8c-9f0e-4b57-a5c4-2f4b8f5a7d33" })
}

/// Sends an envelope; nothing comes back when the handler is killed meanwhile.
pub(crate) fn try_invoke(
    handler_url: &str,
    function: &str,
    envelope: &Value,
) -> Result<Answer, String> {
    http::try_send(http::request(
        Method::POST,
        &format!("{handler_url}/{function}"),
        "application/json",
        envelope.to_string(),
    ))
}
