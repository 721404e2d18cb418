//! The Event Grid trigger.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{Trigger, TriggerKind};
use crate::envelope::Envelope;
use crate::{Error, date};

/// An event from Event Grid, of the Event Grid schema or of CloudEvents 1.0. A failed invocation is delivered again.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct EventGridEvent {
    /// The event's id.
    pub id: String,
    /// What happened, for instance `Microsoft.Storage.BlobCreated`.
    pub event_type: String,
    /// Where it happened: `topic`, or `source` of CloudEvents.
    pub source: Option<String>,
    /// To what it happened.
    pub subject: Option<String>,
    /// When it happened.
    pub time: Option<Timestamp>,
    /// The publisher's data.
    pub data: Value,
}

#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(alias = "eventType")]
    r#type: String,
    #[serde(alias = "topic")]
    source: Option<String>,
    subject: Option<String>,
    #[serde(alias = "eventTime")]
    time: Option<String>,
    #[serde(default)]
    data: Value,
}

impl Trigger for EventGridEvent {
    const KIND: TriggerKind = TriggerKind::EventGrid;

    fn from_envelope(envelope: &Envelope<'_>) -> Result<Self, Error> {
        let event: Event = envelope.input(envelope.trigger_input("id")?)?;
        Ok(Self {
            id: event.id,
            event_type: event.r#type,
            source: event.source,
            subject: event.subject,
            time: event.time.as_deref().and_then(date::parse),
            data: event.data,
        })
    }
}
