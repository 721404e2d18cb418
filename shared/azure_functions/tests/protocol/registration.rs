//! The list of functions, and the errors of a program that registers wrongly.

use axum::Router;
use azure_functions::{App, Error, Methods, Reply, TimerEvent, TriggerKind};
use http::Method;

async fn ok() {}

fn refused(app: App) -> String {
    match app.into_router() {
        Err(error @ Error::Registration { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_functions_can_be_listed() {
    let app = App::new()
        .http("predict", Method::POST, "/api/predict", ok)
        .http("open", Methods::Any, "/api/open", ok)
        .timer("retrain", |_, _| async { Ok(Reply::new()) })
        .blob("ingest", |_, _| async { Ok(Reply::new()) })
        .queue("queue", |_, _| async { Ok(Reply::new()) })
        .event_grid("created", |_, _| async { Ok(Reply::new()) });
    let listed: Vec<_> = app
        .functions()
        .iter()
        .map(|f| {
            (
                f.name.as_str(),
                f.trigger.binding_type(),
                f.route.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        listed,
        [
            ("predict", "httpTrigger", Some("/api/predict")),
            ("open", "httpTrigger", Some("/api/open")),
            ("retrain", "timerTrigger", None),
            ("ingest", "blobTrigger", None),
            ("queue", "queueTrigger", None),
            ("created", "eventGridTrigger", None),
        ]
    );
    assert_eq!(
        app.functions()[0].methods,
        Some(Methods::Only(vec![Method::POST]))
    );
    assert_eq!(app.functions()[1].methods, Some(Methods::Any));
    assert_eq!(app.functions()[2].trigger, TriggerKind::Timer);
    assert!(app.into_router().is_ok());
}

#[test]
fn names_that_the_host_would_not_index_are_refused() {
    for name in ["", "host", "9", "a b"] {
        refused(App::new().on(name, |_: TimerEvent, _| async { Ok(Reply::new()) }));
    }
}

#[test]
fn collisions_are_refused_and_name_the_function() {
    let twice = App::new()
        .http("a", Method::GET, "/api/a", ok)
        .timer("A", |_, _| async { Ok(Reply::new()) });
    assert!(refused(twice).contains("\"A\""));
    let same_route = App::new().http("a", Method::GET, "/api/x", ok).http(
        "b",
        [Method::GET, Method::PUT],
        "/api/x",
        ok,
    );
    assert!(refused(same_route).contains("/api/x"));
    let like_route =
        App::new()
            .http("a", Method::GET, "/api/{x}", ok)
            .http("b", Method::PUT, "/api/{y}", ok);
    assert!(refused(like_route).contains("/api/{y}"));
    // Without a route prefix a route can be the path of the host's own calls.
    refused(
        App::new()
            .http("a", Method::POST, "/b", ok)
            .timer("b", |_, _| async { Ok(Reply::new()) }),
    );
    refused(App::new().http("a", Method::POST, "/a", ok));
    refused(App::new().http("a", Method::POST, "/", ok));
    refused(App::new().http("a", Methods::Any, "/{*path}", ok));
    let inside = App::new()
        .http("page", Method::GET, "/api/console", ok)
        .http_router(
            "console",
            Method::GET,
            "/api/console/{*path}",
            Router::new(),
        );
    refused(inside);
}

#[test]
fn routes_and_methods_that_cannot_be_served_are_refused() {
    for route in [
        "api/x",
        "/api/{id:int}",
        "/api/{id?}",
        "/api/:id",
        "/api/{*rest}/more",
    ] {
        refused(App::new().http("a", Method::GET, route, ok));
    }
    refused(App::new().http("a", [], "/api/a", ok));
    refused(App::new().http("a", Method::from_bytes(b"PURGE").unwrap(), "/api/a", ok));
}
