//! Files that are no good model: each is refused with what is wrong, none stops the process.

use std::path::Path;

use proptest::prelude::*;
use sluice_inference::{InferenceError, MetadataError, SessionOptions, TextClassifier};

use crate::support::{MODEL, runtime};

fn load(model: &[u8]) -> Result<TextClassifier, InferenceError> {
    TextClassifier::load(&runtime(), model, SessionOptions::default())
}

/// The stored model with every `from` replaced by `to`, which has the same length: the lengths in the file stay right.
fn model_with(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut model = MODEL.to_vec();
    let mut found = 0;
    for at in 0..=model.len() - from.len() {
        if &model[at..at + from.len()] == from.as_bytes() {
            model[at..at + from.len()].copy_from_slice(to.as_bytes());
            found += 1;
        }
    }
    assert_ne!(found, 0, "{from:?} is not in the stored model");
    model
}

#[test]
fn bytes_that_are_no_model_are_refused_with_their_size() {
    for bytes in [
        b"".as_slice(),
        b"not a model",
        &[0xff; 4096],
        &MODEL[..MODEL.len() / 2],
        &MODEL[..MODEL.len() - 1],
    ] {
        let error = load(bytes).unwrap_err();
        assert!(
            matches!(error, InferenceError::Model { bytes: size, .. } if size == bytes.len()),
            "{error:?}"
        );
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[test]
fn a_model_of_somebody_else_is_refused_by_its_missing_entry() {
    let error = load(&model_with("sluice.format", "sluice.farmat")).unwrap_err();
    assert!(
        matches!(
            error,
            InferenceError::Metadata(MetadataError::Missing {
                key: "sluice.format"
            })
        ),
        "{error:?}"
    );
}

#[test]
fn a_model_of_another_task_is_refused_with_both_tasks() {
    let error = load(&model_with("text-classification", "tabular-regression!"))
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        r#"the model is for the task "tabular-regression!", expected "text-classification""#
    );
}

#[test]
fn a_graph_that_contradicts_its_description_is_refused() {
    for (from, to, expected) in [
        (
            r#"{"bits":10,"#,
            r#"{"bits":11,"#,
            "indices element out of data bounds",
        ),
        (
            r#""label 1","label 2""#,
            r#""label 1 , label 2""#,
            "expected 1 x 2 scores, got 3",
        ),
        (
            "probabilities",
            "prebabilities",
            r#"expected the outputs ["logits", "probabilities"], got ["logits", "prebabilities"]"#,
        ),
    ] {
        let error = load(&model_with(from, to)).unwrap_err();
        assert!(
            matches!(error, InferenceError::Mismatch { .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn weights_that_are_not_finite_never_become_an_answer() {
    // The values of the table follow its name, the number of their field and a length of two bytes.
    let mark = b"tableJ\x80\x60";
    let first_row = mark.len()
        + MODEL
            .windows(mark.len())
            .position(|window| window == mark)
            .unwrap();
    let mut model = MODEL.to_vec();
    model[first_row..first_row + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    let error = load(&model).unwrap_err();
    assert!(error.to_string().contains("not finite"), "{error}");

    let mut model = MODEL.to_vec();
    for value in model[first_row + 12..first_row + 12 * 1023].chunks_exact_mut(4) {
        value.copy_from_slice(&f32::INFINITY.to_le_bytes());
    }
    let error = load(&model).unwrap().predict(&["", "flood"]).unwrap_err();
    assert!(
        matches!(error, InferenceError::NotFinite { index: 1 }),
        "{error:?}"
    );
}

#[test]
fn a_foreign_onnx_file_is_refused() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/models");
    if !models.is_dir() {
        println!("skipped: ../shared is absent");
        return;
    }
    let model = std::fs::read(models.join("yunet_n_320_320.onnx")).unwrap();
    let error = load(&model).unwrap_err();
    assert!(
        matches!(
            error,
            InferenceError::Metadata(MetadataError::Missing { .. })
        ),
        "{error:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn damage_anywhere_is_an_error_or_an_answer_never_a_crash(
        flips in prop::collection::vec((0..1_usize << 20, 1..=255_u8), 1..4),
        keep in 0..1_usize << 20,
        cut in any::<bool>(),
    ) {
        let mut model = MODEL.to_vec();
        // Half of the damage goes to the end of the file, where the graph and its description are.
        for (index, (at, bits)) in flips.into_iter().enumerate() {
            let start = if index % 2 == 0 { model.len() - 1500 } else { 0 };
            let at = start + at % (model.len() - start);
            model[at] ^= bits;
        }
        if cut {
            model.truncate(keep % model.len());
        }
        if let Ok(classifier) = load(&model) {
            let _ = classifier.predict(&["flood in town", ""]);
        }
    }
}
