//! Numbers about a text that say when inputs change.

/// Writes the numbers of `text` into `features`, reusing its memory: `characters` (Unicode scalar values), `words`
/// (runs without white space).
///
/// One definition for the prediction log, the baseline of a model and the profile of a dataset version: only then can
/// their distributions be compared.
pub fn text_features(text: &str, features: &mut Vec<(String, f64)>) {
    let values = [
        ("characters", text.chars().count() as f64),
        ("words", words(text) as f64),
    ];
    features.resize_with(values.len(), || (String::new(), 0.0));
    for ((name, value), (known, number)) in features.iter_mut().zip(values) {
        if name.as_str() != known {
            known.clone_into(name);
        }
        *value = number;
    }
}

/// The runs without white space. An ASCII text is counted byte by byte without a branch, which the compiler makes
/// vector instructions of: every uploaded row and every prediction goes through here.
fn words(text: &str) -> usize {
    if !text.is_ascii() {
        return text.split_whitespace().count();
    }
    // 1 for a space or one of tab to carriage return.
    let space = |byte: u8| u8::from(byte == b' ') | u8::from(byte.wrapping_sub(b'\t') < 5);
    let bytes = text.as_bytes();
    let first = bytes.first().is_some_and(|byte| space(*byte) == 0);
    // A sum of at most 255 ones fits into a byte, and sixteen bytes are added at once.
    let starts = |(before, byte): (&u8, &u8)| space(*before) & (1 - space(*byte));
    let next = bytes.get(1..).unwrap_or_default();
    let later: usize = bytes
        .chunks(255)
        .zip(next.chunks(255))
        .map(|(before, bytes)| usize::from(before.iter().zip(bytes).map(starts).sum::<u8>()))
        .sum();
    usize::from(first) + later
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ascii_words_are_those_of_unicode(text in "[ -~\\s&&[:ascii:]]*|[\\x00-\\x7f]*") {
            prop_assert_eq!(words(&text), text.split_whitespace().count());
        }
    }

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
