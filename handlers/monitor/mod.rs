//! The hourly timer: joins labels with predictions, compares the last window with the model's baseline, writes a report.

use std::sync::Arc;

use azure_functions::{Failure, Reply, TimerEvent};

use crate::context::Context;
use crate::transient;

/// Writes a report and does what its rules ask for.
pub(crate) async fn handle(context: Arc<Context>, _event: TimerEvent) -> Result<Reply, Failure> {
    let monitored = context.lifecycle.monitor().await.map_err(transient)?;
    Ok(Reply::new().log(monitored.describe()))
}
