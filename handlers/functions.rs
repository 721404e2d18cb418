//! The one visible list of functions. A test holds folder, name, `function.json` and route together.

use std::sync::Arc;

use azure_functions::{App, InvocationContext, Methods};

use crate::context::Context;
use crate::{feedback, ingest, monitor, predict, reconcile, retrain};

/// The host's configuration, as it is staged and packaged.
pub const HOST_JSON: &str = include_str!("../host.json");

/// A function's folder: its name and the manifest in it.
#[derive(Clone, Copy, Debug)]
pub struct Manifest {
    /// The folder's name, which is the function's name.
    pub name: &'static str,
    /// The text of `function.json`.
    pub function_json: &'static str,
}

/// Every function's folder.
pub const MANIFESTS: [Manifest; 6] = [
    Manifest {
        name: "predict",
        function_json: include_str!("predict/function.json"),
    },
    Manifest {
        name: "feedback",
        function_json: include_str!("feedback/function.json"),
    },
    Manifest {
        name: "ingest",
        function_json: include_str!("ingest/function.json"),
    },
    Manifest {
        name: "retrain",
        function_json: include_str!("retrain/function.json"),
    },
    Manifest {
        name: "monitor",
        function_json: include_str!("monitor/function.json"),
    },
    Manifest {
        name: "reconcile",
        function_json: include_str!("reconcile/function.json"),
    },
];

/// Every function with its code.
pub fn app(context: &Arc<Context>) -> App {
    // The HTTP functions take every method, so that a wrong one gets an answer that says so and not the host's bare 404.
    App::new()
        .http_with_state(
            "predict",
            Methods::Any,
            "/api/predict",
            context.clone(),
            predict::handle,
        )
        .http_with_state(
            "feedback",
            Methods::Any,
            "/api/feedback",
            context.clone(),
            feedback::handle,
        )
        .blob("ingest", with(context, ingest::handle))
        .timer("retrain", with(context, retrain::handle))
        .timer("monitor", with(context, monitor::handle))
        .timer("reconcile", with(context, reconcile::handle))
}

/// Hands the context to a handler.
fn with<E, F, H>(
    context: &Arc<Context>,
    handler: H,
) -> impl Fn(E, InvocationContext) -> F + Send + Sync + use<E, F, H>
where
    H: Fn(Arc<Context>, E) -> F + Send + Sync,
{
    let context = context.clone();
    move |event, _invocation| handler(context.clone(), event)
}
