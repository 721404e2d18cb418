//! The schedule of a timer trigger: an NCrontab expression or a constant interval.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::ncrontab::NCrontab;
use crate::timespan;

/// A schedule that fires more often than this has no monitor.
const SHORTEST_MONITORED: SignedDuration = SignedDuration::from_mins(1);

/// When a timer fires, in UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    text: String,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Cron(NCrontab),
    Constant(Duration),
}

impl Schedule {
    /// Errors: a sentence on what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let kind = match (NCrontab::parse(text), timespan::parse(text)) {
            (Ok(cron), _) => Kind::Cron(cron),
            (_, Some(interval)) if !interval.is_zero() => Kind::Constant(interval),
            (Err(error), _) => return Err(format!("the schedule {text:?} is invalid: {error}")),
        };
        Ok(Self {
            text: text.to_owned(),
            kind,
        })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn adjusts_for_dst(&self) -> bool {
        matches!(self.kind, Kind::Cron(_))
    }

    /// The first occurrence strictly after `base`; `None` when there is none.
    pub(crate) fn next_after(&self, base: Timestamp) -> Option<Timestamp> {
        match &self.kind {
            Kind::Cron(cron) => {
                let next = cron.next_after(base.to_zoned(TimeZone::UTC).datetime())?;
                TimeZone::UTC.to_timestamp(next).ok()
            }
            Kind::Constant(interval) => base.checked_add(*interval).ok(),
        }
    }

    /// Whether the schedule is slow enough for its status to be kept.
    pub(crate) fn can_be_monitored(&self, now: Timestamp) -> bool {
        let next = self.next_after(now);
        let following = next.and_then(|next| self.next_after(next));
        match (next, following) {
            (Some(next), Some(following)) => following.duration_since(next) >= SHORTEST_MONITORED,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn both_forms_give_the_next_occurrence() {
        let base = at("2026-11-20T22:05:21.5Z");
        assert_eq!(
            Schedule::parse("0 0 3 * * 1").unwrap().next_after(base),
            Some(at("2026-11-23T03:00:00Z"))
        );
        assert_eq!(
            Schedule::parse("02:00:00").unwrap().next_after(base),
            Some(at("2026-11-21T00:05:21.5Z"))
        );
    }

    #[test]
    fn fast_schedules_are_not_monitored() {
        let now = at("2026-11-20T22:05:21Z");
        assert!(
            !Schedule::parse("*/30 * * * * *")
                .unwrap()
                .can_be_monitored(now)
        );
        assert!(!Schedule::parse("00:00:30").unwrap().can_be_monitored(now));
        assert!(
            Schedule::parse("0 * * * * *")
                .unwrap()
                .can_be_monitored(now)
        );
    }

    #[test]
    fn neither_form_is_refused() {
        assert!(
            Schedule::parse("every monday")
                .unwrap_err()
                .contains("every monday")
        );
        assert!(Schedule::parse("00:00:00").is_err());
    }
}
