//! Retry policies of `function.json` and `host.json`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::host_json::text;
use crate::timespan;

/// How a failed invocation is tried again. Only the timer trigger heeds one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RetryPolicy {
    /// `None` is without end.
    pub(crate) max_retries: Option<u32>,
    pub(crate) delay: Delay,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Delay {
    Fixed(Duration),
    Exponential {
        minimum: Duration,
        maximum: Duration,
    },
}

impl RetryPolicy {
    /// Reads the member `retry`; `null` is no policy.
    ///
    /// Errors: a sentence that names the property.
    pub(crate) fn parse(retry: &Value) -> Result<Option<Self>, String> {
        if retry.is_null() {
            return Ok(None);
        }
        let max_retries = match text(retry, "maxRetryCount")?.map(|n| n.parse::<i64>()) {
            Some(Ok(-1)) => None,
            Some(Ok(n)) if n >= 0 => {
                Some(u32::try_from(n).map_err(|_| "retry.maxRetryCount is too large")?)
            }
            _ => {
                return Err(
                    "retry.maxRetryCount must be a whole number, or -1 for no end".to_owned(),
                );
            }
        };
        let span = |name: &str| {
            text(retry, name)?
                .and_then(|span| timespan::parse(&span))
                .ok_or_else(|| format!("retry.{name} must be a time span hh:mm:ss"))
        };
        let strategy = text(retry, "strategy")?.unwrap_or_default();
        let delay = if strategy.eq_ignore_ascii_case("fixedDelay") {
            Delay::Fixed(span("delayInterval")?)
        } else if strategy.eq_ignore_ascii_case("exponentialBackoff") {
            let (minimum, maximum) = (span("minimumInterval")?, span("maximumInterval")?);
            if minimum > maximum {
                return Err(
                    "retry.minimumInterval must not exceed retry.maximumInterval".to_owned(),
                );
            }
            Delay::Exponential { minimum, maximum }
        } else {
            return Err(format!(
                "retry.strategy {strategy:?} must be fixedDelay or exponentialBackoff"
            ));
        };
        Ok(Some(Self { max_retries, delay }))
    }

    /// Whether another attempt follows after `retries` retries.
    pub(crate) fn allows(&self, retries: u32) -> bool {
        self.max_retries.is_none_or(|max| retries < max)
    }

    /// How long to wait before retry number `retry` (the first is 0). `jitter` is in 0..1 and spreads the back-off by a fifth
    /// to both sides.
    pub(crate) fn delay(&self, retry: u32, jitter: f64) -> Duration {
        match self.delay {
            Delay::Fixed(delay) => delay,
            Delay::Exponential { minimum, maximum } => {
                let doubled = minimum.saturating_mul(1_u32.checked_shl(retry).unwrap_or(u32::MAX));
                doubled
                    .min(maximum)
                    .mul_f64(0.8 + 0.4 * jitter)
                    .clamp(minimum, maximum)
            }
        }
    }

    /// The metadata member `RetryContext` of an attempt. `failure` is what failed before.
    pub(crate) fn context(&self, retries: u32, failure: Option<&str>) -> Value {
        json!({
            "RetryCount": retries,
            "MaxRetryCount": self.max_retries.map_or(-1, i64::from),
            "Exception": failure.map(|message| json!({ "ClassName": "System.Exception", "Message": message })),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_strategies() {
        let fixed = RetryPolicy::parse(
            &json!({"strategy":"fixedDelay","maxRetryCount":2,"delayInterval":"00:01:00"}),
        );
        let fixed = fixed.unwrap().unwrap();
        assert_eq!(fixed.delay(7, 0.5), Duration::from_secs(60));
        assert!(fixed.allows(1) && !fixed.allows(2));
        let backoff = RetryPolicy::parse(
            &json!({"strategy":"exponentialBackoff","maxRetryCount":-1,"minimumInterval":"00:00:04","maximumInterval":"00:01:00"}),
        );
        let backoff = backoff.unwrap().unwrap();
        assert_eq!(backoff.delay(0, 0.5), Duration::from_secs(4));
        assert_eq!(backoff.delay(2, 0.5), Duration::from_secs(16));
        assert_eq!(backoff.delay(200, 1.0), Duration::from_secs(60));
        assert!(backoff.allows(1_000_000));
    }

    #[test]
    fn refuses_an_incomplete_policy() {
        for retry in [
            json!({}),
            json!({"strategy":"fixedDelay","maxRetryCount":2}),
            json!({"strategy":"fixedDelay","maxRetryCount":-2,"delayInterval":"00:01:00"}),
            json!({"strategy":"exponentialBackoff","maxRetryCount":1,"minimumInterval":"00:02:00","maximumInterval":"00:01:00"}),
        ] {
            assert!(RetryPolicy::parse(&retry).is_err(), "{retry}");
        }
    }
}
