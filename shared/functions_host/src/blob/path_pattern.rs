//! The path of a blob trigger: a container and a pattern of names.
//!
//! Source: `BindingTemplateSource.cs` of the WebJobs SDK: each `{parameter}` matches as much as it can, also `/`.

/// For instance `incoming/{dataset}/{name}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathPattern {
    text: String,
    container: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Parameter(String),
}

impl PathPattern {
    /// Errors: a sentence on what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("the blob path {text:?} {what}");
        let (container, pattern) = text.split_once('/').unwrap_or((text, "{name}"));
        if container.is_empty() || pattern.is_empty() {
            return Err(wrong("must be container/pattern"));
        }
        if container.contains(['{', '}']) {
            return Err(wrong("must name its container"));
        }
        let mut parts: Vec<Part> = Vec::new();
        let mut rest = pattern;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('{') {
                let (name, after) = after
                    .split_once('}')
                    .ok_or_else(|| wrong("has a { without }"))?;
                let well_formed = !name.is_empty()
                    && name
                        .chars()
                        .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
                if !well_formed {
                    return Err(wrong(
                        "has a parameter whose name is not letters, digits, _ and -",
                    ));
                }
                if parts.contains(&Part::Parameter(name.to_owned())) {
                    return Err(wrong("has a parameter twice"));
                }
                if matches!(parts.last(), Some(Part::Parameter(_))) {
                    return Err(wrong("has two parameters without anything between them"));
                }
                parts.push(Part::Parameter(name.to_owned()));
                rest = after;
            } else {
                let end = rest.find('{').unwrap_or(rest.len());
                let (literal, after) = rest.split_at(end);
                if literal.contains('}') {
                    return Err(wrong("has a } without {"));
                }
                parts.push(Part::Literal(literal.to_owned()));
                rest = after;
            }
        }
        Ok(Self {
            text: text.to_owned(),
            container: container.to_owned(),
            parts,
        })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn container(&self) -> &str {
        &self.container
    }

    /// The parameters of a blob's name; `None` when it does not match.
    pub(crate) fn parameters(&self, name: &str) -> Option<Vec<(String, String)>> {
        let mut found = capture(&self.parts, name)?;
        found.reverse();
        Some(found)
    }
}

/// The parameters in reverse order. Earlier parameters take as much as they can: seen from the end, each literal stands
/// where it is found first. So the time is that of one walk, where trying every place would take as good as for ever.
fn capture(parts: &[Part], text: &str) -> Option<Vec<(String, String)>> {
    let (mut rest, parts) = match parts {
        [Part::Literal(first), parts @ ..] => (text.strip_prefix(first.as_str())?, parts),
        parts => (text, parts),
    };
    let mut found = Vec::new();
    let mut behind: Option<&String> = None;
    for part in parts.iter().rev() {
        match (part, behind.take()) {
            (Part::Parameter(name), _) => behind = Some(name),
            (Part::Literal(last), None) => rest = rest.strip_suffix(last.as_str())?,
            (Part::Literal(literal), Some(name)) => {
                let (before, value) = rest.rsplit_once(literal.as_str())?;
                found.push((name.clone(), value.to_owned()));
                rest = before;
            }
        }
    }
    match behind {
        Some(name) => found.push((name.clone(), rest.to_owned())),
        None if !rest.is_empty() => return None,
        None => {}
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(pattern: &str, name: &str) -> Option<Vec<(String, String)>> {
        PathPattern::parse(pattern).unwrap().parameters(name)
    }

    fn pairs(pairs: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
        Some(
            pairs
                .iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn the_names_parts_become_parameters() {
        assert_eq!(
            parameters("incoming/{dataset}/{name}", "tweets/a.csv"),
            pairs(&[("dataset", "tweets"), ("name", "a.csv")])
        );
        // As in the host, the first parameter takes as much as it can.
        assert_eq!(
            parameters("incoming/{dataset}/{name}", "a/b/c"),
            pairs(&[("dataset", "a/b"), ("name", "c")])
        );
        assert_eq!(
            parameters("in/{n}.{e}", "x.tar.gz"),
            pairs(&[("n", "x.tar"), ("e", "gz")])
        );
        assert_eq!(
            parameters("in/up-{n}.csv", "up-1.csv"),
            pairs(&[("n", "1")])
        );
        assert_eq!(
            parameters("in", "any/thing"),
            pairs(&[("name", "any/thing")])
        );
        assert_eq!(
            parameters("in/x{a}xx{b}x", "xxxxxx"),
            pairs(&[("a", "xx"), ("b", "")])
        );
        assert_eq!(parameters("in/a.csv", "a.csv"), pairs(&[]));
    }

    #[test]
    fn another_name_does_not_match() {
        assert_eq!(parameters("incoming/{dataset}/{name}", "top.csv"), None);
        assert_eq!(parameters("in/up-{n}.csv", "up-1.txt"), None);
        assert_eq!(parameters("in/a.csv", "a.csv.gz"), None);
        // The prefix and the suffix are not the same bytes.
        assert_eq!(parameters("in/aba{n}ba", "aba"), None);
    }

    #[test]
    fn a_name_of_nothing_but_separators_is_matched_in_time() {
        let pattern: String = (0..20).map(|n| format!("{{p{n}}}-")).collect();
        let name = "-".repeat(1_000);
        assert_eq!(parameters(&format!("in/{pattern}end"), &name), None);
        let found = parameters(&format!("in/{pattern}"), &name).unwrap();
        assert_eq!((found[0].1.len(), found[1].1.len()), (980, 0));
    }

    #[test]
    fn refuses_what_cannot_be_matched() {
        for text in [
            "",
            "/x",
            "in/",
            "{c}/x",
            "in/{",
            "in/}",
            "in/{a}{b}",
            "in/{a}/{a}",
            "in/{a b}",
        ] {
            assert!(PathPattern::parse(text).is_err(), "{text}");
        }
    }
}
