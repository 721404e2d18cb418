//! Splits a text into words and lays them out so that every n-gram is one contiguous slice of bytes.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization as _;

/// A word has at least this many characters.
const SHORTEST_WORD: usize = 2;

/// For each ASCII byte: the byte to store, or 0 when it is no part of a word.
type AsciiTable = [u8; 256];

static AS_WRITTEN: AsciiTable = ascii_table(false);
static LOWERED: AsciiTable = ascii_table(true);

/// The words of one text, reusable for the next.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// The words in UTF-8, each followed by one space.
    bytes: Vec<u8>,
    /// Where each word is in `bytes`, without its space.
    words: Vec<Range<usize>>,
}

impl Tokens {
    /// Replaces the words by those of `text`.
    pub(super) fn read(&mut self, text: &str, lowercase: bool) {
        self.bytes.clear();
        self.words.clear();
        if text.is_ascii() {
            self.read_ascii(text, if lowercase { &LOWERED } else { &AS_WRITTEN });
        } else if lowercase {
            // Again after lower case: `J̌` is two characters, `ǰ` is one.
            self.read_chars(text.nfkc().flat_map(char::to_lowercase).nfkc());
        } else {
            self.read_chars(text.nfkc());
        }
    }

    /// Every run of `length` words (at least 1), as the words joined by one space.
    pub(super) fn ngrams(&self, length: usize) -> impl Iterator<Item = &[u8]> {
        let lasts = self.words.iter().skip(length - 1);
        self.words
            .iter()
            .zip(lasts)
            .map(|(first, last)| &self.bytes[first.start..last.end])
    }

    /// Gives the memory back when it is more than `bytes`.
    pub(super) fn release_above(&mut self, bytes: usize) {
        if self.bytes.capacity() > bytes {
            *self = Self::default();
        }
    }

    fn read_ascii(&mut self, text: &str, table: &AsciiTable) {
        let mut start = 0;
        for &byte in text.as_bytes() {
            match table[usize::from(byte)] {
                0 => start = self.end_word(start, self.bytes.len() - start),
                byte => self.bytes.push(byte),
            }
        }
        self.end_word(start, self.bytes.len() - start);
    }

    fn read_chars(&mut self, chars: impl Iterator<Item = char>) {
        let (mut start, mut length) = (0, 0);
        for c in chars {
            if c.is_alphanumeric() || c == '_' {
                self.bytes
                    .extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                length += 1;
            } else {
                start = self.end_word(start, length);
                length = 0;
            }
        }
        self.end_word(start, length);
    }

    /// Ends the word that began at byte `start` and has `length` characters; returns where the next one begins.
    fn end_word(&mut self, start: usize, length: usize) -> usize {
        if length < SHORTEST_WORD {
            self.bytes.truncate(start);
            return start;
        }
        self.words.push(start..self.bytes.len());
        self.bytes.push(b' ');
        self.bytes.len()
    }
}

const fn ascii_table(lowercase: bool) -> AsciiTable {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            table[byte as usize] = if lowercase {
                byte.to_ascii_lowercase()
            } else {
                byte
            };
        }
        byte += 1;
    }
    table
}
