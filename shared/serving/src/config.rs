//! What a request must satisfy, and what is logged of it.

use serde::{Deserialize, Serialize};

/// What the prediction log keeps of an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogInputs {
    /// The input itself: feedback can become training rows.
    #[default]
    Text,
    /// Only a hash of the normalised input: repeats are recognised, nothing is kept that a person wrote.
    Hash,
}

/// `[predict]` of `sluice.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PredictConfig {
    /// Inputs in one request, at most.
    pub max_inputs: usize,
    /// Bytes of one input, at most.
    pub max_input_bytes: usize,
    /// Bytes of a request's body, at most.
    pub max_body_bytes: usize,
    /// What the prediction log keeps of an input.
    pub log_inputs: LogInputs,
    /// Seconds between two looks at the release pointer.
    pub poll_seconds: u64,
    /// Milliseconds that a line of the prediction log waits for others, at most.
    pub log_interval_ms: u64,
    /// Inferences at once; 0: one for each core.
    pub sessions: usize,
}

impl Default for PredictConfig {
    fn default() -> Self {
        Self {
            max_inputs: 10_000,
            max_input_bytes: 1 << 20,
            max_body_bytes: 16 << 20,
            log_inputs: LogInputs::Text,
            poll_seconds: 5,
            log_interval_ms: 1_000,
            sessions: 0,
        }
    }
}

impl PredictConfig {
    /// Checks every limit.
    ///
    /// # Errors
    /// Each key that is out of range, with what is expected there.
    pub fn validate(&self) -> Result<(), Vec<(String, String)>> {
        let mut problems = Vec::new();
        let mut range = |key: &str, value: u64, low: u64, high: u64| {
            if !(low..=high).contains(&value) {
                problems.push((
                    key.to_owned(),
                    format!("expected a whole number from {low} to {high}, got {value}"),
                ));
            }
        };
        range("max_inputs", self.max_inputs as u64, 1, 100_000);
        range("max_input_bytes", self.max_input_bytes as u64, 1, 64 << 20);
        range(
            "max_body_bytes",
            self.max_body_bytes as u64,
            1_024,
            100 << 20,
        );
        // The running predict function must notice a release within ten seconds.
        range("poll_seconds", self.poll_seconds, 1, 9);
        range("log_interval_ms", self.log_interval_ms, 10, 60_000);
        range("sessions", self.sessions as u64, 0, 64);
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems)
        }
    }
}
