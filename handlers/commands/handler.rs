//! No subcommand: the custom handler. Binds its port first, loads the model after.

use std::sync::Arc;
use std::time::Duration;

use azure_functions::{DRAIN_DEADLINE, Server, port_from, shutdown_signal};

use crate::config::{ModelConfig, Settings};
use crate::context::Context;
use crate::functions;

/// How long the last lines of the prediction log may take at a clean stop.
const FLUSH_DEADLINE: Duration = Duration::from_secs(10);

/// Serves until the process is told to stop.
pub(super) async fn run(settings: Settings, config: ModelConfig) -> anyhow::Result<()> {
    let port = port_from(|name| {
        if name == azure_functions::wire::PORT_VARIABLE {
            settings.handler_port.clone()
        } else {
            None
        }
    })?;
    let server = Server::bind(port)?;
    let stop = shutdown_signal()?;
    let context = Context::open(settings, config, &writer_name())?;
    let router = functions::app(&context).into_router()?;

    context.predictor.follow();
    let predictor = Arc::clone(&context.predictor);
    let served = server.run(router, stop, DRAIN_DEADLINE).await;
    if !matches!(
        tokio::time::timeout(FLUSH_DEADLINE, predictor.close()).await,
        Ok(true)
    ) {
        tracing::warn!("the end of the prediction log could not be written");
    }
    Ok(served?)
}

/// One audit stream for each process: two handlers never wait for each other.
fn writer_name() -> String {
    format!("handler-{}", sluice_registry::InstanceId::random())
}
