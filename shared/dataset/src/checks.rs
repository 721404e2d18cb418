//! What is checked in every upload and row, and where the limits are.

use std::fmt::Display;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// What happens to a row whose normalised content is there already, with the same label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepeatedContent {
    /// It is refused: a message counts once.
    #[default]
    Refuse,
    /// It is taken: a message counts as often as it was sent.
    Keep,
}

/// The limits of an upload and its rows: `[data.checks]` in `sluice.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Checks {
    /// What happens to repeats. The same content with another label is always refused.
    pub repeated_content: RepeatedContent,
    /// The earliest plausible time of a row. Default: the start of 1990.
    pub earliest: Timestamp,
    /// The latest plausible time of a row. Default: one day after the ingest, for clocks that are ahead.
    pub latest: Option<Timestamp>,
    /// Longest row in bytes, as uploaded (CSV, JSON lines) or as decoded (Parquet). Default: 10,000,000.
    pub max_row_bytes: usize,
    /// Longest text in characters. Default: 100,000.
    pub max_text_chars: usize,
    /// Most bytes that a gzip or Parquet upload may unpack to. Default: 20,000,000,000.
    pub max_decompressed_bytes: u64,
    /// Most bytes that one byte of gzip may unpack to, looked at after the first mebibyte. Deflate's own limit is about
    /// 1,030; tables of real rows stay under 30. Default: 200.
    pub max_gzip_ratio: u64,
    /// The upload is refused as a whole when it has at least [`Checks::MIN_ROWS_FOR_SHARE`] rows and more than this share
    /// of them is refused: then it is probably the wrong file, and the few rows that pass would be a skewed sample.
    /// Repeats do not count, because an export that overlaps the one before is full of them and harmless. Default: 0.5.
    pub max_refused_share: f64,
}

impl Checks {
    /// Below this many rows `max_refused_share` is not looked at: two bad rows of three say little about the file.
    pub const MIN_ROWS_FOR_SHARE: u64 = 100;

    /// Says for each value out of range its key and what is expected.
    ///
    /// # Errors
    /// The keys with what is expected of them.
    pub fn validate(&self) -> Result<(), Vec<(&'static str, String)>> {
        let mut wrong = Vec::new();
        let mut expect = |holds: bool, key, expected: &str, got: &dyn Display| {
            if !holds {
                wrong.push((key, format!("expected {expected}, got {got}")));
            }
        };
        if let Some(latest) = self.latest {
            expect(
                latest > self.earliest,
                "latest",
                "a time after earliest",
                &latest,
            );
        }
        expect(
            (1_000..=1_000_000_000).contains(&self.max_row_bytes),
            "max_row_bytes",
            "a number of bytes from 1,000 to 1,000,000,000",
            &self.max_row_bytes,
        );
        expect(
            (1..=100_000_000).contains(&self.max_text_chars),
            "max_text_chars",
            "a number of characters from 1 to 100,000,000",
            &self.max_text_chars,
        );
        expect(
            self.max_decompressed_bytes > 0,
            "max_decompressed_bytes",
            "a number of bytes above 0",
            &self.max_decompressed_bytes,
        );
        expect(
            self.max_gzip_ratio > 0,
            "max_gzip_ratio",
            "a number above 0",
            &self.max_gzip_ratio,
        );
        expect(
            self.max_refused_share > 0.0 && self.max_refused_share <= 1.0,
            "max_refused_share",
            "a share above 0 and up to 1",
            &self.max_refused_share,
        );
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    /// The latest plausible time when it is `now`.
    pub(crate) fn latest_at(&self, now: Timestamp) -> Timestamp {
        self.latest.unwrap_or_else(|| {
            now.saturating_add(SignedDuration::from_hours(24))
                .unwrap_or(Timestamp::MAX)
        })
    }
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            repeated_content: RepeatedContent::Refuse,
            earliest: Timestamp::constant(631_152_000, 0),
            latest: None,
            max_row_bytes: 10_000_000,
            max_text_chars: 100_000,
            max_decompressed_bytes: 20_000_000_000,
            max_gzip_ratio: 200,
            max_refused_share: 0.5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_start_in_1990() {
        let checks = Checks::default();
        assert_eq!(checks.validate(), Ok(()));
        assert_eq!(checks.earliest.to_string(), "1990-01-01T00:00:00Z");
        let now: Timestamp = "2024-05-01T00:00:00Z".parse().unwrap();
        assert_eq!(checks.latest_at(now).to_string(), "2024-05-02T00:00:00Z");
        assert_eq!(checks.latest_at(Timestamp::MAX), Timestamp::MAX);
    }

    #[test]
    fn each_value_out_of_range_is_named() {
        let wrong = Checks {
            latest: Some(Timestamp::UNIX_EPOCH),
            max_row_bytes: 1,
            max_text_chars: 0,
            max_decompressed_bytes: 0,
            max_gzip_ratio: 0,
            max_refused_share: 1.5,
            ..Checks::default()
        };
        let keys: Vec<_> = wrong
            .validate()
            .unwrap_err()
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        assert_eq!(
            keys,
            [
                "latest",
                "max_row_bytes",
                "max_text_chars",
                "max_decompressed_bytes",
                "max_gzip_ratio",
                "max_refused_share"
            ]
        );
    }

    #[test]
    fn an_unknown_key_is_refused_and_a_missing_one_has_its_default() {
        let checks: Checks = serde_json::from_str(r#"{"repeated_content": "keep"}"#).unwrap();
        assert_eq!(checks.repeated_content, RepeatedContent::Keep);
        assert_eq!(checks.max_gzip_ratio, 200);
        assert!(serde_json::from_str::<Checks>(r#"{"max_rows": 1}"#).is_err());
    }
}
