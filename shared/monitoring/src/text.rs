//! Numbers about a text that say when inputs change.

/// Writes the numbers of `text` into `features`, reusing its memory: `characters` (Unicode scalar values), `words`
/// (runs without white space).
///
/// One definition for the prediction log, the baseline of a model and the profile of a dataset version: only then can
/// their distributions be compared.
pub fn text_features(text: &str, features: &mut Vec<(String, f64)>) {
    let values = [
        ("characters", text.chars().count() as f64),
        ("words", text.split_whitespace().count() as f64),
    ];
    features.resize_with(values.len(), || (String::new(), 0.0));
    for ((name, value), (known, number)) in features.iter_mut().zip(values) {
        if name.as_str() != known {
            known.clone_into(name);
        }
        *value = number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_characters_and_words() {
        let mut features = vec![("stale".to_owned(), 9.0); 3];
        text_features("Überflutung  in Köln", &mut features);
        assert_eq!(
            features,
            [("characters".to_owned(), 20.0), ("words".to_owned(), 3.0)]
        );
    }
}
