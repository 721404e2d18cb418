//! Triggers: what starts a function, and the typed events they carry.

mod blob;
mod event_grid;
mod queue;
mod timer;

use std::fmt;

pub use blob::{BlobEvent, BlobProperties};
pub use event_grid::EventGridEvent;
pub use queue::QueueEvent;
pub use timer::{ScheduleStatus, TimerEvent};

use crate::Error;
use crate::envelope::Envelope;

/// The kind of a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TriggerKind {
    /// `httpTrigger`
    Http,
    /// `timerTrigger`
    Timer,
    /// `blobTrigger`
    Blob,
    /// `queueTrigger`
    Queue,
    /// `eventGridTrigger`
    EventGrid,
    /// Any other, by its `type` in `function.json`, for instance `cosmosDBTrigger`.
    Other(&'static str),
}

impl TriggerKind {
    /// The binding's `type` in `function.json`.
    #[must_use]
    pub const fn binding_type(self) -> &'static str {
        match self {
            Self::Http => "httpTrigger",
            Self::Timer => "timerTrigger",
            Self::Blob => "blobTrigger",
            Self::Queue => "queueTrigger",
            Self::EventGrid => "eventGridTrigger",
            Self::Other(binding_type) => binding_type,
        }
    }
}

impl fmt::Display for TriggerKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.binding_type())
    }
}

/// An event that can be read from an envelope. Implement it for a trigger that this crate has no type for.
pub trait Trigger: Sized + Send + 'static {
    /// The trigger's kind.
    const KIND: TriggerKind;

    /// Strings in the envelope that are longer than this many bytes are replaced by the empty string while the
    /// request is read, so that they cost no memory.
    const LONGEST_STRING: usize = usize::MAX;

    /// Reads the event.
    ///
    /// # Errors
    /// [`Error::Envelope`] when the envelope is not one of this trigger; the host gets status 400.
    fn from_envelope(envelope: &Envelope<'_>) -> Result<Self, Error>;
}
