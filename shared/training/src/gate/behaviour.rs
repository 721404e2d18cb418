//! Changes of a text that should not change the answer.

use serde::{Deserialize, Serialize};

use super::config::BehaviourRules;
use crate::TrainingError;
use crate::data::Row;
use crate::predictions::Predictions;
use crate::progress::{Progress, Stage};

/// Texts that the model is asked for at once.
const BATCH: usize = 256;

/// A link as messages carry it, to a page that no training text names.
const URL: &str = "https://example.org/a1b2c3d4";

/// What a model says about texts: the class probabilities of each.
pub type Predict<'a> =
    dyn Fn(&[&str]) -> Result<Vec<Vec<f32>>, Box<dyn std::error::Error + Send + Sync>> + 'a;

/// What one kind of change did to the answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BehaviourResult {
    /// The change.
    pub change: Change,
    /// Texts that were changed.
    pub rows: u64,
    /// Labels that flipped.
    pub flipped: u64,
    /// The share of labels that flipped.
    pub share: f64,
    /// The share that may.
    pub max_share: f64,
}

/// A change of a text that should not change the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// All in capitals.
    UpperCase,
    /// All in small letters.
    LowerCase,
    /// White space around the text and doubled between words.
    AddedWhitespace,
    /// A link at the end.
    TrailingUrl,
}

impl Change {
    const ALL: [Self; 4] = [
        Self::UpperCase,
        Self::LowerCase,
        Self::AddedWhitespace,
        Self::TrailingUrl,
    ];

    /// The name in documents, also the key of its rule.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UpperCase => "upper_case",
            Self::LowerCase => "lower_case",
            Self::AddedWhitespace => "added_whitespace",
            Self::TrailingUrl => "trailing_url",
        }
    }

    fn max_share(self, rules: &BehaviourRules) -> f64 {
        match self {
            Self::UpperCase => rules.upper_case,
            Self::LowerCase => rules.lower_case,
            Self::AddedWhitespace => rules.added_whitespace,
            Self::TrailingUrl => rules.trailing_url,
        }
    }

    fn apply(self, text: &str) -> String {
        match self {
            Self::UpperCase => text.to_uppercase(),
            Self::LowerCase => text.to_lowercase(),
            Self::AddedWhitespace => format!(
                " \t{}\n",
                text.split_whitespace().collect::<Vec<_>>().join("  ")
            ),
            Self::TrailingUrl => format!("{text} {URL}"),
        }
    }
}

/// Changes the first test rows in every way, and counts the labels that flip against `answers`, the model's answers for
/// the rows as they are.
pub(super) fn check(
    rules: &BehaviourRules,
    rows: &[Row],
    answers: &Predictions,
    predict: &Predict<'_>,
    progress: &dyn Progress,
) -> Result<Vec<BehaviourResult>, TrainingError> {
    let rows = &rows[..rows.len().min(rules.rows)];
    let before = answers.labels();
    let total = Change::ALL.len() as u64;
    let mut results = Vec::with_capacity(Change::ALL.len());
    for change in Change::ALL {
        progress.update(Stage::Behaviour, results.len() as u64, total);
        let mut flipped = 0;
        for (rows, before) in rows.chunks(BATCH).zip(before.chunks(BATCH)) {
            let texts: Vec<String> = rows.iter().map(|row| change.apply(&row.text)).collect();
            let after = predict_labels(&texts, answers.classes(), predict)?;
            flipped += before
                .iter()
                .zip(&after)
                .filter(|(before, after)| before != after)
                .count() as u64;
        }
        results.push(BehaviourResult {
            change,
            rows: rows.len() as u64,
            flipped,
            share: flipped as f64 / rows.len().max(1) as f64,
            max_share: change.max_share(rules),
        });
    }
    progress.update(Stage::Behaviour, total, total);
    Ok(results)
}

fn predict_labels(
    texts: &[String],
    classes: usize,
    predict: &Predict<'_>,
) -> Result<Vec<u32>, TrainingError> {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let answers = predict(&texts).map_err(|source| TrainingError::Predict {
        stage: Stage::Behaviour,
        source,
    })?;
    if answers.len() != texts.len() {
        return Err(TrainingError::UnusablePredictions {
            what: "the candidate".to_owned(),
            problem: format!("{} answers for {} texts", answers.len(), texts.len()),
        });
    }
    Ok(Predictions::new("the candidate", classes, answers)?.labels())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::NoProgress;

    fn row(text: &str) -> Row {
        Row {
            text: text.into(),
            label: 0,
            slice: None,
        }
    }

    #[test]
    fn changes_are_what_their_names_say() {
        let changed = Change::ALL.map(|change| change.apply("Flood in  São Paulo"));
        assert_eq!(
            changed,
            [
                "FLOOD IN  SÃO PAULO",
                "flood in  são paulo",
                " \tFlood  in  São  Paulo\n",
                "Flood in  São Paulo https://example.org/a1b2c3d4"
            ]
        );
    }

    #[test]
    fn flips_are_counted_for_each_change() {
        // A model that looks at capitals and links only.
        let says = |text: &str| {
            if text.starts_with('F') || text.contains("https") {
                [0.1, 0.9]
            } else {
                [0.8, 0.2]
            }
        };
        let rows = [row("Flood"), row("fine"), row("storm"), row("not asked")];
        let answers = Predictions::new("test", 2, rows.iter().map(|row| says(&row.text))).unwrap();
        let rules = BehaviourRules {
            rows: 3,
            ..BehaviourRules::default()
        };
        let predict = |texts: &[&str]| Ok(texts.iter().map(|text| says(text).to_vec()).collect());
        let results = check(&rules, &rows, &answers, &predict, &NoProgress).unwrap();
        let flipped: Vec<_> = results
            .iter()
            .map(|result| (result.change.name(), result.rows, result.flipped))
            .collect();
        assert_eq!(
            flipped,
            [
                ("upper_case", 3, 1),
                ("lower_case", 3, 1),
                ("added_whitespace", 3, 1),
                ("trailing_url", 3, 2)
            ]
        );
    }

    #[test]
    fn a_model_that_cannot_answer_is_an_error() {
        let rows = [row("Flood")];
        let answers = Predictions::new("test", 2, [[1.0, 0.0]]).unwrap();
        let check = |predict: &Predict<'_>| {
            check(
                &BehaviourRules::default(),
                &rows,
                &answers,
                predict,
                &NoProgress,
            )
            .unwrap_err()
            .to_string()
        };
        assert!(check(&|_| Err("no session".into())).contains("behaviour check: no session"));
        assert!(check(&|_| Ok(vec![])).contains("0 answers for 1 texts"));
        assert!(check(&|_| Ok(vec![vec![1.0]])).contains("1 probabilities and there are 2 labels"));
    }
}
