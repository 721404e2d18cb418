//! The envelope of a timer trigger.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Metadata, envelope};
use crate::timer::ScheduleStatus;

/// The date that stands for "never", without an offset.
const NEVER: &str = "0001-01-01T00:00:00";

/// Builds the envelope. `status` is absent when the timer has no monitor.
pub(crate) fn timer_envelope(
    binding: &str,
    adjusts_for_dst: bool,
    status: Option<&ScheduleStatus>,
    is_past_due: bool,
    metadata: Metadata,
) -> Bytes {
    let status = status.map_or(Value::Null, |status| {
        json!({ "Last": date(status.last), "Next": date(status.next), "LastUpdated": date(status.last_updated) })
    });
    let info = json!({
        "Schedule": { "AdjustForDST": adjusts_for_dst },
        "ScheduleStatus": status,
        "IsPastDue": is_past_due,
    });
    envelope(binding, info, metadata)
}

/// A date as .NET writes a UTC `DateTimeOffset`: `2024-11-30T14:45:51+00:00`.
pub(crate) fn date(at: Option<Timestamp>) -> String {
    at.map_or_else(
        || NEVER.to_owned(),
        |at| at.to_string().replace('Z', "+00:00"),
    )
}
