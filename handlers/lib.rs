//! Sluice's adapters: the functions and the commands. Each decodes, calls one verb of `lifecycle` or `serving`, encodes.
//!
//! - [`functions`] is the one visible list of functions; each has a folder with its `function.json` beside its code.
//! - [`commands`] is the command line.
//! - [`config`] holds everything that can be set.

pub mod api;
pub mod commands;
pub mod config;
pub mod context;
pub mod functions;
mod sample;

mod feedback;
mod ingest;
mod monitor;
mod predict;
mod reconcile;
mod retrain;

use std::io::Write as _;
use std::process::ExitCode;

use azure_functions::Failure;
use clap::Parser as _;

/// Exit code of a process that cannot start because of its settings.
const BAD_SETTINGS: u8 = 2;

/// Runs the executable: reads the command line, does what it asks, says how it went.
#[must_use]
pub fn run() -> ExitCode {
    let cli = commands::Cli::parse();
    match commands::execute(cli) {
        Ok(code) => code,
        Err(error) => match error.downcast_ref::<config::ConfigError>() {
            Some(error) => complain(&error.to_string(), BAD_SETTINGS),
            None => complain(
                &format!("error: {}", sluice_telemetry::chain(error.as_ref())),
                1,
            ),
        },
    }
}

/// Says why the process ends, on standard error, and gives the exit code for it.
#[must_use]
pub fn fatal(message: &str) -> ExitCode {
    complain(message, 1)
}

fn complain(message: &str, code: u8) -> ExitCode {
    // Nobody may be listening any more: there is nobody left to tell that, either.
    let _ = writeln!(std::io::stderr(), "{message}");
    ExitCode::from(code)
}

/// A fault that a later try may not meet: the host tries again.
fn transient(error: sluice_lifecycle::LifecycleError) -> Failure {
    Failure::internal(error)
}
