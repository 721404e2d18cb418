//! A custom handler with a timer, a blob and an HTTP function.
//!
//! Under the Functions host it is started with the port in its environment. By hand:
//!
//! ```sh
//! FUNCTIONS_CUSTOMHANDLER_PORT=7073 cargo run -p azure_functions --example hello &
//! curl -X POST localhost:7073/api/greet -H 'content-type: application/json' -d '"Ada"'
//! curl -X POST localhost:7073/tick -d '{"Data": {"timer": {"IsPastDue": true}}}'
//! ```

use std::process::ExitCode;

use axum::Json;
use azure_functions::{
    App, BlobEvent, Error, Failure, FailureKind, InvocationContext, Reply, TimerEvent, port_from,
    serve, shutdown_signal,
};
use http::Method;

#[tokio::main]
async fn main() -> ExitCode {
    // The host shows lines on stdout as information and lines on stderr as errors.
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(std::io::stdout)
        .init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Error> {
    let port = port_from(|name| std::env::var(name).ok())?;
    let app = App::new()
        .http("greet", Method::POST, "/api/greet", greet)
        .timer("tick", tick)
        .blob("arrived", arrived);
    serve(app, port, shutdown_signal()?).await
}

async fn greet(context: InvocationContext, Json(name): Json<String>) -> Result<String, Failure> {
    if name.is_empty() {
        let failure = Failure::new(
            FailureKind::BadRequest,
            "the name is empty: send a JSON string",
        );
        return Err(failure.with_detail("field", "name"));
    }
    tracing::info!("greeting from {}", context.function);
    Ok(format!("Hello, {name}!\n"))
}

async fn tick(event: TimerEvent, _context: InvocationContext) -> Result<Reply, Failure> {
    let next = event.status.and_then(|status| status.next);
    Ok(Reply::new().log(format!(
        "past due: {}, occurrence: {next:?}",
        event.is_past_due
    )))
}

async fn arrived(blob: BlobEvent, _context: InvocationContext) -> Result<Reply, Failure> {
    let size = blob.size_bytes().unwrap_or_default();
    Ok(Reply::new().log(format!("{} in {}: {size} bytes", blob.name, blob.container)))
}
