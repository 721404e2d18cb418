//! `sluice up --staged`: the local host for any custom handler.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use azure_functions::shutdown_signal;
use sluice_functions_host::{FunctionStatus, RunningHost};
use sluice_registry::Digest;

use super::host::StagedSettings;
use super::output;
use super::up::Up;

/// Serves the app until it is told to stop.
pub(super) async fn serve(
    up: &Up,
    app_root: &Path,
    data_root: &Path,
    settings: &StagedSettings,
) -> anyhow::Result<ExitCode> {
    let stop = shutdown_signal()?;
    let app_root = app_root
        .canonicalize()
        .with_context(|| format!("{} cannot be served", app_root.display()))?;
    let data_root = std::path::absolute(data_root)?;
    let state_root = state_folder(&app_root, &data_root);
    let settings = settings.of(&app_root)?;
    tokio::pin!(stop);
    let host = tokio::select! {
        host = up.host(app_root, &data_root, state_root, settings) => host?,
        () = &mut stop => return Ok(ExitCode::SUCCESS),
    };
    output::line(introduction(&host, &data_root));
    let verdict = tokio::select! {
        () = &mut stop => None,
        reason = host.wait() => Some(reason),
    };
    host.stop().await;
    match verdict {
        None => Ok(ExitCode::SUCCESS),
        Some(reason) => anyhow::bail!("the host stopped: {reason}"),
    }
}

/// What the host remembers of one app stays apart from what it remembers of another.
fn state_folder(app_root: &Path, data_root: &Path) -> PathBuf {
    let name = app_root.file_name().unwrap_or_default().to_string_lossy();
    // Two apps may be called alike.
    let place = Digest::of(app_root.as_os_str().as_encoded_bytes()).hex();
    let home = data_root.parent().unwrap_or(data_root);
    home.join("hosts").join(format!("{name}-{}", &place[..8]))
}

/// What is served, and where a new file is an event.
fn introduction(host: &RunningHost, data_root: &Path) -> String {
    let mut text = "the app is served on this machine (Ctrl-C ends it)\n\n".to_owned();
    for function in host.functions() {
        let what = match &function.status {
            FunctionStatus::Http {
                route,
                methods,
                forwarded,
            } => format!(
                "{} {}{route}{}",
                if methods.is_empty() {
                    "ANY".to_owned()
                } else {
                    methods.join(",")
                },
                host.url(),
                if *forwarded { "" } else { "   in an envelope" }
            ),
            FunctionStatus::Timer { schedule } => format!(
                "timer {schedule}   now: POST {}/admin/functions/{}",
                host.url(),
                function.name
            ),
            FunctionStatus::Blob { path } => {
                format!("a new file {}", data_root.join(path).display())
            }
            FunctionStatus::Disabled => "disabled".to_owned(),
            FunctionStatus::Rejected { reason } => format!("not served: {reason}"),
            _ => continue,
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {:<16}  {what}", function.name);
    }
    if let Some(keys) = host.keys() {
        let _ = writeln!(text, "  {:<16}  x-functions-key: {}", "key", keys.host());
        let _ = writeln!(
            text,
            "  {:<16}  x-functions-key: {}",
            "key of /admin",
            keys.master()
        );
    }
    text
}
