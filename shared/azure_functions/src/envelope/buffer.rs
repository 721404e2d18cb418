//! The buffer that collects an envelope and can leave out long strings while it does.
//!
//! The host inlines the whole blob, as base64, into the envelope of a blob trigger. Nobody needs it: it would cost
//! 140 MB per invocation. So for such triggers a string longer than a limit is replaced by the empty string as the
//! bytes arrive, and memory stays flat whatever the size of the blob.

use memchr::{memchr, memchr2};

/// Collects JSON text that arrives in pieces.
pub(super) struct EnvelopeBuffer {
    kept: Vec<u8>,
    longest_string: usize,
    place: Place,
}

#[derive(Clone, Copy)]
enum Place {
    /// Between strings.
    Outside,
    /// Within a string whose content begins at `start` of the kept bytes.
    Inside { start: usize, dropped: bool },
    /// Just after a backslash within a string.
    Escaped { start: usize, dropped: bool },
}

impl EnvelopeBuffer {
    /// `longest_string` is in bytes as they travel, escapes included; `usize::MAX` keeps everything.
    pub(super) fn new(longest_string: usize, capacity: usize) -> Self {
        Self {
            kept: Vec::with_capacity(capacity),
            longest_string,
            place: Place::Outside,
        }
    }

    pub(super) fn push(&mut self, piece: &[u8]) {
        if self.longest_string == usize::MAX {
            self.kept.extend_from_slice(piece);
            return;
        }
        let mut rest = piece;
        while !rest.is_empty() {
            rest = match self.place {
                Place::Outside => self.push_outside(rest),
                Place::Inside { start, dropped } => self.push_inside(rest, start, dropped),
                Place::Escaped { start, dropped } => {
                    let dropped = self.keep_of_string(&rest[..1], start, dropped);
                    self.place = Place::Inside { start, dropped };
                    &rest[1..]
                }
            };
        }
    }

    fn push_outside<'p>(&mut self, rest: &'p [u8]) -> &'p [u8] {
        let Some(quote) = memchr(b'"', rest) else {
            self.kept.extend_from_slice(rest);
            return &[];
        };
        let (before, after) = rest.split_at(quote + 1);
        self.kept.extend_from_slice(before);
        self.place = Place::Inside {
            start: self.kept.len(),
            dropped: false,
        };
        after
    }

    fn push_inside<'p>(&mut self, rest: &'p [u8], start: usize, dropped: bool) -> &'p [u8] {
        let Some(end) = memchr2(b'"', b'\\', rest) else {
            let dropped = self.keep_of_string(rest, start, dropped);
            self.place = Place::Inside { start, dropped };
            return &[];
        };
        if rest[end] == b'"' {
            self.keep_of_string(&rest[..end], start, dropped);
            self.kept.push(b'"');
            self.place = Place::Outside;
        } else {
            let dropped = self.keep_of_string(&rest[..=end], start, dropped);
            self.place = Place::Escaped { start, dropped };
        }
        &rest[end + 1..]
    }

    /// Keeps a piece of a string unless the string is too long by now. Returns whether it is.
    fn keep_of_string(&mut self, piece: &[u8], start: usize, dropped: bool) -> bool {
        if dropped {
            return true;
        }
        if self.kept.len() - start + piece.len() > self.longest_string {
            self.kept.truncate(start);
            return true;
        }
        self.kept.extend_from_slice(piece);
        false
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn collect(text: &str, longest: usize, step: usize) -> Vec<u8> {
        let mut buffer = EnvelopeBuffer::new(longest, 0);
        for piece in text.as_bytes().chunks(step) {
            buffer.push(piece);
        }
        buffer.into_bytes()
    }

    #[test]
    fn a_long_string_becomes_empty_and_its_neighbours_stay() {
        let text = json!({"Data": {"b": "x".repeat(1000)}, "M": "\"short\" \\"}).to_string();
        for step in [1, 2, 7, 5000] {
            let kept: Value = serde_json::from_slice(&collect(&text, 20, step)).unwrap();
            assert_eq!(kept, json!({"Data": {"b": ""}, "M": "\"short\" \\"}));
        }
    }

    #[test]
    fn memory_does_not_grow_with_a_dropped_string() {
        let mut buffer = EnvelopeBuffer::new(1024, 0);
        buffer.push(b"{\"Data\":{\"b\":\"");
        for _ in 0..1000 {
            buffer.push(&[b'A'; 8192]);
        }
        buffer.push(b"\"}}");
        assert!(
            buffer.kept.capacity() < 16 * 1024,
            "{}",
            buffer.kept.capacity()
        );
        assert_eq!(buffer.into_bytes(), b"{\"Data\":{\"b\":\"\"}}");
    }

    proptest! {
        /// Whatever the pieces: a string is kept whole when it fits and is empty otherwise.
        #[test]
        fn only_long_strings_change(texts in prop::collection::vec(any::<String>(), 1..6), longest in 0_usize..40, step in 1_usize..9) {
            let text = serde_json::to_string(&texts).unwrap();
            let kept: Vec<String> = serde_json::from_slice(&collect(&text, longest, step)).unwrap();
            prop_assert_eq!(kept.len(), texts.len());
            for (kept, text) in kept.iter().zip(&texts) {
                let on_the_wire = serde_json::to_string(text).unwrap().len() - 2;
                let expected = if on_the_wire <= longest { text.as_str() } else { "" };
                prop_assert_eq!(kept, expected);
            }
        }
    }
}
