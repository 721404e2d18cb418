//! `sluice.toml`: what the model is. Every fault is one line with file, line, key and what is expected.

use std::collections::BTreeSet;
use std::path::Path;

use indexmap::IndexMap;
use serde::Deserialize;
use sluice_dataset::Checks;
use sluice_functions_host::NCrontab;
use sluice_lifecycle::RetrainPolicy;
use sluice_monitoring::MonitorConfig;
use sluice_registry::{Column, ColumnType, Label, Role, Schema, SplitRule};
use sluice_serving::PredictConfig;
use sluice_training::{GateConfig, TrainingConfig};

use super::ConfigError;
use super::error::{line_of_key, line_of_offset};

/// What the model is, read and checked.
#[derive(Clone, Debug)]
pub struct ModelConfig {
    /// The model's name.
    pub name: String,
    /// The dataset's name.
    pub dataset: String,
    /// Columns and labels.
    pub schema: Schema,
    /// Who is on which side.
    pub split: SplitRule,
    /// What a row must satisfy.
    pub checks: Checks,
    /// How a model is fitted.
    pub training: TrainingConfig,
    /// What a candidate must satisfy.
    pub gate: GateConfig,
    /// What a request must satisfy, and what is logged.
    pub predict: PredictConfig,
    /// When a model is fitted.
    pub retrain: RetrainPolicy,
    /// What is watched.
    pub monitor: MonitorConfig,
    /// When the timers fire.
    pub schedules: Schedules,
}

/// When the timers fire: NCrontab with seconds, UTC.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Schedules {
    /// The weekly retrain.
    pub retrain: String,
    /// The monitor.
    pub monitor: String,
    /// Reconcile.
    pub reconcile: String,
}

impl Default for Schedules {
    fn default() -> Self {
        Self {
            retrain: "0 0 3 * * 1".into(),
            monitor: "0 0 * * * *".into(),
            reconcile: "0 */5 * * * *".into(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    model: ModelSection,
    data: DataSection,
    #[serde(default)]
    training: TrainingConfig,
    #[serde(default)]
    gate: GateConfig,
    #[serde(default)]
    predict: PredictConfig,
    #[serde(default)]
    schedules: Schedules,
    #[serde(default)]
    retrain: RetrainPolicy,
    #[serde(default)]
    monitor: MonitorConfig,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelSection {
    name: String,
    task: Task,
}

#[derive(Deserialize)]
enum Task {
    #[serde(rename = "text-classification")]
    TextClassification,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DataSection {
    dataset: String,
    positive_label: Option<String>,
    columns: IndexMap<String, ColumnSection>,
    labels: IndexMap<String, Vec<String>>,
    #[serde(default)]
    split: SplitSection,
    #[serde(default)]
    checks: Checks,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ColumnSection {
    #[serde(rename = "type")]
    kind: ColumnType,
    role: Option<Role>,
    #[serde(default = "required_by_default")]
    required: bool,
}

const fn required_by_default() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SplitSection {
    seed: u64,
    calibration: f64,
    test: f64,
}

impl Default for SplitSection {
    fn default() -> Self {
        Self {
            seed: 1,
            calibration: 0.1,
            test: 0.1,
        }
    }
}

/// A key of the file and what is expected there.
type Problem = (String, String);

impl ModelConfig {
    /// Reads a `sluice.toml`.
    ///
    /// # Errors
    /// The first fault: file, line, key, what is expected.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|error| ConfigError {
            file: file.to_owned(),
            line: None,
            key: String::new(),
            problem: format!("cannot be read ({error}); expected the model's configuration, see sluice.toml of the project"),
        })?;
        Self::parse(&text, file)
    }

    /// Reads the text of a `sluice.toml`; `file` is for messages.
    ///
    /// # Errors
    /// The first fault: file, line, key, what is expected.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        let syntax = |error: &toml::de::Error, key: String| ConfigError {
            file: file.to_owned(),
            line: error.span().map(|span| line_of_offset(text, span.start)),
            key,
            problem: error.message().to_owned(),
        };
        let deserializer =
            toml::Deserializer::parse(text).map_err(|error| syntax(&error, String::new()))?;
        let parsed: File = serde_path_to_error::deserialize(deserializer).map_err(|error| {
            let key = error.path().to_string();
            syntax(error.inner(), if key == "." { String::new() } else { key })
        })?;
        parsed.check().map_err(|(key, problem)| ConfigError {
            file: file.to_owned(),
            line: line_of_key(text, &key),
            key,
            problem,
        })
    }
}

impl File {
    fn check(self) -> Result<ModelConfig, Problem> {
        let Task::TextClassification = self.model.task;
        check_name("model.name", &self.model.name)?;
        check_name("data.dataset", &self.data.dataset)?;
        let schema = schema(
            self.data.columns,
            self.data.labels,
            self.data.positive_label,
        )?;
        let split = self.data.split;
        let split = SplitRule {
            seed: split.seed,
            calibration: split.calibration,
            test: split.test,
        };
        check_split(&split)?;
        under("data.checks", self.data.checks.validate())?;
        under("training", self.training.validate())?;
        under("gate", self.gate.validate())?;
        under("predict", self.predict.validate())?;
        under("retrain", self.retrain.validate())?;
        under("monitor", self.monitor.validate())?;
        let schedules = [
            ("schedules.retrain", &self.schedules.retrain),
            ("schedules.monitor", &self.schedules.monitor),
            ("schedules.reconcile", &self.schedules.reconcile),
        ];
        for (key, schedule) in schedules {
            NCrontab::parse(schedule).map_err(|error| {
                (key.to_owned(), format!("expected six NCrontab fields (second minute hour day month day-of-week): {error}"))
            })?;
        }

        Ok(ModelConfig {
            name: self.model.name,
            dataset: self.data.dataset,
            schema,
            split,
            checks: self.data.checks,
            training: self.training,
            gate: self.gate,
            predict: self.predict,
            retrain: self.retrain,
            monitor: self.monitor,
            schedules: self.schedules,
        })
    }
}

/// Puts a section's name in front of the first of its faults.
fn under<K: std::fmt::Display>(
    section: &str,
    checked: Result<(), Vec<(K, String)>>,
) -> Result<(), Problem> {
    match checked
        .err()
        .and_then(|problems| problems.into_iter().next())
    {
        Some((key, problem)) => Err((format!("{section}.{key}"), problem)),
        None => Ok(()),
    }
}

fn check_name(key: &str, name: &str) -> Result<(), Problem> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 63 || !name.chars().all(allowed) {
        return Err((
            key.to_owned(),
            format!("expected 1 to 63 lower-case letters, digits or hyphens, got {name:?}"),
        ));
    }
    Ok(())
}

fn check_split(split: &SplitRule) -> Result<(), Problem> {
    let share = |key: &str, share: f64| {
        if (0.01..=0.4).contains(&share) {
            Ok(())
        } else {
            Err((
                format!("data.split.{key}"),
                format!("expected a share from 0.01 to 0.4, got {share}"),
            ))
        }
    };
    share("calibration", split.calibration)?;
    share("test", split.test)
}

fn schema(
    columns: IndexMap<String, ColumnSection>,
    labels: IndexMap<String, Vec<String>>,
    positive_label: Option<String>,
) -> Result<Schema, Problem> {
    let columns: Vec<Column> = columns
        .into_iter()
        .map(|(name, column)| Column {
            name,
            kind: column.kind,
            role: column.role,
            required: column.required,
        })
        .collect();
    for (role, name, types, least) in [
        (Role::Input, "input", &[ColumnType::Text][..], 1),
        (
            Role::Label,
            "label",
            &[ColumnType::Category, ColumnType::Text, ColumnType::Integer],
            1,
        ),
        (
            Role::Id,
            "id",
            &[ColumnType::Text, ColumnType::Category, ColumnType::Integer],
            0,
        ),
        (Role::Time, "time", &[ColumnType::Timestamp], 0),
        (
            Role::Slice,
            "slice",
            &[ColumnType::Category, ColumnType::Text],
            0,
        ),
    ] {
        let with_role: Vec<&Column> = columns
            .iter()
            .filter(|column| column.role == Some(role))
            .collect();
        if with_role.len() < least || with_role.len() > 1 {
            let number = if least == 1 {
                "exactly one column"
            } else {
                "at most one column"
            };
            return Err((
                "data.columns".into(),
                format!(
                    "expected {number} with role = \"{name}\", got {}",
                    with_role.len()
                ),
            ));
        }
        if let Some(column) = with_role
            .iter()
            .find(|column| !types.contains(&column.kind))
        {
            let types: Vec<String> = types
                .iter()
                .map(|kind| format!("{kind:?}").to_lowercase())
                .collect();
            return Err((
                format!("data.columns.{}.type", column.name),
                format!("expected {} for the {name} column", types.join(" or ")),
            ));
        }
        if let Some(column) = with_role
            .iter()
            .find(|column| !column.required && least == 1)
        {
            return Err((
                format!("data.columns.{}.required", column.name),
                format!("expected true for the {name} column"),
            ));
        }
    }

    if labels.len() < 2 {
        return Err((
            "data.labels".into(),
            format!("expected two labels or more, got {}", labels.len()),
        ));
    }
    let mut spellings = BTreeSet::new();
    for (name, aliases) in &labels {
        for spelling in std::iter::once(name).chain(aliases) {
            if spelling.trim() != spelling
                || spelling.is_empty()
                || !spellings.insert(spelling.clone())
            {
                return Err((
                    format!("data.labels.{name}"),
                    format!(
                        "expected spellings that are not empty, have no space around and stand once; {spelling:?} is not"
                    ),
                ));
            }
        }
    }
    if let Some(positive) = &positive_label
        && !labels.contains_key(positive)
    {
        let names: Vec<&str> = labels.keys().map(String::as_str).collect();
        return Err((
            "data.positive_label".into(),
            format!("expected one of {}, got {positive:?}", names.join(", ")),
        ));
    }
    let labels = labels
        .into_iter()
        .map(|(name, aliases)| Label { name, aliases })
        .collect();
    Ok(Schema {
        columns,
        labels,
        positive_label,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../../sluice.toml");

    fn fault(text: &str) -> String {
        ModelConfig::parse(text, Path::new("sluice.toml"))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn the_shipped_file_is_right() {
        let config = ModelConfig::parse(SHIPPED, Path::new("sluice.toml")).unwrap();
        assert_eq!(config.schema.label_names(), ["other", "disaster"]);
        assert_eq!(config.schema.label_index()["1"], 1);
    }

    #[test]
    fn an_unknown_key_names_file_line_and_key() {
        let line = SHIPPED
            .lines()
            .position(|line| line.starts_with("dataset ="))
            .unwrap()
            + 1;
        let fault = fault(&SHIPPED.replace("dataset =", "datset ="));
        assert!(
            fault.starts_with(&format!("sluice.toml:{line}: data")),
            "{fault}"
        );
        assert!(
            fault.contains("unknown field `datset`, expected one of `dataset`"),
            "{fault}"
        );
        assert_eq!(fault.lines().count(), 1);
    }

    #[test]
    fn a_bad_schedule_says_what_a_schedule_is() {
        let fault = fault(&SHIPPED.replace("\"0 0 3 * * 1\"", "\"0 0 3 * * 9\""));
        assert!(
            fault.contains(": schedules.retrain: expected six NCrontab fields"),
            "{fault}"
        );
    }

    #[test]
    fn a_share_out_of_range_says_the_range() {
        let fault = fault(&SHIPPED.replace("test = 0.1", "test = 1.5"));
        assert!(
            fault.ends_with(": data.split.test: expected a share from 0.01 to 0.4, got 1.5"),
            "{fault}"
        );
    }

    #[test]
    fn a_wrong_type_names_the_key() {
        let fault = fault(&SHIPPED.replace("max_inputs = 10000", "max_inputs = \"many\""));
        assert!(
            fault.contains("predict.max_inputs: invalid type: string \"many\""),
            "{fault}"
        );
    }

    #[test]
    fn a_key_with_a_line_end_does_not_break_the_line() {
        let fault = fault(&SHIPPED.replace("[gate]", "\"te\\nxt\" = 1\n[gate]"));
        assert!(fault.contains("unknown field `te xt`"), "{fault}");
        assert_eq!(fault.lines().count(), 1, "{fault}");
    }

    #[test]
    fn roles_and_labels_are_checked() {
        assert!(
            fault(&SHIPPED.replace("role = \"slice\"", "role = \"input\""))
                .contains("data.columns")
        );
        assert!(
            fault(&SHIPPED.replace("positive_label = \"disaster\"", "positive_label = \"x\""))
                .contains("expected one of other, disaster")
        );
        assert!(
            fault(&SHIPPED.replace("other = [\"0\"]", "other = [\"1\"]"))
                .contains("data.labels.disaster")
        );
    }
}
