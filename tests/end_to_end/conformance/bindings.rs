//! Lines 12 and 13: what is asked of bindings, routes and script files.

use serde_json::{Value, json};
use sluice_functions_host::{HostError, Profile};

use super::calls::{get, post};
use super::functions::{blob, http, queue_output, timer, with_binding};
use super::support::{App, is_served, reason, status};

fn one(binding: Value) -> Value {
    json!({ "bindings": [binding] })
}

#[tokio::test]
async fn line_12_a_blob_trigger_needs_the_bundle_and_on_flex_its_source() {
    let mut scan = blob("incoming/{name}");
    scan["bindings"][0]["source"] = json!("LogsAndContainerScan");
    let mut silent = blob("incoming/{name}");
    silent["bindings"][0]
        .as_object_mut()
        .unwrap()
        .remove("source");
    let mut app = App::new(&[
        ("ingest", blob("incoming/{name}")),
        ("scan", scan),
        ("silent", silent),
        ("hello", http("hello", "anonymous")),
        ("tick", timer("0 0 3 * * 1")),
    ]);
    let host = app.start_ready().await;
    assert!(is_served(&status(&host, "ingest")));
    for name in ["scan", "silent"] {
        let reason = reason(&host, name);
        assert!(
            reason.contains("EventGrid") && reason.contains("Flex"),
            "{reason}"
        );
    }
    host.stop().await;

    app.options.profile = Profile::Other;
    let host = app.start_ready().await;
    assert!(is_served(&status(&host, "scan")) && is_served(&status(&host, "silent")));
    host.stop().await;

    app.host_json(json!({ "extensionBundle": null }));
    let host = app.start_ready().await;
    for name in ["ingest", "scan", "silent"] {
        assert!(reason(&host, name).contains("extensionBundle"));
    }
    // These two are built in.
    assert!(is_served(&status(&host, "hello")) && is_served(&status(&host, "tick")));
    host.stop().await;
}

#[tokio::test]
async fn line_13_binding_names_and_script_files_are_checked() {
    let named = |name: &str| {
        one(
            json!({ "type": "timerTrigger", "direction": "in", "name": name, "schedule": "0 0 3 * * 1" }),
        )
    };
    let script = |file: &str| {
        let mut function = timer("0 0 3 * * 1");
        function["scriptFile"] = json!(file);
        function
    };
    let app = App::new(&[
        ("underscore", named("my_timer")),
        ("hyphen", named("my-timer")),
        ("digit", named("1st")),
        ("empty", named("")),
        ("long", named(&"a".repeat(129))),
        (
            "output",
            with_binding(timer("0 0 3 * * 1"), queue_output("a_b")),
        ),
        ("missing", script("run.py")),
        ("present", script("function.json")),
        (
            "returned",
            with_binding(timer("0 0 3 * * 1"), queue_output("$return")),
        ),
        ("longest", named(&"a".repeat(128))),
    ]);
    let host = app.start_ready().await;
    for name in ["underscore", "hyphen", "digit", "empty", "long", "output"] {
        let reason = reason(&host, name);
        assert!(reason.contains("binding name"), "{name}: {reason}");
    }
    assert!(reason(&host, "missing").contains("scriptFile"));
    for name in ["present", "returned", "longest"] {
        assert!(is_served(&status(&host, name)), "{name}");
    }
    host.stop().await;
}

#[tokio::test]
async fn line_13_http_routes_of_the_host_do_not_go_with_functions() {
    let app = App::new(&[("hello", http("hello", "anonymous"))]);
    let routes = json!({ "customHandler": { "http": { "routes": [{ "route": "{*route}" }] } } });
    let profile = json!({ "configurationProfile": "web-app-custom-handler" });
    for over in [routes, profile] {
        app.host_json(over);
        assert!(
            matches!(app.try_start().await, Err(HostError::Configuration { reason, .. }) if reason.contains("routes"))
        );
    }
}

#[tokio::test]
async fn line_13_routes_are_aspnets_with_their_constraints() {
    let of = |method: &str, route: &str| {
        let mut function = http(route, "anonymous");
        function["bindings"][0]["methods"] = json!([method]);
        function
    };
    let app = App::new(&[
        ("byNumber", of("get", "items/{id:int:min(1)}")),
        ("byName", of("get", "items/{name:alpha:length(2,4)}")),
        ("byDate", of("get", r"items/{day:regex(^\d{{4}}-\d{{2}}$)}")),
        ("anything", of("get", "items/{rest?}")),
        ("make", of("post", "items")),
        ("clash", of("post", "ITEMS")),
        ("wrong", of("get", "items/{id:integer}")),
        ("own", of("get", "admin/x")),
    ]);
    // Not forwarded, so that the envelope tells which function it was.
    app.host_json(json!({ "customHandler": { "enableForwardingHttpRequest": false } }));
    let host = app.start_ready().await;
    for (path, function) in [
        ("7", "byNumber"),
        ("0", "anything"),
        ("abc", "byName"),
        ("abcde", "anything"),
        ("2026-11", "byDate"),
        ("", "anything"),
    ] {
        let before = app.envelopes(function).len();
        get(&host, &format!("/api/items/{path}")).await;
        assert_eq!(app.envelopes(function).len(), before + 1, "{path}");
    }
    post(&host, "/api/items", "x").await;
    let makers = app.envelopes("make").len() + app.envelopes("clash").len();
    assert_eq!(makers, 1);
    assert!(reason(&host, "make").contains("conflicts"));
    assert!(reason(&host, "wrong").contains("integer"));
    assert!(reason(&host, "own").contains("conflicts"));
    host.stop().await;
}
