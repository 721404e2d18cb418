//! Waits until the handler answers `GET /`.
//!
//! Source: `DefaultHttpWorkerService.IsWorkerReady`. Any answer is ready, also a failure status and a broken connection; only
//! the pauses between the attempts are counted.

use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

const PAUSE: Duration = Duration::from_millis(25);

/// Whether the handler answered before the pauses added up to `limit`, each answer taking no longer than `answer_limit`.
pub(crate) async fn wait(port: u16, limit: Duration, answer_limit: Option<Duration>) -> bool {
    let mut paused = Duration::ZERO;
    loop {
        if let Some(stream) = connect(port).await {
            let probe = answers(stream);
            return match answer_limit {
                Some(limit) => tokio::time::timeout(limit, probe).await.is_ok(),
                None => {
                    probe.await;
                    true
                }
            };
        }
        if paused >= limit {
            return false;
        }
        tokio::time::sleep(PAUSE).await;
        paused += PAUSE;
    }
}

async fn connect(port: u16) -> Option<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok()?;
    // On the loopback a connection to a port nobody listens on can, rarely, reach itself.
    let reached_itself = stream.local_addr().ok() == stream.peer_addr().ok();
    (!reached_itself).then_some(stream)
}

/// Returns when there is an answer or the connection broke.
async fn answers(stream: TcpStream) {
    let Ok((mut sender, connection)) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await
    else {
        return;
    };
    let request = http::Request::get(azure_functions::wire::PROBE_PATH)
        .header(http::header::HOST, Ipv4Addr::LOCALHOST.to_string())
        .body(Empty::<Bytes>::new());
    let Ok(request) = request else { return };
    let whole = async {
        if let Ok(response) = sender.send_request(request).await {
            // As .NET's client does: a connection that is dropped before its end is an error to some servers.
            let _ = response.into_body().collect().await;
        }
    };
    tokio::select! {
        () = whole => {}
        _ = connection => {}
    }
}
