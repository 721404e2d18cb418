//! Documents of the loop that somebody may have damaged. The input is blobs: `=container/name`, then their bytes up to
//! the next such line. Reading them all ends, with a result or an error.

#![no_main]

use std::sync::Arc;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sluice_fuzz::product::{known_prediction, runtime};
use sluice_registry::{AuditStream, Registry};
use sluice_storage::{Container, MemoryStore, Store};

fuzz_target!(|bytes: &[u8]| {
    runtime().block_on(async {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        for blob in bytes
            .split_inclusive(|byte| *byte == b'\n')
            .collect::<Vec<_>>()
            .chunk_by(|_, next| !next.starts_with(b"="))
        {
            put(&*store, &blob.concat()).await;
        }
        let audit = AuditStream::open(store.clone(), "fuzz").expect("it is a name");
        let registry = Registry::new(store).with_audit(audit);
        let _ = registry.releases().status().await;
        let _ = registry.releases().poll(None).await;
        let _ = registry.datasets().current("messages").await;
        let _ = registry.models().list("messages").await;
        let _ = registry.runs().list().await;
        let _ = registry.runs().active("messages").await;
        let _ = registry.trace(&known_prediction()).await;
        let _ = registry.releases().rollback(None, "fuzz", "a reason").await;
        registry
            .verify_documents(jiff::Timestamp::MAX)
            .await
            .expect("a difference is no error");
        let _ = registry.repair(Default::default()).await;
        registry
            .verify_documents(jiff::Timestamp::MAX)
            .await
            .expect("a difference is no error");
    });
});

async fn put(store: &dyn Store, blob: &[u8]) {
    let end = blob
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(blob.len());
    let (head, body) = blob.split_at(end);
    let Some((container, name)) = head
        .strip_prefix(b"=")
        .and_then(|head| std::str::from_utf8(head).ok())
        .and_then(|head| head.split_once('/'))
    else {
        return;
    };
    let Some(container) = Container::ALL
        .into_iter()
        .find(|known| known.name() == container)
    else {
        return;
    };
    let body = Bytes::copy_from_slice(body.get(1..).unwrap_or_default());
    // A name that is no blob's is not the subject here.
    let _ = store.put(container, name, body).await;
}
