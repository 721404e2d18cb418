//! A text as hashed word n-grams: the one piece of code that training and serving share.
//!
//! The rules follow scikit-learn's `HashingVectorizer` (word analyser, `norm="l2"`, `alternate_sign=False`) with two
//! differences: the hash is XXH3 instead of MurmurHash3, and the text is first brought to Unicode form NFKC, so that
//! composed and decomposed accents, full-width letters and "bold" mathematical letters are the same word.
//!
//! Signs do not alternate: on 60,000 tweets and 2^18 columns that changes the F1 of a logistic regression by .0001, and
//! without them every weight is a share of the text.
//!
//! The rules are part of every stored model: to change one is to break every model that was trained before.

mod tokens;

use std::cell::RefCell;

use serde::{Deserialize, Deserializer, Serialize, de};
use xxhash_rust::xxh3::xxh3_64;

use tokens::Tokens;

/// Bits of the hash that may name a column.
pub const BITS: std::ops::RangeInclusive<u8> = 10..=24;

/// Lengths that the longest n-gram may have, in words.
pub const MAX_NGRAM: std::ops::RangeInclusive<u8> = 1..=3;

/// Scratch memory above this many bytes is given back after use, so that one huge text costs no memory for ever.
const KEPT_SCRATCH_BYTES: usize = 64 * 1024;

thread_local! {
    static SCRATCH: RefCell<Tokens> = RefCell::default();
}

/// How a text becomes hashed n-grams. It travels inside the model file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TextFeatures {
    /// The columns are `2^bits`; [`BITS`] are accepted.
    #[serde(deserialize_with = "bits")]
    pub bits: u8,
    /// The longest run of words that is one feature; [`MAX_NGRAM`] is accepted. All shorter runs are features too.
    #[serde(deserialize_with = "max_ngram")]
    pub max_ngram: u8,
    /// Whether capitals count as their small letters.
    pub lowercase: bool,
}

impl Default for TextFeatures {
    fn default() -> Self {
        Self {
            bits: 18,
            max_ngram: 2,
            lowercase: true,
        }
    }
}

/// The non-zero columns of one text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SparseRow {
    /// Column numbers below [`TextFeatures::dimension`], ascending, each once.
    pub ids: Vec<u32>,
    /// One weight for each column, all positive; the squares sum to 1 unless the row is empty.
    pub weights: Vec<f32>,
}

impl TextFeatures {
    /// The number of columns, `2^bits`.
    ///
    /// # Panics
    /// When `bits` is far outside [`BITS`]; check a value that was not deserialised with [`TextFeatures::is_valid`].
    pub fn dimension(&self) -> usize {
        1 << self.bits
    }

    /// Whether every field is in its accepted range. Deserialised values always are.
    pub fn is_valid(&self) -> bool {
        BITS.contains(&self.bits) && MAX_NGRAM.contains(&self.max_ngram)
    }

    /// Writes the features of `text` into `row`, reusing its memory.
    ///
    /// A word is a run of two or more letters, digits or underscores (scikit-learn's `(?u)\b\w\w+\b`); shorter runs are
    /// dropped before n-grams are formed. The feature of an n-gram is the low `bits` bits of the XXH3-64 hash (seed 0)
    /// of its words joined by one space, in UTF-8. The weight is the number of times that a column occurs, divided by
    /// the Euclidean norm of the row. A text without a word gives an empty row.
    pub fn vectorise(&self, text: &str, row: &mut SparseRow) {
        row.ids.clear();
        row.weights.clear();
        SCRATCH.with_borrow_mut(|tokens| {
            tokens.read(text, self.lowercase);
            self.hash_ngrams(tokens, &mut row.ids);
            tokens.release_above(KEPT_SCRATCH_BYTES);
        });
        row.ids.sort_unstable();
        count_repeats(&mut row.ids, &mut row.weights);
        scale_to_unit_length(&mut row.weights);
    }

    fn hash_ngrams(&self, tokens: &Tokens, ids: &mut Vec<u32>) {
        let mask = (1_u64 << self.bits) - 1;
        for length in 1..=usize::from(self.max_ngram) {
            ids.extend(
                tokens
                    .ngrams(length)
                    .map(|ngram| (xxh3_64(ngram) & mask) as u32),
            );
        }
    }
}

/// Keeps the first of each run of equal ids and pushes the length of the run as its weight.
fn count_repeats(ids: &mut Vec<u32>, counts: &mut Vec<f32>) {
    counts.extend(ids.chunk_by(u32::eq).map(|run| run.len() as f32));
    ids.dedup();
}

fn scale_to_unit_length(weights: &mut [f32]) {
    let squares: f64 = weights
        .iter()
        .map(|&weight| f64::from(weight) * f64::from(weight))
        .sum();
    if squares > 0.0 {
        let scale = (1.0 / squares.sqrt()) as f32;
        weights.iter_mut().for_each(|weight| *weight *= scale);
    }
}

fn bits<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    in_range(deserializer, BITS, &"a whole number from 10 to 24")
}

fn max_ngram<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    in_range(deserializer, MAX_NGRAM, &"a whole number from 1 to 3")
}

fn in_range<'de, D: Deserializer<'de>>(
    deserializer: D,
    range: std::ops::RangeInclusive<u8>,
    expected: &dyn de::Expected,
) -> Result<u8, D::Error> {
    let value = i64::deserialize(deserializer)?;
    u8::try_from(value)
        .ok()
        .filter(|value| range.contains(value))
        .ok_or_else(|| de::Error::invalid_value(de::Unexpected::Signed(value), expected))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(features: TextFeatures, text: &str) -> SparseRow {
        let mut row = SparseRow::default();
        features.vectorise(text, &mut row);
        row
    }

    fn default_row(text: &str) -> SparseRow {
        row(TextFeatures::default(), text)
    }

    fn ngrams(text: &str, lowercase: bool, length: usize) -> Vec<String> {
        let mut tokens = Tokens::default();
        tokens.read(text, lowercase);
        let ngram = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        tokens.ngrams(length).map(ngram).collect()
    }

    #[test]
    fn words_are_what_scikit_learn_finds() {
        for (text, expected) in [
            ("", vec![]),
            ("a I ! .", vec![]),
            (
                "RT @user: it's 5pm, 2_000 #Flood",
                vec!["rt", "user", "it", "5pm", "2_000", "flood"],
            ),
            ("a bb c dd", vec!["bb", "dd"]),
            (
                "Überflutung in São-Paulo é",
                vec!["überflutung", "in", "são", "paulo"],
            ),
            ("J\u{30c}ust", vec!["\u{1f0}ust"]),
            (
                "CAFE\u{301} ｆｌｏｏｄ 𝐛𝐨𝐥𝐝 日本 é",
                vec!["café", "flood", "bold", "日本"],
            ),
        ] {
            assert_eq!(ngrams(text, true, 1), expected, "{text:?}");
        }
        assert_eq!(ngrams("Flood É É Ab", false, 1), ["Flood", "Ab"]);
    }

    #[test]
    fn ngrams_skip_short_words() {
        assert_eq!(
            ngrams("flood in a big town", true, 2),
            ["flood in", "in big", "big town"]
        );
        assert_eq!(
            ngrams("flood in a big town", true, 3),
            ["flood in big", "in big town"]
        );
        assert_eq!(ngrams("flood", true, 2), [""; 0]);
    }

    #[test]
    fn the_hash_never_changes() {
        // Low 18 bits of XXH3-64, from another implementation: "flood town", "flood" and "town".
        assert_eq!(default_row("Flood, town!").ids, [22_897, 153_219, 211_209]);
    }

    #[test]
    fn repeated_words_weigh_more() {
        let row = default_row("flood flood flood");
        // "flood" three times, "flood flood" twice: 3 and 2 over the square root of 13.
        let mut weights = row.weights.clone();
        weights.sort_by(f32::total_cmp);
        assert_eq!(weights, [2.0 / 13_f32.sqrt(), 3.0 / 13_f32.sqrt()]);
    }

    #[test]
    fn a_text_without_words_is_an_empty_row() {
        for text in ["", " ", "! ?", "a b c", "é"] {
            assert_eq!(default_row(text), SparseRow::default());
        }
    }

    #[test]
    fn a_huge_text_keeps_no_memory() {
        default_row(&"flood in town ".repeat(100_000));
        SCRATCH.with_borrow(|tokens| assert_eq!(tokens.ngrams(1).count(), 0));
        default_row("flood in town");
        SCRATCH.with_borrow(|tokens| assert_eq!(tokens.ngrams(1).count(), 3));
    }

    #[test]
    fn values_out_of_range_are_refused_with_the_range() {
        let error = |json: &str| {
            serde_json::from_str::<TextFeatures>(json)
                .unwrap_err()
                .to_string()
        };
        assert!(error(r#"{"bits": 25}"#).contains("expected a whole number from 10 to 24"));
        assert!(error(r#"{"bits": -1}"#).contains("expected a whole number from 10 to 24"));
        assert!(error(r#"{"max_ngram": 0}"#).contains("expected a whole number from 1 to 3"));
        assert!(error(r#"{"ngrams": 2}"#).contains("unknown field"));
        assert_eq!(
            serde_json::from_str::<TextFeatures>("{}").unwrap(),
            TextFeatures::default()
        );
    }

    fn any_features() -> impl Strategy<Value = TextFeatures> {
        (BITS, MAX_NGRAM, any::<bool>()).prop_map(|(bits, max_ngram, lowercase)| TextFeatures {
            bits,
            max_ngram,
            lowercase,
        })
    }

    proptest! {
        #[test]
        fn rows_are_sorted_unique_in_range_and_of_unit_length(features in any_features(), text in "\\PC*|[a-c ]{0,60}") {
            let row = row(features, &text);
            prop_assert_eq!(row.ids.len(), row.weights.len());
            prop_assert!(row.ids.is_sorted_by(|a, b| a < b));
            prop_assert!(row.ids.iter().all(|&id| (id as usize) < features.dimension()));
            prop_assert!(row.weights.iter().all(|&weight| weight > 0.0));
            let length: f32 = row.weights.iter().map(|weight| weight * weight).sum();
            prop_assert!(row.ids.is_empty() || (length - 1.0).abs() < 1e-5);
        }

        #[test]
        fn a_used_row_gives_the_same_as_a_new_one(first in "\\PC*", second in "\\PC*") {
            let features = TextFeatures::default();
            let mut used = row(features, &first);
            features.vectorise(&second, &mut used);
            prop_assert_eq!(used, row(features, &second));
        }

        #[test]
        fn white_space_and_case_do_not_matter(words in prop::collection::vec("[a-zà-ü0-9_]{1,8}", 0..12), gap in "[ \t\r\n\u{a0},]{1,3}") {
            let plain = default_row(&words.join(" "));
            prop_assert_eq!(&default_row(&format!("{gap}{}{gap}", words.join(&gap))), &plain);
            prop_assert_eq!(&default_row(&words.join(" ").to_ascii_uppercase()), &plain);
        }

        #[test]
        fn the_ascii_path_agrees_with_the_unicode_path(text in "[ -~]{0,60}", lowercase in any::<bool>()) {
            // The word at the end takes the whole text off the ASCII path.
            let mut unicode = ngrams(&format!("{text} éé"), lowercase, 1);
            prop_assert_eq!(unicode.pop(), Some("éé".to_owned()));
            prop_assert_eq!(ngrams(&text, lowercase, 1), unicode);
        }
    }
}
