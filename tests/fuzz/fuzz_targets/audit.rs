//! An audit stream that somebody may have tampered with: checked without a panic, and writing goes on after it.

#![no_main]

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use sluice_fuzz::product::runtime;
use sluice_registry::audit::AuditLine;
use sluice_registry::{AuditEvent, AuditLog, AuditStream};
use sluice_storage::{Container, MemoryStore, Store};

fuzz_target!(|bytes: &[u8]| {
    runtime().block_on(async {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let segment = Bytes::copy_from_slice(bytes);
        let put = store.put(Container::Audit, "writer/000000.jsonl", segment);
        put.await.expect("memory takes a blob");
        let log = AuditLog::new(store.clone());

        let before = log.verify(&[]).await.expect("damage is no error");
        let mut readable = 0;
        let scan = log.scan(None, |line: AuditLine| {
            readable += 1;
            assert!(!line.event.kind().contains('\0') || !line.writer.is_empty());
        });
        scan.await.expect("damage is no error");
        assert!(readable <= before.lines());
        let heads = log.heads().await.expect("damage is no error");
        log.verify(&heads).await.expect("damage is no error");

        let stream = AuditStream::open(store.clone(), "writer").expect("it is a name");
        let event = AuditEvent::RunFailed {
            run: "run".to_owned(),
            reason: "a reason".to_owned(),
        };
        let head = stream.append(Timestamp::UNIX_EPOCH, event).await;
        let head = head.expect("writing goes on");
        let after = log.verify(&[]).await.expect("damage is no error");
        assert_eq!(before.is_whole(), after.is_whole());
        if after.is_whole() {
            assert!(after.heads().contains(&head));
        }
    });
});
