//! Envelopes of invocations, for every trigger: an answer that the host understands, whole or in pieces, never a panic.

#![no_main]

use std::sync::LazyLock;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery};
use azure_functions::{
    App, BlobEvent, EventGridEvent, Failure, InvocationContext, Methods, QueueEvent, Reply,
    TimerEvent,
};
use http::{HeaderMap, Method, StatusCode};
use libfuzzer_sys::fuzz_target;
use sluice_fuzz::answer::{Answer, post, post_in_pieces};
use sluice_fuzz::product::runtime;
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(runtime);

static ROUTER: LazyLock<Router> = LazyLock::new(|| {
    App::new()
        .timer("timer", |event: TimerEvent, context| async move {
            reply(&event, &context)
        })
        .blob("blob", |event: BlobEvent, context| async move {
            assert!(!event.container.is_empty() && !event.name.is_empty());
            reply(&event, &context)
        })
        .queue("queue", |event: QueueEvent, context| async move {
            let _ = event.json::<Vec<String>>();
            reply(&event, &context)
        })
        .event_grid("grid", |event: EventGridEvent, context| async move {
            reply(&event, &context)
        })
        .http("http", Methods::Any, "/api/items/{id}", http_function)
        .into_router()
        .expect("the routes are right")
});

/// Shows everything that was read, so that all of it is looked at.
fn reply(event: &impl std::fmt::Debug, context: &InvocationContext) -> Result<Reply, Failure> {
    Ok(Reply::new().log(format!("{event:?} {context:?}")))
}

async fn http_function(
    context: InvocationContext,
    method: Method,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> String {
    format!("{context:?} {method} {id} {query:?} {headers:?} {body:?}")
}

fuzz_target!(|envelope: &[u8]| {
    RUNTIME.block_on(async {
        for path in ["/timer", "/blob", "/queue", "/grid", "/http"] {
            let answer = Answer::of(&ROUTER, post(path, envelope)).await;
            match answer.status {
                StatusCode::OK => check_success(&answer),
                StatusCode::BAD_REQUEST => assert_eq!(answer.code(), "bad_envelope"),
                status => panic!("{path} answers {status}: {}", answer.body),
            }
            let in_pieces = post_in_pieces(path, envelope, envelope.len() % 7 + 1);
            assert_eq!(answer, Answer::of(&ROUTER, in_pieces).await, "{path}");
        }
    });
});

fn check_success(answer: &Answer) {
    assert!(answer.body["Outputs"].is_object(), "{}", answer.body);
    assert!(answer.body["Logs"].is_array(), "{}", answer.body);
    let packed = &answer.body["Outputs"]["res"]["statusCode"];
    if let Some(status) = packed.as_u64() {
        assert!((200..500).contains(&status), "{}", answer.body);
    }
}
