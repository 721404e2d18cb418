//! Lines 9 to 11: which functions an app has, and which mistakes are told.

use std::fs;

use serde_json::{Value, json};
use sluice_functions_host::{FunctionStatus, HostError, HostEvent};

use super::calls::get;
use super::functions::{blob, http, queue_output, timer, with_binding};
use super::support::{App, is_served, reason, status};

fn one(binding: Value) -> Value {
    json!({ "bindings": [binding] })
}

#[tokio::test]
async fn line_09_only_immediate_folders_with_a_function_json_are_functions() {
    let app = App::new(&[
        ("good", http("good", "anonymous")),
        ("nested/deeper", http("deeper", "anonymous")),
    ]);
    fs::create_dir(app.path("app/plain")).unwrap();
    fs::write(app.path("app/plain/readme.md"), "x").unwrap();
    fs::write(
        app.path("app/function.json"),
        http("root", "anonymous").to_string(),
    )
    .unwrap();
    let host = app.start_ready().await;
    let names: Vec<_> = host
        .functions()
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    assert_eq!(names, ["good"]);
    assert_eq!(get(&host, "/api/good").await.status, 200);
    assert_eq!(get(&host, "/api/deeper").await.status, 404);
    host.stop().await;
}

#[tokio::test]
async fn line_09_each_mistake_is_reported_and_the_others_are_served() {
    let long = "a".repeat(129);
    let tick = || timer("0 0 3 * * 1");
    let two = with_binding(tick(), blob("incoming/{name}")["bindings"][0].clone());
    let twice = with_binding(tick(), queue_output("TIMER"));
    let unknown = one(json!({ "type": "queueTrigger", "direction": "in", "name": "a" }));
    let no_trigger = one(json!({ "type": "http", "direction": "out", "name": "res" }));
    let mistakes = [
        ("1st", tick(), "name is invalid"),
        ("with space", tick(), "name is invalid"),
        (&*long, tick(), "name is invalid"),
        ("Host", tick(), "cannot be called host"),
        ("none", json!({ "bindings": [] }), "at least one binding"),
        ("two", two, "exactly one trigger"),
        ("without", no_trigger, "exactly one trigger"),
        ("twice", twice, "two bindings are called"),
        (
            "untyped",
            one(json!({ "direction": "in", "name": "a" })),
            "has no type",
        ),
        (
            "aimless",
            one(json!({ "type": "timerTrigger", "name": "a", "schedule": "0 * * * * *" })),
            "direction",
        ),
        ("queue", unknown, "no queueTrigger"),
    ];
    let longest = "z".repeat(128);
    let mut functions: Vec<_> = mistakes
        .iter()
        .map(|(name, function, _)| (*name, function.clone()))
        .collect();
    functions.push(("good_One-2", http("good", "anonymous")));
    functions.push((&longest, tick()));
    functions.push(("off", {
        let mut off = tick();
        off["disabled"] = json!(true);
        off
    }));
    functions.push(("switched", http("switched", "anonymous")));
    let mut app = App::new(&functions);
    fs::create_dir(app.path("app/text")).unwrap();
    fs::write(app.path("app/text/function.json"), "no json").unwrap();
    let off = "AzureWebJobs.switched.Disabled";
    app.options.settings.insert(off.into(), "true".into());

    let host = app.start_ready().await;
    for (name, _, words) in &mistakes {
        let reason = reason(&host, name);
        assert!(reason.contains(words), "{name}: {reason}");
        let is_told = |event: &HostEvent| matches!(event, HostEvent::FunctionRejected { function, reason: told } if function == name && *told == reason);
        assert_eq!(app.count(is_told), 1, "{name}");
    }
    assert!(reason(&host, "text").contains("not JSON"));
    for name in ["good_One-2", &longest] {
        assert!(is_served(&status(&host, name)), "{name}");
    }
    for name in ["off", "switched"] {
        assert_eq!(status(&host, name), FunctionStatus::Disabled);
    }
    assert_eq!(get(&host, "/api/good").await.status, 200);
    assert_eq!(get(&host, "/api/switched").await.status, 404);
    host.stop().await;
}

#[tokio::test]
async fn line_10_a_host_json_that_is_wrong_refuses_to_start() {
    let app = App::new(&[("hello", http("hello", "anonymous"))]);
    for (text, word) in [
        ("{", "not JSON"),
        ("{}", "version"),
        (r#"{"version":"1.0"}"#, "version"),
        (r#"{"version":2.0}"#, "version"),
        (r#"{"version":"2.0"}"#, "customHandler.description"),
        (
            r#"{"version":"2.0","customHandler":{"description":{}}}"#,
            "defaultExecutablePath",
        ),
        (
            r#"{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":" "}}}"#,
            "defaultExecutablePath",
        ),
    ] {
        app.host_json_text(text);
        match app.try_start().await {
            Err(HostError::Configuration { path, reason }) => assert!(
                path.ends_with("host.json") && reason.contains(word),
                "{text}: {reason}"
            ),
            other => panic!("{text}: {other:?}"),
        }
    }
    assert!(app.notes("starts").is_empty());
}

#[tokio::test]
async fn line_10_comments_and_trailing_commas_are_read_as_the_real_host_reads_them() {
    let app = App::new(&[("hello", json!(null))]);
    app.host_json_text(
        r#"// for the local host, too
        {
          "version": "2.0", /* the only one */
          "$schema": "https://example.com/x", // a text may hold // and /*
          "customHandler": { "description": { "defaultExecutablePath": "handler", }, "enableForwardingHttpRequest": true, },
        }"#,
    );
    let function = r#"{ "bindings": [ // in and out
        { "type": "httpTrigger", "direction": "in", "name": "req", "authLevel": "anonymous", "route": "hello/{*rest}", /* all */ },
        { "type": "http", "direction": "out", "name": "res" },
      ],
      "scriptFile": "", }"#;
    fs::write(app.path("app/hello/function.json"), function).unwrap();
    let host = app.start_ready().await;
    assert_eq!(get(&host, "/api/hello/x//y").await.status, 200);
    host.stop().await;
}

#[tokio::test]
async fn line_11_settings_are_resolved_in_bindings() {
    let mut app = App::new(&[
        ("tick", timer("%Train_Schedule%")),
        ("ingest", blob("incoming/%FOLDER%/{name}")),
        ("hello", http("%FOLDER%/hello", "anonymous")),
        ("unset", timer("%NOT_SET%")),
        ("half", timer("50%")),
    ]);
    let settings = &mut app.options.settings;
    settings.insert("TRAIN_SCHEDULE".into(), "0 0 3 * * 1".into());
    app.options
        .environment
        .push(("FOLDER".into(), "tweets".into()));
    let host = app.start_ready().await;
    let schedule = "0 0 3 * * 1".to_owned();
    assert_eq!(status(&host, "tick"), FunctionStatus::Timer { schedule });
    let path = "incoming/tweets/{name}".to_owned();
    assert_eq!(status(&host, "ingest"), FunctionStatus::Blob { path });
    assert_eq!(get(&host, "/api/tweets/hello").await.status, 200);
    assert!(reason(&host, "unset").contains("'%NOT_SET%' does not resolve to a value"));
    assert!(!is_served(&status(&host, "half")));
    host.stop().await;
}
