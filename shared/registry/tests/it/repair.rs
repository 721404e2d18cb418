//! Documents and their lines.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use sluice_registry::{RepairScope, RunState, settled_before};
use sluice_storage::{Container, Store};

use crate::faulty::{Fault, FaultyStore};
use crate::fixtures::{
    DATASET, any_dataset, memory, next_version, now, register, registry, run, upload,
};

async fn lines(store: &dyn Store) -> usize {
    let (bytes, _) = store
        .read(Container::Audit, "w/000000.jsonl")
        .await
        .unwrap();
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

#[tokio::test]
async fn lines_that_were_cut_off_leave_documents_without_one() {
    let store = memory();
    let registry = registry(&store, "w");
    register(&registry, 1).await;
    store
        .delete(Container::Audit, "w/000000.jsonl")
        .await
        .unwrap();
    let report = registry.verify_documents(Timestamp::MAX).await.unwrap();
    assert_eq!(report.unrecorded, ["models/messages/000001/model.json"]);
    let registry = crate::fixtures::registry(&store, "w");
    let repaired = registry.repair(RepairScope::default()).await.unwrap();
    assert_eq!(repaired.added.len(), 2, "{repaired:?}");
    assert!(
        registry
            .verify_documents(Timestamp::MAX)
            .await
            .unwrap()
            .is_whole()
    );
    let mut marked = 0;
    registry
        .audit_log()
        .scan(None, |line| marked += usize::from(line.repaired))
        .await
        .unwrap();
    assert_eq!(marked, 2, "a line that was added later says so");
}

#[tokio::test]
async fn a_young_document_without_its_line_is_pending_and_an_old_one_a_finding() {
    let store = memory();
    register(&registry(&store, "w"), 1).await;
    store
        .delete(Container::Audit, "w/000000.jsonl")
        .await
        .unwrap();
    let reader = registry(&store, "reader");
    // The store's own clock says when a document was written.
    let now = Timestamp::now();
    let young = reader.verify_documents(settled_before(now)).await.unwrap();
    assert_eq!(young.pending, ["models/messages/000001/model.json"]);
    assert!(young.is_whole(), "{young:?}");
    let later = now + SignedDuration::from_mins(2);
    let old = reader
        .verify_documents(settled_before(later))
        .await
        .unwrap();
    assert_eq!(old.unrecorded, ["models/messages/000001/model.json"]);
    assert!(!old.is_whole() && old.pending.is_empty(), "{old:?}");
}

#[tokio::test]
async fn a_run_whose_writer_died_before_the_line_of_its_state_waits_for_that_line() {
    let store = memory();
    let path = "runs/1-a.json";
    registry(&store, "w")
        .runs()
        .create(run("1-a", 1, any_dataset()))
        .await
        .unwrap();
    let dying = FaultyStore::new(store.clone(), Fault::DiesAfter, 0);
    let state = RunState::Submitted {
        job: "j".into(),
        at: now(),
    };
    let died = registry(&(Arc::new(dying) as Arc<dyn Store>), "dying")
        .runs()
        .advance("1-a", state)
        .await;
    assert!(died.is_err());
    let reader = registry(&store, "reader");
    let young = reader.verify_documents(Timestamp::MIN).await.unwrap();
    assert_eq!((young.pending, young.changed.len()), (vec![path.into()], 0));
    let old = reader.verify_documents(Timestamp::MAX).await.unwrap();
    assert_eq!((old.unrecorded, old.changed.len()), (vec![path.into()], 0));
    reader.repair(RepairScope::default()).await.unwrap();
    let repaired = reader.verify_documents(Timestamp::MAX).await.unwrap();
    assert!(repaired.is_whole(), "{repaired:?}");

    // A new state without its line is one thing; another content of a state that has its line is another.
    let (bytes, _) = store.read(Container::Runs, "1-a.json").await.unwrap();
    let edited = String::from_utf8(bytes.to_vec()).unwrap();
    let edited = edited.replace("\"job\": \"j\"", "\"job\": \"k\"");
    store
        .put(Container::Runs, "1-a.json", edited.into())
        .await
        .unwrap();
    let edited = reader.verify_documents(Timestamp::MIN).await.unwrap();
    assert_eq!(edited.changed, [path], "{edited:?}");
}

#[tokio::test]
async fn every_state_of_a_run_gets_its_line() {
    let store = memory();
    let registry = registry(&store, "w");
    registry
        .runs()
        .create(run("1-a", 1, any_dataset()))
        .await
        .unwrap();
    registry
        .runs()
        .advance(
            "1-a",
            RunState::Submitted {
                job: "j".into(),
                at: now(),
            },
        )
        .await
        .unwrap();
    registry
        .runs()
        .advance(
            "1-a",
            RunState::Submitted {
                job: "k".into(),
                at: now(),
            },
        )
        .await
        .unwrap();
    registry
        .runs()
        .advance(
            "1-a",
            RunState::Failed {
                reason: "out of disk\nlog".into(),
                at: now(),
            },
        )
        .await
        .unwrap();
    assert_eq!(lines(&*store).await, 4);
    store
        .delete(Container::Audit, "w/000000.jsonl")
        .await
        .unwrap();
    let added = crate::fixtures::registry(&store, "w")
        .repair(RepairScope::default())
        .await
        .unwrap()
        .added;
    let expected = [
        "run_created",
        "run_submitted",
        "run_submitted",
        "run_failed",
    ]
    .map(|kind| format!("{kind} runs/1-a.json"));
    assert_eq!(added, expected);
}

#[tokio::test]
async fn an_upload_whose_rows_are_committed_gets_its_ledger_entry() {
    let store = memory();
    let registry = registry(&store, "w");
    let version = next_version(&registry, None, "a").await.unwrap();
    registry.datasets().commit(version).await.unwrap();
    let report = registry.repair(RepairScope::default()).await.unwrap();
    assert_eq!(report.ledger_entries, 1);
    let name = format!("{DATASET}/ledger/{}.json", upload("a").digest.hex());
    store.info(Container::Datasets, &name).await.unwrap();
    let again = registry.repair(RepairScope::default()).await.unwrap();
    assert_eq!((again.ledger_entries, again.added.len()), (0, 0));
}

#[tokio::test]
async fn a_repair_keeps_to_its_scope() {
    let store = memory();
    let registry = registry(&store, "w");
    register(&registry, 1).await;
    store
        .delete(Container::Audit, "w/000000.jsonl")
        .await
        .unwrap();
    let other = crate::fixtures::registry(&store, "other");
    let hour = SignedDuration::from_hours(1);
    // The store's own clock says when a document was written.
    for (since, before) in [
        (None, Some(Timestamp::now() - hour)),
        (Some(Timestamp::now() + hour), None),
    ] {
        let report = other.repair(RepairScope { since, before }).await.unwrap();
        assert_eq!((report.documents, report.added.len()), (0, 0));
    }
    let report = other
        .repair(RepairScope {
            since: Some(Timestamp::now() - hour),
            before: None,
        })
        .await
        .unwrap();
    assert_eq!((report.documents, report.added.len()), (1, 2));
    let again = other
        .repair(RepairScope {
            since: Some(Timestamp::now() - hour),
            before: None,
        })
        .await
        .unwrap();
    assert_eq!((again.documents, again.added.len()), (1, 0));
}

#[tokio::test]
async fn removed_and_unreadable_documents_are_named() {
    let store = memory();
    let registry = registry(&store, "w");
    register(&registry, 1).await;
    register(&registry, 2).await;
    store
        .delete(Container::Models, "messages/000001/model.json")
        .await
        .unwrap();
    store
        .put(Container::Models, "messages/000002/model.json", "{".into())
        .await
        .unwrap();
    let report = registry.verify_documents(Timestamp::MAX).await.unwrap();
    assert_eq!(report.missing, ["models/messages/000001/model.json"]);
    assert_eq!(report.unreadable.len(), 1);
    assert!(
        report.unreadable[0].starts_with("models/messages/000002/model.json: "),
        "{report:?}"
    );
    let repaired = registry.repair(RepairScope::default()).await.unwrap();
    assert_eq!(
        repaired.unreadable.len(),
        1,
        "a damaged document does not stop the repair of others"
    );
}
