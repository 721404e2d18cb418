//! Lines 17 and 25: the largest blobs and bodies.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sluice_functions_host::EnvelopeFraming;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::calls::post;
use super::functions::{blob, http};
use super::support::{App, PATIENCE, is_success, seen_header};

/// The most that a request may hold.
const LARGEST_BODY: usize = 104_857_600;
/// Its base64 is as large as that.
const LARGE_BLOB: usize = LARGEST_BODY / 4 * 3;

fn content(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n % 251) as u8).collect()
}

fn hex_digest(content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn line_17_a_blob_of_75_megabytes_arrives_whole_in_either_framing() {
    let content = content(LARGE_BLOB);
    assert_eq!(
        STANDARD.encode(&content[..3]).len() * (LARGE_BLOB / 3),
        LARGEST_BODY
    );
    let digest = hex_digest(&content);
    for framing in [EnvelopeFraming::Chunked, EnvelopeFraming::ContentLength] {
        let mut app = App::new(&[("ingest", blob("incoming/{name}"))]);
        app.options.envelope_framing = framing;
        app.plan("ingest", json!({ "digest": true, "headers": { "Content-Type": "application/json" }, "body": "{}" }));
        let host = app.start_ready().await;
        app.put_blob("large.bin", &content);
        app.until(1, is_success).await;
        host.stop().await;
        let seen = &app.notes("seen")[0];
        assert_eq!(
            seen["data"],
            json!({ "blob": { "size": LARGE_BLOB, "sha256": digest } })
        );
        assert!(seen["size"].as_u64() > Some(LARGEST_BODY as u64));
        let is_chunked = framing == EnvelopeFraming::Chunked;
        assert_eq!(seen["chunks"].as_u64() > Some(100), is_chunked);
        assert_eq!(seen_header(seen, "content-length").is_some(), !is_chunked);
    }
}

#[tokio::test]
async fn line_25_the_largest_body_passes_and_one_byte_more_is_refused() {
    let content = Bytes::from(content(LARGEST_BODY));
    let digest = hex_digest(&content);
    for proxying in [false, true] {
        let app = App::new(&[("predict", http("predict", "anonymous"))]);
        app.host_json(json!({ "customHandler": { "enableProxyingHttpRequest": proxying } }));
        let host = app.start_ready().await;
        let seen = post(&host, "/api/predict", content.clone()).await.json();
        assert_eq!(
            (&seen["size"], &seen["sha256"]),
            (&json!(LARGEST_BODY), &json!(digest))
        );
        assert_eq!(seen_header(&seen, "x-ms-invocation-id").is_some(), proxying);

        // Told and not sent.
        let address = host.url().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST /api/predict HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
            LARGEST_BODY + 1
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        let read = stream.read_exact(&mut answer);
        tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap();
        assert_eq!(&answer, b"HTTP/1.1 500");
        host.stop().await;
        assert_eq!(app.notes("seen").len(), 1);
    }
}
