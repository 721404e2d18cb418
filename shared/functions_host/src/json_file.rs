//! `host.json` and `function.json` as the host reads them.
//!
//! Its parser (Newtonsoft.Json) takes more than JSON: comments, `//` to the end of the line and `/* */`, anywhere between
//! two tokens, and a comma after the last item of an object or array. Of its other freedoms (names without quotes, single
//! quotes) none is taken here.

use serde_json::Value;

/// Reads a file's content.
///
/// Errors: a sentence with the line and column of the first mistake.
pub(crate) fn parse(content: &[u8]) -> Result<Value, String> {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let mut content = content.to_vec();
    blank_extras(&mut content);
    serde_json::from_slice(&content).map_err(|error| format!("it is not JSON: {error}"))
}

/// Puts spaces over comments and trailing commas, so that every other byte keeps its line and column.
///
/// A comment that never ends stays as it is, for the parser to refuse.
fn blank_extras(content: &mut [u8]) {
    // A comma after an item, as long as nothing but space and comments came after it.
    let mut comma = None;
    // The last byte that was neither.
    let mut before = b'{';
    let mut at = 0;
    while at < content.len() {
        match (content[at], content.get(at + 1)) {
            (b'"', _) => {
                at = end_of_text(content, at);
                (comma, before) = (None, b'"');
                continue;
            }
            (b'/', Some(b'/')) => {
                let line = content[at..].iter().position(|byte| *byte == b'\n');
                let end = line.map_or(content.len(), |length| at + length);
                blank(&mut content[at..end]);
                at = end;
                continue;
            }
            (b'/', Some(b'*')) => {
                let inner = at + 2;
                let Some(length) = content[inner..].windows(2).position(|two| two == b"*/") else {
                    return;
                };
                let end = inner + length + 2;
                blank(&mut content[at..end]);
                at = end;
                continue;
            }
            (b',', _) => {
                let ends_an_item = !matches!(before, b'{' | b'[' | b',' | b':');
                (comma, before) = (ends_an_item.then_some(at), b',');
            }
            (closing @ (b'}' | b']'), _) => {
                if let Some(comma) = comma.take() {
                    content[comma] = b' ';
                }
                before = closing;
            }
            (byte, _) if byte.is_ascii_whitespace() => {}
            (byte, _) => (comma, before) = (None, byte),
        }
        at += 1;
    }
}

/// The index after the quote that closes the text beginning at `start`.
fn end_of_text(content: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = content.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    content.len()
}

fn blank(content: &mut [u8]) {
    for byte in content {
        if !matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn comments_and_trailing_commas_are_no_mistake() {
        for (text, value) in [
            ("// head\n{\"a\":1} // tail", json!({ "a": 1 })),
            (
                "{/* one */\"a\"/**/:/***/1/* two\nlines */}",
                json!({ "a": 1 }),
            ),
            ("{\"a\":[1,2,],}", json!({ "a": [1, 2] })),
            ("[1, // last\n /* really */ ]", json!([1])),
            ("\u{feff}[]", json!([])),
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap(), value, "{text}");
        }
    }

    #[test]
    fn a_text_keeps_what_looks_like_a_comment() {
        for text in [
            r#""https://x/*y*/,]""#,
            r#"["a\"//b,", "c\\"]"#,
            r#"{"//":",}"}"#,
        ] {
            let plain: Value = serde_json::from_str(text).unwrap();
            assert_eq!(parse(text.as_bytes()).unwrap(), plain, "{text}");
        }
    }

    #[test]
    fn what_is_no_json_either_way_is_refused_where_it_stands() {
        for text in [
            "",
            "{,}",
            "[1,,]",
            "[1 2]",
            "{} /* no end",
            "[,]",
            "{\"a\":,}",
            "\"no end",
            "\"\\",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        let reason = parse(b"{ // one\n /* two\n */ wrong }").unwrap_err();
        assert!(reason.contains("line 3 column 5"), "{reason}");
    }
}
