//! Finds the functions of an app: every immediate subfolder that holds a `function.json`.

use std::path::Path;
use std::sync::Arc;

use crate::error::HostError;
use crate::event::HostEvent;
use crate::function::{Function, Surroundings, Trigger};
use crate::host_json::{FILE_NAME, HostConfig, text};
use crate::json_file;
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

/// What a function is served for.
pub(crate) fn status(function: &Function, config: &HostConfig) -> FunctionStatus {
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
    let Ok(root) = json_file::parse(json) else {
        return Ok(());
    };
    match text(&root, "scriptFile")? {
        Some(file) if !file.is_empty() && !folder.join(&file).is_file() => Err(format!(
            "scriptFile {file:?} does not exist: leave it out for a custom handler"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use serde_json::{Value, json};

    use super::*;
    use crate::options::HostGeneration;

    struct App(tempfile::TempDir);

    impl App {
        fn new(functions: &[(&str, Value)]) -> Self {
            let app = Self(tempfile::tempdir().unwrap());
            for (name, function) in functions {
                app.write(&format!("{name}/function.json"), &function.to_string());
            }
            app
        }

        fn write(&self, name: &str, content: &str) {
            let path = self.0.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }

        fn read_with(&self, over: &str, profile: Profile) -> Result<Index, HostError> {
            let host_json =
                r#"{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":"h"}"#;
            let settings = BTreeMap::from([
                ("SCHEDULE".to_owned(), "0 0 3 * * 1".to_owned()),
                ("AzureWebJobs.off.Disabled".to_owned(), "true".to_owned()),
            ]);
            let settings = Settings::new(&settings, &[]);
            let config = {
                let host_json = format!("{host_json}{over}}}");
                HostConfig::parse(host_json.as_bytes(), &settings, HostGeneration::Current).unwrap()
            };
            Index::read(self.0.path(), &config, &settings, profile)
        }

        fn read(&self) -> Index {
            self.read_with(
                r#"},"extensionBundle":{"id":"x","version":"[4.*, 5.0.0)"}"#,
                Profile::Flex,
            )
            .unwrap()
        }
    }

    impl Index {
        fn status(&self, name: &str) -> &FunctionStatus {
            &self
                .reports
                .iter()
                .find(|report| report.name == name)
                .unwrap()
                .status
        }

        fn reason(&self, name: &str) -> &str {
            match self.status(name) {
                FunctionStatus::Rejected { reason } => reason,
                other => panic!("{other:?}"),
            }
        }
    }

    fn http(route: Value) -> Value {
        json!({ "bindings": [
            { "type": "httpTrigger", "direction": "in", "name": "req", "route": route },
            { "type": "http", "direction": "out", "name": "res" },
        ] })
    }

    fn one(binding: Value) -> Value {
        json!({ "bindings": [binding] })
    }

    fn timer(name: &str, schedule: &str) -> Value {
        json!({ "type": "timerTrigger", "direction": "in", "name": name, "schedule": schedule })
    }

    fn blob(source: &str) -> Value {
        json!({ "type": "blobTrigger", "direction": "in", "name": "blob", "path": "in/{name}", "source": source })
    }

    #[test]
    fn only_immediate_folders_with_a_function_json_are_functions() {
        let app = App::new(&[
            ("a", http(Value::Null)),
            ("nested/b", http(Value::Null)),
            ("off", http(Value::Null)),
        ]);
        app.write("plain/readme.md", "x");
        app.write("function.json", "{}");
        let index = app.read();
        let names: Vec<_> = index
            .reports
            .iter()
            .map(|report| report.name.as_str())
            .collect();
        assert_eq!(names, ["a", "off"]);
        assert!(
            matches!(index.status("a"), FunctionStatus::Http { route, .. } if route == "/api/a")
        );
        assert_eq!(index.status("off"), &FunctionStatus::Disabled);
        assert_eq!(index.functions.len(), 1);
    }

    #[test]
    fn settings_are_resolved_in_bindings() {
        let app = App::new(&[
            ("good", one(timer("timer", "%Schedule%"))),
            ("bad", one(timer("timer", "%UNSET%"))),
        ]);
        let index = app.read();
        assert_eq!(
            index.status("good"),
            &FunctionStatus::Timer {
                schedule: "0 0 3 * * 1".into()
            }
        );
        assert!(
            index
                .reason("bad")
                .contains("'%UNSET%' does not resolve to a value")
        );
    }

    #[test]
    fn each_mistake_is_named_and_the_others_load() {
        let two_triggers =
            json!({ "bindings": [timer("a", "* * * * *"), timer("b", "* * * * *")] });
        let twice = json!({ "bindings": [timer("a", "* * * * *"), { "type": "queue", "direction": "out", "name": "A" }] });
        let input = json!({ "bindings": [timer("a", "* * * * *"), { "type": "blob", "direction": "in", "name": "b" }] });
        let script = json!({ "bindings": [timer("a", "* * * * *")], "scriptFile": "run.py" });
        let mistakes = [
            ("1st", http(Value::Null), "name is invalid"),
            ("host", http(Value::Null), "cannot be called host"),
            ("none", json!({ "bindings": [] }), "at least one binding"),
            ("two", two_triggers, "exactly one trigger"),
            (
                "no-trigger",
                one(json!({ "type": "http", "direction": "out", "name": "res" })),
                "exactly one trigger",
            ),
            (
                "underscore",
                one(timer("my_timer", "* * * * *")),
                "binding name",
            ),
            (
                "hyphen",
                one(timer("my-timer", "* * * * *")),
                "binding name",
            ),
            ("twice", twice, "two bindings are called"),
            (
                "direction",
                one(json!({ "type": "timerTrigger", "name": "a", "schedule": "* * * * *" })),
                "direction",
            ),
            ("schedule", one(timer("a", "0 0 3 * * 7")), "schedule"),
            ("polling", one(blob("LogsAndContainerScan")), "EventGrid"),
            (
                "unknown",
                one(json!({ "type": "queueTrigger", "direction": "in", "name": "a" })),
                "no queueTrigger",
            ),
            ("input", input, "input binding"),
            ("script", script, "scriptFile"),
            ("reserved", http(json!("admin/x")), "conflicts"),
            (
                "zclash",
                http(json!("Good")),
                "conflicts with that of the function good",
            ),
        ];
        let functions: Vec<_> = mistakes
            .iter()
            .map(|(name, function, _)| (*name, function.clone()))
            .collect();
        let app = App::new(&functions);
        app.write("good/function.json", &http(Value::Null).to_string());
        app.write("text/function.json", "no json");
        let index = app.read();
        for (name, _, words) in &mistakes {
            assert!(
                index.reason(name).contains(words),
                "{name}: {}",
                index.reason(name)
            );
        }
        assert!(index.reason("text").contains("not JSON"));
        assert_eq!(index.functions.len(), 1);
        assert_eq!(index.events.len(), mistakes.len() + 1);
    }

    #[test]
    fn a_blob_trigger_needs_the_bundle_and_on_flex_its_source() {
        let app = App::new(&[("ingest", one(blob("EventGrid"))), ("scan", one(blob("")))]);
        let without = app.read_with("}", Profile::Flex).unwrap();
        assert!(without.reason("ingest").contains("extensionBundle"));
        let bundle = r#"},"extensionBundle":{"id":"x","version":"[4.*, 5.0.0)"}"#;
        let other = app.read_with(bundle, Profile::Other).unwrap();
        assert_eq!(
            other.status("scan"),
            &FunctionStatus::Blob {
                path: "in/{name}".into()
            }
        );
        assert!(app.read().reason("scan").contains("EventGrid"));
    }

    #[test]
    fn http_routes_of_the_host_do_not_go_with_functions() {
        let app = App::new(&[("a", http(Value::Null))]);
        let routes = r#","http":{"routes":[{"route":"{*route}"}]}}"#;
        assert!(matches!(
            app.read_with(routes, Profile::Flex),
            Err(HostError::Configuration { .. })
        ));
    }

    #[test]
    fn the_same_route_with_other_methods_is_no_conflict() {
        let with = |method: &str| {
            let mut function = http(json!("items"));
            function["bindings"][0]["methods"] = json!([method]);
            function
        };
        let app = App::new(&[("make", with("post")), ("read", with("get"))]);
        assert_eq!(app.read().functions.len(), 2);
    }
}
