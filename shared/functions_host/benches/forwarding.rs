//! What the host adds to a forwarded request: the same constant answer asked for directly and through the host.
//!
//! `cargo bench -p sluice-functions-host`; 16 connections, one request after the other on each.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for people"
)]

use std::convert::Infallible;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sluice_functions_host::{Host, HostEvent, HostOptions};
use tokio::net::TcpListener;

const CONNECTIONS: usize = 16;
const REQUESTS_EACH: usize = 2_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    // The host starts this same program as its handler.
    match std::env::var("FUNCTIONS_CUSTOMHANDLER_PORT") {
        Ok(port) => runtime.block_on(handler(port.parse().unwrap())),
        Err(_) => runtime.block_on(measure()),
    }
}

async fn handler(port: u16) {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let service = service_fn(async |request: Request<hyper::body::Incoming>| {
            let _ = request.into_body().collect().await;
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(
                b"{\"label\":1}",
            ))))
        });
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service),
        );
    }
}

async fn measure() {
    let direct_port = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    // Its own process, as under the host.
    let mut direct = tokio::process::Command::new(std::env::current_exe().unwrap())
        .env("FUNCTIONS_CUSTOMHANDLER_PORT", direct_port.to_string())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let direct_p50 = round(
        "direct",
        format!("http://127.0.0.1:{direct_port}/api/predict"),
    )
    .await;
    direct.kill().await.unwrap();
    for mode in ["enableForwardingHttpRequest", "enableProxyingHttpRequest"] {
        let folder = tempfile::tempdir().unwrap();
        let app = folder.path().join("app");
        std::fs::create_dir_all(app.join("predict")).unwrap();
        let executable = std::env::current_exe().unwrap();
        std::fs::write(
            app.join("host.json"),
            format!(
                r#"{{"version":"2.0","customHandler":{{"description":{{"defaultExecutablePath":{executable:?}}},"{mode}":true}}}}"#
            ),
        )
        .unwrap();
        let function = r#"{"bindings":[{"type":"httpTrigger","direction":"in","name":"req"},{"type":"http","direction":"out","name":"res"}]}"#;
        std::fs::write(app.join("predict/function.json"), function).unwrap();
        let options = HostOptions::new(
            &app,
            folder.path().join("data"),
            folder.path().join("state"),
        );
        let host = Host::start(options, |_: HostEvent| {}).await.unwrap();
        host.ready().await.unwrap();
        let p50 = round(mode, format!("{}/api/predict", host.url())).await;
        println!("{mode} adds {:.3} ms at the median", p50 - direct_p50);
        host.stop().await;
    }
}

/// Sends all requests, prints the distribution and returns the median in milliseconds.
async fn round(what: &str, url: String) -> f64 {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let started = Instant::now();
    let workers = (0..CONNECTIONS).map(|_| {
        let (client, url) = (client.clone(), url.clone());
        tokio::spawn(async move {
            let mut times = Vec::with_capacity(REQUESTS_EACH);
            for _ in 0..REQUESTS_EACH {
                let body = Full::new(Bytes::from_static(b"{\"inputs\":[\"a message\"]}"));
                let begun = Instant::now();
                let request = Request::post(&url).body(body).unwrap();
                let answer = client.request(request).await.unwrap();
                assert_eq!(answer.status(), 200);
                answer.into_body().collect().await.unwrap();
                times.push(begun.elapsed().as_secs_f64() * 1e3);
            }
            times
        })
    });
    let mut times = Vec::new();
    for worker in futures::future::join_all(workers).await {
        times.extend(worker.unwrap());
    }
    let rate = times.len() as f64 / started.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!(
        "{what:<28} p50 {:.3} ms  p99 {:.3} ms  {rate:.0} requests/s",
        at(0.5),
        at(0.99)
    );
    at(0.5)
}
