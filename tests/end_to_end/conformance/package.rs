//! Line 46. Folder, function name, `function.json`, route and registration are one thing said five times: here they are compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use azure_functions::{FunctionInfo, TriggerKind};
use serde_json::Value;
use sluice::config::{ModelConfig, Settings};
use sluice::context::Context;
use sluice::functions::{self, HOST_JSON, MANIFESTS};

use crate::http;
use crate::machine::Machine;

#[test]
fn line_46_the_staged_folder_is_complete() {
    super::checked::holds(46);
}

fn folders() -> BTreeMap<String, Value> {
    let handlers = Path::new(env!("CARGO_MANIFEST_DIR")).join("handlers");
    let entries = fs::read_dir(handlers)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let with_manifest = entries.filter(|folder| folder.join("function.json").is_file());
    with_manifest
        .map(|folder| {
            let manifest = crate::machine::read_json(&folder.join("function.json"));
            (
                folder.file_name().unwrap().to_str().unwrap().to_owned(),
                manifest,
            )
        })
        .collect()
}

/// The functions as the executable registers them.
fn registered(machine: &Machine) -> Vec<FunctionInfo> {
    let config = ModelConfig::read(&machine.path("sluice.toml")).unwrap();
    let storage = format!("directory:{}", machine.path("data").display());
    let settings =
        Settings::read(|name| (name == "SLUICE_STORAGE").then(|| storage.clone())).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let context = Context::open(settings, config, "manifests").unwrap();
        functions::app(&context).functions().to_vec()
    })
}

fn trigger(manifest: &Value) -> &Value {
    let bindings = manifest["bindings"].as_array().unwrap();
    let mut triggers = bindings.iter().filter(|binding| {
        binding["type"]
            .as_str()
            .unwrap()
            .to_lowercase()
            .ends_with("trigger")
    });
    let trigger = triggers.next().unwrap();
    assert!(
        triggers.next().is_none(),
        "a function has one trigger: {manifest}"
    );
    assert_eq!(trigger["direction"], "in");
    trigger
}

#[test]
fn line_46_folders_manifests_and_registrations_are_the_same_functions() {
    let (machine, folders) = (Machine::new(), folders());
    let registered: BTreeMap<String, FunctionInfo> = registered(&machine)
        .into_iter()
        .map(|function| (function.name.clone(), function))
        .collect();
    let names: BTreeSet<&str> = folders.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        MANIFESTS.iter().map(|manifest| manifest.name).collect()
    );
    assert_eq!(names, registered.keys().map(String::as_str).collect());

    let host: Value = serde_json::from_str(HOST_JSON).unwrap();
    let prefix = host["extensions"]["http"]["routePrefix"].as_str().unwrap();
    for manifest in MANIFESTS {
        let inside: Value = serde_json::from_str(manifest.function_json).unwrap();
        assert_eq!(
            inside, folders[manifest.name],
            "{} in the executable is another",
            manifest.name
        );
        let (trigger, function) = (trigger(&inside), &registered[manifest.name]);
        let kind = match trigger["type"].as_str().unwrap() {
            "httpTrigger" => TriggerKind::Http,
            "timerTrigger" => TriggerKind::Timer,
            "blobTrigger" => TriggerKind::Blob,
            other => panic!("{}: {other}", manifest.name),
        };
        assert_eq!(function.trigger, kind, "{}", manifest.name);
        let route = trigger["route"]
            .as_str()
            .map(|route| format!("/{prefix}/{route}"));
        assert_eq!(function.route, route, "{}", manifest.name);
    }
}

#[test]
fn line_46_binding_names_are_legal_and_stand_once() {
    for (name, manifest) in folders() {
        assert!(
            name.starts_with(|c: char| c.is_ascii_alphabetic()),
            "{name}"
        );
        assert!(
            name.len() <= 127
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'),
            "{name}"
        );
        let mut seen = BTreeSet::new();
        for binding in manifest["bindings"].as_array().unwrap() {
            let binding_name = binding["name"].as_str().unwrap();
            let mut characters = binding_name.chars();
            assert!(
                characters.next().is_some_and(|c| c.is_ascii_alphabetic()),
                "{name}: {binding}"
            );
            assert!(
                characters.all(|c| c.is_ascii_alphanumeric() || c == '_'),
                "{name}: {binding}"
            );
            assert!(
                seen.insert(binding_name),
                "{name}: {binding_name} is there twice"
            );
            assert!(
                ["in", "out"].contains(&binding["direction"].as_str().unwrap()),
                "{name}: {binding}"
            );
        }
        let is_http = trigger(&manifest)["type"] == "httpTrigger";
        let outputs = manifest["bindings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|binding| binding["type"] == "http")
            .count();
        assert_eq!(
            outputs,
            usize::from(is_http),
            "{name}: an HTTP function answers through one http output"
        );
    }
}

#[test]
fn line_46_the_host_starts_the_binary_by_its_name() {
    let host: Value = serde_json::from_str(HOST_JSON).unwrap();
    let handler = &host["customHandler"];
    let binary = Path::new(env!("CARGO_BIN_EXE_sluice"))
        .file_name()
        .unwrap()
        .to_str()
        .unwrap();
    assert_eq!(handler["description"]["defaultExecutablePath"], binary);
    assert_eq!(handler["enableForwardingHttpRequest"], true);
    assert_eq!(host["version"], "2.0");
}

#[test]
fn line_46_up_serves_every_function_and_provides_every_setting_that_they_name() {
    let up = Machine::new().up();
    let served = http::get(&format!("{}/admin/functions", up.url))
        .unwrap()
        .json();
    let served: BTreeSet<&str> = served
        .as_array()
        .unwrap()
        .iter()
        .map(|function| function["name"].as_str().unwrap())
        .collect();
    let folders = folders();
    assert_eq!(
        served,
        folders.keys().map(String::as_str).collect(),
        "{}",
        up.process.output()
    );
    let output = up.process.output();
    assert!(
        !output.contains("is not served") && !output.contains("host: function"),
        "{output}"
    );

    let environment = fs::read(format!("/proc/{}/environ", up.handler_pid())).unwrap();
    let environment = String::from_utf8_lossy(&environment).into_owned();
    for (name, manifest) in &folders {
        let Some(schedule) = trigger(manifest)["schedule"].as_str() else {
            continue;
        };
        let setting = schedule
            .strip_prefix('%')
            .and_then(|rest| rest.strip_suffix('%'))
            .unwrap_or_else(|| panic!("{name}: {schedule} is no setting"));
        assert!(
            environment
                .split('\0')
                .any(|variable| variable.starts_with(&format!("{setting}="))),
            "{name}: {setting} is not provided"
        );
    }
}
