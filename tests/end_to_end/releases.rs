//! Releases: the second training against the champion, the swap under load, rollback, abort, and what is refused.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::http;
use crate::machine::{Machine, read_json};
use crate::rows;
use crate::up::Up;

/// A machine with version 1 answering and versions 2 and 3 that were compared with it.
fn with_two_candidates() -> Machine {
    let machine = Machine::released(&[]);
    machine.ingest("second.csv", rows::csv(2, 300));
    assert_eq!(machine.train(), 2);
    machine.ingest("third.csv", rows::csv(3, 300));
    assert_eq!(machine.train(), 3);
    machine
}

#[test]
fn the_second_training_compares_with_the_champion_on_the_same_rows() {
    let machine = Machine::released(&[]);
    machine.ingest("second.csv", rows::csv(2, 300));
    machine.train();
    let first = machine.json(&["release", "status"])["serving"].take();
    let evidence = read_json(&machine.blob("models/messages/000002/evidence.json"));
    assert_eq!(evidence["champion"], first);
    let test_rows = &machine.dataset()["split_counts"]["test"];
    assert_eq!(&evidence["evaluation"]["rows"], test_rows);
    assert_eq!(
        &evidence["champion_evaluation"]["rows"], test_rows,
        "both were judged on the same rows"
    );
    assert!(
        evidence["comparison"]["lower"].is_number() || evidence["comparison"].is_object(),
        "{evidence}"
    );
    assert_eq!(
        read_json(&machine.blob("models/messages/000002/model.json"))["gate"]["champion"],
        first
    );
}

#[test]
fn a_swap_drops_no_request_and_a_rollback_brings_the_old_model_back() {
    let up = with_two_candidates().up();
    up.answers(1);
    let versions = while_clients_ask(&up, |every_client_sees| {
        every_client_sees(1);
        up.release(2);
        every_client_sees(2);
        up.sluice(&["release", "rollback", "--reason", "too many complaints"])
            .expect_success();
        every_client_sees(1);
    });
    for mut seen in versions {
        seen.dedup();
        assert_eq!(
            seen,
            [1, 2, 1],
            "each client sees one model, then the other, then the first again"
        );
    }
    let status = up.json(&["release", "status"]);
    assert_eq!(
        (
            status["release"]["number"].as_u64(),
            status["serving"]["version"].as_u64()
        ),
        (Some(3), Some(1)),
        "{status}"
    );
    let kinds: Vec<Value> = up
        .audit_events()
        .iter()
        .map(|event| event["kind"].clone())
        .collect();
    assert!(kinds.contains(&json!("release_rolled_back")), "{kinds:?}");
}

/// Asks without a pause from several threads while `work` is done; gives the model versions that each client saw. What
/// `work` gets waits until the last answer of every client came from a version.
fn while_clients_ask(up: &Up, work: impl FnOnce(&dyn Fn(u64))) -> Vec<Vec<u64>> {
    let (url, over) = (format!("{}/api/predict", up.url), AtomicBool::new(false));
    let last_seen: [AtomicU64; 3] = Default::default();
    let ask = |last_seen: &AtomicU64| {
        let mut versions = Vec::new();
        while !over.load(Ordering::Relaxed) {
            let answer = http::post(&url, &json!({ "inputs": ["the levee collapsed"] }));
            assert_eq!(answer.status, 200, "{answer:?}");
            let version = answer.json()["model"]["version"].as_u64().unwrap();
            versions.push(version);
            last_seen.store(version, Ordering::Relaxed);
        }
        versions
    };
    thread::scope(|scope| {
        let ask = &ask;
        let clients: Vec<_> = last_seen
            .iter()
            .map(|last_seen| scope.spawn(move || ask(last_seen)))
            .collect();
        let every_client_sees = |version: u64| {
            up.eventually(&format!("version {version} at every client"), || {
                let failed = clients.iter().any(|client| client.is_finished());
                let all = last_seen
                    .iter()
                    .all(|seen| seen.load(Ordering::Relaxed) == version);
                (all || failed).then_some(())
            });
        };
        // The clients must end also when the work fails.
        let worked = catch_unwind(AssertUnwindSafe(|| work(&every_client_sees)));
        over.store(true, Ordering::Relaxed);
        let versions = clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .collect();
        if let Err(panic) = worked {
            resume_unwind(panic);
        }
        versions
    })
}

#[test]
fn an_abort_falls_back_to_the_champion_before() {
    let up = with_two_candidates().up();
    up.release(2);
    up.sluice(&[
        "release",
        "abort",
        "--reason",
        "wrong labels in production",
        "--by",
        "Grace",
    ])
    .expect_success();
    up.answers(1);
    let status = up.json(&["release", "status"]);
    assert_eq!(status["aborted"]["requested_by"], "Grace", "{status}");
    let again = up.sluice(&["release", "promote", "2"]);
    assert_eq!(
        again.code, 1,
        "an aborted release does not come back by itself: {again:?}"
    );
    assert!(
        again.stderr.contains("wrong labels in production"),
        "{again:?}"
    );
    up.release(3);
}

#[test]
fn what_nobody_approved_is_not_promoted() {
    let machine = with_two_candidates();
    let refused = machine.sluice(&["release", "promote", "2"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("not approved") || refused.stderr.contains("approve"),
        "{refused:?}"
    );
    assert_eq!(
        machine.json(&["release", "status"])["serving"]["version"],
        1
    );
}

#[test]
fn a_candidate_that_was_compared_with_another_champion_is_refused() {
    let machine = with_two_candidates();
    machine
        .sluice(&["release", "approve", "2", "--promote"])
        .expect_success();
    let stale = machine.sluice(&["release", "approve", "3", "--promote"]);
    assert_eq!(stale.code, 1, "{stale:?}");
    assert!(
        stale
            .stderr
            .contains("compared with version 1, and version 2 answers now: retrain"),
        "{stale:?}"
    );
    assert_eq!(
        machine.json(&["release", "status"])["serving"]["version"],
        2
    );
}

#[test]
fn promoting_twice_is_promoting_once() {
    let machine = Machine::released(&[]);
    let before = machine.json(&["release", "status"]);
    let again = machine.sluice(&["release", "promote", "1"]);
    assert!(
        again.code == 0 && again.stdout.contains("nothing changed"),
        "{again:?}"
    );
    assert_eq!(machine.json(&["release", "status"]), before);
}

#[test]
fn the_first_release_cannot_be_taken_back() {
    let machine = Machine::released(&[]);
    for verb in ["rollback", "abort"] {
        let refused = machine.sluice(&["release", verb, "--reason", "a test"]);
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(
            refused.stderr.starts_with("error: ") && refused.stderr.lines().count() == 1,
            "{refused:?}"
        );
    }
    assert_eq!(
        machine.json(&["release", "status"])["serving"]["version"],
        1
    );
}

#[test]
fn a_shadow_is_only_in_the_log() {
    let machine = with_two_candidates();
    machine
        .sluice(&[
            "release",
            "challenger",
            "2",
            "--mode",
            "shadow",
            "--weight",
            "1",
        ])
        .expect_success();
    let up = machine.up();
    up.answers(1);
    let answer = up.predict(&["trapped victims", "a lunch"]).json();
    assert_eq!(
        (
            answer["model"]["version"].as_u64(),
            answer["variant"].as_str()
        ),
        (Some(1), Some("champion")),
        "{answer}"
    );
    let id = answer["id"].as_str().unwrap();
    let logged = up.eventually("both models in the prediction log", || {
        let mut records = up.predictions();
        records.retain(|record| record["id"].as_str().unwrap().starts_with(id));
        (records.len() == 4).then_some(records)
    });
    let shadows = logged
        .iter()
        .filter(|record| record["variant"] == "shadow" && record["model_version"] == 2)
        .count();
    assert_eq!(shadows, 2, "{logged:?}");
}
