//! Dataset versions and the ledger.

use sluice_registry::{DocumentPath, RegistryError, UploadOutcome};
use sluice_storage::{Container, ETag};

use crate::fixtures::{DATASET, ingest, ledger_entry, memory, next_version, registry, upload};

#[tokio::test]
async fn versions_follow_each_other() {
    let registry = registry(&memory(), "w");
    let datasets = registry.datasets();
    assert!(datasets.current(DATASET).await.unwrap().is_none());
    let (first, first_digest) = ingest(&registry, "a").await.unwrap();
    let (second, _) = ingest(&registry, "b").await.unwrap();
    assert_eq!(
        (first.version, second.version, second.parent),
        (1, 2, Some(1))
    );
    assert_eq!(datasets.current(DATASET).await.unwrap().unwrap().0, second);
    assert_eq!(
        datasets.version(DATASET, 1).await.unwrap(),
        (first.clone(), first_digest)
    );
    let missing = datasets.version(DATASET, 3).await.unwrap_err();
    assert_eq!(
        missing.to_string(),
        "there is no dataset version messages/3: check the name, or list what there is"
    );
    // The same manifest again is the same version; another one on the same parent lost the race.
    assert_eq!(datasets.commit(second.clone()).await.unwrap().0, second);
    let other = next_version(&registry, Some(&first), "c").await.unwrap();
    assert!(datasets.commit(other).await.unwrap_err().is_lost_race());
}

#[tokio::test]
async fn a_manifest_that_does_not_add_up_is_refused() {
    let registry = registry(&memory(), "w");
    let datasets = registry.datasets();
    let (parent, _) = ingest(&registry, "a").await.unwrap();
    let good = next_version(&registry, Some(&parent), "b").await.unwrap();
    let refused = async |change: &dyn Fn(&mut sluice_registry::DatasetVersion)| {
        let mut bad = good.clone();
        change(&mut bad);
        datasets.commit(bad).await.unwrap_err().to_string()
    };
    let message = refused(&|bad| bad.version = 3).await;
    assert!(
        message.ends_with("it follows version 1, so it must be version 2"),
        "{message}"
    );
    assert!(
        refused(&|bad| bad.rows += 1)
            .await
            .contains("its parts hold 20 rows, it says 21")
    );
    assert!(
        refused(&|bad| bad.class_counts.clear())
            .await
            .contains("its labels count 0 rows")
    );
    assert!(
        refused(&|bad| bad.split_counts.test = 7)
            .await
            .contains("its split counts 26 rows")
    );
    assert!(
        refused(&|bad| bad.parts.swap(0, 1))
            .await
            .contains("do not start with those of its parent")
    );
    assert!(
        refused(&|bad| bad.uploads.swap(0, 1))
            .await
            .contains("do not start with those of its parent")
    );
    assert!(
        refused(&|bad| bad.profile = upload("x").digest)
            .await
            .contains("is not stored: write it first")
    );
    assert!(
        refused(&|bad| bad.parts[1].digest = upload("x").digest)
            .await
            .contains("write the parts first")
    );
    assert!(
        refused(&|bad| bad.dataset = "Messages".into())
            .await
            .contains("is not a dataset name")
    );
    datasets.commit(good).await.unwrap();
}

#[tokio::test]
async fn a_pointer_that_lags_is_only_a_hint() {
    let store = memory();
    let registry = registry(&store, "w");
    ingest(&registry, "a").await.unwrap();
    let pointer = DocumentPath::DatasetPointer {
        dataset: DATASET.into(),
    };
    let (lagging, _) = store
        .read(pointer.container(), &pointer.to_string())
        .await
        .unwrap();
    ingest(&registry, "b").await.unwrap();
    store
        .put(pointer.container(), &pointer.to_string(), lagging)
        .await
        .unwrap();
    assert_eq!(
        registry
            .datasets()
            .current(DATASET)
            .await
            .unwrap()
            .unwrap()
            .0
            .version,
        2
    );
    ingest(&registry, "c").await.unwrap();
    store
        .delete(pointer.container(), &pointer.to_string())
        .await
        .unwrap();
    assert_eq!(
        registry
            .datasets()
            .current(DATASET)
            .await
            .unwrap()
            .unwrap()
            .0
            .version,
        3
    );
}

#[tokio::test]
async fn the_pointer_never_goes_back() {
    let store = memory();
    let registry = registry(&store, "w");
    let (first, _) = ingest(&registry, "a").await.unwrap();
    ingest(&registry, "b").await.unwrap();
    let name = format!("{DATASET}/current.json");
    let (before, _) = store.read(Container::Datasets, &name).await.unwrap();
    registry.datasets().commit(first).await.unwrap();
    let (after, _) = store.read(Container::Datasets, &name).await.unwrap();
    assert_eq!(before, after, "a late repetition of the first commit");
}

#[tokio::test]
async fn an_edited_manifest_is_noticed() {
    let store = memory();
    let registry = registry(&store, "w");
    ingest(&registry, "a").await.unwrap();
    let path = DocumentPath::DatasetVersion {
        dataset: DATASET.into(),
        version: 1,
    };
    let (bytes, _) = store
        .read(path.container(), &path.to_string())
        .await
        .unwrap();
    let edited = String::from_utf8(bytes.to_vec())
        .unwrap()
        .replace("disaster", "calamity");
    store
        .put(path.container(), &path.to_string(), edited.into())
        .await
        .unwrap();
    let error = registry.datasets().current(DATASET).await.unwrap_err();
    assert!(
        matches!(error, RegistryError::DigestMismatch { .. }),
        "{error}"
    );
    assert_eq!(
        registry
            .verify_documents(jiff::Timestamp::MAX)
            .await
            .unwrap()
            .changed,
        ["datasets/messages/versions/000001.json"]
    );
}

#[tokio::test]
async fn the_first_ledger_entry_stays() {
    let registry = registry(&memory(), "w");
    let datasets = registry.datasets();
    let first = datasets
        .record_upload(DATASET, ledger_entry("a", 1))
        .await
        .unwrap();
    let mut second = ledger_entry("a", 2);
    second.outcome = UploadOutcome::Refused {
        reason: "empty".into(),
    };
    assert_eq!(
        datasets.record_upload(DATASET, second).await.unwrap(),
        first
    );
    assert_eq!(
        datasets
            .ledger_entry(DATASET, first.upload.digest)
            .await
            .unwrap(),
        Some(first)
    );
    assert_eq!(
        datasets
            .ledger_entry(DATASET, upload("b").digest)
            .await
            .unwrap(),
        None
    );
}

#[tokio::test]
async fn committed_rows_never_lack_their_ledger_entry() {
    let registry = registry(&memory(), "w");
    let datasets = registry.datasets();
    ingest(&registry, "a").await.unwrap();
    let (parent, _) = datasets.current(DATASET).await.unwrap().unwrap();
    let new = next_version(&registry, Some(&parent), "b").await.unwrap();
    datasets.commit(new).await.unwrap();
    ingest(&registry, "c").await.unwrap();
    // The process that committed b died before it wrote the entry.
    let entry = datasets
        .ledger_entry(DATASET, upload("b").digest)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (entry.upload, entry.outcome),
        (upload("b"), UploadOutcome::Ingested { version: 2 })
    );
}

#[tokio::test]
async fn a_blob_that_was_seen_is_recognised_until_it_changes() {
    let registry = registry(&memory(), "w");
    let datasets = registry.datasets();
    let (name, etag) = ("messages/Übersicht 2026.csv", ETag("1".into()));
    assert_eq!(datasets.seen(DATASET, name, &etag).await.unwrap(), None);
    datasets
        .mark_seen(DATASET, name, &etag, upload("a").digest)
        .await
        .unwrap();
    assert_eq!(
        datasets.seen(DATASET, name, &etag).await.unwrap(),
        Some(upload("a").digest)
    );
    assert_eq!(
        datasets
            .seen(DATASET, name, &ETag("2".into()))
            .await
            .unwrap(),
        None
    );
}

#[tokio::test]
async fn a_profile_is_checked_when_it_is_read() {
    let store = memory();
    let registry = registry(&store, "w");
    let digest = registry
        .datasets()
        .put_profile(DATASET, "profile".into())
        .await
        .unwrap();
    assert_eq!(
        registry.datasets().profile(DATASET, digest).await.unwrap(),
        "profile"
    );
    let path = DocumentPath::Profile {
        dataset: DATASET.into(),
        digest,
    };
    store
        .put(Container::Datasets, &path.to_string(), "other".into())
        .await
        .unwrap();
    assert!(matches!(
        registry
            .datasets()
            .profile(DATASET, digest)
            .await
            .unwrap_err(),
        RegistryError::DigestMismatch { .. }
    ));
}
