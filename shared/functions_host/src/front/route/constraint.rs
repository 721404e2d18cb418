//! The inline constraints of a route parameter, for instance `int` and `length(1,20)` of `{id:int:length(1,20)}`.
//!
//! Source: `Microsoft.AspNetCore.Routing.Constraints`. Where .NET parses a value, the invariant culture's forms count; of its
//! many forms of a date, ISO 8601 and `MM/dd/yyyy` with or without a time are read here, of a GUID all but the `X` form.

use jiff::Timestamp;
use jiff::civil::DateTime;
use regex::{Regex, RegexBuilder};

/// What a parameter's value must be for the route to match.
#[derive(Clone, Debug)]
pub(super) enum Constraint {
    Alpha,
    Bool,
    DateTime,
    Decimal,
    Double,
    Guid,
    Int,
    Long,
    Required,
    /// Both ends count. Characters are counted as .NET does, in UTF-16.
    Length {
        least: usize,
        most: usize,
    },
    /// Both ends count.
    Range {
        least: i64,
        most: i64,
    },
    Regex(Regex),
}

impl Constraint {
    /// Reads one constraint, without the colon before it.
    ///
    /// Errors: the end of a sentence about the route.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (name, arguments) = match text.split_once('(') {
            Some((name, rest)) => (name, rest.strip_suffix(')')),
            None => (text, None),
        };
        let wrong = || format!("has the constraint {text:?} without the arguments it needs");
        let one = || arguments.ok_or_else(wrong);
        let two = || one().and_then(|both| both.split_once(',').ok_or_else(wrong));
        let length = |text: &str| text.trim().parse::<usize>().map_err(|_| wrong());
        let number = |text: &str| text.trim().parse::<i64>().map_err(|_| wrong());
        Ok(match name.to_ascii_lowercase().as_str() {
            "alpha" => Self::Alpha,
            "bool" => Self::Bool,
            "datetime" => Self::DateTime,
            "decimal" => Self::Decimal,
            "double" | "float" => Self::Double,
            "guid" => Self::Guid,
            "int" => Self::Int,
            "long" => Self::Long,
            "required" => Self::Required,
            "minlength" => Self::Length {
                least: length(one()?)?,
                most: usize::MAX,
            },
            "maxlength" => Self::Length {
                least: 0,
                most: length(one()?)?,
            },
            "length" => {
                let both = one()?;
                let (least, most) = both.split_once(',').unwrap_or((both, both));
                Self::Length {
                    least: length(least)?,
                    most: length(most)?,
                }
            }
            "min" => Self::Range {
                least: number(one()?)?,
                most: i64::MAX,
            },
            "max" => Self::Range {
                least: i64::MIN,
                most: number(one()?)?,
            },
            "range" => {
                let (least, most) = two()?;
                Self::Range {
                    least: number(least)?,
                    most: number(most)?,
                }
            }
            "regex" => Self::Regex(
                RegexBuilder::new(one()?)
                    .case_insensitive(true)
                    .build()
                    .map_err(|error| {
                        format!("has a regular expression that the local host cannot read: {error}")
                    })?,
            ),
            _ => {
                return Err(format!(
                    "has the constraint {text:?}, which the local host does not support"
                ));
            }
        })
    }

    pub(super) fn allows(&self, value: &str) -> bool {
        match self {
            Self::Alpha => value.chars().all(|c| c.is_ascii_alphabetic()),
            Self::Bool => {
                let value = value.trim();
                value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false")
            }
            Self::DateTime => is_date_time(value.trim()),
            Self::Decimal => is_decimal(value.trim()),
            Self::Double => is_double(value.trim()),
            Self::Guid => is_guid(value.trim()),
            Self::Int => value.trim().parse::<i32>().is_ok(),
            Self::Long => value.trim().parse::<i64>().is_ok(),
            Self::Required => !value.is_empty(),
            Self::Length { least, most } => {
                (*least..=*most).contains(&value.encode_utf16().count())
            }
            Self::Range { least, most } => value
                .trim()
                .parse()
                .is_ok_and(|number: i64| (*least..=*most).contains(&number)),
            Self::Regex(regex) => regex.is_match(value),
        }
    }
}

fn is_date_time(text: &str) -> bool {
    text.parse::<Timestamp>().is_ok()
        || text.parse::<DateTime>().is_ok()
        || ["%m/%d/%Y", "%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S"]
            .iter()
            .any(|format| {
                jiff::fmt::strtime::parse(format, text).is_ok_and(|at| at.to_date().is_ok())
            })
}

/// A sign at either end, separators of thousands, a fraction; no exponent.
fn is_decimal(text: &str) -> bool {
    const LARGEST: f64 = 79_228_162_514_264_337_593_543_950_335.0;
    let unsigned = text
        .strip_prefix(['+', '-'])
        .or_else(|| text.strip_suffix(['+', '-']))
        .unwrap_or(text);
    digits(unsigned).is_some_and(|value| value <= LARGEST)
}

/// A leading sign, separators of thousands, a fraction, an exponent; or one of the names of what is no finite number.
fn is_double(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = unsigned
        .split_once(['e', 'E'])
        .map_or((unsigned, None), |(mantissa, exponent)| {
            (mantissa, Some(exponent))
        });
    ["NaN", "Infinity", "∞"]
        .iter()
        .any(|name| unsigned.eq_ignore_ascii_case(name))
        || (digits(mantissa).is_some()
            && exponent.is_none_or(|exponent| exponent.parse::<i32>().is_ok()))
}

/// The value of digits with separators of thousands and a fraction.
fn digits(text: &str) -> Option<f64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let well_formed = !whole.starts_with(',')
        && whole.bytes().all(|b| b.is_ascii_digit() || b == b',')
        && fraction.bytes().all(|b| b.is_ascii_digit())
        && text.bytes().any(|b| b.is_ascii_digit());
    let plain = format!("0{}.{fraction}0", whole.replace(',', ""));
    well_formed.then(|| plain.parse().ok()).flatten()
}

fn is_guid(text: &str) -> bool {
    let inner = [('{', '}'), ('(', ')')]
        .iter()
        .find_map(|(open, close)| text.strip_prefix(*open)?.strip_suffix(*close));
    let hyphened = inner.unwrap_or(text);
    let hex = |part: &str| part.bytes().all(|b| b.is_ascii_hexdigit());
    let lengths: Vec<usize> = hyphened.split('-').map(str::len).collect();
    let has_shape = lengths == [8, 4, 4, 4, 12] || (inner.is_none() && lengths == [32]);
    has_shape && hyphened.split('-').all(hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Constraint, values that match, values that do not.
    const CASES: &[(&str, &[&str], &[&str])] = &[
        (
            "int",
            &["7", "-2147483648", "+1"],
            &["", "2147483648", "1.0", "x"],
        ),
        (
            "long",
            &["9223372036854775807"],
            &["9223372036854775808", "1e3"],
        ),
        ("bool", &["true", "FALSE"], &["", "1", "yes"]),
        ("alpha", &["", "abC"], &["a1", "ä"]),
        ("required", &["x"], &[""]),
        (
            "datetime",
            &[
                "2026-11-20",
                "2026-11-20T10:00:00Z",
                "2026-11-20 10:00",
                "11/20/2026",
                "11/20/2026 10:00:00",
            ],
            &["", "20", "2026-13-01", "13/20/2026", "02/30/2026"],
        ),
        (
            "decimal",
            &["1", "-1,000.5", "5-", ".5"],
            &[
                "",
                ".",
                "1e3",
                "1.2.3",
                ",1",
                "99999999999999999999999999999999",
            ],
        ),
        (
            "double",
            &["1e3", "-.5E-2", "1,000", "NaN", "-infinity"],
            &["", "e3", "1e", "x"],
        ),
        ("float", &["1.5"], &["one"]),
        (
            "guid",
            &[
                "6f1cfb0e-5c1f-4f0e-9d1b-0a6c3c9f2d12",
                "6f1cfb0e5c1f4f0e9d1b0a6c3c9f2d12",
                "{6F1CFB0E-5C1F-4F0E-9D1B-0A6C3C9F2D12}",
                "(6f1cfb0e-5c1f-4f0e-9d1b-0a6c3c9f2d12)",
            ],
            &[
                "",
                "6f1cfb0e",
                "{6f1cfb0e5c1f4f0e9d1b0a6c3c9f2d12}",
                "6f1cfb0e-5c1f-4f0e-9d1b-0a6c3c9f2d1g",
            ],
        ),
        ("minlength(2)", &["ab", "abc"], &["", "a"]),
        ("maxlength(2)", &["", "ab"], &["abc", "a😀"]),
        ("length(2)", &["ab", "😀"], &["a", "abc"]),
        ("length(1, 2)", &["a", "ab"], &["", "abc"]),
        ("min(18)", &["18"], &["17", "x"]),
        ("max(-1)", &["-1"], &["0", ""]),
        ("range(1,3)", &["1", "3"], &["0", "4", "2.0"]),
        ("regex(^\\d{3}$)", &["123"], &["12", "1234"]),
        ("regex(^(v|w)\\d)", &["V1", "w22"], &["x1"]),
    ];

    #[test]
    fn constraints_match_like_aspnet() {
        for (text, good, bad) in CASES {
            let constraint = Constraint::parse(text).unwrap();
            for value in *good {
                assert!(constraint.allows(value), "{text} {value:?}");
            }
            for value in *bad {
                assert!(!constraint.allows(value), "{text} {value:?}");
            }
        }
    }

    #[test]
    fn what_is_no_constraint_is_refused() {
        for text in [
            "guid2",
            "file",
            "min",
            "min()",
            "min(x)",
            "range(1)",
            "length(-1)",
            "length",
            "regex",
            "regex([)",
        ] {
            assert!(Constraint::parse(text).is_err(), "{text}");
        }
    }
}
