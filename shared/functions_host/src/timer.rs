//! Timers: their schedules, what is remembered of them and the loop that fires them.

mod listener;
mod monitor;
mod schedule;

pub(crate) use listener::{run, run_once};
pub(crate) use monitor::ScheduleStatus;
pub(crate) use schedule::Schedule;
