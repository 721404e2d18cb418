//! Good uploads: the same one twice, two at once, one that no event announced.

use std::collections::BTreeSet;
use std::fs;

use crate::machine::{Machine, files};
use crate::process::Process;
use crate::rows;
use crate::up::Up;
use crate::wait::eventually;

#[test]
fn the_same_upload_twice_changes_nothing() {
    let machine = Machine::new();
    let csv = rows::csv(1, 200);
    let first = machine.ingest("a.csv", &csv);
    assert_eq!(
        (first["outcome"].as_str(), first["accepted"].as_u64()),
        (Some("ingested"), Some(200)),
        "{first}"
    );
    let (dataset, audit) = (machine.dataset(), machine.audit_events());

    let same_name = machine.ingest("a.csv", &csv);
    assert_eq!(same_name["outcome"], "already_known", "{same_name}");
    let other_name = machine.ingest("b.csv", &csv);
    assert_eq!(other_name["outcome"], "already_known", "{other_name}");
    assert_eq!(machine.dataset(), dataset);
    assert_eq!(machine.audit_events(), audit);
}

#[test]
fn the_same_rows_in_another_file_are_refused_as_repeats() {
    let machine = Machine::new();
    machine.ingest("a.csv", rows::csv(1, 200));
    let both = rows::csv(1, 200) + rows::csv(2, 50).split_once('\n').unwrap().1;
    let second = machine.ingest("b.csv", both);
    assert_eq!(
        (second["accepted"].as_u64(), second["refused"].as_u64()),
        (Some(50), Some(200)),
        "{second}"
    );
    assert_eq!(machine.dataset()["rows"], 250);
}

#[test]
fn uploads_at_once_are_all_in_the_history() {
    let machine = Machine::new();
    let names: BTreeSet<String> = (0..6).map(|seed| format!("{seed}.csv")).collect();
    for (seed, name) in names.iter().enumerate() {
        fs::write(machine.path(name), rows::csv(seed as u64, 100)).unwrap();
    }
    let mut commands: Vec<Process> = names
        .iter()
        .map(|name| Process::start(machine.command(&["ingest", name])))
        .collect();
    for command in &mut commands {
        let status = eventually("the end of an ingest", String::new, || command.ended());
        assert!(status.success(), "{}", command.output());
    }
    let dataset = machine.dataset();
    assert_eq!(
        (dataset["version"].as_u64(), dataset["rows"].as_u64()),
        (Some(6), Some(600)),
        "{dataset}"
    );
    assert_eq!(uploads(&machine), names);
    machine.sluice(&["audit", "verify"]).expect_success();
}

#[test]
fn files_that_appear_under_the_host_are_ingested() {
    let up = Machine::new().up();
    up.upload("a.csv", rows::csv(1, 100));
    up.upload("b.csv", rows::csv(2, 100));
    let names = BTreeSet::from(["a.csv".to_owned(), "b.csv".to_owned()]);
    up.eventually("both files in the dataset", || {
        (uploads(&up) == names).then_some(())
    });
    assert_eq!(up.dataset()["rows"], 200);
    up.upload("c.csv", rows::csv(2, 100));
    up.prints("upload messages/c.csv changed nothing: the same bytes were ingested before");
    assert_eq!(up.dataset()["version"], 2);
}

#[test]
fn reconcile_ingests_what_no_event_announced() {
    let machine = Machine::new();
    machine.upload("stranded.csv", rows::csv(1, 100));
    let early = machine.json(&["reconcile"]);
    assert_eq!(
        early["uploads"],
        serde_json::json!([]),
        "a file this young may still be growing: {early}"
    );
    machine.an_hour_passes();
    let reconciled = machine.json(&["reconcile"]);
    assert_eq!(
        reconciled["uploads"][0][0], "messages/stranded.csv",
        "{reconciled}"
    );
    assert_eq!(reconciled["uploads"][0][1]["accepted"], 100, "{reconciled}");
    assert_eq!(
        machine.json(&["reconcile"])["uploads"],
        serde_json::json!([])
    );
}

#[test]
fn a_file_put_in_while_nothing_ran_is_ingested_under_the_host() {
    let machine = Machine::new();
    machine.upload("before.csv", rows::csv(1, 100));
    machine.an_hour_passes();
    let up = Up::start(machine, &["--empty"]);
    up.fire("reconcile");
    up.eventually("the file in the dataset", || {
        (up.dataset()["rows"] == 100).then_some(())
    });
}

#[test]
fn a_gzip_and_json_lines_are_read_like_csv() {
    let machine = Machine::new();
    let gzipped = crate::bad_uploads::gzip(rows::csv(1, 100).as_bytes());
    assert_eq!(machine.ingest("a.csv.gz", gzipped)["accepted"], 100);
    let line = r#"{"created_at":"2024-05-01T00:00:00Z","tweet_id":"j1","event":"flood","label":"disaster","text":"a row of its own"}"#;
    assert_eq!(
        machine.ingest("b.jsonl", format!("{line}\n"))["accepted"],
        1
    );
    assert_eq!(files(&machine.blob("datasets/messages/versions")).len(), 2);
}

/// The names of the uploads behind the newest dataset version, each once.
fn uploads(machine: &Machine) -> BTreeSet<String> {
    let dataset = machine.dataset();
    let uploads = dataset["uploads"].as_array().cloned().unwrap_or_default();
    let names: Vec<String> = uploads
        .iter()
        .map(|upload| {
            upload["name"]
                .as_str()
                .unwrap()
                .trim_start_matches("messages/")
                .to_owned()
        })
        .collect();
    let distinct: BTreeSet<String> = names.iter().cloned().collect();
    assert_eq!(
        names.len(),
        distinct.len(),
        "an upload is there twice: {names:?}"
    );
    distinct
}
