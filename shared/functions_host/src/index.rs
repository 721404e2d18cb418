//! Finds the functions of an app: every immediate subfolder that holds a `function.json`.

use std::path::Path;
use std::sync::Arc;

use crate::error::HostError;
use crate::event::HostEvent;
use crate::function::{Function, Surroundings, Trigger};
use crate::host_json::{FILE_NAME, HostConfig, text};
use crate::options::Profile;
use crate::settings::Settings;

/// What became of a folder with a `function.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionReport {
    /// The folder's name, which is the function's.
    pub name: String,
    /// What it is served for, or why it is not.
    pub status: FunctionStatus,
}

/// Whether and for what a function is served.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FunctionStatus {
    /// It answers HTTP.
    Http {
        /// The path with the prefix, for instance `/api/predict`.
        route: String,
        /// In upper case; empty means all.
        methods: Vec<String>,
        /// Whether the raw request is passed on; otherwise an envelope is.
        forwarded: bool,
    },
    /// A timer starts it.
    Timer {
        /// The schedule as given.
        schedule: String,
    },
    /// A new blob starts it.
    Blob {
        /// The path pattern with its container.
        path: String,
    },
    /// It is switched off.
    Disabled,
    /// It is not served until the app is corrected.
    Rejected {
        /// What to correct.
        reason: String,
    },
}

/// The functions of an app.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Served, in the order of their names.
    pub(crate) functions: Vec<Arc<Function>>,
    /// All that were found, in the order of their names.
    pub(crate) reports: Vec<FunctionReport>,
    pub(crate) events: Vec<HostEvent>,
}

impl Index {
    /// Reads the app folder.
    ///
    /// Errors: `Folder` when it cannot be read; `Configuration` when `host.json` declares HTTP routes of its own.
    pub(crate) fn read(
        app_root: &Path,
        config: &HostConfig,
        settings: &Settings,
        profile: Profile,
    ) -> Result<Self, HostError> {
        let around = Surroundings {
            settings,
            bundle: config.bundle.as_ref(),
            profile,
            retry: config.retry.as_ref(),
        };
        let mut index = Self::default();
        for name in function_folders(app_root)? {
            if config.handler.has_http_routes {
                return Err(HostError::Configuration {
                    path: app_root.join(FILE_NAME),
                    reason: format!(
                        "customHandler.http.routes cannot stand beside function.json files, and {name} has one"
                    ),
                });
            }
            let folder = app_root.join(&name);
            let function = std::fs::read(folder.join("function.json"))
                .map_err(|error| format!("function.json cannot be read: {error}"))
                .and_then(|json| {
                    check_script_file(&folder, &json)?;
                    Function::parse(&name, &json, &around)
                })
                .and_then(|function| index.admit(function));
            index.record(name, function, config);
        }
        Ok(index)
    }

    /// Errors: a name or a route that another function has.
    fn admit(&self, function: Function) -> Result<Function, String> {
        for other in &self.functions {
            if other.name.eq_ignore_ascii_case(&function.name) {
                return Err(format!("the name differs from {} only in case", other.name));
            }
            if let (Some(one), Some(two)) = (other.http(), function.http())
                && one.route.conflicts_with(&two.route)
                && methods_overlap(one.methods.as_deref(), two.methods.as_deref())
            {
                return Err(format!(
                    "its route conflicts with that of the function {}",
                    other.name
                ));
            }
        }
        Ok(function)
    }

    fn record(&mut self, name: String, function: Result<Function, String>, config: &HostConfig) {
        let status = match &function {
            Err(reason) => FunctionStatus::Rejected {
                reason: reason.clone(),
            },
            Ok(function) if function.disabled => FunctionStatus::Disabled,
            Ok(function) => status(function, config),
        };
        match function {
            Err(reason) => self.events.push(HostEvent::FunctionRejected {
                function: name.clone(),
                reason,
            }),
            Ok(function) if function.disabled => {}
            Ok(function) => {
                if function.retry.is_some() && !matches!(function.trigger, Trigger::Timer(_)) {
                    self.events.push(HostEvent::FunctionWarning {
                        function: function.name.clone(),
                        warning: "the retry policy has no effect: only the timer trigger heeds one"
                            .to_owned(),
                    });
                }
                self.functions.push(Arc::new(function));
            }
        }
        self.reports.push(FunctionReport { name, status });
    }
}

fn status(function: &Function, config: &HostConfig) -> FunctionStatus {
    match &function.trigger {
        Trigger::Http(http) => FunctionStatus::Http {
            route: http.route.path(&config.route_prefix),
            methods: http.methods.clone().unwrap_or_default(),
            forwarded: function.is_forwardable()
                && (config.handler.forwarding || config.handler.proxying),
        },
        Trigger::Timer(timer) => FunctionStatus::Timer {
            schedule: timer.schedule.text().to_owned(),
        },
        Trigger::Blob(blob) => FunctionStatus::Blob {
            path: blob.pattern.text().to_owned(),
        },
    }
}

fn methods_overlap(one: Option<&[String]>, two: Option<&[String]>) -> bool {
    match (one, two) {
        (Some(one), Some(two)) => one.iter().any(|method| two.contains(method)),
        _ => true,
    }
}

/// The names of the immediate subfolders with a `function.json`, sorted.
fn function_folders(app_root: &Path) -> Result<Vec<String>, HostError> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(app_root).map_err(HostError::folder(app_root))? {
        let entry = entry.map_err(HostError::folder(app_root))?;
        if entry.path().join("function.json").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// `scriptFile` is not needed; if present the file must exist.
fn check_script_file(folder: &Path, json: &[u8]) -> Result<(), String> {
    let Ok(root) = serde_json::from_slice(json) else {
        return Ok(());
    };
    match text(&root, "scriptFile")? {
        Some(file) if !file.is_empty() && !folder.join(&file).is_file() => Err(format!(
            "scriptFile {file:?} does not exist: leave it out for a custom handler"
        )),
        _ => Ok(()),
    }
}
