//! What the trainer writes is what the classifier computes: ONNX Runtime against a plain scorer in Rust.

use std::path::PathBuf;

use proptest::prelude::*;
use sluice_inference::{
    LibrarySearch, Runtime, Scores, SessionOptions, SparseRow, TELEMETRY_VARIABLE, TextClassifier,
};

use super::*;

fn runtime() -> Runtime {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let search = LibrarySearch {
        ort_dylib_path: variable("ORT_DYLIB_PATH"),
        cache_dir: variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache"))),
        ..LibrarySearch::default()
    };
    Runtime::load(&search, std::env::var(TELEMETRY_VARIABLE).ok().as_deref()).unwrap()
}

fn load(model: &LinearTextModel) -> TextClassifier {
    TextClassifier::load(
        &runtime(),
        &to_onnx(model).unwrap(),
        SessionOptions::default(),
    )
    .unwrap()
}

fn labels(count: usize) -> Vec<String> {
    (0..count).map(|label| format!("label {label}")).collect()
}

/// A model whose numbers follow from `seed`.
fn model(features: TextFeatures, classes: usize, temperature: f32, seed: u64) -> LinearTextModel {
    let mut state = seed;
    let mut number = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    LinearTextModel {
        features,
        labels: labels(classes),
        weights: (0..features.dimension() * classes)
            .map(|_| 5.0 * number())
            .collect(),
        bias: (0..classes).map(|_| number()).collect(),
        temperature,
    }
}

/// The formulas of the graph, in double precision.
fn plain_scores(model: &LinearTextModel, text: &str) -> (Vec<f64>, Vec<f64>) {
    let mut row = SparseRow::default();
    model.features.vectorise(text, &mut row);
    let classes = model.labels.len();
    let mut logits: Vec<f64> = model.bias.iter().map(|&bias| f64::from(bias)).collect();
    for (&id, &weight) in row.ids.iter().zip(&row.weights) {
        let table_row = &model.weights[id as usize * classes..][..classes];
        for (logit, &value) in logits.iter_mut().zip(table_row) {
            *logit += f64::from(weight) * f64::from(value);
        }
    }
    let highest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exponent = |logit: &f64| ((logit - highest) / f64::from(model.temperature)).exp();
    let sum: f64 = logits.iter().map(exponent).sum();
    let probabilities = logits.iter().map(|logit| exponent(logit) / sum).collect();
    (logits, probabilities)
}

fn assert_close(found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (&found, &expected) in found.iter().zip(expected) {
        assert!(
            (f64::from(found) - expected).abs() < 1e-5,
            "{found} is not {expected}"
        );
    }
}

fn assert_scores(model: &LinearTextModel, text: &str, scores: &Scores) {
    let (logits, probabilities) = plain_scores(model, text);
    assert_close(&scores.logits, &logits);
    assert_close(&scores.probabilities, &probabilities);
}

fn small_features() -> impl Strategy<Value = TextFeatures> {
    (10..=13_u8, 1..=3_u8, any::<bool>()).prop_map(|(bits, max_ngram, lowercase)| TextFeatures {
        bits,
        max_ngram,
        lowercase,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_graph_computes_what_the_formulas_say(
        features in small_features(),
        classes in 2..6_usize,
        temperature in 0.2..5.0_f32,
        seed in any::<u64>(),
        texts in prop::collection::vec("\\PC{0,40}|[a-dé ]{0,40}", 1..8),
    ) {
        let model = model(features, classes, temperature, seed);
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let scores = load(&model).predict(&texts).unwrap();
        prop_assert_eq!(scores.len(), texts.len());
        for (text, scores) in texts.iter().zip(&scores) {
            assert_scores(&model, text, scores);
        }
    }
}

#[test]
fn a_text_without_words_gets_the_bias() {
    let model = model(TextFeatures::default(), 3, 1.5, 7);
    let scores = load(&model).predict(&["", " ! "]).unwrap();
    assert_eq!(scores[0].logits, model.bias);
    assert_eq!(scores[0], scores[1]);
}

#[test]
fn equal_models_give_equal_bytes() {
    let model = model(TextFeatures::default(), 2, 1.5, 7);
    assert_eq!(to_onnx(&model).unwrap(), to_onnx(&model.clone()).unwrap());
}

/// Digests pin models, so today's bytes must be those of the models that are stored already. A change of the file is a new
/// format with a fixture of its own; the old fixture stays, for it must load for ever.
#[test]
fn the_file_is_byte_for_byte_the_stored_fixture() {
    let features = TextFeatures {
        bits: 10,
        ..TextFeatures::default()
    };
    let fixture = include_bytes!("../../../inference/tests/fixtures/text_v1.onnx");
    assert!(to_onnx(&model(features, 3, 1.5, 7)).unwrap() == fixture);
}

#[test]
fn a_model_that_contradicts_itself_is_refused_with_the_field() {
    let features = TextFeatures {
        bits: 10,
        ..TextFeatures::default()
    };
    let good = model(features, 2, 1.0, 1);
    assert!(to_onnx(&good).is_ok());

    let error = |change: fn(&mut LinearTextModel)| {
        let mut model = good.clone();
        change(&mut model);
        to_onnx(&model).unwrap_err().to_string()
    };
    for (message, expected) in [
        (
            error(|model| model.features.bits = 30),
            "features: out of range",
        ),
        (
            error(|model| model.labels = labels(1)),
            "labels: expected at least two labels, got 1",
        ),
        (
            error(|model| model.labels[1] = "label 0".to_owned()),
            "labels: label \"label 0\" is there twice",
        ),
        (
            error(|model| model.bias.push(0.0)),
            "bias: expected 2 values, one for each label, got 3",
        ),
        (
            error(|model| model.weights.truncate(2047)),
            "weights: expected 1024 x 2 values, got 2047",
        ),
        (
            error(|model| model.weights[5] = f32::NAN),
            "weights: value 5 is not finite",
        ),
        (
            error(|model| model.bias[1] = f32::INFINITY),
            "bias: value 1 is not finite",
        ),
        (
            error(|model| model.temperature = 0.0),
            "temperature: expected a number above 0, got 0",
        ),
        (
            error(|model| model.temperature = f32::NAN),
            "temperature: expected a number above 0, got NaN",
        ),
    ] {
        assert!(message.contains(expected), "{message}");
    }
}
