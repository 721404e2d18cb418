//! What goes to the log and what does not.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Once;

use axum::body::Body;
use azure_functions::{App, Failure, FailureKind, Reply};
use http::{Method, Request};

use super::{call, invocation, panics};

thread_local! {
    static LOGGED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The log lines of this thread.
///
/// One subscriber serves the whole process and sorts by thread: with a subscriber for this test alone, a log statement
/// that another test's thread reaches first would be switched off for all.
struct Lines;

impl Lines {
    fn start() -> Self {
        static SUBSCRIBED: Once = Once::new();
        SUBSCRIBED.call_once(|| {
            tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_ansi(false)
                .with_writer(|| Self)
                .init();
        });
        LOGGED.with_borrow_mut(Vec::clear);
        Self
    }

    fn with(&self, word: &str) -> Vec<String> {
        let text = LOGGED.with_borrow(|bytes| String::from_utf8(bytes.clone()).unwrap());
        text.lines()
            .filter(|line| line.contains(word))
            .map(str::to_owned)
            .collect()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.with_borrow_mut(|lines| lines.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn app() -> App {
    App::new()
        .timer("busy", |_, _| async {
            Err(Failure::new(FailureKind::Unavailable, "storage is busy")
                .with_source("code 503 from the account"))
        })
        .timer("fine", |_, _| async { Ok(Reply::new()) })
        .http("panics", Method::GET, "/api/panics", || async {
            panics("out of cheese")
        })
        .http("bad", Method::POST, "/api/bad", || async {
            Failure::new(FailureKind::BadRequest, "not like this")
        })
        .http("raw", Method::GET, "/api/raw", || async {
            http::StatusCode::BAD_GATEWAY
        })
}

#[tokio::test]
async fn server_faults_are_logged_once_and_client_faults_are_no_errors() {
    let lines = Lines::start();
    let router = app().into_router().unwrap();
    let envelope = include_str!("../data/timer_captured.json");

    call(&router, invocation("busy", envelope)).await;
    let errors = lines.with("ERROR");
    assert_eq!(errors.len(), 1, "{errors:?}");
    for part in [
        "storage is busy: code 503 from the account",
        "function=\"busy\"",
        "invocation.id=\"6f1c\"",
        "retryable=true",
    ] {
        assert!(errors[0].contains(part), "{part} in {}", errors[0]);
    }

    call(
        &router,
        Request::get("/api/panics").body(Body::empty()).unwrap(),
    )
    .await;
    assert_eq!(lines.with("out of cheese").len(), 1);
    call(
        &router,
        Request::get("/api/raw").body(Body::empty()).unwrap(),
    )
    .await;
    assert_eq!(lines.with("ERROR").len(), 3);

    let secret = Request::post("/api/bad?code=topsecret")
        .header("x-functions-key", "topsecret")
        .header("cookie", "session=topsecret")
        .body(Body::from("topsecret"))
        .unwrap();
    call(&router, secret).await;
    call(
        &router,
        invocation("fine", r#"{"Data": {"timer": "topsecret"}}"#),
    )
    .await;
    call(
        &router,
        invocation(
            "bad",
            include_str!("../data/http_post.json").replace("items/7", "bad"),
        ),
    )
    .await;
    call(
        &router,
        Request::post("/nothing?code=topsecret")
            .body(Body::empty())
            .unwrap(),
    )
    .await;
    assert_eq!(lines.with("ERROR").len(), 3);
    assert_eq!(lines.with("topsecret"), Vec::<String>::new());
    assert_eq!(lines.with("enableForwardingHttpRequest").len(), 1);
    assert_eq!(lines.with("does not have").len(), 1);
}
