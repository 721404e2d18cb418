//! From `customHandler.description` to a program and its arguments.
//!
//! Source: `HttpWorkerDescription.cs`, `DefaultWorkerProcessFactory.cs` of the host, and .NET's splitting of a command line.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::error::HostError;
use crate::host_json::HandlerConfig;
use crate::settings::Settings;

/// What to start, and where.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub(crate) executable: PathBuf,
    pub(crate) working_directory: PathBuf,
    /// Before the expansion of `%NAME%`, which needs the variables of each start.
    command_line: String,
}

impl Launch {
    /// Finds the executable.
    ///
    /// Errors: `Executable` when it is missing, a folder or not executable.
    pub(crate) fn new(
        app_root: &Path,
        handler: &HandlerConfig,
        settings: &Settings,
    ) -> Result<Self, HostError> {
        let in_root = |path: &Option<String>| {
            path.as_ref()
                .map_or(app_root.to_owned(), |path| app_root.join(path))
        };
        let named = settings.expand(&handler.executable);
        let beside = in_root(&handler.worker_directory).join(&named);
        let executable = if beside.exists() {
            beside
        } else if named.contains('/') {
            PathBuf::from(&named)
        } else {
            on_path(&named, settings).unwrap_or(beside)
        };
        let refuse = |reason| {
            Err(HostError::Executable {
                path: executable.clone(),
                reason,
            })
        };
        match executable.metadata() {
            Err(_) => return refuse("does not exist: build and stage it first"),
            Ok(metadata) if !metadata.is_file() => return refuse("is not a file"),
            Ok(metadata) if metadata.permissions().mode() & 0o111 == 0 => {
                return refuse("is not executable: chmod +x");
            }
            Ok(_) => {}
        }
        let worker_path = handler.worker_path.as_ref().map(|path| {
            format!(
                "\"{}\"",
                in_root(&handler.worker_directory)
                    .join(settings.expand(path))
                    .display()
            )
        });
        let command_line: Vec<String> = handler
            .arguments
            .iter()
            .cloned()
            .chain(worker_path)
            .chain(handler.worker_arguments.iter().cloned())
            .collect();
        Ok(Self {
            executable,
            working_directory: in_root(&handler.working_directory),
            command_line: command_line.join(" "),
        })
    }

    /// The arguments, with `%NAME%` taken from the handler's environment.
    pub(crate) fn arguments(&self, environment: &Settings) -> Vec<OsString> {
        split(&environment.expand(&self.command_line))
            .into_iter()
            .map(OsString::from)
            .collect()
    }
}

fn on_path(name: &str, settings: &Settings) -> Option<PathBuf> {
    std::env::split_paths(settings.get("PATH")?)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

/// Splits as .NET does: at spaces and tabs outside double quotes; a backslash escapes only before a quote; two quotes inside
/// quotes are one.
fn split(line: &str) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut rest = line.trim_start_matches([' ', '\t']).chars().peekable();
    while rest.peek().is_some() {
        let (mut argument, mut quoted) = (String::new(), false);
        while let Some(character) = rest.next() {
            match character {
                '\\' => {
                    let mut slashes = 1;
                    while rest.next_if_eq(&'\\').is_some() {
                        slashes += 1;
                    }
                    if rest.peek() == Some(&'"') {
                        argument.extend(std::iter::repeat_n('\\', slashes / 2));
                        if slashes % 2 == 1 {
                            argument.extend(rest.next());
                        }
                    } else {
                        argument.extend(std::iter::repeat_n('\\', slashes));
                    }
                }
                '"' if quoted && rest.next_if_eq(&'"').is_some() => argument.push('"'),
                '"' => quoted = !quoted,
                ' ' | '\t' if !quoted => break,
                other => argument.push(other),
            }
        }
        arguments.push(argument);
        while rest.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn splits_like_dotnet() {
        assert_eq!(split("  a  b\tc "), ["a", "b", "c"]);
        assert_eq!(split(r#"-x "with space" y"#), ["-x", "with space", "y"]);
        assert_eq!(split(r#"a\b "c\"d" e\\"f g""#), [r"a\b", "c\"d", r"e\f g"]);
        assert_eq!(split(r#""" "a""b""#), ["", "a\"b"]);
        assert!(split("").is_empty());
    }
}
