//! HTTP functions as the host forwards or proxies them: the raw request on its full path.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use azure_functions::{App, Failure, FailureKind, InvocationContext, Methods};
use http::{Method, Request, StatusCode, header};
use serde_json::json;

use super::{call, chunked, panics};

async fn echo(body: Bytes) -> Bytes {
    body
}

fn app() -> App {
    App::new()
        .http("echo", Method::POST, "/api/echo", echo)
        .http(
            "refuse",
            [Method::GET, Method::PUT],
            "/api/refuse",
            || async {
                Failure::new(FailureKind::Conflict, "another release is open")
                    .with_code("release_open")
                    .with_detail("release", 7)
            },
        )
        .http(
            "who",
            Method::GET,
            "/api/who/{name}",
            |context: InvocationContext, Path(name): Path<String>| async move {
                format!("{} {} {name}", context.function, context.invocation_id)
            },
        )
        .http(
            "any",
            Methods::Any,
            "/api/any",
            |method: Method| async move { method.to_string() },
        )
        .http("panics", Method::GET, "/api/panics", || async {
            panics("no")
        })
        .http_with_state(
            "state",
            Method::GET,
            "/api/state",
            "kept",
            |State(state): State<&'static str>| async move { state },
        )
}

fn router() -> Router {
    app().into_router().unwrap()
}

fn request(method: Method, uri: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(uri)
        .body(Body::empty())
        .unwrap()
}

#[tokio::test]
async fn a_body_arrives_as_it_was_sent_with_and_without_a_length() {
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    for body in [Body::from(bytes.clone()), chunked(&bytes, 777)] {
        let answer = call(
            &router(),
            Request::post("/api/echo?code=k").body(body).unwrap(),
        )
        .await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.body, bytes);
    }
}

#[tokio::test]
async fn any_status_is_an_answer_and_failures_are_json() {
    let answer = call(&router(), request(Method::GET, "/api/refuse")).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    let expected = json!({"error": {"code": "release_open", "message": "another release is open", "release": 7}});
    assert_eq!(answer.json(), expected);
}

#[tokio::test]
async fn the_context_and_path_parameters_are_extracted() {
    let mut request = request(Method::GET, "/api/who/ada?x=1");
    request.headers_mut().insert(
        "x-azure-functions-invocationid",
        "client, host".parse().unwrap(),
    );
    assert_eq!(call(&router(), request).await.text(), "who host ada");
    assert_eq!(
        call(&router(), self::request(Method::GET, "/api/state"))
            .await
            .text(),
        "kept"
    );
}

#[tokio::test]
async fn wrong_methods_are_405_with_the_right_ones_and_unknown_paths_404() {
    let answer = call(&router(), request(Method::DELETE, "/api/refuse")).await;
    assert_eq!(
        (answer.status, answer.error_code().as_str()),
        (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed")
    );
    let allowed = answer.headers[header::ALLOW].to_str().unwrap();
    assert!(
        allowed.contains("GET") && allowed.contains("PUT"),
        "{allowed}"
    );
    for (method, path) in [
        (Method::GET, "/api/nothing"),
        (Method::POST, "/api/nothing"),
        (Method::GET, "/nothing"),
    ] {
        let answer = call(&router(), request(method, path)).await;
        assert_eq!(
            (answer.status, answer.error_code().as_str()),
            (StatusCode::NOT_FOUND, "not_found")
        );
    }
    assert_eq!(
        call(&router(), request(Method::PATCH, "/api/any"))
            .await
            .text(),
        "PATCH"
    );
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_json_with_and_without_a_length() {
    let router = app().http_body_limit(1000).into_router().unwrap();
    let large = vec![b'x'; 1001];
    for body in [Body::from(large.clone()), chunked(&large, 100)] {
        let request = Request::post("/api/echo").body(body).unwrap();
        let answer = call(&router, request).await;
        assert_eq!(
            (answer.status, answer.error_code().as_str()),
            (StatusCode::PAYLOAD_TOO_LARGE, "too_large")
        );
    }
    let fits = call(
        &router,
        Request::post("/api/echo")
            .body(chunked(&large[1..], 100))
            .unwrap(),
    )
    .await;
    assert_eq!(fits.status, StatusCode::OK);
}

#[tokio::test]
async fn the_limit_is_the_hosts_unless_set() {
    // axum alone would stop at 2 MB.
    let body = vec![b'x'; 3 << 20];
    let answer = call(
        &router(),
        Request::post("/api/echo").body(Body::from(body)).unwrap(),
    )
    .await;
    assert_eq!(
        (answer.status, answer.body.len()),
        (StatusCode::OK, 3 << 20)
    );
}

#[tokio::test]
async fn a_panic_is_one_500() {
    let router = router();
    let answer = call(&router, request(Method::GET, "/api/panics")).await;
    assert_eq!(
        (answer.status, answer.error_code().as_str()),
        (StatusCode::INTERNAL_SERVER_ERROR, "internal")
    );
    assert_eq!(
        call(&router, request(Method::GET, "/api/state"))
            .await
            .status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_whole_router_can_be_one_function() {
    let pages = Router::new()
        .route("/", get(|| async { "index" }))
        .route(
            "/runs/{id}",
            get(
                |Path(id): Path<u32>, Query(query): Query<Vec<(String, String)>>| async move {
                    format!("run {id} {query:?}")
                },
            ),
        )
        .route(
            "/runs",
            post(|context: InvocationContext| async move { context.function.to_string() }),
        );
    let app = App::new().http_router(
        "console",
        [Method::GET, Method::POST],
        "/api/console/{*path}",
        pages,
    );
    let router = app.into_router().unwrap();
    assert_eq!(
        call(&router, request(Method::GET, "/api/console"))
            .await
            .text(),
        "index"
    );
    assert_eq!(
        call(&router, request(Method::GET, "/api/console/runs/7?a=b"))
            .await
            .text(),
        r#"run 7 [("a", "b")]"#
    );
    assert_eq!(
        call(&router, request(Method::POST, "/api/console/runs"))
            .await
            .text(),
        "console"
    );
    let answer = call(&router, request(Method::DELETE, "/api/console/runs")).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_handler_can_be_a_method_router_and_functions_can_share_a_route() {
    let both = get(|| async { "read" }).post(|| async { "written" });
    let app = App::new()
        .http("both", [Method::GET, Method::POST], "/api/both", both)
        .http("read", Method::GET, "/api/shared", || async { "read" })
        .http("write", Method::POST, "/api/shared", || async { "written" });
    let router = app.into_router().unwrap();
    for path in ["/api/both", "/api/shared"] {
        assert_eq!(
            call(&router, request(Method::GET, path)).await.text(),
            "read"
        );
        assert_eq!(
            call(&router, request(Method::POST, path)).await.text(),
            "written"
        );
        assert_eq!(
            call(&router, request(Method::PUT, path)).await.error_code(),
            "method_not_allowed"
        );
    }
}
