//! A function as it is listed, to be compared with its `function.json`.

use std::convert::Infallible;

use axum::extract::Request;
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, any_service, on_service};
use http::Method;
use tower::Service;

use crate::Error;
use crate::trigger::TriggerKind;

/// One registered function.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FunctionInfo {
    /// The name, which is that of the function's folder and that in the host's `POST /{name}`.
    pub name: String,
    /// What starts it.
    pub trigger: TriggerKind,
    /// The full path of an HTTP function, with the host's route prefix.
    pub route: Option<String>,
    /// The methods of an HTTP function.
    pub methods: Option<Methods>,
}

impl FunctionInfo {
    pub(super) fn http(name: &str, route: &str, methods: Methods) -> Self {
        Self {
            name: name.to_owned(),
            trigger: TriggerKind::Http,
            route: Some(route.to_owned()),
            methods: Some(methods),
        }
    }

    pub(super) fn event(name: &str, trigger: TriggerKind) -> Self {
        Self {
            name: name.to_owned(),
            trigger,
            route: None,
            methods: None,
        }
    }
}

/// The methods of an HTTP function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Methods {
    /// All of them, as for a `function.json` without `methods`.
    Any,
    /// These. `GET` includes `HEAD`.
    Only(Vec<Method>),
}

impl From<Method> for Methods {
    fn from(method: Method) -> Self {
        Self::Only(vec![method])
    }
}

impl<const N: usize> From<[Method; N]> for Methods {
    fn from(methods: [Method; N]) -> Self {
        Self::Only(methods.into())
    }
}

impl Methods {
    /// Whether there is one, and axum can route each.
    pub(super) fn check(&self, function: &str) -> Result<(), Error> {
        self.filter(function).map(|_| ())
    }

    fn filter(&self, function: &str) -> Result<Option<MethodFilter>, Error> {
        let Self::Only(methods) = self else {
            return Ok(None);
        };
        let mut filter: Option<MethodFilter> = None;
        for method in methods {
            let next = MethodFilter::try_from(method.clone()).map_err(|_| {
                Error::registration(function, format!("the method {method} cannot be routed"))
            })?;
            filter = Some(filter.map_or(next, |filter| filter.or(next)));
        }
        let none =
            || Error::registration(function, "it has no method: name one, or use Methods::Any");
        filter.map(Some).ok_or_else(none)
    }

    /// Routes these methods to the service. The others are left to the router's own answer, so that several functions
    /// can share a route.
    pub(super) fn route<S>(&self, function: &str, service: S) -> Result<MethodRouter, Error>
    where
        S: Service<Request, Response = Response, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        Ok(match self.filter(function)? {
            None => any_service(service),
            Some(filter) => on_service(filter, service),
        })
    }

    /// Whether a request can be for both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Only(ours), Self::Only(theirs)) => {
                ours.iter().any(|method| theirs.contains(method))
            }
            _ => true,
        }
    }
}
