//! The normalised content of a text: what the split, the duplicate check and the contradiction check compare.
//!
//! Two rows with the same normalised content are the same message: they share a side of the split and count once.
//! Both functions decide the fate of stored rows, so their results must never change between versions; the tests pin them.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;
use xxhash_rust::xxh3::xxh3_64;

/// The text in Unicode normalisation form NFKC, in lower case, each run of white space as one space, without
/// white space at either end.
///
/// Lower case is taken character by character, so it depends on no locale and on no neighbour (a Greek final sigma
/// written as a capital becomes `σ`). The result is a fixed point: normalising it again changes nothing.
/// Borrows the input when it is ASCII and already normalised.
pub fn normalise(text: &str) -> Cow<'_, str> {
    if !text.is_ascii() {
        return Cow::Owned(normalise_unicode(text));
    }
    let text = text.trim_matches(is_ascii_space);
    if has_single_spaces(text.as_bytes()) {
        let capitals = text
            .bytes()
            .fold(0, |found, byte| found | u8::from(byte.is_ascii_uppercase()));
        return if capitals > 0 {
            Cow::Owned(text.to_ascii_lowercase())
        } else {
            Cow::Borrowed(text)
        };
    }
    let mut normalised = String::with_capacity(text.len());
    for word in text.split(is_ascii_space).filter(|word| !word.is_empty()) {
        if !normalised.is_empty() {
            normalised.push(' ');
        }
        normalised.push_str(word);
    }
    normalised.make_ascii_lowercase();
    Cow::Owned(normalised)
}

/// The 64-bit XXH3 hash (seed 0) of the normalised text: the key of the split and of the duplicate check.
pub fn content_hash(text: &str) -> u64 {
    xxh3_64(normalise(text).as_bytes())
}

/// ASCII white space as Unicode's `White_Space` property has it; unlike [`char::is_ascii_whitespace`] with vertical tab.
fn is_ascii_space(c: char) -> bool {
    matches!(c, '\t'..='\r' | ' ')
}

/// Whether the only white space of an ASCII text is single spaces. Looks at every byte without stopping early: the
/// compiler makes vector instructions of that, and most texts are short.
fn has_single_spaces(text: &[u8]) -> bool {
    let next = text.get(1..).unwrap_or_default();
    let doubled = text.iter().zip(next).fold(0, |found, (a, b)| {
        found | u8::from(*a == b' ') & u8::from(*b == b' ')
    });
    let other = text.iter().fold(0, |found, byte| {
        found | u8::from(byte.wrapping_sub(b'\t') < 5)
    });
    (doubled | other) == 0
}

/// NFKC before lower case, for a compatibility character may hide a capital (`ℌ`), and after it: `J̌` is two characters,
/// `ǰ` is one.
///
/// Only what is not ASCII, with the character before it that it may combine with, goes through NFKC: an ASCII character never
/// combines with what is before it, so a text may be cut there (Unicode Standard Annex #15, stable code points).
fn normalise_unicode(text: &str) -> String {
    let mut normalised = Normalised::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let ascii = rest.bytes().take_while(u8::is_ascii).count();
        let plain = if ascii == rest.len() {
            ascii
        } else {
            ascii.saturating_sub(1)
        };
        rest[..plain]
            .bytes()
            .for_each(|byte| normalised.push(char::from(byte.to_ascii_lowercase())));
        let other = rest[ascii..]
            .bytes()
            .take_while(|byte| !byte.is_ascii())
            .count();
        let (piece, after) = rest[plain..].split_at(ascii - plain + other);
        piece
            .nfkc()
            .flat_map(char::to_lowercase)
            .nfkc()
            .for_each(|c| normalised.push(c));
        rest = after;
    }
    normalised.text
}

/// A text that takes each run of white space as one space, and none at either end.
struct Normalised {
    text: String,
    pending_space: bool,
}

impl Normalised {
    fn with_capacity(bytes: usize) -> Self {
        Self {
            text: String::with_capacity(bytes),
            pending_space: false,
        }
    }

    fn push(&mut self, c: char) {
        if c.is_whitespace() {
            self.pending_space = !self.text.is_empty();
            return;
        }
        if self.pending_space {
            self.text.push(' ');
            self.pending_space = false;
        }
        self.text.push(c);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_that_differ_only_in_form_are_one_message() {
        for (text, expected) in [
            ("", ""),
            (" \t\n ", ""),
            ("already normal", "already normal"),
            (
                "  RT @User:\tFlood\r\n in \u{b}Town  ",
                "rt @user: flood in town",
            ),
            ("Ｆｕｌｌ\u{3000}ｗｉｄｔｈ", "full width"),
            ("CAFE\u{301} ﬁre", "café fire"),
            ("ΟΔΟΣ ℌ", "οδοσ h"),
            ("J\u{30c}ust", "\u{1f0}ust"),
            ("\u{a0}no\u{a0}\u{2003}break\u{a0}", "no break"),
        ] {
            assert_eq!(normalise(text), expected, "{text:?}");
        }
    }

    #[test]
    fn normal_ascii_is_borrowed() {
        assert!(matches!(
            normalise("  a flood in town "),
            Cow::Borrowed("a flood in town")
        ));
    }

    #[test]
    fn the_hash_never_changes() {
        assert_eq!(content_hash(""), 0x2d06_8005_38d3_94c2);
        assert_eq!(
            content_hash("Flood  in TOWN"),
            content_hash("flood in town")
        );
        assert_eq!(content_hash("flood in town"), 0xced2_52c0_b354_eb59);
    }

    #[test]
    fn every_character_reaches_a_fixed_point() {
        for c in '\0'..=char::MAX {
            let text = format!("a{c}b");
            let once = normalise(&text);
            assert_eq!(normalise(&once), once, "{c:?}");
        }
    }

    /// Letters, marks that combine with them, Hangul that composes, characters that NFKC takes apart, and any other.
    fn text_that_combines() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[a-zA-Z ]",
            "[\u{300}-\u{345}]",
            "[\u{1100}-\u{1175}\u{11a8}-\u{11c2}\u{ac00}]",
            "[İﬁℌ…’\u{a0}]",
            "\\PC",
        ];
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn normalising_twice_is_normalising_once(text in "\\PC*|(\\s|.)*") {
            let once = normalise(&text).into_owned();
            prop_assert_eq!(normalise(&once), once.as_str());
        }

        #[test]
        fn the_ascii_path_agrees_with_the_unicode_path(text in "[ -~\\s&&[:ascii:]]*") {
            prop_assert_eq!(normalise(&text).into_owned(), normalise_unicode(&text));
        }

        #[test]
        fn cutting_a_text_before_ascii_changes_nothing(text in text_that_combines()) {
            let mut whole = Normalised::with_capacity(0);
            text.nfkc().flat_map(char::to_lowercase).nfkc().for_each(|c| whole.push(c));
            prop_assert_eq!(normalise_unicode(&text), whole.text);
        }

        #[test]
        fn white_space_and_ascii_case_do_not_matter(words in prop::collection::vec("[a-zà-ü0-9@#]{1,8}", 0..8), gap in "[ \t\r\n\u{a0}]{1,3}") {
            let plain = words.join(" ");
            let spaced = format!("{gap}{}{gap}", words.join(&gap));
            prop_assert_eq!(content_hash(&plain), content_hash(&spaced));
            prop_assert_eq!(content_hash(&plain), content_hash(&plain.to_ascii_uppercase()));
        }
    }
}
