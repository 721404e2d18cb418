//! The check of names and routes before the router is built. axum would panic where this returns an error.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::sync::Arc;

use crate::Error;
use crate::app::{FunctionInfo, Methods};
use crate::wire::PROBE_PATH;

/// The host's own limit on a function's name.
const LONGEST_NAME: usize = 128;

/// The paths that a function takes in the router.
#[derive(Debug)]
pub(super) struct Claim {
    function: Arc<str>,
    methods: Methods,
    paths: Vec<String>,
}

impl Claim {
    /// One path, which other functions may use with other methods.
    pub(super) fn route(function: &Arc<str>, methods: &Methods, route: &str) -> Self {
        Self {
            function: Arc::clone(function),
            methods: methods.clone(),
            paths: vec![route.to_owned()],
        }
    }

    /// The path itself and everything below it.
    pub(super) fn below(function: &Arc<str>, stem: &str) -> Self {
        let paths = vec![
            stem.to_owned(),
            format!("{stem}/"),
            format!("{stem}/{{*rest}}"),
        ];
        Self {
            function: Arc::clone(function),
            methods: Methods::Any,
            paths,
        }
    }
}

/// Checks all functions together: names, methods, routes, collisions.
pub(super) fn check(functions: &[FunctionInfo], claims: &[Claim]) -> Result<(), Error> {
    let mut names = HashSet::new();
    let mut taken = Taken::default();
    taken.add("", PROBE_PATH, &Methods::Any)?;
    for FunctionInfo { name, methods, .. } in functions {
        if !is_function_name(name) {
            let reason = "the host wants a letter, then letters, digits, `_` and `-`, 128 at most, and not `host`";
            return Err(Error::registration(name, reason));
        }
        if !names.insert(name.to_ascii_lowercase()) {
            return Err(Error::registration(
                name,
                "another function has that name; the host ignores case",
            ));
        }
        taken.add(name, &format!("/{name}"), &Methods::Any)?;
        if let Some(methods) = methods {
            methods.check(name)?;
        }
    }
    for claim in claims {
        for path in &claim.paths {
            check_route(&claim.function, path)?;
            taken.add(&claim.function, path, &claim.methods)?;
        }
    }
    Ok(())
}

/// The paths that are taken so far. Functions may share a path when no method is in both.
#[derive(Default)]
struct Taken {
    paths: matchit::Router<()>,
    methods: HashMap<String, Vec<Methods>>,
}

impl Taken {
    fn add(&mut self, function: &str, path: &str, methods: &Methods) -> Result<(), Error> {
        let wrong = |reason: &dyn Display| {
            Error::registration(function, format!("its path {path}: {reason}"))
        };
        let sharing = self.methods.entry(path.to_owned()).or_default();
        if sharing.iter().any(|other| other.overlaps(methods)) {
            return Err(wrong(
                &"it is taken, by another function or by the host's own calls",
            ));
        }
        if sharing.is_empty() {
            self.paths.insert(path, ()).map_err(|error| wrong(&error))?;
        }
        sharing.push(methods.clone());
        Ok(())
    }
}

/// `FunctionNameValidationRegex` in the host's `Utility.cs`.
fn is_function_name(name: &str) -> bool {
    let rest_is_fine = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && rest_is_fine
        && name.len() <= LONGEST_NAME
        && !name.eq_ignore_ascii_case("host")
}

fn check_route(function: &str, route: &str) -> Result<(), Error> {
    let wrong = |reason: &str| {
        Err(Error::registration(
            function,
            format!("its route {route:?} {reason}"),
        ))
    };
    let Some(path) = route.strip_prefix('/') else {
        return wrong("does not begin with `/`");
    };
    let segments: Vec<&str> = path.split('/').collect();
    if segments[0].contains('{') {
        return wrong(
            "begins with a placeholder, which would swallow the host's calls of other functions",
        );
    }
    for segment in segments {
        if segment.starts_with([':', '*']) {
            return wrong("has a placeholder in an old form: write `{name}` or `{*name}`");
        }
        if !segment.contains(['{', '}']) {
            continue;
        }
        let inner = segment
            .strip_prefix('{')
            .and_then(|segment| segment.strip_suffix('}'))
            .unwrap_or_default();
        let name = inner.strip_prefix('*').unwrap_or(inner);
        if name.is_empty()
            || !name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            return wrong(
                "has a placeholder with a constraint or within a segment: only `{name}` and `{*name}` are understood",
            );
        }
    }
    Ok(())
}

/// The route without a closing catch-all.
pub(super) fn stem(route: &str) -> &str {
    match route.rsplit_once("/{*") {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => route,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_rule_for_names_holds() {
        for name in ["a", "predict", "re-train_2", "A9", &"a".repeat(128)] {
            assert!(is_function_name(name), "{name}");
        }
        for name in [
            "",
            "9a",
            "_a",
            "host",
            "Host",
            "a b",
            "ä",
            "a/b",
            &"a".repeat(129),
        ] {
            assert!(!is_function_name(name), "{name}");
        }
    }

    #[test]
    fn routes_that_axum_would_not_take_are_refused() {
        for route in [
            "/api/predict",
            "/api/models/{id}",
            "/api/console/{*rest}",
            "/plain",
        ] {
            assert!(check_route("f", route).is_ok(), "{route}");
        }
        for route in [
            "",
            "api/x",
            "/{*all}",
            "/api/{id:int}",
            "/api/{id?}",
            "/api/x{id}",
            "/api/{",
            "/api/:id",
            "/api/{*}",
        ] {
            assert!(check_route("f", route).is_err(), "{route}");
        }
    }
}
