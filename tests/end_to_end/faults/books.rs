//! What must hold after every kill, checked with the commands and in the files, without our own library's help where
//! that is cheap.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::Path;

use serde_json::Value;
use sluice_registry::Digest;

use crate::machine::{Machine, files, json_lines, read_json};
use crate::process::sluices_in;
use crate::rows;
use crate::wait::eventually;

/// What the world outside knows of a machine: the folder is held against it.
#[derive(Default)]
pub(super) struct Books {
    /// Accepted uploads: digest and rows by name.
    uploads: BTreeMap<String, (Digest, u64)>,
}

impl Books {
    /// Rows that no upload before had, noted as an upload of this name.
    pub(super) fn new_rows(&mut self, name: &str, rows: usize) -> String {
        let csv = rows::csv(self.uploads.len() as u64, rows);
        let upload = (Digest::of(csv.as_bytes()), rows as u64);
        self.uploads.insert(format!("messages/{name}"), upload);
        csv
    }

    /// Right after a kill, before anything is repaired: every command works, nothing is there twice, nothing is torn,
    /// nothing answers that nobody approved. What waits for its repair is the only thing that may be missing.
    pub(super) fn right_after_a_kill(&self, machine: &Machine) {
        commands_work(machine);
        let verified = verified(machine);
        let chains = verified["chains"]["streams"].as_array().unwrap();
        assert!(
            chains.iter().all(|chain| chain["broken"].is_null()),
            "{verified}"
        );
        for fault in ["changed", "missing", "unreadable"] {
            let found = &verified["documents"][fault];
            assert_eq!(found, &Value::Array(vec![]), "{fault}: {verified}");
        }
        self.uploads_are_there(machine, false);
        releases_hold(machine);
        logs_are_whole(machine);
    }

    /// Repairs as the reconcile timer does, an hour later: now nothing at all is missing.
    pub(super) fn after_recovery(&self, machine: &Machine) {
        jobs_are_done(machine);
        machine.an_hour_passes();
        machine.sluice(&["reconcile"]).expect_success();
        commands_work(machine);
        machine.sluice(&["audit", "verify"]).expect_success();
        self.uploads_are_there(machine, true);
        releases_hold(machine);
        approvals_are_recorded(machine);
        logs_are_whole(machine);
    }

    /// Every dataset version adds one accepted upload to the one before, with all its rows. With `all`, no upload is left.
    fn uploads_are_there(&self, machine: &Machine, all: bool) {
        let mut before: Vec<Value> = Vec::new();
        let versions = files(&machine.blob("datasets/messages/versions"));
        for (index, file) in versions.iter().enumerate() {
            let version = read_json(file);
            assert_eq!(version["version"], index + 1, "{}", file.display());
            let uploads = version["uploads"].as_array().unwrap();
            assert!(
                uploads.len() == index + 1 && uploads.starts_with(&before),
                "version {} does not add one upload: {version}",
                index + 1
            );
            before.clone_from(uploads);
            let parts = version["parts"].as_array().unwrap();
            let accepted = uploads
                .iter()
                .map(|upload| upload["accepted"].as_u64().unwrap());
            let rows = parts.iter().map(|part| part["rows"].as_u64().unwrap());
            assert_eq!(version["rows"], accepted.sum::<u64>(), "{version}");
            assert_eq!(version["rows"], rows.sum::<u64>(), "{version}");
        }
        let (mut names, mut digests) = (BTreeSet::new(), HashSet::new());
        for upload in &before {
            let name = upload["name"].as_str().unwrap();
            let digest = upload["digest"].as_str().unwrap();
            assert!(digests.insert(digest), "{name} is there twice");
            // Labels that came back are rows, too.
            if name.starts_with("feedback/") {
                let digest: Digest = digest.parse().unwrap();
                let rows = machine.blob(&format!("feedback/rows/{}.jsonl", digest.hex()));
                assert_eq!(Digest::of(&fs::read(rows).unwrap()), digest, "{name}");
                continue;
            }
            assert!(names.insert(name.to_owned()), "{name} is there twice");
            let (expected, rows) = &self.uploads[name];
            assert_eq!(digest, expected.to_string(), "{name}");
            assert_eq!(upload["accepted"], *rows, "{name}");
        }
        for file in files(&machine.blob("datasets/messages/parts")) {
            let digest = Digest::of(&fs::read(&file).unwrap()).hex();
            assert_eq!(file.file_stem().unwrap().to_str().unwrap(), digest);
        }
        if all {
            let expected: BTreeSet<String> = self.uploads.keys().cloned().collect();
            assert_eq!(names, expected, "every upload is there");
            for (digest, _) in self.uploads.values() {
                let entry = format!("datasets/messages/ledger/{}.json", digest.hex());
                assert!(machine.blob(&entry).is_file(), "{entry}");
            }
        }
    }
}

fn commands_work(machine: &Machine) {
    for command in [
        &["status"][..],
        &["release", "status"],
        &["report"],
        &["audit", "verify"],
    ] {
        let said = machine.sluice(command);
        // A line that waits for its repair is a finding once it is old enough.
        let may_find = command[0] == "audit" && said.code == 1 && said.stderr.is_empty();
        assert!(said.code == 0 || may_find, "{command:?}: {said:?}");
    }
}

fn verified(machine: &Machine) -> Value {
    let said = machine.sluice(&["audit", "verify", "--json"]);
    serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:?}"))
}

/// Training jobs outlive who started them. What they are writing must not look an hour old.
pub(super) fn jobs_are_done(machine: &Machine) {
    let folder = machine.path("");
    let is_job = |pid: &u32| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = command.split(|byte| *byte == 0);
        words.nth(1) == Some(b"train")
    };
    eventually("the end of the training job", String::new, || {
        (!sluices_in(&folder).iter().any(is_job)).then_some(())
    });
}

/// Releases are numbered without a gap, the pointer names one of them, and each can answer: approved, stored, intact.
fn releases_hold(machine: &Machine) {
    let folder = machine.blob("releases");
    let mut numbered = files(&folder);
    numbered.retain(|file| file.parent() == Some(&folder) && !file.ends_with("current.json"));
    let releases: Vec<Value> = numbered.iter().map(|file| read_json(file)).collect();
    let mut intact = HashSet::new();
    for (index, release) in releases.iter().enumerate() {
        assert_eq!(release["number"], index + 1, "{release}");
        for model in [&release["champion"], &release["previous"]] {
            if model.is_null() || !intact.insert(model.to_string()) {
                continue;
            }
            assert!(
                is_approved(&machine.path("data"), model),
                "nobody approved {model}"
            );
            let version = model["version"].as_u64().unwrap();
            let file = machine.blob(&format!("models/messages/{version:06}/model.onnx"));
            let digest = Digest::of(&fs::read(file).unwrap()).to_string();
            assert_eq!(model["digest"], digest, "{model}");
        }
    }
    if let Ok(pointer) = fs::read_to_string(folder.join("current.json")) {
        let pointer: Value = serde_json::from_str(&pointer).unwrap();
        let number = pointer["number"].as_u64().unwrap() as usize;
        assert_eq!(Some(&pointer), releases.get(number - 1), "the pointer");
    }
    for abort in files(&machine.blob("aborts")) {
        let number = read_json(&abort)["release"].as_u64().unwrap() as usize;
        assert!(
            number <= releases.len(),
            "{} is of no release",
            abort.display()
        );
    }
}

/// The audit streams name exactly the approvals that there are.
fn approvals_are_recorded(machine: &Machine) {
    let mut recorded: Vec<Value> = machine.audit_events();
    recorded.retain(|event| event["kind"] == "release_approved");
    let recorded: Vec<Value> = recorded
        .iter()
        .map(|event| event["model"].clone())
        .collect();
    let stored = files(&machine.blob("releases/approvals"));
    assert_eq!(recorded.len(), stored.len(), "{recorded:?}");
    for approval in stored {
        let model = read_json(&approval)["model"].take();
        assert!(recorded.contains(&model), "{model} has no line");
    }
}

/// No line of a log is torn, and no prediction is there twice.
fn logs_are_whole(machine: &Machine) {
    let mut seen = HashSet::new();
    for record in machine.predictions() {
        let identity = format!("{} {}", record["id"], record["variant"]);
        assert!(seen.insert(identity), "{record} is there twice");
    }
    for log in ["audit", "feedback", "quarantine"] {
        for file in files(&machine.blob(log)) {
            json_lines(&file);
        }
    }
}

/// Whether a person said yes to exactly this model.
pub(super) fn is_approved(data: &Path, model: &Value) -> bool {
    let digest: Digest = model["digest"].as_str().unwrap().parse().unwrap();
    let approval = data.join(format!("releases/approvals/{}.json", digest.hex()));
    approval.is_file() && read_json(&approval)["model"]["digest"] == model["digest"]
}
