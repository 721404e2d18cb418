//! When a model is trained again: a pure decision over facts, so that every rule can be read and tested in one place.

use jiff::{SignedDuration, SpanRelativeTo, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sluice_registry::RunTrigger;

/// Runs of a month that early runs leave alone: the schedule needs one a week.
const KEPT_FOR_SCHEDULE: u32 = 5;

/// `[retrain]` of `sluice.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetrainPolicy {
    /// Rows that must be new before drift starts a run: fewer cannot teach anything.
    pub min_new_rows: u64,
    /// New rows, as a share of those that the last run saw, that start a run before the week is over.
    pub early_growth: f64,
    /// The least time between two runs that nobody asked for by hand.
    #[serde(serialize_with = "write_duration", deserialize_with = "read_duration")]
    pub cool_down: SignedDuration,
    /// Runs in a calendar month (UTC), at most, not counting those asked for by hand.
    pub runs_per_month: u32,
    /// How long a run may take before it counts as lost.
    #[serde(serialize_with = "write_duration", deserialize_with = "read_duration")]
    pub deadline: SignedDuration,
}

impl Default for RetrainPolicy {
    fn default() -> Self {
        Self {
            min_new_rows: 50,
            early_growth: 0.5,
            cool_down: SignedDuration::from_hours(6),
            runs_per_month: 30,
            deadline: SignedDuration::from_hours(6),
        }
    }
}

impl RetrainPolicy {
    /// Checks every limit.
    ///
    /// # Errors
    /// Each key that is out of range, with what is expected there.
    pub fn validate(&self) -> Result<(), Vec<(String, String)>> {
        let mut problems = Vec::new();
        let mut expect = |holds: bool, key: &str, expected: String| {
            if !holds {
                problems.push((key.to_owned(), expected));
            }
        };
        let week = SignedDuration::from_hours(31 * 24);
        expect(
            self.min_new_rows > 0,
            "min_new_rows",
            "expected a whole number above 0, got 0".into(),
        );
        expect(
            (0.01..=100.0).contains(&self.early_growth),
            "early_growth",
            format!(
                "expected a share from 0.01 to 100, got {}",
                self.early_growth
            ),
        );
        expect(
            self.cool_down >= SignedDuration::ZERO && self.cool_down <= week,
            "cool_down",
            format!(
                "expected a duration from 0s to 31d, got {:#}",
                self.cool_down
            ),
        );
        expect(
            (5..=10_000).contains(&self.runs_per_month),
            "runs_per_month",
            format!(
                "expected a whole number from 5 to 10000, got {}",
                self.runs_per_month
            ),
        );
        expect(
            self.deadline >= SignedDuration::from_mins(1) && self.deadline <= week,
            "deadline",
            format!(
                "expected a duration from 1m to 31d, got {:#}",
                self.deadline
            ),
        );
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems)
        }
    }

    /// Decides whether a run starts. `Err` is the reason why not, a sentence for the record.
    pub fn decide(&self, trigger: &RunTrigger, facts: &RetrainFacts) -> Result<(), String> {
        let by_hand = matches!(trigger, RunTrigger::Manual);
        if let Some(run) = &facts.active_run {
            return Err(format!("run {run} is still going"));
        }
        let new_rows = facts
            .rows
            .saturating_sub(facts.rows_of_last_run.unwrap_or(0));
        if let Some(seen) = facts.rows_of_last_run
            && !by_hand
        {
            if new_rows == 0 {
                return Err(format!("nothing new: the last run saw all {seen} rows"));
            }
            let growth = (seen as f64 * self.early_growth)
                .ceil()
                .max(self.min_new_rows as f64) as u64;
            match trigger {
                RunTrigger::NewRows if new_rows < growth => {
                    return Err(format!(
                        "{new_rows} new rows; {growth} start a run before the schedule does"
                    ));
                }
                RunTrigger::Drift(_) if new_rows < self.min_new_rows => {
                    return Err(format!(
                        "{new_rows} new rows; drift starts a run from {} on",
                        self.min_new_rows
                    ));
                }
                _ => {}
            }
        }
        if by_hand {
            return Ok(());
        }
        let scheduled = *trigger == RunTrigger::Schedule;
        // An early run last night is no reason to leave out the weekly one, which has the whole week's rows.
        let last = if scheduled {
            facts.last_scheduled
        } else {
            facts.last_started
        };
        if let Some(last) = last
            && facts.now.duration_since(last) < self.cool_down
        {
            return Err(format!(
                "the last run started {last:.0}, less than {:#} ago",
                self.cool_down
            ));
        }
        let budget = if scheduled {
            self.runs_per_month
        } else {
            self.runs_per_month.saturating_sub(KEPT_FOR_SCHEDULE)
        };
        if facts.runs_this_month >= budget {
            let kept = if scheduled {
                ""
            } else {
                ", with the runs that are kept for the schedule"
            };
            return Err(format!(
                "{} runs this month: the budget of {} is spent{kept}",
                facts.runs_this_month, self.runs_per_month
            ));
        }
        Ok(())
    }
}

/// What the decision looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetrainFacts {
    /// Now.
    pub now: Timestamp,
    /// Rows of the newest dataset version.
    pub rows: u64,
    /// Rows of the dataset version of the newest run that succeeded.
    pub rows_of_last_run: Option<u64>,
    /// When the newest run started that nobody asked for by hand.
    pub last_started: Option<Timestamp>,
    /// When the newest run of the schedule started.
    pub last_scheduled: Option<Timestamp>,
    /// Runs that nobody asked for by hand in this calendar month.
    pub runs_this_month: u32,
    /// The run that is going.
    pub active_run: Option<String>,
}

/// Reads a duration as `6h`, `30m` or `7d`; a day has 24 hours.
///
/// # Errors
/// What was expected.
pub fn parse_duration(text: &str) -> Result<SignedDuration, String> {
    let invalid = || format!("expected a duration as \"6h\", \"30m\" or \"7d\", got {text:?}");
    let span: jiff::Span = text.parse().map_err(|_| invalid())?;
    span.to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| invalid())
}

fn read_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SignedDuration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_duration(&text).map_err(de::Error::custom)
}

fn write_duration<S: Serializer>(
    duration: &SignedDuration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{duration:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> RetrainFacts {
        RetrainFacts {
            now: "2026-03-10T12:00:00Z".parse().unwrap(),
            rows: 1_200,
            rows_of_last_run: Some(1_000),
            last_started: Some("2026-03-09T03:00:00Z".parse().unwrap()),
            last_scheduled: Some("2026-03-02T03:00:00Z".parse().unwrap()),
            runs_this_month: 2,
            active_run: None,
        }
    }

    fn drift() -> RunTrigger {
        RunTrigger::Drift("score drift".into())
    }

    #[test]
    fn new_rows_start_the_scheduled_run() {
        assert_eq!(
            RetrainPolicy::default().decide(&RunTrigger::Schedule, &facts()),
            Ok(())
        );
    }

    #[test]
    fn nothing_new_starts_nothing_but_a_hand_does() {
        let facts = RetrainFacts {
            rows: 1_000,
            ..facts()
        };
        let reason = RetrainPolicy::default()
            .decide(&RunTrigger::Schedule, &facts)
            .unwrap_err();
        assert_eq!(reason, "nothing new: the last run saw all 1000 rows");
        assert_eq!(
            RetrainPolicy::default().decide(&RunTrigger::Manual, &facts),
            Ok(())
        );
    }

    #[test]
    fn the_first_rows_start_the_first_run() {
        let facts = RetrainFacts {
            rows_of_last_run: None,
            last_started: None,
            ..facts()
        };
        assert_eq!(
            RetrainPolicy::default().decide(&RunTrigger::NewRows, &facts),
            Ok(())
        );
    }

    #[test]
    fn growth_starts_a_run_early() {
        let policy = RetrainPolicy::default();
        assert_eq!(
            policy.decide(&RunTrigger::NewRows, &facts()).unwrap_err(),
            "200 new rows; 500 start a run before the schedule does"
        );
        assert_eq!(
            policy.decide(
                &RunTrigger::NewRows,
                &RetrainFacts {
                    rows: 1_500,
                    ..facts()
                }
            ),
            Ok(())
        );
    }

    #[test]
    fn drift_needs_rows_to_learn_from() {
        let few = RetrainFacts {
            rows: 1_049,
            ..facts()
        };
        assert!(
            RetrainPolicy::default()
                .decide(&drift(), &few)
                .unwrap_err()
                .starts_with("49 new rows")
        );
        assert_eq!(
            RetrainPolicy::default().decide(
                &drift(),
                &RetrainFacts {
                    rows: 1_050,
                    ..facts()
                }
            ),
            Ok(())
        );
    }

    #[test]
    fn cool_down_budget_and_single_flight_hold() {
        let policy = RetrainPolicy::default();
        let cooling = RetrainFacts {
            last_started: Some("2026-03-10T07:00:00Z".parse().unwrap()),
            ..facts()
        };
        assert!(
            policy
                .decide(&drift(), &cooling)
                .unwrap_err()
                .contains("less than 6h ago")
        );
        assert_eq!(policy.decide(&RunTrigger::Schedule, &cooling), Ok(()));
        let spent = RetrainFacts {
            runs_this_month: 30,
            ..facts()
        };
        assert!(
            policy
                .decide(&RunTrigger::Schedule, &spent)
                .unwrap_err()
                .contains("budget of 30 is spent")
        );
        let nearly = RetrainFacts {
            runs_this_month: 25,
            ..facts()
        };
        assert!(
            policy
                .decide(&drift(), &nearly)
                .unwrap_err()
                .contains("kept for the schedule")
        );
        assert_eq!(policy.decide(&RunTrigger::Schedule, &nearly), Ok(()));
        let busy = RetrainFacts {
            active_run: Some("7-abc".into()),
            ..facts()
        };
        assert_eq!(
            policy.decide(&RunTrigger::Manual, &busy).unwrap_err(),
            "run 7-abc is still going"
        );
    }
}
