//! Route templates as ASP.NET reads them, and the table of an app's routes.

use std::sync::Arc;

use http::Method;
use percent_encoding::percent_decode_str;

use crate::function::Function;

/// A route without its prefix, for instance `items/{id:int}/{*rest}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RouteTemplate {
    text: String,
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Parameter {
        name: String,
        is_optional: bool,
        constraint: Constraint,
    },
    CatchAll {
        name: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Constraint {
    None,
    Int,
    Alpha,
}

/// Route values, in the order of the template.
pub(crate) type Parameters = Vec<(String, String)>;

impl RouteTemplate {
    /// Errors: a sentence on what is wrong or not supported.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("the route {text:?} {what}");
        let mut segments = Vec::new();
        for part in text.split('/').filter(|part| !part.is_empty()) {
            if matches!(segments.last(), Some(Segment::CatchAll { .. })) {
                return Err(wrong("goes on after its catch-all parameter"));
            }
            if matches!(
                segments.last(),
                Some(Segment::Parameter {
                    is_optional: true,
                    ..
                })
            ) {
                return Err(wrong("goes on after its optional parameter"));
            }
            let Some(inner) = part
                .strip_prefix('{')
                .and_then(|part| part.strip_suffix('}'))
            else {
                if part.contains(['{', '}']) {
                    return Err(wrong(
                        "mixes text and parameter in one segment, which the local host does not support",
                    ));
                }
                segments.push(Segment::Literal(part.to_owned()));
                continue;
            };
            let catch_all = inner.strip_prefix("**").or_else(|| inner.strip_prefix('*'));
            let (name, constraint) = catch_all
                .unwrap_or(inner)
                .split_once(':')
                .unwrap_or((catch_all.unwrap_or(inner), ""));
            let (name, constraint, is_optional) =
                match (name.strip_suffix('?'), constraint.strip_suffix('?')) {
                    (Some(name), _) => (name, constraint, true),
                    (None, Some(constraint)) => (name, constraint, true),
                    (None, None) => (name, constraint, false),
                };
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(wrong(
                    "has a parameter whose name is not letters, digits and _",
                ));
            }
            let constraint = match constraint {
                "" => Constraint::None,
                "int" => Constraint::Int,
                "alpha" => Constraint::Alpha,
                other => {
                    return Err(wrong(&format!(
                        "has the constraint {other:?}, which the local host does not support"
                    )));
                }
            };
            segments.push(match catch_all {
                Some(_) => Segment::CatchAll {
                    name: name.to_owned(),
                },
                None => Segment::Parameter {
                    name: name.to_owned(),
                    is_optional,
                    constraint,
                },
            });
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
    fn matches(&self, path: &str) -> Option<Parameters> {
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
                    is_optional,
                    constraint,
                } => match parts.next().map(decoded) {
                    Some(value) if constraint.allows(&value) => found.push((name.clone(), value)),
                    None if *is_optional => {}
                    _ => return None,
                },
                Segment::CatchAll { name } => {
                    let rest: Vec<String> = parts.by_ref().map(decoded).collect();
                    found.push((name.clone(), rest.join("/")));
                }
            }
        }
        parts.next().is_none().then_some(found)
    }

    /// Literal before constrained before free before catch-all, segment by segment.
    fn precedence(&self) -> Vec<u8> {
        let rank = |segment: &Segment| match segment {
            Segment::Literal(_) => 1,
            Segment::Parameter {
                constraint: Constraint::None,
                ..
            } => 3,
            Segment::Parameter { .. } => 2,
            Segment::CatchAll { .. } => 4,
        };
        self.segments.iter().map(rank).collect()
    }
}

impl Constraint {
    fn allows(self, value: &str) -> bool {
        match self {
            Self::None => true,
            Self::Int => value.parse::<i32>().is_ok(),
            Self::Alpha => value.chars().all(|c| c.is_ascii_alphabetic()),
        }
    }
}

fn decoded(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}

/// The routes of an app.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    prefix: Vec<String>,
    /// The more exact first.
    functions: Vec<Arc<Function>>,
}

impl Routes {
    pub(crate) fn new(prefix: &str, functions: &[Arc<Function>]) -> Self {
        let mut functions: Vec<_> = functions
            .iter()
            .filter(|function| function.http().is_some())
            .cloned()
            .collect();
        functions.sort_by_key(|function| function.http().map(|http| http.route.precedence()));
        let prefix = prefix
            .split('/')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect();
        Self { prefix, functions }
    }

    /// The function that answers; `None` is 404, also for a method that no route of this path allows.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Option<(&Arc<Function>, Parameters)> {
        let mut rest = path;
        for part in &self.prefix {
            rest = rest.trim_start_matches('/');
            let (first, after) = rest.split_once('/').unwrap_or((rest, ""));
            if !decoded(first).eq_ignore_ascii_case(part) {
                return None;
            }
            rest = after;
        }
        self.functions.iter().find_map(|function| {
            let http = function.http().filter(|http| http.allows(method))?;
            Some((function, http.route.matches(rest)?))
        })
    }
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
    fn what_is_not_supported_is_refused() {
        for text in ["{*a}/b", "{a?}/b", "x{a}", "{a:guid2}", "{}", "{a b}"] {
            assert!(RouteTemplate::parse(text).is_err(), "{text}");
        }
    }
}
