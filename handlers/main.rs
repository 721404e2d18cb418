//! The one executable: the custom handler without a subcommand, everything else with one.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    // ONNX Runtime reports to its maker unless this is set before the library is loaded. A process cannot safely set
    // its own environment, so it starts itself again, once, with the variable: about a millisecond.
    if std::env::var("ORT_DISABLE_TELEMETRY").as_deref() != Ok("1") {
        match std::env::current_exe() {
            Ok(executable) => {
                let error = Command::new(executable)
                    .args(std::env::args_os().skip(1))
                    .env("ORT_DISABLE_TELEMETRY", "1")
                    .exec();
                return sluice::fatal(&format!(
                    "cannot start again with ORT_DISABLE_TELEMETRY=1: {error}; set it in the environment"
                ));
            }
            Err(error) => {
                return sluice::fatal(&format!(
                    "cannot find this executable ({error}); set ORT_DISABLE_TELEMETRY=1"
                ));
            }
        }
    }
    sluice::run()
}
