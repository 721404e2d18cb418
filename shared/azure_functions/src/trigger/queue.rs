//! The queue trigger.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Trigger, TriggerKind};
use crate::envelope::Envelope;
use crate::{Error, date};

/// A message from a storage queue. After five failed attempts the host moves it to the poison queue.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct QueueEvent {
    /// The message: a string, or the JSON that the host made of it.
    pub message: Value,
    /// The message's id.
    pub id: Option<String>,
    /// How often the message was taken from the queue, this time included.
    pub dequeue_count: Option<u32>,
    /// When the message was put into the queue.
    pub inserted_at: Option<Timestamp>,
    /// When the message expires.
    pub expires_at: Option<Timestamp>,
}

impl QueueEvent {
    /// The message as a `T`: from its JSON, or from the JSON text that it is.
    ///
    /// # Errors
    /// [`Error::Envelope`] when it is not a `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let from_text = match &self.message {
            Value::String(text) => serde_json::from_str(text).ok(),
            _ => None,
        };
        match from_text {
            Some(value) => Ok(value),
            None => T::deserialize(&self.message)
                .map_err(|error| Error::json("the queue message", &error)),
        }
    }
}

impl Trigger for QueueEvent {
    const KIND: TriggerKind = TriggerKind::Queue;

    fn from_envelope(envelope: &Envelope<'_>) -> Result<Self, Error> {
        let mut inputs = envelope.inputs();
        let (Some((name, _)), None) = (inputs.next(), inputs.next()) else {
            let reason = "it must have one value: with further inputs, implement `Trigger` and name the binding";
            return Err(Error::envelope("Data", reason));
        };
        let date = |name| -> Result<Option<Timestamp>, Error> {
            let text: Option<String> = envelope.metadata(name)?;
            Ok(text.as_deref().and_then(date::parse))
        };
        Ok(Self {
            message: envelope.input(name)?,
            id: envelope.metadata("Id")?,
            dequeue_count: envelope.metadata("DequeueCount")?,
            inserted_at: date("InsertionTime")?,
            expires_at: date("ExpirationTime")?,
        })
    }
}
