//! Texts on their way into the model and into the duplicate check: the same text always means the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_inference::{SparseRow, TextFeatures};
use sluice_registry::{content_hash, normalise};

fuzz_target!(|text: &str| {
    let normalised = normalise(text);
    assert_eq!(normalise(&normalised), normalised, "{text:?}");
    assert_eq!(content_hash(&normalised), content_hash(text));

    for (max_ngram, lowercase) in [(1, true), (3, false)] {
        let features = TextFeatures {
            bits: 10,
            max_ngram,
            lowercase,
        };
        let mut row = SparseRow::default();
        features.vectorise(text, &mut row);
        assert_eq!(row.ids.len(), row.weights.len());
        assert!(row.ids.is_sorted_by(|a, b| a < b));
        assert!(
            row.ids
                .iter()
                .all(|id| (*id as usize) < features.dimension())
        );
        assert!(row.weights.iter().all(|weight| *weight > 0.0));
        let squares: f32 = row.weights.iter().map(|weight| weight * weight).sum();
        assert!(
            row.ids.is_empty() || (squares - 1.0).abs() < 1e-3,
            "{squares}"
        );
    }
});
