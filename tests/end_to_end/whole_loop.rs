//! Once round: upload, dataset version, training run, candidate, approval, prediction, feedback, report, audit.

use std::fs;

use serde_json::{Value, json};

use crate::machine::{Machine, files, read_json, said};
use crate::rows;
use crate::up::Up;

#[test]
fn from_an_upload_to_an_answer_that_can_be_traced_back() {
    let machine = Machine::new();
    fs::write(machine.path("rows.csv"), rows::csv(1, 900)).unwrap();
    let up = Up::start(machine, &["--import", "rows.csv"]);
    let refused = up.predict(&["a flood"]);
    assert_eq!(
        (refused.status, refused.header("retry-after").is_empty()),
        (503, false),
        "{refused:?}"
    );
    assert_eq!(refused.json()["error"]["code"], "no_champion");
    let message = refused.json()["error"]["message"].to_string();
    assert!(
        message.contains("approve and promote") && message.contains("sluice release status"),
        "{message}"
    );

    up.candidate(1);
    assert_eq!(up.dataset()["uploads"][0]["name"], "messages/rows.csv");
    let waiting = up.json(&["release", "status"])["waiting"].take();
    assert_eq!(waiting[0]["proposal"]["proposed_by"], "gate", "{waiting}");
    assert_eq!(waiting[0]["approval"], Value::Null, "{waiting}");
    assert_eq!(
        up.predict(&["a flood"]).status,
        503,
        "a candidate does not answer before a person said yes"
    );

    up.sluice(&["release", "approve", "1", "--promote", "--by", "Ada"])
        .expect_success();
    up.answers(1);
    let answer = answer_of_three(&up);
    let ids: Vec<&str> = answer["predictions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["id"].as_str().unwrap())
        .collect();
    send_labels_back(&up, &ids);
    the_report_joins_the_labels(&up);
    the_answer_can_be_traced(&up, ids[0]);
    the_record_holds_until_somebody_edits_it(&up);
}

/// Predicts three texts and checks everything that an answer must say.
fn answer_of_three(up: &Up) -> Value {
    let answer = up
        .predict(&[
            "flooded street, people trapped, rescue needed",
            "coffee and a movie",
            "sofa, kitten, recipe",
        ])
        .json();
    let status = up.json(&["release", "status"]);
    assert_eq!(answer["model"]["name"], "messages");
    assert_eq!(answer["model"]["version"], 1);
    assert_eq!(answer["model"]["digest"], status["serving"]["digest"]);
    assert_eq!(answer["release"], 1);
    let request = answer["id"].as_str().unwrap();
    let predictions = answer["predictions"].as_array().unwrap();
    assert_eq!(predictions.len(), 3);
    for (index, prediction) in predictions.iter().enumerate() {
        assert_eq!(prediction["id"], format!("{request}.{index}"));
        let scores = prediction["scores"].as_object().unwrap();
        assert_eq!(scores.keys().collect::<Vec<_>>(), ["disaster", "other"]);
        let sum: f64 = scores.values().map(|score| score.as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{prediction}");
        let label = prediction["label"].as_str().unwrap();
        assert_eq!(prediction["confidence"], scores[label]);
        assert!(
            scores
                .values()
                .all(|score| score.as_f64() <= prediction["confidence"].as_f64()),
            "{prediction}"
        );
    }
    assert_eq!(predictions[0]["label"], "disaster", "{answer}");
    assert_eq!(predictions[1]["label"], "other", "{answer}");
    answer
}

/// One label by itself, many at once, one in another spelling, one by the id of a request with one input.
fn send_labels_back(up: &Up, ids: &[&str]) {
    let single = up.feedback(&json!({ "id": ids[0], "label": "1" }));
    assert_eq!(
        single.json(),
        json!({ "accepted": 1, "feedback": [{ "id": ids[0], "label": "disaster" }] })
    );
    let many = up.feedback(&json!({ "feedback": [{ "id": ids[1], "label": "other" }, { "id": ids[2], "label": "0" }] }));
    assert_eq!(
        (many.status, many.json()["accepted"].as_u64()),
        (200, Some(2)),
        "{many:?}"
    );
    let request = up.predict(&["one single text"]).json()["id"].take();
    let by_request = up.feedback(&json!({ "id": request, "label": "other" }));
    assert_eq!(
        by_request.json()["feedback"][0]["id"],
        format!("{}.0", request.as_str().unwrap()),
        "{by_request:?}"
    );
}

fn the_report_joins_the_labels(up: &Up) {
    let report = up.eventually("a report of every labelled prediction", || {
        let report = up.json(&["report"]);
        (report["report"]["labelled"] == 4).then_some(report)
    });
    let page = report["page"].as_str().unwrap();
    let html = fs::read_to_string(up.blob(&format!("reports/{page}"))).unwrap();
    assert!(
        html.contains("<svg") && html.contains("</html>"),
        "{page} has no plots or no end"
    );
    for outside in ["<script src", "<link rel=\"stylesheet\"", "src=\"http"] {
        assert!(
            !html.contains(outside),
            "{page} needs something from outside: {outside}"
        );
    }
    let stored = read_json(&up.blob(&format!("reports/{}", page.replace(".html", ".json"))));
    assert_eq!(stored, report["report"]);
    assert!(up.blob("reports/latest.html").is_file());
}

fn the_answer_can_be_traced(up: &Up, id: &str) {
    let trace = up.json(&["audit", "trace", id]);
    let titles: String = trace["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            format!(
                "{}: {}\n",
                step["kind"].as_str().unwrap(),
                step["title"].as_str().unwrap()
            )
        })
        .collect();
    for expected in [
        format!("prediction: prediction {id}: disaster"),
        "release: release 1 by Ada".to_owned(),
        "model: model messages/1".to_owned(),
        "approval: approved by Ada".to_owned(),
        "code: sluice ".to_owned(),
        "dataset: dataset messages/1".to_owned(),
        "upload: upload messages/rows.csv".to_owned(),
    ] {
        assert!(
            titles.contains(&expected),
            "the trace does not say {expected:?}:\n{titles}"
        );
    }
    let text = up.sluice(&["audit", "trace", id]);
    assert!(
        text.code == 0 && text.stdout.contains("approved by Ada"),
        "{text:?}"
    );
}

fn the_record_holds_until_somebody_edits_it(up: &Up) {
    up.eventually("a whole audit record", || {
        (up.sluice(&["audit", "verify"]).code == 0).then_some(())
    });
    let stream = up.blob("audit/command/000000.jsonl");
    let text = fs::read_to_string(&stream).unwrap();
    let line = text
        .lines()
        .position(|line| line.contains("release_promoted"))
        .unwrap()
        + 1;
    let (before, after) = text.split_once("\"kind\":\"release_promoted\"").unwrap();
    let edited = format!(
        "{before}\"kind\":\"release_promoted\"{}",
        after.replacen("Ada", "Bda", 1)
    );
    assert_eq!(edited.len(), text.len());
    fs::write(&stream, edited).unwrap();

    let broken = up.sluice(&["audit", "verify"]);
    assert_eq!(broken.code, 1, "{broken:?}");
    let expected =
        format!("audit stream command is broken at line {line} of audit/command/000000.jsonl");
    assert!(broken.stdout.contains(&expected), "{broken:?}");
}

#[test]
fn a_fresh_machine_shows_the_loop_with_messages_that_say_that_they_are_synthetic() {
    let machine = Machine::with(&[("gate.min_test_rows", 50.into())]);
    let up = Up::start(machine, &[]);
    up.prints("synthetic sample messages");
    up.candidate(1);
    let printed = up.process.output();
    for line in [
        "release approve 1 --promote",
        "/api/predict -H",
        "/api/feedback -H",
        "audit trace",
    ] {
        assert!(
            printed.contains(line),
            "{line:?} is not among what to try next:\n{printed}"
        );
    }
    let evidence = files(&up.blob("models/messages/000001"))
        .into_iter()
        .find(|file| file.ends_with("evidence.md"))
        .unwrap();
    assert!(printed.contains(evidence.to_str().unwrap()), "{printed}");
}

#[test]
fn what_up_prints_can_be_pasted() {
    let machine = Machine::new();
    fs::rename(machine.path("sluice.toml"), machine.path("model.toml")).unwrap();
    let mut command = machine.command(&[
        "--config",
        "model.toml",
        "--data",
        "elsewhere/data",
        "up",
        "--port",
        "0",
        "--no-timers",
    ]);
    command.env_remove("SLUICE_STORAGE");
    let up = Up::launch(machine, command);
    up.candidate(1);
    let paste = |ending: &str| {
        let printed = up.process.output();
        let line = printed.lines().find(|line| line.ends_with(ending));
        let line = line.unwrap_or_else(|| panic!("no line ends with {ending:?}:\n{printed}"));
        let arguments: Vec<&str> = line.split_whitespace().skip(1).collect();
        let mut pasted = up.command(&arguments);
        pasted.env_remove("SLUICE_STORAGE");
        said(pasted).expect_success();
    };
    up.eventually("the whole of what to try next", || {
        up.process.output().contains("audit trace ID").then_some(())
    });
    paste("release approve 1 --promote");
    up.answers(1);
    paste(" report");
}
