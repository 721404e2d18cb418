//! An app in a temporary folder, its host and what happened in it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use sluice_functions_host::{
    ConformanceFault, FunctionStatus, Host, HostError, HostEvent, HostOptions, InvocationFailure,
    RunningHost,
};
use tempfile::TempDir;
use tokio::sync::watch;

/// Long enough for a busy machine; reached only when a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// An app whose handler is `planned.py`.
pub(crate) struct App {
    folder: TempDir,
    pub(crate) options: HostOptions,
    events: watch::Sender<Vec<HostEvent>>,
}

impl App {
    pub(crate) fn new(functions: &[(&str, Value)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["app", "data/incoming", "plan"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        let mut options = HostOptions::new(at("app"), at("data"), at("state"));
        options.environment = vec![("PATH".into(), std::env::var_os("PATH").unwrap())];
        options
            .settings
            .insert("PLAN".into(), at("plan").to_str().unwrap().into());
        options.blob_poll_interval = Duration::from_millis(20);
        let app = Self {
            folder,
            options,
            events: watch::Sender::new(Vec::new()),
        };
        let handler = app.path("app/handler");
        fs::copy(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/end_to_end/conformance/planned.py"),
            &handler,
        )
        .unwrap();
        fs::set_permissions(handler, fs::Permissions::from_mode(0o755)).unwrap();
        app.host_json(json!({}));
        for (name, function) in functions {
            fs::create_dir_all(app.path("app").join(name)).unwrap();
            fs::write(
                app.path("app").join(name).join("function.json"),
                function.to_string(),
            )
            .unwrap();
        }
        app
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes `host.json` with members over the usual ones.
    pub(crate) fn host_json(&self, over: Value) {
        let mut root = json!({
            "version": "2.0",
            "extensionBundle": { "id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)" },
            "customHandler": { "description": { "defaultExecutablePath": "handler" }, "enableForwardingHttpRequest": true },
        });
        merge(&mut root, over);
        self.host_json_text(&root.to_string());
    }

    /// Writes `host.json` as it is given.
    pub(crate) fn host_json_text(&self, text: &str) {
        fs::write(self.path("app/host.json"), text).unwrap();
    }

    /// Puts a blob into the container `incoming`, whole at once.
    pub(crate) fn put_blob(&self, name: &str, content: impl AsRef<[u8]>) {
        let blob = self.path("data/incoming").join(name);
        fs::create_dir_all(blob.parent().unwrap()).unwrap();
        let fresh = self.path("data/incoming/.fresh");
        fs::write(&fresh, content).unwrap();
        fs::rename(fresh, blob).unwrap();
    }

    /// Lets everything go on that waits for a file of this name in the plan.
    pub(crate) fn release(&self, name: &str) {
        fs::write(self.path("plan").join(name), "").unwrap();
    }

    /// What the handler does at its start (`start`) or on a path.
    pub(crate) fn plan(&self, name: &str, plan: Value) {
        let fresh = self.path("plan").join(".fresh");
        fs::write(&fresh, plan.to_string()).unwrap();
        fs::rename(fresh, self.path("plan").join(format!("{name}.json"))).unwrap();
    }

    /// A successful answer to an envelope.
    pub(crate) fn plan_answer(&self, function: &str, answer: Value) {
        self.plan(function, json!({ "headers": { "Content-Type": "application/json" }, "body": answer.to_string() }));
    }

    pub(crate) async fn try_start(&self) -> Result<RunningHost, HostError> {
        let events = self.events.clone();
        let sink = move |event| events.send_modify(|events| events.push(event));
        Host::start(self.options.clone(), sink).await
    }

    pub(crate) async fn start(&self) -> RunningHost {
        self.try_start().await.unwrap()
    }

    pub(crate) async fn start_ready(&self) -> RunningHost {
        let host = self.start().await;
        host.ready().await.unwrap();
        host
    }

    pub(crate) fn events(&self) -> Vec<HostEvent> {
        self.events.borrow().clone()
    }

    pub(crate) fn forget_events(&self) {
        self.events.send_replace(Vec::new());
    }

    pub(crate) fn count(&self, is_meant: impl Fn(&HostEvent) -> bool) -> usize {
        self.events
            .borrow()
            .iter()
            .filter(|event| is_meant(event))
            .count()
    }

    /// Waits for so many events of a kind.
    pub(crate) async fn until(&self, number: usize, is_meant: impl Fn(&HostEvent) -> bool) {
        let mut events = self.events.subscribe();
        let enough = events
            .wait_for(|events| events.iter().filter(|event| is_meant(event)).count() >= number);
        if tokio::time::timeout(PATIENCE, enough).await.is_err() {
            panic!("it did not happen {number} times: {:#?}", self.events());
        }
    }

    /// What the events tell of answers that a real host treats badly.
    pub(crate) fn faults(&self) -> Vec<ConformanceFault> {
        let faults = self.events().into_iter().filter_map(|event| match event {
            HostEvent::Conformance { fault, .. } => Some(fault),
            _ => None,
        });
        faults.collect()
    }

    /// Why invocations failed.
    pub(crate) fn failures(&self) -> Vec<InvocationFailure> {
        let failures = self.events().into_iter().filter_map(|event| match event {
            HostEvent::InvocationFailed { reason, .. } => Some(reason),
            _ => None,
        });
        failures.collect()
    }

    /// What the handler wrote down: `starts`, `probes`, `seen`, `done`, `signals`.
    pub(crate) fn notes(&self, file: &str) -> Vec<Value> {
        let text =
            fs::read_to_string(self.path("plan").join(format!("{file}.jsonl"))).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The envelopes that a function got.
    pub(crate) fn envelopes(&self, function: &str) -> Vec<Value> {
        let seen = self
            .notes("seen")
            .into_iter()
            .filter(|seen| seen["target"] == format!("/{function}"));
        seen.map(|seen| serde_json::from_str(seen["body"].as_str().unwrap()).unwrap())
            .collect()
    }
}

fn merge(target: &mut Value, over: Value) {
    match (target, over) {
        (Value::Object(target), Value::Object(over)) => {
            for (name, value) in over {
                merge(target.entry(name).or_insert(Value::Null), value);
            }
        }
        (target, over) => *target = over,
    }
}

pub(crate) fn is_start(event: &HostEvent) -> bool {
    matches!(event, HostEvent::HandlerStarted { .. })
}

pub(crate) fn is_ready(event: &HostEvent) -> bool {
    matches!(event, HostEvent::HandlerReady { .. })
}

pub(crate) fn is_success(event: &HostEvent) -> bool {
    matches!(event, HostEvent::InvocationSucceeded { .. })
}

pub(crate) fn is_log(event: &HostEvent) -> bool {
    matches!(event, HostEvent::InvocationLog { .. })
}

/// What became of a function's folder.
pub(crate) fn status(host: &RunningHost, function: &str) -> FunctionStatus {
    let found = host
        .functions()
        .iter()
        .find(|report| report.name == function);
    found
        .unwrap_or_else(|| panic!("{function} was not found"))
        .status
        .clone()
}

pub(crate) fn is_served(status: &FunctionStatus) -> bool {
    !matches!(
        status,
        FunctionStatus::Rejected { .. } | FunctionStatus::Disabled
    )
}

/// Why a function is not served.
pub(crate) fn reason(host: &RunningHost, function: &str) -> String {
    match status(host, function) {
        FunctionStatus::Rejected { reason } => reason,
        other => panic!("{function} is served: {other:?}"),
    }
}

/// A header of a request that the handler wrote down; several values are joined by `|`.
pub(crate) fn seen_header(seen: &Value, name: &str) -> Option<String> {
    let values: Vec<&str> = seen["headers"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|header| header[0] == name)
        .map(|header| header[1].as_str().unwrap())
        .collect();
    (!values.is_empty()).then(|| values.join("|"))
}

pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie is dead.
    stat.rsplit_once(')')
        .is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

/// Waits for something that no event tells.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(
        tokio::time::timeout(PATIENCE, waiting).await.is_ok(),
        "never: {what}"
    );
}
