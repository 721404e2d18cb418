//! What is remembered of a timer across restarts, and what a start makes of it.
//!
//! Source: `ScheduleMonitor.CheckPastDueAsync` of `Azure/azure-webjobs-sdk-extensions`.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Schedule;
use crate::state_file;

/// The status of a timer. `None` is the date 0001-01-01, which stands for "never".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ScheduleStatus {
    /// The last run.
    pub(crate) last: Option<Timestamp>,
    /// The next occurrence.
    pub(crate) next: Option<Timestamp>,
    /// The time from which `next` was computed.
    pub(crate) last_updated: Option<Timestamp>,
}

/// What to do when a timer's listener starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) status: ScheduleStatus,
    /// An occurrence was missed: run once, now.
    pub(crate) is_past_due: bool,
    /// The status on disk must be replaced.
    pub(crate) is_changed: bool,
}

/// Compares the remembered status with the schedule and the time.
pub(crate) fn start(
    remembered: Option<ScheduleStatus>,
    schedule: &Schedule,
    now: Timestamp,
) -> Start {
    let Some(mut status) = remembered else {
        let status = ScheduleStatus {
            last: None,
            next: schedule.next_after(now),
            last_updated: Some(now),
        };
        return Start {
            status,
            is_past_due: false,
            is_changed: true,
        };
    };
    let mut base = status.last.or(status.last_updated).unwrap_or(now);
    let mut expected = schedule.next_after(base);
    let is_changed = status.next != expected;
    if is_changed {
        // A changed schedule is never past due.
        if expected.is_some_and(|expected| now > expected) {
            base = now;
            expected = schedule.next_after(now);
        }
        status = ScheduleStatus {
            last: None,
            next: expected,
            last_updated: Some(base),
        };
    }
    let is_past_due = status.next.is_some_and(|next| now > next);
    Start {
        status,
        is_past_due,
        is_changed,
    }
}

/// The status file of one timer.
#[derive(Clone, Debug)]
pub(crate) struct StatusFile(PathBuf);

impl StatusFile {
    pub(crate) fn new(folder: &Path, function: &str) -> Self {
        Self(folder.join(format!("{function}.status.json")))
    }

    /// The remembered status. One that cannot be understood counts as none.
    pub(crate) fn read(&self) -> io::Result<Option<ScheduleStatus>> {
        let content = state_file::read(&self.0)?;
        Ok(content.and_then(|content| serde_json::from_slice(&content).ok()))
    }

    pub(crate) fn write(&self, status: &ScheduleStatus) -> io::Result<()> {
        let content = serde_json::to_vec(status).map_err(io::Error::other)?;
        state_file::replace(&self.0, &content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn weekly() -> Schedule {
        Schedule::parse("0 0 3 * * 1").unwrap()
    }

    #[test]
    fn the_first_start_runs_nothing() {
        let now = at("2026-11-20T22:00:00Z");
        let start = start(None, &weekly(), now);
        assert!(!start.is_past_due && start.is_changed);
        assert_eq!(start.status.next, Some(at("2026-11-23T03:00:00Z")));
    }

    #[test]
    fn a_missed_occurrence_is_past_due_also_before_the_first_run() {
        let never_ran = start(None, &weekly(), at("2026-11-20T22:00:00Z")).status;
        let ran = ScheduleStatus {
            last: Some(at("2026-11-16T03:00:00Z")),
            next: Some(at("2026-11-23T03:00:00Z")),
            last_updated: Some(at("2026-11-16T03:00:00Z")),
        };
        for status in [never_ran, ran] {
            let late = start(Some(status.clone()), &weekly(), at("2026-12-10T00:00:00Z"));
            assert!(late.is_past_due && !late.is_changed);
            let in_time = start(Some(status), &weekly(), at("2026-11-22T00:00:00Z"));
            assert!(!in_time.is_past_due && !in_time.is_changed);
        }
    }

    #[test]
    fn a_changed_schedule_is_not_past_due() {
        let status = start(None, &weekly(), at("2026-11-20T22:00:00Z")).status;
        let hourly = Schedule::parse("0 0 * * * *").unwrap();
        let start = start(Some(status), &hourly, at("2026-12-10T00:30:00Z"));
        assert!(!start.is_past_due && start.is_changed);
        assert_eq!(start.status.next, Some(at("2026-12-10T01:00:00Z")));
        assert_eq!(start.status.last, None);
    }
}
