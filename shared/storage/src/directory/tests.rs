//! What only a store on a directory does.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;

use futures::TryStreamExt as _;
use proptest::prelude::*;
use tempfile::TempDir;

use super::folder::{Access, Found};
use super::journal::{FileIdentity, Intent, sha256};
use super::*;
use crate::conformance;

const LOGS: Container = Container::Predictions;

fn opened() -> (TempDir, DirectoryStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = DirectoryStore::open(folder.path()).unwrap();
    (folder, store)
}

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

async fn names(store: &DirectoryStore, container: Container, prefix: &str) -> Vec<String> {
    let infos = store.list(container, prefix).await.unwrap();
    infos.map_ok(|info| info.name).try_collect().await.unwrap()
}

fn temporary_files(store: &DirectoryStore) -> usize {
    let sessions = fs::read_dir(store.root().join(".sluice/sessions")).unwrap();
    sessions
        .map(|session| fs::read_dir(session.unwrap().path()).unwrap().count() - 1)
        .sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms() {
    let (_folder, store) = opened();
    conformance::run(Arc::new(store.clone())).await;
    assert_eq!(0, temporary_files(&store));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_more_than_one_page() {
    let (_folder, store) = opened();
    conformance::lists_more_than_one_page(&store).await;
}

#[tokio::test]
async fn two_stores_on_one_root_are_one_store() {
    let (folder, one) = opened();
    let other = DirectoryStore::open(folder.path()).unwrap();
    let etag = one.create(LOGS, "a", bytes("1")).await.unwrap();
    let etag = other.replace(LOGS, "a", bytes("2"), &etag).await.unwrap();
    assert_eq!((bytes("2"), etag), one.read(LOGS, "a").await.unwrap());
}

#[tokio::test]
async fn a_file_that_is_copied_in_is_a_blob() {
    let (_folder, store) = opened();
    let messages = store.root().join("incoming/messages");
    fs::create_dir(&messages).unwrap();
    fs::write(messages.join("rows.csv"), "id,text\n").unwrap();

    let names = names(&store, Container::Incoming, "messages/").await;
    assert_eq!(["messages/rows.csv"], names[..]);
    let (content, etag) = store.read(Container::Incoming, &names[0]).await.unwrap();
    assert_eq!("id,text\n", content);
    let length = store
        .append(Container::Incoming, &names[0], bytes("1,a\n"), Some(8))
        .await;
    assert_eq!(12, length.unwrap());
    let stale = store
        .replace(Container::Incoming, &names[0], bytes(""), &etag)
        .await;
    assert!(matches!(stale, Err(StorageError::Conflict { .. })));
    let etag = store
        .info(Container::Incoming, &names[0])
        .await
        .unwrap()
        .etag;
    store
        .replace(Container::Incoming, &names[0], bytes("new"), &etag)
        .await
        .unwrap();
    assert_eq!(
        "new",
        fs::read_to_string(messages.join("rows.csv")).unwrap()
    );
}

#[tokio::test]
async fn a_file_that_is_changed_by_hand_has_another_etag() {
    let (_folder, store) = opened();
    let etag = store
        .put(Container::Incoming, "a", bytes("1"))
        .await
        .unwrap();
    fs::write(store.root().join("incoming/a"), "2").unwrap();
    let stale = store
        .replace(Container::Incoming, "a", bytes("3"), &etag)
        .await;
    assert!(matches!(stale, Err(StorageError::Conflict { .. })));
}

#[tokio::test]
async fn what_is_hidden_or_no_plain_file_is_no_blob() {
    let (folder, store) = opened();
    let incoming = store.root().join("incoming");
    fs::write(incoming.join("seen"), "x").unwrap();
    fs::write(incoming.join(".hidden"), "x").unwrap();
    fs::create_dir(incoming.join(".folder")).unwrap();
    fs::write(incoming.join(".folder/file"), "x").unwrap();
    fs::write(incoming.join("back\\slash"), "x").unwrap();
    fs::create_dir(incoming.join("empty")).unwrap();
    let pipe = incoming.join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(incoming.join("socket")).unwrap();
    symlink(folder.path().join("incoming/seen"), incoming.join("link")).unwrap();

    assert_eq!(["seen"], names(&store, Container::Incoming, "").await[..]);
    for name in ["pipe", "socket", "link", "empty"] {
        let read = store.read(Container::Incoming, name).await;
        assert!(read.unwrap_err().is_not_found(), "{name}");
        let put = store.put(Container::Incoming, name, bytes("x")).await;
        assert!(
            matches!(put, Err(StorageError::InvalidName { .. })),
            "{name}"
        );
        let created = store.create(Container::Incoming, name, bytes("x")).await;
        assert!(
            matches!(created, Err(StorageError::InvalidName { .. })),
            "{name}"
        );
        let appended = store
            .append(Container::Incoming, name, bytes("x"), None)
            .await;
        assert!(
            matches!(appended, Err(StorageError::InvalidName { .. })),
            "{name}"
        );
        store.delete(Container::Incoming, name).await.unwrap();
        assert!(
            fs::symlink_metadata(incoming.join(name)).is_ok(),
            "{name} was deleted"
        );
    }
}

#[tokio::test]
async fn no_symbolic_link_leads_out_of_the_root() {
    let (_folder, store) = opened();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "x").unwrap();
    symlink(outside.path(), store.root().join("incoming/folder")).unwrap();
    symlink(
        outside.path().join("secret"),
        store.root().join("incoming/file"),
    )
    .unwrap();

    for name in ["folder/secret", "file"] {
        assert!(
            store
                .read(Container::Incoming, name)
                .await
                .unwrap_err()
                .is_not_found()
        );
        let put = store.put(Container::Incoming, name, bytes("y")).await;
        assert!(
            matches!(put, Err(StorageError::InvalidName { .. })),
            "{put:?}"
        );
        store.delete(Container::Incoming, name).await.unwrap();
    }
    assert!(names(&store, Container::Incoming, "").await.is_empty());
    assert!(
        names(&store, Container::Incoming, "folder/")
            .await
            .is_empty()
    );
    assert_eq!(
        "x",
        fs::read_to_string(outside.path().join("secret")).unwrap()
    );
    let put = store
        .put(Container::Incoming, "folder/new", bytes("y"))
        .await;
    assert!(
        matches!(put, Err(StorageError::InvalidName { .. })),
        "{put:?}"
    );
    assert!(!outside.path().join("new").exists());
}

#[tokio::test]
async fn a_blob_cannot_also_be_a_folder() {
    let (_folder, store) = opened();
    store.put(LOGS, "a/b", bytes("x")).await.unwrap();
    for name in ["a", "a/b/c"] {
        let put = store.put(LOGS, name, bytes("y")).await;
        assert!(
            matches!(put, Err(StorageError::InvalidName { .. })),
            "{put:?}"
        );
    }
    assert_eq!(["a/b"], names(&store, LOGS, "").await[..]);
}

#[test]
fn a_root_that_is_a_file_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let opened = DirectoryStore::open(file.path());
    assert!(
        matches!(opened, Err(StorageError::Unusable { .. })),
        "{opened:?}"
    );
}

/// A file of a dead process's session, and one of a living one's.
#[test]
fn opening_removes_what_dead_processes_left_and_nothing_else() {
    let (folder, living) = opened();
    let sessions = folder.path().join(".sluice/sessions");
    // The owner died: the file is there, the lock is not.
    fs::create_dir(sessions.join("1-0")).unwrap();
    fs::write(sessions.join("1-0/owner"), "").unwrap();
    fs::write(sessions.join("1-0/7"), "half a bl").unwrap();
    // The owner died before it could make its file.
    fs::create_dir(sessions.join("2-0")).unwrap();
    let staged = living.tree.session.stage(None, |_| Ok(())).unwrap();

    let other = DirectoryStore::open(folder.path()).unwrap();
    assert!(!sessions.join("1-0").exists() && !sessions.join("2-0").exists());
    assert_eq!(1, temporary_files(&other));
    drop(staged);
    drop((living, other));
    assert_eq!(0, fs::read_dir(&sessions).unwrap().count());
}

/// The state in which a SIGKILL leaves a blob `log` of `before`, when an append of `added` was killed after `written`.
fn killed_append(store: &DirectoryStore, before: &str, added: &str, written: &str) {
    let path = store.root().join("predictions/log");
    fs::write(&path, before).unwrap();
    let blob = BlobName::new(LOGS, "log").unwrap();
    let mut held = store.tree.hold(&blob).unwrap();
    let intent = Intent {
        blob,
        file: FileIdentity::of(&fs::metadata(&path).unwrap()),
        length: before.len() as u64,
        added: added.len() as u64,
        digest: sha256(added.as_bytes()),
    };
    held.begin(intent).unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    io::Write::write_all(&mut file, written.as_bytes()).unwrap();
    // Unlocks, as the kernel does for a dead process, and leaves the note.
    drop(held);
}

#[tokio::test]
async fn no_reader_sees_a_torn_append() {
    for written in ["", "+", "++", "?!?"] {
        let (_folder, store) = opened();
        killed_append(&store, "whole;", "+++", written);
        assert_eq!("whole;", store.read(LOGS, "log").await.unwrap().0);

        killed_append(&store, "whole;", "+++", written);
        assert_eq!("le;", store.read_range(LOGS, "log", 3..100).await.unwrap());

        killed_append(&store, "whole;", "+++", written);
        assert_eq!(6, store.info(LOGS, "log").await.unwrap().size_bytes);

        killed_append(&store, "whole;", "+++", written);
        let (info, stream) = store.read_stream(LOGS, "log").await.unwrap();
        assert_eq!(6, info.size_bytes);
        let pieces: Vec<Bytes> = stream.try_collect().await.unwrap();
        assert_eq!(b"whole;", &pieces.concat()[..]);

        killed_append(&store, "whole;", "+++", written);
        let listing = store.list(LOGS, "").await.unwrap();
        let infos: Vec<BlobInfo> = listing.try_collect().await.unwrap();
        assert_eq!(6, infos[0].size_bytes);
    }
}

#[tokio::test]
async fn a_killed_append_that_is_complete_is_kept() {
    let (_folder, store) = opened();
    killed_append(&store, "whole;", "+++", "+++");
    assert_eq!("whole;+++", store.read(LOGS, "log").await.unwrap().0);
    let length = store.append(LOGS, "log", bytes("more"), Some(9)).await;
    assert_eq!(13, length.unwrap());
}

#[tokio::test]
async fn nothing_is_glued_to_a_torn_append() {
    let (_folder, store) = opened();
    killed_append(&store, "whole;", "+++", "++");
    store
        .append(LOGS, "log", bytes("next;"), None)
        .await
        .unwrap();
    assert_eq!("whole;next;", store.read(LOGS, "log").await.unwrap().0);
}

#[test]
fn opening_takes_torn_appends_back() {
    let (folder, store) = opened();
    killed_append(&store, "whole;", "+++", "++");
    drop(store);
    let path = folder.path().join("predictions/log");
    assert_eq!("whole;++", fs::read_to_string(&path).unwrap());
    DirectoryStore::open(folder.path()).unwrap();
    assert_eq!("whole;", fs::read_to_string(&path).unwrap());
}

/// A note that a loss of power brought back must not cut a later file of the same name, nor what a person did.
#[tokio::test]
async fn a_note_about_another_file_takes_nothing_back() {
    let (_folder, store) = opened();
    killed_append(&store, "whole;", "+++", "++");
    let path = store.root().join("predictions/log");
    fs::rename(&path, store.root().join("predictions/.old")).unwrap();
    fs::write(&path, "another").unwrap();
    assert_eq!("another", store.read(LOGS, "log").await.unwrap().0);

    killed_append(&store, "whole;", "+++", "and much more by hand");
    let read = store.read(LOGS, "log").await.unwrap().0;
    assert_eq!("whole;and much more by hand", read);
}

/// An append may begin just after the reader found none under way, and before it looks at the blob.
#[test]
fn a_reader_looks_again_when_an_append_began_meanwhile() {
    let (_folder, store) = opened();
    let blob = BlobName::new(LOGS, "log").unwrap();
    let path = store.root().join("predictions/log");
    fs::write(&path, "whole;").unwrap();
    let looks = std::cell::Cell::new(0);
    let content = store.tree.while_settled(&blob, || {
        looks.set(looks.get() + 1);
        if looks.get() == 1 {
            killed_append(&store, "whole;", "+++", "++");
        }
        fs::read_to_string(&path)
    });
    assert_eq!(("whole;", 2), (&*content.unwrap(), looks.get()));
}

/// A reader that finds an append under way waits for it, and does not take it back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_waits_for_a_living_writer() {
    let (_folder, store) = opened();
    killed_append(&store, "whole;", "+++", "+");
    let blob = BlobName::new(LOGS, "log").unwrap();
    let stripe = format!(".sluice/locks/{:02x}", stripe::stripe_of(&blob));
    let lock = fs::File::open(store.root().join(stripe)).unwrap();
    lock.lock().unwrap();
    let reader = store.clone();
    let read = tokio::spawn(async move { reader.read(LOGS, "log").await.unwrap().0 });
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    assert!(!read.is_finished());
    let Found::File(file, _) = store
        .tree
        .folder_of(&blob)
        .unwrap()
        .unwrap()
        .find("log", Access::ReadWrite)
        .unwrap()
    else {
        panic!("no log");
    };
    std::os::unix::fs::FileExt::write_all_at(&file, b"+++", 6).unwrap();
    lock.unlock().unwrap();
    assert_eq!("whole;+++", read.await.unwrap());
}

#[tokio::test]
async fn a_failed_write_leaves_nothing() {
    let (folder, store) = opened();
    let absent = folder.path().join("absent");
    let created = store.create_from_file(LOGS, "a/b", &absent).await;
    assert!(
        matches!(created, Err(StorageError::Io { .. })),
        "{created:?}"
    );
    assert!(names(&store, LOGS, "").await.is_empty());
    assert_eq!(0, temporary_files(&store));
}

/// A tree of names of which none is a folder of another.
fn name_trees() -> impl Strategy<Value = BTreeSet<String>> {
    let name = prop::collection::vec("[a-b0!~é.-]{1,3}", 1..4).prop_map(|parts| parts.join("/"));
    prop::collection::btree_set(name, 0..40).prop_map(|names| {
        let mut kept: BTreeSet<String> = BTreeSet::new();
        for name in names {
            let is_folder = |folder: &str, name: &str| name.starts_with(&format!("{folder}/"));
            let clashes = kept
                .iter()
                .any(|other| is_folder(other, &name) || is_folder(&name, other));
            if crate::name::is_valid(&name) && !clashes {
                kept.insert(name);
            }
        }
        kept
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_listing_is_the_sorted_names_that_start_with_the_prefix(
        tree in name_trees(),
        at in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let (_folder, store) = opened();
        for name in &tree {
            let path = store.root().join("reports").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        let all: Vec<&String> = tree.iter().collect();
        let prefix: String = match all.len() {
            0 => "a".to_owned(),
            _ => {
                let name: Vec<char> = all[at.index(all.len())].chars().collect();
                name[..cut.index(name.len() + 1)].iter().collect()
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for prefix in ["", &prefix] {
            let listed = runtime.block_on(names(&store, Container::Reports, prefix));
            let expected: Vec<String> =
                tree.iter().filter(|name| name.starts_with(prefix)).cloned().collect();
            prop_assert_eq!(expected, listed, "prefix {:?}", prefix);
        }
    }
}
