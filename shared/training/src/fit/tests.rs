//! What a fitted model must be, on small made-up data.

use std::sync::Mutex;

use proptest::prelude::*;
use sluice_inference::SparseRow;

use super::*;
use crate::progress::{NoProgress, Stage};

/// Labels and the words that tell them.
const TOPICS: [(&str, &[&str]); 3] = [
    ("flood", &["water", "river", "rising", "sandbag", "levee"]),
    ("storm", &["wind", "gust", "roof", "tornado", "siren"]),
    ("none", &["lunch", "music", "game", "coffee", "friend"]),
];

/// A row of every topic in turn, as often as `weights` says; words come from the topic and from everybody's.
fn data(rows: usize, labels: usize, weights: &[usize]) -> TrainingData {
    let mut data = TrainingData::new(
        TOPICS[..labels]
            .iter()
            .map(|topic| topic.0.to_owned())
            .collect(),
    );
    let turns: Vec<usize> = weights
        .iter()
        .enumerate()
        .flat_map(|(label, &times)| vec![label; times])
        .collect();
    let mut state = 7_u64;
    let mut draw = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for index in 0..rows {
        let label = turns[draw(turns.len())];
        let mut words = vec!["today", "we", "see"];
        for _ in 0..3 {
            // One word in five is of another topic.
            let topic = if draw(5) == 0 { draw(labels) } else { label };
            words.push(TOPICS[topic].1[draw(5)]);
        }
        let split = [
            Split::Train,
            Split::Train,
            Split::Train,
            Split::Calibration,
            Split::Test,
        ][index % 5];
        data.push(split, words.join(" "), label as u32, None)
            .unwrap();
    }
    data
}

fn config() -> TrainingConfig {
    TrainingConfig {
        features: sluice_inference::TextFeatures {
            bits: 14,
            ..Default::default()
        },
        ..TrainingConfig::default()
    }
}

fn accuracy(fitted: &FittedModel, data: &TrainingData) -> f64 {
    let evaluation = crate::Evaluation::new(data, data.test(), &fitted.test_predictions, None);
    evaluation.unwrap().accuracy
}

/// What the exported numbers say, computed as plainly as can be.
fn answer(model: &LinearTextModel, text: &str) -> Vec<f32> {
    let mut row = SparseRow::default();
    model.features.vectorise(text, &mut row);
    let classes = model.labels.len();
    let logit = |class: usize| {
        let entries = row.ids.iter().zip(&row.weights);
        let sum: f32 = entries
            .map(|(&id, value)| value * model.weights[id as usize * classes + class])
            .sum();
        f64::from(sum + model.bias[class])
    };
    let logits: Vec<f64> = (0..classes).map(logit).collect();
    Predictions::of_logits(&logits, classes, f64::from(model.temperature))
        .row(0)
        .to_vec()
}

#[test]
fn two_and_three_labels_are_learnt_and_exported_as_the_trainer_says() {
    for labels in [2, 3] {
        let data = data(1500, labels, &vec![1; labels]);
        let fitted = fit(&data, &config(), &NoProgress).unwrap();
        assert!(
            accuracy(&fitted, &data) > 0.9,
            "{}",
            accuracy(&fitted, &data)
        );
        for (row, probabilities) in data.test().iter().zip(fitted.test_predictions.rows()) {
            for (exported, trainer) in answer(&fitted.model, &row.text).iter().zip(probabilities) {
                assert!((exported - trainer).abs() < 1e-5, "{exported} {trainer}");
            }
        }
        crate::to_onnx(&fitted.model).unwrap();
    }
}

#[test]
fn threads_do_not_change_the_model() {
    let data = data(1200, 3, &[1, 1, 1]);
    let on = |threads| {
        fit(
            &data,
            &TrainingConfig {
                threads,
                ..config()
            },
            &NoProgress,
        )
        .unwrap()
    };
    let (one, three) = (on(1), on(3));
    assert_eq!(one.model, three.model);
    assert_eq!(one.test_predictions, three.test_predictions);
    assert_eq!(one.calibration, three.calibration);
}

#[test]
fn a_rare_label_is_not_forgotten() {
    let data = data(3000, 2, &[1, 19]);
    let fitted = fit(&data, &config(), &NoProgress).unwrap();
    let evaluation =
        crate::Evaluation::new(&data, data.test(), &fitted.test_predictions, Some(0)).unwrap();
    assert!(evaluation.labels[0].support < 50);
    assert!(evaluation.labels[0].f1 > 0.6, "{:?}", evaluation.labels[0]);
}

#[test]
fn a_label_without_training_rows_is_improbable_and_finite() {
    let mut data = data(1200, 3, &[1, 1, 0]);
    data.push(Split::Calibration, "lunch with a friend", 2, None)
        .unwrap();
    data.push(Split::Test, "lunch with a friend", 2, None)
        .unwrap();
    let fitted = fit(&data, &config(), &NoProgress).unwrap();
    let rows = data.train().len() as f32;
    for probabilities in fitted.test_predictions.rows() {
        assert!(
            probabilities[2] > 0.0 && probabilities[2] < 10.0 / rows,
            "{probabilities:?}"
        );
    }
    assert!(accuracy(&fitted, &data) > 0.85);
}

#[test]
fn calibration_does_not_make_confidence_worse() {
    let clean = data(4000, 2, &[1, 1]);
    // A word of its own lets the model learn each training row by heart, and one label in seven is wrong.
    let mut data = TrainingData::new(clean.labels().to_vec());
    for split in [Split::Train, Split::Calibration, Split::Test] {
        for (index, row) in clean.rows(split).iter().enumerate() {
            let label = if index % 7 == 0 {
                1 - row.label
            } else {
                row.label
            };
            data.push(
                split,
                format!("{} w{index}x{split:?}", row.text),
                label,
                None,
            )
            .unwrap();
        }
    }
    // A penalty so weak that the model is far too sure of itself.
    let config = TrainingConfig {
        regularisation: vec![1e4],
        ..config()
    };
    let calibration = fit(&data, &config, &NoProgress).unwrap().calibration;
    assert!(calibration.temperature > 1.5, "{calibration:?}");
    assert!(
        calibration.after.ece < calibration.before.ece,
        "{calibration:?}"
    );
    assert!(
        calibration.after.brier < calibration.before.brier,
        "{calibration:?}"
    );
    assert_eq!(
        calibration.summary().parameters["temperature"],
        calibration.temperature
    );
}

#[test]
fn the_search_keeps_the_least_loss_and_stops_when_it_only_gets_worse() {
    let data = data(1500, 2, &[1, 1]);
    let config = TrainingConfig {
        regularisation: vec![1e-5, 0.1, 1.0, 1e3, 1e4, 1e5, 1e6],
        ..config()
    };
    let summary = fit(&data, &config, &NoProgress).unwrap().summary;
    let losses: Vec<f64> = summary
        .search
        .iter()
        .map(|tried| tried["log_loss"])
        .collect();
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let chosen = summary
        .search
        .iter()
        .find(|tried| tried["regularisation"] == summary.parameters["regularisation"]);
    assert_eq!(chosen.unwrap()["log_loss"], best);
    assert!(losses.len() < 7, "{losses:?}");
    assert_eq!(losses.iter().rev().position(|loss| *loss == best), Some(2));
}

#[test]
fn data_that_cannot_be_learnt_from_says_what_is_missing() {
    let message = |data: &TrainingData, config: &TrainingConfig| {
        fit(data, config, &NoProgress).unwrap_err().to_string()
    };
    let small = data(50, 2, &[1, 1]);
    assert!(
        message(&small, &config())
            .starts_with("the train side of the dataset has 30 rows and training needs 100")
    );
    let mut no_test = TrainingData::new(vec!["a".into(), "b".into()]);
    for index in 0..200 {
        let split = if index < 150 {
            Split::Train
        } else {
            Split::Calibration
        };
        no_test.push(split, "text", index % 2, None).unwrap();
    }
    assert!(
        message(&no_test, &config())
            .starts_with("the test side of the dataset has 0 rows and training needs 1;")
    );
    let one_label = data(500, 2, &[0, 1]);
    assert!(
        message(&one_label, &config()).contains("all 300 training rows have the label \"storm\"")
    );
    let wrong = TrainingConfig {
        regularisation: vec![],
        ..config()
    };
    assert!(message(&small, &wrong).starts_with("regularisation: expected"));
}

#[test]
fn progress_ends_where_it_said() {
    #[derive(Default)]
    struct Heard(Mutex<Vec<(Stage, u64, u64)>>);
    impl Progress for Heard {
        fn update(&self, stage: Stage, done: u64, total: u64) {
            self.0.lock().unwrap().push((stage, done, total));
        }
    }
    let heard = Heard::default();
    fit(&data(1200, 2, &[1, 1]), &config(), &heard).unwrap();
    let heard = heard.0.into_inner().unwrap();
    assert!(heard.iter().all(|(_, done, total)| done <= total));
    for (stage, total) in [(Stage::Features, 720), (Stage::Search, 4)] {
        assert!(heard.contains(&(stage, total, total)), "{stage}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn any_texts_give_a_finite_model(texts in prop::collection::vec(("\\PC{0,20}", 0_u32..3), 40..60)) {
        let mut data = TrainingData::new(["a", "b", "c"].map(str::to_owned).to_vec());
        for (index, (text, label)) in texts.into_iter().enumerate() {
            let split = [Split::Train, Split::Calibration, Split::Test][index % 3];
            data.push(split, text, label, None).unwrap();
        }
        data.push(Split::Train, "one", 0, None).unwrap();
        data.push(Split::Train, "two", 1, None).unwrap();
        let config = TrainingConfig { min_train_rows: 2, min_calibration_rows: 1, ..config() };
        let fitted = fit(&data, &config, &NoProgress).unwrap();
        prop_assert!(fitted.model.weights.iter().chain(&fitted.model.bias).all(|weight| weight.is_finite()));
        prop_assert!(fitted.model.temperature > 0.0);
    }
}
