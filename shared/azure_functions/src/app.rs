//! The app: a list of functions, and the router that serves them.

mod function;
mod routes;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::routing::get;

pub use function::{FunctionInfo, Methods};
use routes::Claim;

use crate::invocation::InvocationService;
use crate::trigger::{BlobEvent, EventGridEvent, QueueEvent, TimerEvent, Trigger};
use crate::{Error, Failure, InvocationContext, Reply, answers, event, http_envelope, wire};

/// The functions of a Function App, each under the name of its folder.
#[must_use]
pub struct App {
    functions: Vec<FunctionInfo>,
    claims: Vec<Claim>,
    mounts: Vec<Mount>,
    limits: Limits,
}

/// Builds one function's routes, when the limits are known.
type Mount = Box<dyn FnOnce(Limits) -> Result<Router, Error> + Send>;

#[derive(Debug, Clone, Copy)]
struct Limits {
    http_body_bytes: usize,
    envelope_bytes: usize,
}

/// 100 MiB as base64 with room for the rest of the envelope.
const ENVELOPE_BYTES: usize = wire::MAX_REQUEST_BODY_BYTES / 3 * 4 + 1024 * 1024;

impl Default for App {
    fn default() -> Self {
        let limits = Limits {
            http_body_bytes: wire::MAX_REQUEST_BODY_BYTES,
            envelope_bytes: ENVELOPE_BYTES,
        };
        Self {
            functions: Vec::new(),
            claims: Vec::new(),
            mounts: Vec::new(),
            limits,
        }
    }
}

impl App {
    /// An app without functions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the most that an HTTP function accepts as a body, in bytes; 100 MiB unless set, as at the host. A larger
    /// body is answered with status 413. A handler that reads the body itself, without an extractor, counts a
    /// chunked body itself.
    pub fn http_body_limit(mut self, bytes: usize) -> Self {
        self.limits.http_body_bytes = bytes;
        self
    }

    /// Sets the most that an envelope may have, in bytes; some 134 MiB unless set, for a blob of 100 MiB.
    pub fn envelope_limit(mut self, bytes: usize) -> Self {
        self.limits.envelope_bytes = bytes;
        self
    }

    /// Adds an HTTP function. `route` is the full path with the host's route prefix, such as `/api/predict`, with axum's
    /// placeholders `{id}` and `{*rest}`. The handler is any axum handler, or a `MethodRouter` such as `get(a).post(b)`.
    pub fn http<H, T>(
        self,
        name: &str,
        methods: impl Into<Methods>,
        route: &str,
        handler: H,
    ) -> Self
    where
        H: Handler<T, ()>,
        T: 'static,
    {
        self.http_with_state(name, methods, route, (), handler)
    }

    /// As [`App::http`], for a handler that extracts `State<S>`.
    pub fn http_with_state<H, T, S>(
        mut self,
        name: &str,
        methods: impl Into<Methods>,
        route: &str,
        state: S,
        handler: H,
    ) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
        S: Clone + Send + Sync + 'static,
    {
        let methods = methods.into();
        let function: Arc<str> = Arc::from(name);
        let route = route.to_owned();
        self.functions
            .push(FunctionInfo::http(name, &route, methods.clone()));
        self.claims.push(Claim::route(&function, &methods, &route));
        self.mounts.push(Box::new(move |limits| {
            let inner = handler.with_state(state);
            let service =
                InvocationService::new(Arc::clone(&function), limits.http_body_bytes, inner);
            let own = Router::new().route(&route, methods.route(&function, service)?);
            Ok(http_envelope::beside(own, function, limits.envelope_bytes))
        }));
        self
    }

    /// Adds an HTTP function that is a whole router. For the route `/api/console/{*rest}` the router's paths are
    /// relative to `/api/console`, which itself is its `/`.
    pub fn http_router(
        mut self,
        name: &str,
        methods: impl Into<Methods>,
        route: &str,
        router: Router,
    ) -> Self {
        let methods = methods.into();
        let function: Arc<str> = Arc::from(name);
        let stem = routes::stem(route).to_owned();
        self.functions
            .push(FunctionInfo::http(name, route, methods.clone()));
        self.claims.push(Claim::below(&function, &stem));
        self.mounts.push(Box::new(move |limits| {
            let service =
                InvocationService::new(Arc::clone(&function), limits.http_body_bytes, router);
            let service = methods
                .route(&function, service)?
                .fallback(answers::method_not_allowed);
            let own = Router::new().nest_service(&stem, service);
            Ok(http_envelope::beside(own, function, limits.envelope_bytes))
        }));
        self
    }

    /// Adds a timer function.
    pub fn timer<H, F>(self, name: &str, handler: H) -> Self
    where
        H: Fn(TimerEvent, InvocationContext) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Reply, Failure>> + Send + 'static,
    {
        self.on(name, handler)
    }

    /// Adds a function that runs for new and changed blobs.
    pub fn blob<H, F>(self, name: &str, handler: H) -> Self
    where
        H: Fn(BlobEvent, InvocationContext) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Reply, Failure>> + Send + 'static,
    {
        self.on(name, handler)
    }

    /// Adds a function that runs for messages of a storage queue.
    pub fn queue<H, F>(self, name: &str, handler: H) -> Self
    where
        H: Fn(QueueEvent, InvocationContext) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Reply, Failure>> + Send + 'static,
    {
        self.on(name, handler)
    }

    /// Adds a function that runs for Event Grid events.
    pub fn event_grid<H, F>(self, name: &str, handler: H) -> Self
    where
        H: Fn(EventGridEvent, InvocationContext) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Reply, Failure>> + Send + 'static,
    {
        self.on(name, handler)
    }

    /// Adds a function for any trigger, also one of your own. The handler runs as long as the host waits for it.
    pub fn on<E, H, F>(mut self, name: &str, handler: H) -> Self
    where
        E: Trigger,
        H: Fn(E, InvocationContext) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Reply, Failure>> + Send + 'static,
    {
        self.functions.push(FunctionInfo::event(name, E::KIND));
        let function: Arc<str> = Arc::from(name);
        let handler = Arc::new(handler);
        self.mounts.push(Box::new(move |limits| {
            Ok(event::router::<E, H, F>(
                function,
                limits.envelope_bytes,
                handler,
            ))
        }));
        self
    }

    /// The functions in the order of their registration, for instance to compare them with the folders of the app.
    #[must_use]
    pub fn functions(&self) -> &[FunctionInfo] {
        &self.functions
    }

    /// The router that serves all functions and the host's probe, to be tested without a socket.
    ///
    /// # Errors
    /// [`Error::Registration`] when a name, a route or a method cannot be served, or two collide.
    pub fn into_router(self) -> Result<Router, Error> {
        routes::check(&self.functions, &self.claims)?;
        let mut router = Router::new()
            .route(wire::PROBE_PATH, get(answers::probe))
            .fallback(answers::not_found);
        for mount in self.mounts {
            router = router.merge(mount(self.limits)?);
        }
        Ok(router.method_not_allowed_fallback(answers::method_not_allowed))
    }
}

impl fmt::Debug for App {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut app = formatter.debug_struct("App");
        app.field("functions", &self.functions)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
