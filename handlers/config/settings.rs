//! Where Sluice runs: settings from the environment. On Azure they are the app settings.

use std::path::PathBuf;

use sluice_telemetry::LogFormat;

use super::ConfigError;

/// The log filter when `SLUICE_LOG` is not set.
pub const DEFAULT_FILTER: &str = "info";

/// Where the blobs are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageSetting {
    /// A local directory: one folder for each container.
    Directory(PathBuf),
}

impl StorageSetting {
    fn parse(value: &str) -> Result<Self, String> {
        match value.split_once(':') {
            Some(("directory", path)) if !path.is_empty() => Ok(Self::Directory(path.into())),
            _ => Err(format!("expected directory:PATH, got {value:?}")),
        }
    }

    /// The value of `SLUICE_STORAGE` that means this.
    #[must_use]
    pub fn to_value(&self) -> String {
        match self {
            Self::Directory(path) => format!("directory:{}", path.display()),
        }
    }
}

/// How log lines are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// `SLUICE_LOG`: a tracing filter; default `info`.
    pub filter: String,
    /// `SLUICE_LOG_FORMAT`: `text` (default) or `json`.
    pub format: LogFormat,
}

/// The settings of one process.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `SLUICE_STORAGE`: default `directory:.sluice/data`.
    pub storage: StorageSetting,
    /// `SLUICE_CONFIG`: path of `sluice.toml`; default `sluice.toml` in the app's folder (`FUNCTIONS_APP_ROOT_PATH`, else here).
    pub config_file: PathBuf,
    /// How log lines are written.
    pub log: LogSettings,
    /// `FUNCTIONS_CUSTOMHANDLER_PORT`, as given.
    pub handler_port: Option<String>,
    /// `SLUICE_ONNXRUNTIME`: the ONNX Runtime library, before every other place.
    pub onnxruntime: Option<PathBuf>,
    /// `ORT_DYLIB_PATH`: the library's usual variable.
    pub ort_dylib_path: Option<PathBuf>,
    /// `ORT_DISABLE_TELEMETRY`, as given.
    pub ort_disable_telemetry: Option<String>,
    /// The user's cache folder: `XDG_CACHE_HOME`, else `HOME/.cache`.
    pub cache_dir: Option<PathBuf>,
    /// `USER`: who a command acts as when `--by` is not given.
    pub user: Option<String>,
}

impl Settings {
    /// Reads the settings through `lookup` (a variable's name to its value).
    ///
    /// # Errors
    /// Names the variable that cannot be used.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let get = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let invalid = |key: &str, problem: String| ConfigError {
            file: "environment".into(),
            line: None,
            key: key.to_owned(),
            problem,
        };

        let storage = get("SLUICE_STORAGE").unwrap_or_else(|| "directory:.sluice/data".to_owned());
        let storage = StorageSetting::parse(&storage)
            .map_err(|problem| invalid("SLUICE_STORAGE", problem))?;
        let format = match get("SLUICE_LOG_FORMAT").as_deref() {
            None | Some("text") => LogFormat::Text,
            Some("json") => LogFormat::Json,
            Some(other) => {
                return Err(invalid(
                    "SLUICE_LOG_FORMAT",
                    format!("expected text or json, got {other:?}"),
                ));
            }
        };
        let config_file = get("SLUICE_CONFIG").map(PathBuf::from).unwrap_or_else(|| {
            get("FUNCTIONS_APP_ROOT_PATH")
                .map(PathBuf::from)
                .unwrap_or_default()
                .join("sluice.toml")
        });

        Ok(Self {
            storage,
            config_file,
            log: LogSettings {
                filter: get("SLUICE_LOG").unwrap_or_else(|| DEFAULT_FILTER.to_owned()),
                format,
            },
            handler_port: get("FUNCTIONS_CUSTOMHANDLER_PORT"),
            onnxruntime: get("SLUICE_ONNXRUNTIME").map(PathBuf::from),
            ort_dylib_path: get("ORT_DYLIB_PATH").map(PathBuf::from),
            ort_disable_telemetry: get("ORT_DISABLE_TELEMETRY"),
            cache_dir: get("XDG_CACHE_HOME")
                .map(PathBuf::from)
                .or_else(|| get("HOME").map(|home| PathBuf::from(home).join(".cache"))),
            user: get("USER"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_need_no_environment() {
        let settings = Settings::read(|_| None).unwrap();
        assert_eq!(
            settings.storage,
            StorageSetting::Directory(".sluice/data".into())
        );
        assert_eq!(settings.config_file, PathBuf::from("sluice.toml"));
    }

    #[test]
    fn an_unknown_storage_names_the_variable_and_the_form() {
        let error = Settings::read(|name| (name == "SLUICE_STORAGE").then(|| "s3://x".to_owned()))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "environment: SLUICE_STORAGE: expected directory:PATH, got \"s3://x\""
        );
    }
}
