//! Lines 31 to 45: our handler. What any handler must do is tried by `sluice host conformance`; what only ours does is here.

use std::fs;
use std::thread;

use hyper::Method;
use serde_json::{Value, json};

use super::checked::holds;
use crate::http::{self, Answer};
use crate::invocations::{blob_event, timer_event, try_invoke};
use crate::machine::{Machine, files, json_lines, said};
use crate::rows;
use crate::up::Handler;

fn invoke(handler: &Handler, function: &str, envelope: &Value) -> Answer {
    try_invoke(&handler.url, function, envelope).unwrap()
}

#[test]
fn line_31_it_listens_where_it_is_told_or_ends_with_a_reason() {
    holds(31);
    let machine = Machine::new();
    for port in ["http", "0", "65536"] {
        let mut command = machine.command(&[]);
        command.env("FUNCTIONS_CUSTOMHANDLER_PORT", port);
        let said = said(command);
        assert_eq!(said.code, 1, "{said:?}");
        assert!(
            said.stderr.contains("FUNCTIONS_CUSTOMHANDLER_PORT")
                && said.stderr.contains(&format!("{port:?}")),
            "{said:?}"
        );
    }
}

#[test]
fn line_32_the_probe_is_answered_at_once_and_always_the_same() {
    holds(32);
    // A model that cannot be loaded does not keep it from answering, either.
    let machine = Machine::released(&[]);
    for model in files(&machine.blob("models")) {
        if model
            .extension()
            .is_some_and(|extension| extension == "onnx")
        {
            fs::write(model, b"damaged").unwrap();
        }
    }
    let handler = machine.handler();
    assert_eq!(http::get(&handler.url).unwrap().status, 200);
}

#[test]
fn line_33_envelopes_of_every_framing_encoding_and_size_are_taken() {
    holds(33);
}

#[test]
fn line_33_the_inlined_content_is_not_read_but_the_blob_itself() {
    let machine = Machine::new();
    machine.upload("rows.csv", rows::csv(1, 120));
    let handler = machine.handler();
    // Not even base64.
    let answer = invoke(
        &handler,
        "ingest",
        &blob_event("rows.csv", "%%% no base64 %%%"),
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(machine.dataset()["rows"], 120);
}

#[test]
fn line_34_a_success_is_200_with_an_object() {
    holds(34);
    let machine = Machine::new();
    let handler = machine.handler();
    for function in ["retrain", "monitor", "reconcile"] {
        let answer = invoke(&handler, function, &timer_event(function));
        assert_eq!(answer.status, 200, "{function}: {answer:?}");
        assert_eq!(answer.header("content-type"), "application/json");
        let answer = answer.json();
        assert!(
            answer["Outputs"].is_object()
                && answer["Logs"].is_array()
                && answer.get("ReturnValue").is_some_and(Value::is_null),
            "{function}: {answer}"
        );
    }
}

#[test]
fn line_35_a_bad_upload_is_a_success_with_a_record() {
    holds(35);
    let machine = Machine::new();
    machine.upload("bad.csv", "no,such,columns\n1,2,3\n");
    let handler = machine.handler();
    let answer = invoke(&handler, "ingest", &blob_event("bad.csv", ""));
    assert_eq!(answer.status, 200, "{answer:?}");
    let log = answer.json()["Logs"][0].to_string();
    assert!(
        log.contains("refused") && log.contains("quarantine/"),
        "{log}"
    );
    assert!(!files(&machine.blob("quarantine")).is_empty());
}

#[test]
fn line_35_a_fault_that_may_pass_is_a_failure_with_its_reason_on_standard_output() {
    let machine = Machine::new();
    machine.upload("rows.csv", rows::csv(1, 50));
    // Where the dataset's versions would go there is a file.
    fs::create_dir_all(machine.blob("datasets")).unwrap();
    fs::write(machine.blob("datasets/messages"), "in the way").unwrap();
    let handler = machine.handler();
    let answer = invoke(&handler, "ingest", &blob_event("rows.csv", ""));
    assert!(answer.status >= 500, "{answer:?}");
    handler.eventually("the reason in the log", || {
        handler.process.output().contains("datasets").then_some(())
    });
    // The fault passes: the host's next attempt takes the rows.
    fs::remove_file(machine.blob("datasets/messages")).unwrap();
    let answer = invoke(&handler, "ingest", &blob_event("rows.csv", ""));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(machine.dataset()["rows"], 50);
}

#[test]
fn line_36_the_same_event_twice_and_at_once_gives_one_result() {
    holds(36);
    let machine = Machine::new();
    machine.upload("rows.csv", rows::csv(1, 150));
    let handler = machine.handler();
    let event = blob_event("rows.csv", "");
    thread::scope(|scope| {
        let at_once: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| invoke(&handler, "ingest", &event).status))
            .collect();
        for one in at_once {
            assert_eq!(one.join().unwrap(), 200);
        }
    });
    assert_eq!(invoke(&handler, "ingest", &event).status, 200);
    let dataset = machine.dataset();
    assert_eq!(
        (&dataset["rows"], &dataset["version"]),
        (&150.into(), &1.into()),
        "{dataset}"
    );
}

#[test]
fn line_37_killed_at_any_moment_it_goes_on() {
    // Many more kills, with everything that must hold after them, are in `faults`.
    holds(37);
}

#[test]
fn line_38_retrain_only_starts_a_run_and_ends_long_before_it() {
    holds(38);
    // A search that takes far longer than the test.
    let slow: Vec<f64> = (1..=500).map(f64::from).collect();
    let machine = Machine::with(&[("training.regularisation", slow.into())]);
    machine.ingest("rows.csv", rows::csv(1, 3_000));
    let handler = machine.handler();
    let answer = invoke(&handler, "retrain", &timer_event("retrain"));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        answer.json()["Logs"][0]
            .as_str()
            .unwrap()
            .contains("started"),
        "{answer:?}"
    );
    let runs = machine.json(&["status"])["runs"].clone();
    let state = runs[0]["state"].to_string();
    assert!(
        state.contains("submitted"),
        "the run is over already: {runs}"
    );
}

#[test]
fn line_39_the_probe_and_predictions_are_answered_while_rows_are_ingested() {
    holds(39);
    let machine = Machine::released(&[]);
    machine.upload("large.csv", rows::csv(3, 60_000));
    let handler = machine.handler();
    handler.eventually("a first prediction", || {
        (handler.predict(&["the street is flooded"]).status == 200).then_some(())
    });
    thread::scope(|scope| {
        let ingest = scope.spawn(|| invoke(&handler, "ingest", &blob_event("large.csv", "")));
        let mut answered = 0;
        while !ingest.is_finished() {
            assert_eq!(http::get(&handler.url).unwrap().status, 200);
            assert_eq!(handler.predict(&["the street is flooded"]).status, 200);
            answered += 1;
        }
        assert_eq!(ingest.join().unwrap().status, 200);
        assert!(
            answered >= 3,
            "only {answered} answers during the whole ingest"
        );
    });
}

#[test]
fn line_40_lines_go_to_standard_output_without_secrets() {
    holds(40);
    let machine = Machine::new();
    let mut command =
        machine.command(&["up", "--port", "0", "--no-timers", "--empty", "--verbose"]);
    command.env("SLUICE_LOG_FORMAT", "json");
    let up = crate::up::Up::launch(machine, command);
    up.upload("rows.csv", rows::csv(1, 50));
    let line = up.eventually("the line of an ingested upload", || {
        let output = up.process.output();
        let mut lines = output.lines().filter(|line| line.starts_with('{'));
        lines
            .find(|line| line.contains("rows.csv"))
            .map(str::to_owned)
    });
    let line: Value = serde_json::from_str(&line).unwrap();
    assert!(
        line["timestamp"].is_string() && line["level"].is_string(),
        "{line}"
    );
}

#[test]
fn line_41_forwarded_predictions_have_statuses_of_their_own() {
    holds(41);
}

#[test]
fn line_42_a_prediction_in_an_envelope_is_the_one_that_is_forwarded() {
    holds(42);
    let machine = Machine::released(&[]);
    let handler = machine.handler();
    let forwarded = handler.eventually("a first prediction", || {
        let answer = handler.predict(&["the street is flooded"]);
        (answer.status == 200).then(|| answer.json())
    });
    let envelope = json!({ "Data": { "req": {
        "Url": "http://localhost/api/predict", "Method": "POST", "Query": {},
        "Headers": { "Content-Type": ["application/json"] }, "Params": {},
        "Body": json!({ "inputs": ["the street is flooded"] }).to_string(),
    } }, "Metadata": {} });
    let answer = invoke(&handler, "predict", &envelope).json();
    let output = &answer["Outputs"]["res"];
    assert_eq!(output["statusCode"], 200, "{answer}");
    let enveloped: Value = match &output["body"] {
        Value::String(text) => serde_json::from_str(text).unwrap(),
        body => body.clone(),
    };
    let without_id = |answer: &Value| {
        let mut prediction = answer["predictions"][0].clone();
        prediction.as_object_mut().unwrap().remove("id");
        prediction
    };
    assert_eq!(without_id(&enveloped), without_id(&forwarded));
    assert_eq!(enveloped["model"], forwarded["model"]);
}

#[test]
fn line_42_a_wrong_body_in_an_envelope_is_the_error_that_is_forwarded() {
    let machine = Machine::new();
    let handler = machine.handler();
    let forwarded = http::send(http::request(
        Method::POST,
        &format!("{}/api/predict", handler.url),
        "application/json",
        "{\"inputs\":",
    ));
    let envelope = json!({ "Data": { "req": {
        "Url": "http://localhost/api/predict", "Method": "POST", "Query": {},
        "Headers": { "Content-Type": ["application/json"] }, "Params": {}, "Body": "{\"inputs\":",
    } }, "Metadata": {} });
    let answer = invoke(&handler, "predict", &envelope);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.json()["Outputs"]["res"]["statusCode"],
        forwarded.status
    );
}

#[test]
fn line_43_strays_get_404_405_and_400() {
    holds(43);
}

#[test]
fn line_44_the_package_is_left_alone_and_temporary_files_are_removed() {
    holds(44);
    let machine = Machine::new();
    machine.upload("rows.csv", rows::csv(1, 500));
    let handler = machine.handler();
    assert_eq!(
        invoke(&handler, "ingest", &blob_event("rows.csv", "")).status,
        200
    );
    assert_eq!(
        files(&machine.path("tmp")),
        Vec::<std::path::PathBuf>::new()
    );
}

#[test]
fn line_45_a_terminated_handler_ends_what_it_has_begun() {
    // That the prediction log is then complete is tried in `clean_stop`.
    holds(45);
}

#[test]
fn line_40_a_key_or_a_text_is_in_no_line_and_in_no_file() {
    let machine = Machine::released(&[("predict.log_inputs", "hash".into())]);
    let handler = machine.handler();
    let url = format!("{}/api/predict?code=hidden-code", handler.url);
    handler.eventually("a first prediction", || {
        let mut request = http::request(
            Method::POST,
            &url,
            "application/json",
            json!({ "inputs": ["hidden-text flood"] }).to_string(),
        );
        let headers = request.headers_mut();
        headers.insert("x-functions-key", "hidden-key".parse().unwrap());
        headers.insert("cookie", "a=hidden-cookie".parse().unwrap());
        (http::send(request).status == 200).then_some(())
    });
    handler.eventually("the record in the log", || {
        (!machine.predictions().is_empty()).then_some(())
    });
    let mut written = handler.process.output();
    for file in files(&machine.blob("predictions")) {
        for line in json_lines(&file) {
            written.push_str(&line.to_string());
        }
    }
    assert!(!written.contains("hidden-"), "{written}");
}
