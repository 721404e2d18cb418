//! Training runs: what was asked, by what, and how far it is.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{DatasetRef, ModelRef};

/// Why a run was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "detail")]
pub enum RunTrigger {
    /// The weekly timer.
    Schedule,
    /// Enough new rows since the last run.
    NewRows,
    /// The monitor asked for it: the rule that fired.
    Drift(String),
    /// A person asked for it.
    Manual,
}

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum RunState {
    /// Recorded, not yet handed to the trainer.
    Created,
    /// Handed to the trainer.
    Submitted {
        /// The trainer's own name for the job.
        job: String,
        /// When.
        at: Timestamp,
    },
    /// Its model is registered. The gate's verdict is on the model card.
    Succeeded {
        /// The model version it made. Named apart from the promised version, which is in the same JSON object.
        #[serde(rename = "registered_version")]
        model_version: u64,
        /// When it was collected.
        at: Timestamp,
    },
    /// It ended without a model.
    Failed {
        /// Why, with the last lines of the job's log.
        reason: String,
        /// When it was collected.
        at: Timestamp,
    },
}

/// `{run}.json`: one training run. Its id comes from the data and the configuration, so that asking twice is asking once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// `{dataset version}-{12 digits of the digest of what it will do}`.
    pub id: String,
    /// The model that it trains.
    pub model: String,
    /// The version that its model will have.
    pub model_version: u64,
    /// The data.
    pub dataset: DatasetRef,
    /// What answered when it was started: the candidate is compared with it. The job itself may not read releases.
    pub champion: Option<ModelRef>,
    /// Why it was started.
    pub trigger: RunTrigger,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// How far it is.
    #[serde(flatten)]
    pub state: RunState,
}

impl RunState {
    /// The state's name, as in the document.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Submitted { .. } => "submitted",
            Self::Succeeded { .. } => "succeeded",
            Self::Failed { .. } => "failed",
        }
    }

    /// Whether the run has ended. An ended run never changes.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Succeeded { .. } | Self::Failed { .. })
    }

    /// Whether a run in this state may go to `next`.
    ///
    /// `created → submitted → succeeded | failed`. A run may also go from `created` to its end: the process that
    /// submitted the job can die before it writes so down. A submitted run may be submitted again under another job.
    #[must_use]
    pub const fn may_become(&self, next: &Self) -> bool {
        !self.is_final() && !matches!(next, Self::Created)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_state() -> impl Strategy<Value = RunState> {
        let at =
            || any::<i32>().prop_map(|seconds| Timestamp::from_second(i64::from(seconds)).unwrap());
        prop_oneof![
            Just(RunState::Created),
            (".*", at()).prop_map(|(job, at)| RunState::Submitted { job, at }),
            (any::<u64>(), at())
                .prop_map(|(model_version, at)| RunState::Succeeded { model_version, at }),
            (".*", at()).prop_map(|(reason, at)| RunState::Failed { reason, at }),
        ]
    }

    /// How far along a state is.
    fn rank(state: &RunState) -> u8 {
        match state {
            RunState::Created => 0,
            RunState::Submitted { .. } => 1,
            RunState::Succeeded { .. } | RunState::Failed { .. } => 2,
        }
    }

    proptest! {
        #[test]
        fn states_only_go_forward(from in any_state(), to in any_state()) {
            if from.may_become(&to) {
                prop_assert!(rank(&to) > rank(&from) || (rank(&from), rank(&to)) == (1, 1));
            }
            prop_assert!(!from.may_become(&RunState::Created));
        }

        #[test]
        fn an_end_is_an_end(from in any_state(), to in any_state()) {
            prop_assert!(!from.is_final() || !from.may_become(&to));
            prop_assert!(from.is_final() || !to.is_final() || from.may_become(&to), "every run can end");
        }

        #[test]
        fn a_run_is_read_back_in_every_state(state in any_state(), model_version in any::<u64>()) {
            let dataset =
                DatasetRef { dataset: "d".into(), version: 1, digest: crate::Digest::of(b"m"), rows: 1 };
            let run = Run {
                id: "1-a".into(),
                model: "m".into(),
                model_version,
                dataset,
                champion: None,
                trigger: RunTrigger::Drift("score".into()),
                created_at: Timestamp::UNIX_EPOCH,
                state,
            };
            let json = serde_json::to_string(&run).unwrap();
            prop_assert_eq!(serde_json::from_str::<Run>(&json).unwrap(), run);
        }
    }
}
