//! Loads the ONNX Runtime library, once for the process.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;

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
                let reason = one_line(&error.to_string());
                return Err(RuntimeError::Unusable {
                    place,
                    path,
                    reason,
                });
            }
        };
        match builder.with_name("sluice").with_telemetry(false).build() {
            Ok(environment) => Ok(Self {
                environment,
                version: version_of(&path).unwrap_or_else(|| "unknown".to_owned()),
                path,
            }),
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

impl fmt::Debug for Runtime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut runtime = formatter.debug_struct("Runtime");
        runtime
            .field("version", &self.version)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
