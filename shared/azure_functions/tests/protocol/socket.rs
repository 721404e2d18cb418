//! The server on a real socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use azure_functions::{App, BlobEvent, Error, Reply, Server};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use super::chunked;

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    outcome: JoinHandle<Result<(), Error>>,
}

fn start(app: App, drain: Duration) -> Running {
    let server = Server::bind(0).unwrap();
    let address = server.address();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async move { stopped.await.unwrap_or_default() };
    let outcome = tokio::spawn(server.run(app.into_router().unwrap(), shutdown, drain));
    Running {
        address,
        stop,
        outcome,
    }
}

async fn connect(address: SocketAddr) -> SendRequest<Body> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (client, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn send(client: &mut SendRequest<Body>, request: Request<Body>) -> (StatusCode, Bytes) {
    client.ready().await.unwrap();
    let response: Response<Incoming> = client.send_request(request).await.unwrap();
    let status = response.status();
    (
        status,
        response.into_body().collect().await.unwrap().to_bytes(),
    )
}

/// Longer than anything takes unless it is broken.
const PATIENT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn one_connection_serves_probe_forwarded_and_packed_requests_and_large_chunked_bodies() {
    let app = App::new()
        .http("echo", Method::POST, "/api/echo", |body: Bytes| async {
            body
        })
        .blob("arrived", |blob: BlobEvent, _| async move {
            Ok(Reply::new().log(blob.name))
        });
    let running = start(app, PATIENT);
    assert!(running.address.ip().is_loopback() && running.address.is_ipv4());
    let mut client = connect(running.address).await;

    let (status, _) = send(&mut client, Request::get("/").body(Body::empty()).unwrap()).await;
    assert_eq!(status, StatusCode::OK);
    let large = vec![7_u8; 5 << 20];
    let (status, body) = send(
        &mut client,
        Request::post("/api/echo")
            .body(chunked(&large, 65_536))
            .unwrap(),
    )
    .await;
    assert_eq!((status, body.len()), (StatusCode::OK, large.len()));
    let blob = "QUJD".repeat(1 << 20);
    let envelope =
        include_str!("../data/blob_captured.json").replace("eyJoZWxsbyI6ICJ3b3JsZCJ9", &blob);
    for body in [
        Body::from(envelope.clone()),
        chunked(envelope.as_bytes(), 65_536),
    ] {
        let (status, body) = send(&mut client, Request::post("/arrived").body(body).unwrap()).await;
        assert_eq!(status, StatusCode::OK);
        assert!(String::from_utf8_lossy(&body).contains("output-metadata.json"));
    }
    running.stop.send(()).unwrap();
    running.outcome.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_sends_too_much_reads_the_refusal() {
    let app = App::new().http_body_limit(1000).http(
        "echo",
        Method::POST,
        "/api/echo",
        |body: Bytes| async { body },
    );
    let running = start(app, PATIENT);
    // This client reads nothing before it has sent everything, as simple clients do.
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let body = vec![b'x'; 20 << 20];
    let head = format!(
        "POST /api/echo HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("too_large"), "{answer}");
}

/// A function that waits, and the signals that it has begun and may end.
fn waiting() -> (App, Arc<Notify>, Arc<Notify>) {
    let (begun, end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell, wait) = (Arc::clone(&begun), Arc::clone(&end));
    let app = App::new().http("slow", Method::GET, "/api/slow", move || async move {
        tell.notify_one();
        wait.notified().await;
        "finished"
    });
    (app, begun, end)
}

#[tokio::test]
async fn a_running_invocation_finishes_after_the_order_to_stop_and_the_port_is_free_at_once() {
    let (app, begun, end) = waiting();
    let Running {
        address,
        stop,
        outcome,
    } = start(app, PATIENT);
    let mut client = connect(address).await;
    let slow = tokio::spawn(async move {
        send(
            &mut client,
            Request::get("/api/slow").body(Body::empty()).unwrap(),
        )
        .await
    });
    begun.notified().await;
    assert!(matches!(
        Server::bind(address.port()),
        Err(Error::Bind { .. })
    ));
    stop.send(()).unwrap();
    end.notify_one();
    assert_eq!(slow.await.unwrap().1, "finished");
    outcome.await.unwrap().unwrap();
    assert_eq!(Server::bind(address.port()).unwrap().address(), address);
}

#[tokio::test]
async fn an_invocation_that_does_not_finish_is_an_error_at_the_deadline() {
    let (app, begun, _end) = waiting();
    let Running {
        address,
        stop,
        outcome,
    } = start(app, Duration::ZERO);
    let mut client = connect(address).await;
    tokio::spawn(async move {
        client
            .send_request(Request::get("/api/slow").body(Body::empty()).unwrap())
            .await
    });
    begun.notified().await;
    stop.send(()).unwrap();
    let outcome = tokio::time::timeout(PATIENT, outcome).await.unwrap();
    assert!(matches!(outcome.unwrap(), Err(Error::DrainDeadline { .. })));
}
