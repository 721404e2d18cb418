//! Routes as ASP.NET reads them, and the table of an app's routes.

mod constraint;
mod template;

use std::sync::Arc;

use http::Method;

use crate::function::Function;

use template::decoded;
pub(crate) use template::{Parameters, RouteTemplate};

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
