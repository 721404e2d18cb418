//! The host's own management routes: its state and the manual run of a function.

use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::server;
use crate::blob::Message;
use crate::client::Body;
use crate::function::{Function, Trigger};
use crate::host_json::at;
use crate::runtime::Runtime;
use crate::timer;
use crate::wire::HOST_VERSION;

/// The body of a manual run is one short line.
const LARGEST_BODY: usize = 64 * 1024;

/// Answers a request to `/admin/...`.
pub(super) async fn answer(runtime: &Arc<Runtime>, request: Request<Incoming>) -> Response<Body> {
    let query = request.uri().query().unwrap_or_default();
    if let Some(keys) = &runtime.keys
        && !keys.admits_admin(request.headers(), query)
    {
        return server::status(StatusCode::UNAUTHORIZED);
    }
    let path = request.uri().path().trim_matches('/').to_owned();
    let parts: Vec<&str> = path.split('/').collect();
    match (request.method(), parts.as_slice()) {
        (&Method::GET, ["admin", "host", "status"]) => {
            server::json(StatusCode::OK, &state(runtime))
        }
        (&Method::GET | &Method::POST, ["admin", "host", "ping"]) => server::status(StatusCode::OK),
        (&Method::GET, ["admin", "functions"]) => {
            let names: Vec<Value> = runtime
                .functions
                .iter()
                .map(|function| json!({ "name": &*function.name }))
                .collect();
            server::json(StatusCode::OK, &Value::Array(names))
        }
        (&Method::POST, ["admin", "functions", name]) => match runtime.function(name).cloned() {
            Some(function) => run(runtime, function, request).await,
            None => server::status(StatusCode::NOT_FOUND),
        },
        _ => server::status(StatusCode::NOT_FOUND),
    }
}

fn state(runtime: &Runtime) -> Value {
    let bundle = runtime.config.bundle.as_ref();
    json!({
        "state": "Running",
        "version": HOST_VERSION,
        "processUptime": u64::try_from(runtime.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        "extensionBundle": bundle.map(|bundle| json!({ "id": bundle.id, "version": bundle.version })),
    })
}

/// Starts the function in the background; 202 says no more than that.
async fn run(
    runtime: &Arc<Runtime>,
    function: Arc<Function>,
    request: Request<Incoming>,
) -> Response<Body> {
    let Ok(body) = Limited::new(request.into_body(), LARGEST_BODY)
        .collect()
        .await
    else {
        return server::status(StatusCode::BAD_REQUEST);
    };
    let Ok(input) = serde_json::from_slice::<Value>(&body.to_bytes()) else {
        return server::status(StatusCode::BAD_REQUEST);
    };
    match &function.trigger {
        Trigger::Timer(timer) => {
            let (runtime, timer) = (runtime.clone(), timer.clone());
            tokio::spawn(async move {
                // The outcome is told through the events of the invocation.
                let _ = timer::run_once(&runtime, &function, &timer).await;
            });
            server::status(StatusCode::ACCEPTED)
        }
        Trigger::Blob(_) => {
            let input = at(&input, "input").as_str().unwrap_or_default();
            let Some((container, blob)) = input.split_once('/') else {
                return server::status(StatusCode::BAD_REQUEST);
            };
            let message = Message::new(&function.name, container, blob, "manual");
            super::event_grid::enqueue(runtime, vec![message]).await
        }
        // An HTTP function is run on its route.
        Trigger::Http(_) => server::status(StatusCode::BAD_REQUEST),
    }
}
