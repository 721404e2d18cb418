//! A route template as ASP.NET reads it.

use percent_encoding::percent_decode_str;

use super::constraint::Constraint;

/// A route without its prefix, for instance `items/{id:int}/{*rest}`.
#[derive(Clone, Debug)]
pub(crate) struct RouteTemplate {
    text: String,
    segments: Vec<Segment>,
}

#[derive(Clone, Debug)]
enum Segment {
    Literal(String),
    Parameter {
        name: String,
        kind: Kind,
        constraints: Vec<Constraint>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Required,
    Optional,
    /// It takes the rest of the path.
    CatchAll,
}

/// Route values, in the order of the template.
pub(crate) type Parameters = Vec<(String, String)>;

impl RouteTemplate {
    /// Errors: a sentence on what is wrong or not supported.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = |what: String| format!("the route {text:?} {what}");
        let mut segments: Vec<Segment> = Vec::new();
        for part in split(text).into_iter().filter(|part| !part.is_empty()) {
            match segments.last() {
                Some(Segment::Parameter {
                    kind: Kind::CatchAll,
                    ..
                }) => return Err(wrong("goes on after its catch-all parameter".to_owned())),
                Some(Segment::Parameter {
                    kind: Kind::Optional,
                    ..
                }) => return Err(wrong("goes on after its optional parameter".to_owned())),
                _ => {}
            }
            segments.push(Segment::parse(part).map_err(wrong)?);
        }
        Ok(Self {
            text: text.to_owned(),
            segments,
        })
    }

    /// The route for people, with the prefix.
    pub(crate) fn path(&self, prefix: &str) -> String {
        [prefix, &self.text]
            .iter()
            .filter(|part| !part.is_empty())
            .map(|part| format!("/{part}"))
            .collect()
    }

    /// Whether the host would refuse both at once.
    pub(crate) fn conflicts_with(&self, other: &Self) -> bool {
        self.text.eq_ignore_ascii_case(&other.text)
    }

    /// The route values of a path without its prefix.
    pub(super) fn matches(&self, path: &str) -> Option<Parameters> {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let mut found = Parameters::new();
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => {
                    parts
                        .next()
                        .filter(|part| decoded(part).eq_ignore_ascii_case(text))?;
                }
                Segment::Parameter {
                    name,
                    kind: Kind::CatchAll,
                    constraints,
                } => {
                    let rest: Vec<String> = parts.by_ref().map(decoded).collect();
                    let rest = rest.join("/");
                    let is_allowed = constraints.is_empty()
                        || (!rest.is_empty() && constraints.iter().all(|one| one.allows(&rest)));
                    found.push((name.clone(), is_allowed.then_some(rest)?));
                }
                Segment::Parameter {
                    name,
                    kind,
                    constraints,
                } => match parts.next().map(decoded) {
                    Some(value) if constraints.iter().all(|one| one.allows(&value)) => {
                        found.push((name.clone(), value));
                    }
                    None if *kind == Kind::Optional => {}
                    _ => return None,
                },
            }
        }
        parts.next().is_none().then_some(found)
    }

    /// Literal before constrained before free before catch-all, segment by segment.
    pub(super) fn precedence(&self) -> Vec<u8> {
        let rank = |segment: &Segment| match segment {
            Segment::Literal(_) => 1,
            Segment::Parameter {
                kind: Kind::CatchAll,
                constraints,
                ..
            } => 5 - u8::from(!constraints.is_empty()),
            Segment::Parameter { constraints, .. } => 3 - u8::from(!constraints.is_empty()),
        };
        self.segments.iter().map(rank).collect()
    }
}

impl Segment {
    /// Errors: the end of a sentence about the route.
    fn parse(part: &str) -> Result<Self, String> {
        let Some(inner) = part
            .strip_prefix('{')
            .and_then(|part| part.strip_suffix('}'))
        else {
            return if part.contains(['{', '}']) {
                Err("mixes text and parameter in one segment, which the local host does not support".to_owned())
            } else {
                Ok(Self::Literal(part.to_owned()))
            };
        };
        // A brace inside a parameter is written twice.
        let inner = inner.replace("{{", "{").replace("}}", "}");
        let catch_all = inner.strip_prefix("**").or_else(|| inner.strip_prefix('*'));
        let (kind, inner) = match (catch_all, inner.strip_suffix('?')) {
            (Some(inner), _) => (Kind::CatchAll, inner),
            (None, Some(inner)) => (Kind::Optional, inner),
            (None, None) => (Kind::Required, inner.as_str()),
        };
        let (name, constraints) = inner.split_once(':').unwrap_or((inner, ""));
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err("has a parameter whose name is not letters, digits and _".to_owned());
        }
        Ok(Self::Parameter {
            name: name.to_owned(),
            kind,
            constraints: each_constraint(constraints)
                .into_iter()
                .map(Constraint::parse)
                .collect::<Result<_, _>>()?,
        })
    }
}

/// The parts between slashes; a slash inside a parameter's braces does not part.
fn split(text: &str) -> Vec<&str> {
    // A brace that is written twice goes two steps and comes two steps back.
    let mut depth = 0_i32;
    text.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == '/' && depth <= 0
    })
    .collect()
}

/// The constraints between colons. A closing parenthesis ends the arguments only before a colon or the end, so a regular
/// expression may hold both.
fn each_constraint(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = match (rest.find('('), rest.find(':')) {
            (Some(open), colon) if colon.is_none_or(|colon| open < colon) => {
                rest.find("):").map(|close| close + 1)
            }
            (_, colon) => colon,
        };
        let (one, after) = end.map_or((rest, ""), |end| (&rest[..end], &rest[end + 1..]));
        found.push(one);
        rest = after;
    }
    found
}

pub(super) fn decoded(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(template: &str, path: &str) -> Option<String> {
        let found = RouteTemplate::parse(template).unwrap().matches(path)?;
        Some(
            found
                .iter()
                .map(|(name, value)| format!("{name}={value};"))
                .collect(),
        )
    }

    #[test]
    fn templates_match_like_aspnet() {
        assert_eq!(matches("predict", "PREDICT"), Some(String::new()));
        assert_eq!(matches("predict", "predict/x"), None);
        assert_eq!(matches("a/{id}", "a/b%20c"), Some("id=b c;".into()));
        assert_eq!(matches("a/{id}", "a"), None);
        assert_eq!(matches("a/{id?}", "a"), Some(String::new()));
        assert_eq!(matches("a/{id:int}", "a/x"), None);
        assert_eq!(matches("a/{id:int?}", "a/7"), Some("id=7;".into()));
        assert_eq!(matches("{*route}", ""), Some("route=;".into()));
        assert_eq!(
            matches("files/{*route}", "files/a/b"),
            Some("route=a/b;".into())
        );
    }

    #[test]
    fn a_parameter_may_have_several_constraints() {
        let route = "a/{id:int:range(1,9)?}";
        assert_eq!(matches(route, "a/9"), Some("id=9;".into()));
        assert_eq!(matches(route, "a/10"), None);
        assert_eq!(matches(route, "a"), Some(String::new()));
        let route = r"{day:regex(^\d{{4}}/(1|2)-a:b$):minlength(3)}/x";
        assert_eq!(
            matches(route, "2026%2F1-A:b/x"),
            Some("day=2026/1-A:b;".into())
        );
        assert_eq!(matches(route, "2026%2F3-a:b/x"), None);
        assert_eq!(matches("{*rest:alpha}", "abc"), Some("rest=abc;".into()));
        assert_eq!(matches("{*rest:alpha}", "a/b"), None);
        assert_eq!(matches("{*rest:alpha}", ""), None);
    }

    #[test]
    fn what_is_not_supported_is_refused() {
        for text in [
            "{*a}/b",
            "{a?}/b",
            "x{a}",
            "{a:guid2}",
            "{}",
            "{a b}",
            "{a=1}",
            "{a?:int}",
            "{a:}b",
        ] {
            assert!(RouteTemplate::parse(text).is_err(), "{text}");
        }
    }
}
