//! A machine of a test's own: a home, a data folder, a `sluice.toml`, and the commands of the real executable over them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use sluice::config::Settings;
use sluice_registry::Digest;
use tempfile::TempDir;
use toml::Table;

use crate::process::{end, sluices_in};
use crate::settings;
use crate::up::{Handler, Up};
use crate::wait::eventually;

/// The folder of a test. It is removed in the end.
#[derive(Debug)]
pub(crate) struct Machine {
    folder: TempDir,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Machine {
    /// A machine with the quick settings.
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// A machine whose settings differ from the quick ones.
    pub(crate) fn with(changes: &[(&str, toml::Value)]) -> Self {
        let mut settings = settings::quick();
        for (key, value) in changes {
            settings::set(&mut settings, key, value.clone());
        }
        let machine = Self {
            folder: tempfile::Builder::new()
                .prefix("sluice-e2e-")
                .tempdir()
                .unwrap(),
        };
        for folder in ["home", "tmp"] {
            fs::create_dir(machine.folder.path().join(folder)).unwrap();
        }
        machine.configure(&settings);
        machine
    }

    /// A machine whose first model answers already: trained from some hundred rows, approved, promoted.
    pub(crate) fn released(changes: &[(&str, toml::Value)]) -> Self {
        let machine = Self::with(changes);
        machine.ingest("first.csv", crate::rows::csv(1, 700));
        let version = machine.train();
        machine
            .sluice(&["release", "approve", &version.to_string(), "--promote"])
            .expect_success();
        machine
    }

    /// Writes `sluice.toml`.
    pub(crate) fn configure(&self, settings: &Table) {
        fs::write(self.path("sluice.toml"), toml::to_string(settings).unwrap()).unwrap();
    }

    /// A path in the machine's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where a blob is: `{container}/{name}`.
    pub(crate) fn blob(&self, name: &str) -> PathBuf {
        self.path("data").join(name)
    }

    /// The executable with arguments, in this machine's environment and no other.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.path("home"))
            .env("XDG_CACHE_HOME", self.path("home/.cache"))
            .env("TMPDIR", self.path("tmp"))
            .env("USER", "tester")
            .env("SLUICE_ONNXRUNTIME", onnxruntime())
            .env(
                "SLUICE_STORAGE",
                format!("directory:{}", self.path("data").display()),
            );
        command
    }

    /// Runs a command to its end.
    pub(crate) fn sluice(&self, arguments: &[&str]) -> Said {
        said(self.command(arguments))
    }

    /// Runs a command that must succeed and gives its `--json`.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let said = self.sluice(&[arguments, &["--json"]].concat());
        said.expect_success();
        serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:?}"))
    }

    /// Brings the functions up, with no timers and no sample messages.
    pub(crate) fn up(self) -> Up {
        Up::start(self, &["--empty"])
    }

    /// Starts the custom handler alone, as the Functions host would.
    pub(crate) fn handler(&self) -> Handler {
        Handler::start(self)
    }

    /// Puts a file into the incoming container, whole at once.
    pub(crate) fn upload(&self, name: &str, bytes: impl AsRef<[u8]>) -> Digest {
        let place = self.blob(&format!("incoming/messages/{name}"));
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        let staged = self.path(&format!("tmp/{name}"));
        fs::write(&staged, bytes.as_ref()).unwrap();
        fs::rename(staged, place).unwrap();
        Digest::of(bytes.as_ref())
    }

    /// Ingests rows with the command; gives its `--json`.
    pub(crate) fn ingest(&self, name: &str, bytes: impl AsRef<[u8]>) -> Value {
        let file = self.path(name);
        fs::write(&file, bytes).unwrap();
        self.json(&["ingest", file.to_str().unwrap()])
    }

    /// Trains by hand until the candidate waits for approval; gives its version.
    pub(crate) fn train(&self) -> u64 {
        let started = self.json(&["retrain"]);
        assert_eq!(started["outcome"], "started", "{started}");
        let collected = eventually(
            "the end of the training run",
            || format!("{:?}", self.sluice(&["status"])),
            || {
                let training = self.json(&["reconcile"])["training"].take();
                (training["outcome"] != "running").then_some(training)
            },
        );
        assert_eq!(collected["passed"], true, "{collected}");
        collected["model_version"].as_u64().unwrap()
    }

    /// The newest dataset version, `Null` when there is none.
    pub(crate) fn dataset(&self) -> Value {
        let folder = self.blob("datasets/messages/versions");
        let newest = files(&folder).into_iter().max();
        newest.map_or(Value::Null, |file| read_json(&file))
    }

    /// Every event of the audit streams.
    pub(crate) fn audit_events(&self) -> Vec<Value> {
        let lines = files(&self.blob("audit"))
            .into_iter()
            .flat_map(|file| json_lines(&file));
        lines.map(|mut line| line["event"].take()).collect()
    }

    /// Every record of the prediction log.
    pub(crate) fn predictions(&self) -> Vec<Value> {
        let mut files = files(&self.blob("predictions"));
        files.retain(|file| !file.starts_with(self.blob("predictions/requests")));
        files.iter().flat_map(|file| json_lines(file)).collect()
    }

    /// Makes everything in the data folder an hour old, at least: what waits for things to settle goes on.
    pub(crate) fn an_hour_passes(&self) {
        let then = SystemTime::now() - Duration::from_secs(3_600);
        for file in files(&self.path("data")) {
            let file = fs::File::options().append(true).open(file).unwrap();
            // What is that old stays as it is: another time is another version to the store.
            if file.metadata().unwrap().modified().unwrap() > then {
                file.set_modified(then).unwrap();
            }
        }
    }
}

impl Drop for Machine {
    /// A training job outlives the process that started it, but not its folder.
    fn drop(&mut self) {
        for pid in sluices_in(self.folder.path()) {
            end(pid);
        }
    }
}

impl Said {
    /// Fails the test when the command failed.
    #[track_caller]
    pub(crate) fn expect_success(&self) {
        assert_eq!(self.code, 0, "{self:?}");
    }
}

/// Runs a command to its end.
pub(crate) fn said(mut command: Command) -> Said {
    let output = command.output().unwrap();
    Said {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Every file below a folder, hidden ones left out, by name.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries.map_while(Result::ok) {
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        match entry.path() {
            path if path.is_dir() => found.extend(files(&path)),
            path => found.push(path),
        }
    }
    found.sort();
    found
}

pub(crate) fn read_json(file: &Path) -> Value {
    let text = fs::read_to_string(file).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

pub(crate) fn json_lines(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The library that `make onnxruntime` fetched for this user, or that the environment names.
fn onnxruntime() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let settings = Settings::read(|name| std::env::var(name).ok()).unwrap();
        let candidates = sluice::context::library_search(&settings).candidates();
        let found = candidates
            .into_iter()
            .map(|(_, path)| path)
            .find(|path| path.is_file());
        found.expect("the end-to-end tests need the ONNX Runtime library: run `make onnxruntime`")
    })
}
