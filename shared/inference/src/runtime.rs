//! Loads the ONNX Runtime library, once for the process.

use std::error::Error as _;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::LoadDynamicError;
use ort::environment::Environment;
use ort::logging::LogLevel;

use crate::error::{RuntimeError, one_line};
use crate::library::{LibrarySearch, version_of};

/// The environment variable that keeps ONNX Runtime from reporting to its maker. It must be `1` before the library is
/// loaded; the switch that `ort` offers comes too late.
pub const TELEMETRY_VARIABLE: &str = "ORT_DISABLE_TELEMETRY";

/// Whether the value of [`TELEMETRY_VARIABLE`] keeps ONNX Runtime quiet.
///
/// A process whose value does not must start itself again with the variable set to `1`: it cannot safely change its own
/// environment.
pub fn telemetry_is_off(value: Option<&str>) -> bool {
    value == Some("1")
}

/// A process holds one environment of ONNX Runtime, for as long as it lives.
static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);

/// The loaded library. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    environment: Environment,
    version: String,
    path: PathBuf,
}

impl Runtime {
    /// Finds and loads the library: about 25 ms, most of it ONNX Runtime registering its operators.
    ///
    /// A file that a setting names is used or is an error; of the other places the first that has a file is used. A
    /// process loads one library: later calls give the first one, whatever they search for.
    ///
    /// `ort_disable_telemetry` is the value that this process has for [`TELEMETRY_VARIABLE`].
    ///
    /// # Errors
    /// When [`telemetry_is_off`] says no, the library is nowhere, or it cannot be loaded.
    pub fn load(
        search: &LibrarySearch,
        ort_disable_telemetry: Option<&str>,
    ) -> Result<Self, RuntimeError> {
        if !telemetry_is_off(ort_disable_telemetry) {
            return Err(RuntimeError::TelemetryOn);
        }
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*loaded {
            return Ok(runtime.clone());
        }
        let runtime = Self::start(search)?;
        tracing::debug!(version = runtime.version, path = %runtime.path.display(), "ONNX Runtime is loaded");
        *loaded = Some(runtime.clone());
        Ok(runtime)
    }

    fn start(search: &LibrarySearch) -> Result<Self, RuntimeError> {
        let mut tried = search.candidates();
        let Some(found) = tried
            .iter()
            .position(|(place, path)| place.is_explicit() || path.is_file())
        else {
            return Err(RuntimeError::NotFound { tried });
        };
        let (place, path) = tried.swap_remove(found);
        let builder = match ort::init_from(&path) {
            Ok(builder) => builder,
            Err(error) => {
                let reason = reason_of(&error);
                return Err(RuntimeError::Unusable {
                    place,
                    path,
                    reason,
                });
            }
        };
        let builder = builder
            .with_name("sluice")
            .with_telemetry(false)
            .with_logger(Arc::new(log));
        match builder.build() {
            Ok(environment) => {
                // With a logger of one's own the library starts at its most talkative level.
                environment.set_log_level(LogLevel::Warning);
                let version = version_of(&path).unwrap_or_else(|| "unknown".to_owned());
                Ok(Self {
                    environment,
                    version,
                    path,
                })
            }
            Err(error) => {
                let reason = one_line(error.message());
                Err(RuntimeError::Start { path, reason })
            }
        }
    }

    /// The version of the library, like `1.31.1`; `unknown` when its file does not say.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The file that was loaded.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }
}

/// What ONNX Runtime has to say goes to `tracing`; by itself it writes to standard error.
///
/// Its errors come back from the call that failed too, so here they are details.
fn log(level: LogLevel, _category: &str, _id: &str, _location: &str, message: &str) {
    match level {
        LogLevel::Verbose | LogLevel::Info => {}
        LogLevel::Warning => tracing::warn!(target: "onnxruntime", "{}", one_line(message)),
        LogLevel::Error | LogLevel::Fatal => {
            tracing::debug!(target: "onnxruntime", "{}", one_line(message))
        }
    }
}

/// The path is named already; the loader's own words are in the source of its error.
fn reason_of(error: &LoadDynamicError) -> String {
    match error {
        LoadDynamicError::Dlopen { error, .. } => match error.source() {
            Some(source) => one_line(&source.to_string()),
            None => one_line(&error.to_string()),
        },
        other => one_line(&other.to_string()),
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut runtime = formatter.debug_struct("Runtime");
        runtime
            .field("version", &self.version)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

// No test here loads the real library: a process loads only one, and these need a process without.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::Place;

    fn error(search: &LibrarySearch) -> RuntimeError {
        Runtime::load(search, Some("1")).unwrap_err()
    }

    #[test]
    fn nothing_is_loaded_while_telemetry_is_on() {
        let search = LibrarySearch {
            setting: Some("/nowhere/libonnxruntime.so".into()),
            ..LibrarySearch::default()
        };
        for value in [None, Some(""), Some("0"), Some("true")] {
            assert!(
                matches!(
                    Runtime::load(&search, value),
                    Err(RuntimeError::TelemetryOn)
                ),
                "{value:?}"
            );
        }
        assert!(matches!(
            Runtime::load(&search, Some("1")),
            Err(RuntimeError::Unusable { .. })
        ));
    }

    #[test]
    fn a_library_that_is_nowhere_names_every_place_and_the_command() {
        let folder = tempfile::tempdir().unwrap();
        let message = error(&LibrarySearch {
            executable_dir: Some(folder.path().join("bin")),
            cache_dir: Some(folder.path().join("cache")),
            ..LibrarySearch::default()
        })
        .to_string();
        for part in [
            "bin/libonnxruntime",
            "(beside the executable)",
            "cache/sluice/onnxruntime-1.31.1",
            "make onnxruntime",
        ] {
            assert!(message.contains(part), "{message}");
        }
        assert!(
            error(&LibrarySearch::default())
                .to_string()
                .contains("tried no place at all")
        );
    }

    #[test]
    fn a_named_file_is_never_replaced_by_another_place() {
        let folder = tempfile::tempdir().unwrap();
        let named = folder.path().join("libnamed.so");
        let search = LibrarySearch {
            ort_dylib_path: Some(named.clone()),
            executable_dir: Some(folder.path().to_owned()),
            ..LibrarySearch::default()
        };
        std::fs::write(folder.path().join("libonnxruntime.so"), "no library").unwrap();
        assert!(
            matches!(error(&search), RuntimeError::Unusable { place: Place::OrtDylibPath, path, .. } if path == named)
        );
    }

    #[test]
    fn a_file_that_is_no_library_is_named_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("libonnxruntime.so"), "no library").unwrap();
        let message = error(&LibrarySearch {
            executable_dir: Some(folder.path().to_owned()),
            ..LibrarySearch::default()
        })
        .to_string();
        assert!(
            message.contains("libonnxruntime.so (beside the executable)"),
            "{message}"
        );
        assert!(
            message.contains("file too short") || message.contains("invalid ELF header"),
            "{message}"
        );
    }
}
