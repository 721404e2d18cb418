//! The one executable: the custom handler without a subcommand, everything else with one.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    // ONNX Runtime reports to its maker unless this is set before the library is loaded. A process cannot safely set
    // its own environment, so it starts itself again, once, with the variable: about a millisecond.
    if std::env::var("ORT_DISABLE_TELEMETRY").as_deref() != Ok("1") {
        match std::env::current_exe() {
            Ok(executable) => {
                let error = start_again(&executable);
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

/// Starts this executable again, in this process; returns only when that does not work.
fn start_again(executable: &Path) -> io::Error {
    let again = |program: &Path| {
        let mut command = Command::new(program);
        command
            .args(std::env::args_os().skip(1))
            .env("ORT_DISABLE_TELEMETRY", "1");
        command
    };
    let error = again(executable).exec();
    // A new version was put in its place a moment ago: the kernel still knows the file that this process began with.
    let own = Path::new("/proc/self/exe");
    if error.kind() == io::ErrorKind::NotFound && own.exists() {
        let name = std::env::args_os().next();
        return again(own).arg0(name.unwrap_or_default()).exec();
    }
    error
}
