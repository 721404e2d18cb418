//! The timer trigger.

use jiff::Timestamp;
use serde::Deserialize;

use super::{Trigger, TriggerKind};
use crate::envelope::Envelope;
use crate::{Error, date};

/// A timer fired. The host runs one occurrence at a time, but an occurrence can come twice: be idempotent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TimerEvent {
    /// The occurrence was missed, for instance while the app was stopped, and is made up for now.
    pub is_past_due: bool,
    /// The schedule before this run. `None` when the host does not monitor it (`"useMonitor": false`).
    pub status: Option<ScheduleStatus>,
}

/// The host's record of a schedule, as it was before the present run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ScheduleStatus {
    /// The last occurrence. `None` before the first.
    pub last: Option<Timestamp>,
    /// The next occurrence, which is about now.
    pub next: Option<Timestamp>,
    /// When the record was written.
    pub last_updated: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TimerInfo {
    #[serde(default)]
    schedule_status: Option<StatusInfo>,
    is_past_due: bool,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct StatusInfo {
    last: Option<String>,
    next: Option<String>,
    last_updated: Option<String>,
}

impl Trigger for TimerEvent {
    const KIND: TriggerKind = TriggerKind::Timer;

    fn from_envelope(envelope: &Envelope<'_>) -> Result<Self, Error> {
        let info: TimerInfo = envelope.input(envelope.trigger_input("IsPastDue")?)?;
        let date = |text: Option<String>| text.as_deref().and_then(date::parse);
        Ok(Self {
            is_past_due: info.is_past_due,
            status: info.schedule_status.map(|status| ScheduleStatus {
                last: date(status.last),
                next: date(status.next),
                last_updated: date(status.last_updated),
            }),
        })
    }
}
