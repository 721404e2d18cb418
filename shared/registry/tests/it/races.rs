//! Many tasks and several processes at once.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use sluice_registry::{AuditEvent, Begin, Registry, RepairScope};

use crate::fixtures::{DATASET, MODEL, any_dataset, approved, ingest, memory, now, registry, run};

/// Runs `task` for 0..n at once and returns what each gave.
async fn at_once<T, F>(n: u64, task: impl Fn(u64) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<_> = (0..n).map(|i| tokio::spawn(task(i))).collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn uploads_at_once_all_end_in_the_history() {
    let store = memory();
    at_once(12, |i| {
        // Half of the writers share a stream's name, as two instances of one process would by mistake.
        let registry = registry(&store, &format!("w{}", i % 6));
        async move { ingest(&registry, &format!("upload-{i}")).await.unwrap() }
    })
    .await;
    let registry = registry(&store, "reader");
    let (newest, _) = registry.datasets().current(DATASET).await.unwrap().unwrap();
    let names: BTreeSet<_> = newest
        .uploads
        .iter()
        .map(|upload| upload.name.clone())
        .collect();
    assert_eq!((newest.version, newest.rows, names.len()), (12, 120, 12));
    assert!(
        registry
            .verify_documents(Timestamp::MAX)
            .await
            .unwrap()
            .is_whole()
    );
    assert!(registry.audit_log().verify(&[]).await.unwrap().is_whole());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_upload_at_once_is_one_version() {
    let store = memory();
    let versions = at_once(10, |i| {
        let registry = registry(&store, &format!("w{i}"));
        async move { ingest(&registry, "same").await.unwrap().0.version }
    })
    .await;
    assert_eq!(versions, [1; 10]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn promoters_at_once_make_one_line_of_releases() {
    let store = memory();
    let first = registry(&store, "setup");
    let mut digests = Vec::new();
    for version in 1..=20 {
        digests.push(approved(&first, version).await.file.digest);
    }
    at_once(20, |i| {
        let registry = registry(&store, &format!("w{}", i % 4));
        let digest = digests[i as usize];
        async move {
            registry
                .releases()
                .promote(digest, "ada", "race")
                .await
                .unwrap()
        }
    })
    .await;
    let status = first.releases().status().await.unwrap();
    assert_eq!(status.history.len(), 20);
    for pair in status.history.windows(2) {
        assert_eq!(pair[0].number, pair[1].number + 1);
        assert_eq!(
            pair[0].previous,
            Some(pair[1].champion.clone()),
            "each release knows the one before"
        );
    }
    let champions: BTreeSet<_> = status
        .history
        .iter()
        .map(|release| release.champion.digest)
        .collect();
    assert_eq!(champions.len(), 20);
    assert!(
        first
            .verify_documents(Timestamp::MAX)
            .await
            .unwrap()
            .is_whole()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_promotion_at_once_is_one_release() {
    let store = memory();
    let digest = approved(&registry(&store, "setup"), 1).await.file.digest;
    let changes = at_once(20, |i| {
        let registry = registry(&store, &format!("w{i}"));
        async move {
            registry
                .releases()
                .promote(digest, &format!("person {i}"), "race")
                .await
                .unwrap()
        }
    })
    .await;
    assert_eq!(changes.iter().filter(|change| change.changed).count(), 1);
    assert!(changes.iter().all(|change| change.release.number == 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_runs_begins() {
    let store = memory();
    let begun = at_once(20, |i| {
        let registry = registry(&store, &format!("w{}", i % 5));
        async move {
            let deadline = now() + SignedDuration::from_hours(1);
            registry
                .runs()
                .begin(run(&format!("1-{}", i / 2), i + 1, any_dataset()), deadline)
                .await
                .unwrap()
        }
    })
    .await;
    assert_eq!(
        begun
            .iter()
            .filter(|begin| matches!(begin, Begin::Begun(_)))
            .count(),
        1
    );
    let registry = registry(&store, "reader");
    assert_eq!(
        registry.runs().list().await.unwrap().len(),
        1,
        "the others left nothing behind"
    );
    assert!(registry.runs().active(MODEL).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_with_one_name_share_one_chain() {
    let store = memory();
    at_once(8, |i| {
        let registry = registry(&store, "same");
        async move {
            for n in 0..150 {
                let event = AuditEvent::RetrainRequested {
                    model: MODEL.into(),
                    reason: format!("{i}-{n}"),
                    report: None,
                };
                registry.record(event).await.unwrap();
            }
        }
    })
    .await;
    let log = registry(&store, "reader").audit_log();
    let report = log.verify(&[]).await.unwrap();
    assert!(report.is_whole(), "{:?}", report.first_broken());
    assert_eq!(
        report.heads()[0].seq,
        1_200,
        "over a thousand lines: two segments"
    );
    let mut reasons = BTreeSet::new();
    log.scan(None, |line| {
        reasons.insert(serde_json::to_string(&line.event).unwrap());
    })
    .await
    .unwrap();
    assert_eq!(reasons.len(), 1_200, "every line once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_check_beside_busy_writers_finds_nothing_wrong() {
    let store = memory();
    let writers: Vec<_> = (0..3)
        .map(|writer| {
            let registry = registry(&store, &format!("w{writer}"));
            tokio::spawn(async move {
                for upload in 0..30 {
                    ingest(&registry, &format!("upload-{writer}-{upload}"))
                        .await
                        .unwrap();
                    // Writes down how far the other streams are.
                    registry.repair(RepairScope::default()).await.unwrap();
                }
            })
        })
        .collect();
    let reader = Registry::new(store.clone());
    let mut checks = 0;
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        let chains = reader.audit_log().verify(&[]).await.unwrap();
        assert!(chains.is_whole(), "{:?}", chains.first_broken());
        let documents = reader.verify_documents(Timestamp::MIN).await.unwrap();
        assert!(documents.is_whole(), "{documents:?}");
        checks += 1;
    }
    assert!(
        checks > 10,
        "the writers were not busy while it was checked"
    );
    for writer in writers {
        writer.await.unwrap();
    }
}
