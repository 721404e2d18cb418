//! What a good model answers.

use std::thread;

use proptest::prelude::*;
use sluice_inference::metadata::Calibration;
use sluice_inference::{InferenceError, Scores, SessionOptions, TextClassifier, TextFeatures};

use crate::support::{MODEL, classifier, runtime};

/// Texts of very different lengths.
fn texts(count: usize) -> Vec<String> {
    let words = [
        "flood", "in", "Calgary", "é", "river's", "water", "high", "#yyc", "a", "WEST",
    ];
    let text = |index: usize| {
        let length = if index % 97 == 96 { 3_000 } else { index % 23 };
        let word = |position: usize| words[(index * 7 + position * position) % words.len()];
        (0..length).map(word).collect::<Vec<_>>().join(" ")
    };
    (0..count).map(text).collect()
}

fn close(one: &Scores, other: &Scores) -> bool {
    let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
    near(&one.logits, &other.logits) && near(&one.probabilities, &other.probabilities)
}

#[test]
fn the_file_says_what_it_is() {
    let classifier = classifier(1);
    assert_eq!(classifier.labels(), ["label 0", "label 1", "label 2"]);
    let features = TextFeatures {
        bits: 10,
        ..TextFeatures::default()
    };
    assert_eq!(*classifier.features(), features);
    assert_eq!(
        *classifier.calibration(),
        Calibration::Temperature { temperature: 1.5 }
    );
}

#[test]
fn the_version_of_the_library_is_known() {
    let runtime = runtime();
    assert!(runtime.version().starts_with("1."), "{runtime:?}");
    assert!(runtime.path().is_file(), "{runtime:?}");
}

#[test]
fn a_stored_model_answers_as_on_the_day_it_was_written() {
    // The numbers come from another implementation of the features and the formulas, in Python.
    let expected = [
        (
            "",
            [-0.035_840, 0.857_171, 0.360_464],
            [0.242_952, 0.440_629, 0.316_419],
        ),
        (
            "Flood in Calgary",
            [2.659_846, 0.435_536, -6.155_677],
            [0.813_148, 0.184_572, 0.002_279],
        ),
        (
            "Überflutung 東京 東京",
            [2.487_609, 1.908_725, -1.513_357],
            [0.571_670, 0.388_634, 0.039_696],
        ),
    ];
    let scores = classifier(1)
        .predict(&expected.map(|(text, ..)| text))
        .unwrap();
    for ((text, logits, probabilities), scores) in expected.into_iter().zip(scores) {
        let expected = Scores {
            logits: logits.to_vec(),
            probabilities: probabilities.to_vec(),
        };
        assert!(close(&scores, &expected), "{text:?}: {scores:?}");
    }
}

#[test]
fn no_text_gives_no_answer() {
    assert_eq!(classifier(1).predict(&[]).unwrap(), []);
}

#[test]
fn ten_thousand_texts_get_the_same_answers_together_as_alone() {
    let classifier = classifier(1);
    let texts = texts(10_000);
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let together = classifier.predict(&texts).unwrap();
    assert_eq!(together.len(), texts.len());
    for (index, (text, scores)) in texts.iter().zip(&together).enumerate() {
        let alone = classifier.predict(&[text]).unwrap();
        assert!(
            close(&alone[0], scores),
            "text {index}: {alone:?} {scores:?}"
        );
    }
}

#[test]
fn a_very_long_text_gets_an_answer() {
    let long: String = (0..200_000).map(|word| format!("word{word} ")).collect();
    let scores = classifier(1).predict(&["short", &long, "short"]).unwrap();
    assert!((scores[1].probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    assert!(close(&scores[0], &scores[2]));
}

#[test]
fn many_threads_get_the_answers_of_one() {
    let classifier = classifier(2);
    let texts = texts(300);
    let expected: Vec<Scores> = texts
        .iter()
        .flat_map(|text| classifier.predict(&[text]).unwrap())
        .collect();
    thread::scope(|scope| {
        for start in 0..8 {
            let (classifier, texts, expected) = (&classifier, &texts, &expected);
            scope.spawn(move || {
                for index in (start * 30..300).chain(0..start * 30) {
                    let scores = classifier.predict(&[&texts[index]]).unwrap();
                    assert_eq!(scores[0], expected[index], "text {index}");
                }
            });
        }
    });
}

#[test]
fn zero_sessions_or_threads_are_refused() {
    for (threads, sessions, field) in [(0, 1, "threads"), (1, 0, "sessions")] {
        let error = TextClassifier::load(&runtime(), MODEL, SessionOptions { threads, sessions })
            .unwrap_err();
        assert!(matches!(error, InferenceError::Options { field: found } if found == field));
    }
}

#[test]
fn the_best_label_is_the_first_with_the_highest_score() {
    let scores = |logits: &[f32]| Scores {
        logits: logits.to_vec(),
        probabilities: Vec::new(),
    };
    assert_eq!(scores(&[0.0, 2.0, 2.0]).best(), 1);
    assert_eq!(scores(&[-1.0, -2.0]).best(), 0);
    assert_eq!(scores(&[-3.0, -2.0]).best(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn probabilities_are_a_distribution_in_the_order_of_the_logits(texts in prop::collection::vec("\\PC{0,60}", 1..6)) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        for scores in classifier(1).predict(&texts).unwrap() {
            prop_assert!((scores.probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            prop_assert!(scores.probabilities.iter().all(|probability| (0.0..=1.0).contains(probability)));
            let best = scores.best();
            prop_assert!(scores.probabilities.iter().all(|&probability| probability <= scores.probabilities[best]));
        }
    }
}
