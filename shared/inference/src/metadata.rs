//! What a model file says about itself, in the ONNX field `metadata_props`.
//!
//! The file alone determines every answer: labels, features and calibration travel inside it, so that its digest pins
//! all of them. The trainer writes these entries, the classifier reads them; both use this module.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::TextFeatures;

/// The version of this set of entries; a reader refuses any other.
const FORMAT: &str = "1";

const FORMAT_KEY: &str = "sluice.format";
const TASK_KEY: &str = "sluice.task";
const LABELS_KEY: &str = "sluice.labels";
const FEATURES_KEY: &str = "sluice.features";
const CALIBRATION_KEY: &str = "sluice.calibration";

const TEXT_CLASSIFICATION: &str = "text-classification";

/// The entries of a text classifier.
#[derive(Clone, Debug, PartialEq)]
pub struct TextMetadata {
    /// The classes, in the order of the outputs. At least two, all different.
    pub labels: Vec<String>,
    /// How a text becomes ids and weights.
    pub features: TextFeatures,
    /// How the graph turns logits into probabilities.
    pub calibration: Calibration,
}

/// How logits become probabilities. The graph computes it; this entry is for people and reports.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case", deny_unknown_fields)]
pub enum Calibration {
    /// `softmax(logits / temperature)`: Guo et al., "On calibration of modern neural networks", 2017.
    Temperature {
        /// Above 1 the answers become less sure, below 1 surer.
        temperature: f32,
    },
}

impl Calibration {
    /// JSON has no infinity, but `1e39` is read as one; dividing by it or by 0 makes every answer useless.
    fn check(self) -> Result<Self, MetadataError> {
        let Self::Temperature { temperature } = self;
        if temperature.is_finite() && temperature > 0.0 {
            return Ok(self);
        }
        Err(MetadataError::Invalid {
            key: CALIBRATION_KEY,
            reason: format!("expected a finite temperature above 0, got {temperature}"),
        })
    }
}

/// Why the entries of a model file cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum MetadataError {
    /// The file was not written by Sluice.
    #[error(
        "the model has no entry {key:?} in its metadata: it was not written by `sluice train`; train a model, or bring one with that entry"
    )]
    Missing {
        /// The entry that is not there.
        key: &'static str,
    },
    /// The file was written by another version of Sluice.
    #[error(
        "the model has format {found:?} in its metadata, this version reads {FORMAT:?}; train the model again, or use the version that wrote it"
    )]
    Format {
        /// The format that the file names.
        found: String,
    },
    /// The file holds a model of another kind.
    #[error("the model is for the task {found:?}, expected {TEXT_CLASSIFICATION:?}")]
    Task {
        /// The task that the file names.
        found: String,
    },
    /// An entry is damaged.
    #[error(
        "the metadata entry {key:?} of the model is not valid: {reason}; restore the file or train the model again"
    )]
    Invalid {
        /// The entry.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl TextMetadata {
    /// The entries, sorted by key, as they are written into `metadata_props`.
    ///
    /// # Errors
    /// When the temperature is not a finite number above 0.
    pub fn to_entries(&self) -> Result<Vec<(String, String)>, MetadataError> {
        let json = |key, value: Result<String, serde_json::Error>| match value {
            Ok(json) => Ok((String::from(key), json)),
            Err(error) => Err(MetadataError::Invalid {
                key,
                reason: error.to_string(),
            }),
        };
        Ok(vec![
            json(
                CALIBRATION_KEY,
                serde_json::to_string(&self.calibration.check()?),
            )?,
            json(FEATURES_KEY, serde_json::to_string(&self.features))?,
            (FORMAT_KEY.to_owned(), FORMAT.to_owned()),
            json(LABELS_KEY, serde_json::to_string(&self.labels))?,
            (TASK_KEY.to_owned(), TEXT_CLASSIFICATION.to_owned()),
        ])
    }

    /// Reads the entries through `entry`, which gives the value of a key.
    ///
    /// # Errors
    /// Names the first entry that is missing, of another format or task, or damaged.
    pub fn from_entries(entry: impl Fn(&str) -> Option<String>) -> Result<Self, MetadataError> {
        let text = |key| entry(key).ok_or(MetadataError::Missing { key });

        let format = text(FORMAT_KEY)?;
        if format != FORMAT {
            return Err(MetadataError::Format { found: format });
        }
        let task = text(TASK_KEY)?;
        if task != TEXT_CLASSIFICATION {
            return Err(MetadataError::Task { found: task });
        }
        let labels: Vec<String> = json(LABELS_KEY, &text(LABELS_KEY)?)?;
        check_labels(&labels).map_err(|reason| MetadataError::Invalid {
            key: LABELS_KEY,
            reason,
        })?;
        Ok(Self {
            labels,
            features: json(FEATURES_KEY, &text(FEATURES_KEY)?)?,
            calibration: json::<Calibration>(CALIBRATION_KEY, &text(CALIBRATION_KEY)?)?.check()?,
        })
    }
}

/// Checks that there are at least two labels, none empty and none twice; says what is wrong.
///
/// # Errors
/// A sentence without the key.
pub fn check_labels(labels: &[String]) -> Result<(), String> {
    if labels.len() < 2 {
        return Err(format!(
            "expected at least two labels, got {}",
            labels.len()
        ));
    }
    for (index, label) in labels.iter().enumerate() {
        if label.is_empty() {
            return Err(format!("label {index} is empty"));
        }
        if labels[..index].contains(label) {
            return Err(format!("label {label:?} is there twice"));
        }
    }
    Ok(())
}

fn json<T: DeserializeOwned>(key: &'static str, text: &str) -> Result<T, MetadataError> {
    serde_json::from_str(text).map_err(|error| MetadataError::Invalid {
        key,
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn metadata() -> TextMetadata {
        TextMetadata {
            labels: vec!["off".to_owned(), "on \"é\"".to_owned()],
            features: TextFeatures {
                bits: 12,
                max_ngram: 3,
                lowercase: false,
            },
            calibration: Calibration::Temperature { temperature: 1.25 },
        }
    }

    fn entries() -> BTreeMap<String, String> {
        metadata().to_entries().unwrap().into_iter().collect()
    }

    fn read(entries: &BTreeMap<String, String>) -> Result<TextMetadata, MetadataError> {
        TextMetadata::from_entries(|key| entries.get(key).cloned())
    }

    #[test]
    fn what_is_written_is_read_back() {
        assert_eq!(read(&entries()), Ok(metadata()));
    }

    #[test]
    fn a_temperature_that_cannot_be_read_back_is_not_written() {
        for temperature in [f32::NAN, f32::INFINITY, 0.0, -1.0] {
            let metadata = TextMetadata {
                calibration: Calibration::Temperature { temperature },
                ..metadata()
            };
            assert!(metadata.to_entries().is_err(), "{temperature}");
        }
    }

    #[test]
    fn entries_are_sorted_and_stable() {
        let entries = metadata().to_entries().unwrap();
        assert!(entries.is_sorted());
        assert_eq!(
            entries[0].1,
            r#"{"method":"temperature","temperature":1.25}"#
        );
        assert_eq!(
            entries[1].1,
            r#"{"bits":12,"max_ngram":3,"lowercase":false}"#
        );
    }

    #[test]
    fn each_missing_entry_is_named() {
        for key in entries().into_keys() {
            let mut fewer = entries();
            fewer.remove(&key);
            let error = read(&fewer).unwrap_err();
            assert!(
                error.to_string().contains(&format!("no entry {key:?}")),
                "{error}"
            );
        }
    }

    #[test]
    fn each_damaged_entry_is_named() {
        for (key, value, expected) in [
            (FORMAT_KEY, "2", "format \"2\""),
            (TASK_KEY, "detection", "task \"detection\""),
            (
                LABELS_KEY,
                "[\"a\"",
                "\"sluice.labels\" of the model is not valid",
            ),
            (LABELS_KEY, "[\"a\"]", "at least two labels, got 1"),
            (LABELS_KEY, "[\"a\",\"\"]", "label 1 is empty"),
            (
                LABELS_KEY,
                "[\"a\",\"b\",\"a\"]",
                "label \"a\" is there twice",
            ),
            (FEATURES_KEY, "{\"bits\":40}", "from 10 to 24"),
            (
                CALIBRATION_KEY,
                "{\"method\":\"isotonic\"}",
                "unknown variant",
            ),
            (
                CALIBRATION_KEY,
                r#"{"method":"temperature","temperature":1e39}"#,
                "a finite temperature above 0, got inf",
            ),
            (
                CALIBRATION_KEY,
                r#"{"method":"temperature","temperature":0}"#,
                "a finite temperature above 0, got 0",
            ),
        ] {
            let mut damaged = entries();
            damaged.insert(key.to_owned(), value.to_owned());
            let error = read(&damaged).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
