//! Query strings.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The query as the forwarding mode sends it: rebuilt from a dictionary, so several values of a name are joined by a comma and
/// a name without value gets an `=`. `None` when nothing changes.
pub(crate) fn rebuilt(query: &str) -> Option<String> {
    let pairs: Vec<(&str, &str)> = raw_pairs(query).collect();
    let repeats = |index: usize| {
        pairs[..index]
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case(pairs[index].0))
    };
    let is_plain = query.split('&').all(|pair| pair.contains('='));
    if is_plain && !(0..pairs.len()).any(repeats) {
        return None;
    }
    let mut rebuilt = String::with_capacity(query.len() + 8);
    for (index, (name, _)) in pairs.iter().enumerate() {
        if repeats(index) {
            continue;
        }
        let values = pairs
            .iter()
            .filter(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| *value);
        if !rebuilt.is_empty() {
            rebuilt.push('&');
        }
        rebuilt.push_str(name);
        rebuilt.push('=');
        rebuilt.push_str(&values.collect::<Vec<_>>().join("%2C"));
    }
    Some(rebuilt)
}

/// The decoded pairs; several values of a name are joined by a comma.
pub(crate) fn pairs(query: &str) -> Vec<(String, String)> {
    let mut joined: Vec<(String, String)> = Vec::new();
    for (name, value) in raw_pairs(query) {
        let (name, value) = (decoded(name), decoded(value));
        match joined
            .iter_mut()
            .find(|(known, _)| known.eq_ignore_ascii_case(&name))
        {
            Some((_, values)) => {
                values.push(',');
                values.push_str(&value);
            }
            None => joined.push((name, value)),
        }
    }
    joined
}

/// The first value of a name, decoded.
pub(crate) fn value(query: &str, name: &str) -> Option<String> {
    raw_pairs(query)
        .find(|(found, _)| decoded(found).eq_ignore_ascii_case(name))
        .map(|(_, value)| decoded(value))
}

fn raw_pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

fn decoded(text: &str) -> String {
    let spaced = if text.contains('+') {
        Cow::Owned(text.replace('+', " "))
    } else {
        Cow::Borrowed(text)
    };
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_rebuilt_only_where_the_host_changes_it() {
        assert_eq!(rebuilt("a=1&b=%20x"), None);
        assert_eq!(rebuilt("a=1&b=2&A=3").as_deref(), Some("a=1%2C3&b=2"));
        assert_eq!(rebuilt("flag&a=1").as_deref(), Some("flag=&a=1"));
        assert_eq!(rebuilt("a=1&&b=2").as_deref(), Some("a=1&b=2"));
    }

    #[test]
    fn values_are_decoded_and_joined() {
        assert_eq!(
            pairs("a=1&b=x+y%21&a=2"),
            [("a".into(), "1,2".into()), ("b".into(), "x y!".into())]
        );
        assert_eq!(value("x=1&CODE=a%2Fb%3D", "code").as_deref(), Some("a/b="));
        assert_eq!(value("x=1", "code"), None);
    }
}
