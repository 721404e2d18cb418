//! Writing, by one writer.

use std::collections::HashSet;

use bytes::Bytes;

use super::{CONTAINER, clear, content, listed, put};
use crate::{Container, ETag, StorageError, Store};

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// A blob can be created once; the second attempt changes nothing. After a deletion it can be created again.
pub async fn creates_once(store: &dyn Store) {
    clear(store, "create/").await;
    let etag = store
        .create(CONTAINER, "create/blob", bytes("first"))
        .await
        .expect("create");
    let again = store
        .create(CONTAINER, "create/blob", bytes("second"))
        .await;
    assert!(
        matches!(again, Err(StorageError::AlreadyExists { .. })),
        "{again:?}"
    );
    assert_eq!(
        (bytes("first"), etag.clone()),
        store.read(CONTAINER, "create/blob").await.expect("read")
    );
    store
        .delete(CONTAINER, "create/blob")
        .await
        .expect("delete");
    let new = store
        .create(CONTAINER, "create/blob", bytes("third"))
        .await
        .expect("create");
    assert_ne!(etag, new);
    assert_eq!("third", content(store, "create/blob").await);
}

/// A local file becomes a blob, once; a file that is not there does not.
pub async fn creates_from_a_file(store: &dyn Store) {
    clear(store, "file/").await;
    // Any file will do that is there on every machine: the program that runs this.
    let program = std::env::current_exe().expect("this program has a file");
    let expected = std::fs::metadata(&program)
        .expect("this program's file")
        .len();
    let etag = store
        .create_from_file(CONTAINER, "file/blob", &program)
        .await
        .expect("create_from_file");
    let info = store.info(CONTAINER, "file/blob").await.expect("info");
    assert_eq!((expected, &etag), (info.size_bytes, &info.etag));
    let again = store
        .create_from_file(CONTAINER, "file/blob", &program)
        .await;
    assert!(
        matches!(again, Err(StorageError::AlreadyExists { .. })),
        "{again:?}"
    );
    let absent = program.join("absent");
    let none = store
        .create_from_file(CONTAINER, "file/none", &absent)
        .await;
    assert!(matches!(none, Err(StorageError::Io { .. })), "{none:?}");
    assert_eq!(["file/blob"], listed(store, "file/").await[..]);
    clear(store, "file/").await;
}

/// A local file becomes a blob whatever was there before; a file that is not there leaves the old one.
pub async fn puts_from_a_file(store: &dyn Store) {
    clear(store, "put-file/").await;
    let program = std::env::current_exe().expect("this program has a file");
    let expected = std::fs::metadata(&program)
        .expect("this program's file")
        .len();
    let mut etags = vec![put(store, "put-file/blob", "old").await];
    for _ in 0..2 {
        let etag = store
            .put_from_file(CONTAINER, "put-file/blob", &program)
            .await
            .expect("put_from_file");
        let info = store.info(CONTAINER, "put-file/blob").await.expect("info");
        assert_eq!((expected, &etag), (info.size_bytes, &info.etag));
        assert!(!etags.contains(&etag), "{etag} was given out before");
        etags.push(etag);
    }
    for name in ["put-file/blob", "put-file/none"] {
        let absent = program.join("absent");
        let none = store.put_from_file(CONTAINER, name, &absent).await;
        assert!(matches!(none, Err(StorageError::Io { .. })), "{none:?}");
    }
    store
        .put_from_file(CONTAINER, "put-file/new", &program)
        .await
        .expect("a name that was free");
    assert_eq!(
        ["put-file/blob", "put-file/new"],
        listed(store, "put-file/").await[..]
    );
    clear(store, "put-file/").await;
}

/// `put` writes with and without a blob before it.
pub async fn puts_whatever_was_there(store: &dyn Store) {
    clear(store, "put/").await;
    let first = put(store, "put/blob", "first, and longer").await;
    let second = put(store, "put/blob", "second").await;
    assert_ne!(first, second);
    assert_eq!(
        (bytes("second"), second),
        store.read(CONTAINER, "put/blob").await.expect("read")
    );
}

/// `replace` writes over the version it names, and over no other.
pub async fn replaces_only_the_given_version(store: &dyn Store) {
    clear(store, "replace/").await;
    let replace = |content, etag: &ETag| {
        let etag = etag.clone();
        async move {
            store
                .replace(CONTAINER, "replace/blob", bytes(content), &etag)
                .await
        }
    };
    let first = put(store, "replace/blob", "1").await;
    let second = replace("2", &first).await.expect("a good ETag");
    let stale = replace("3", &first).await;
    assert!(
        matches!(stale, Err(StorageError::Conflict { .. })),
        "{stale:?}"
    );
    let foreign = replace("3", &ETag("never-given-out".to_owned())).await;
    assert!(
        matches!(foreign, Err(StorageError::Conflict { .. })),
        "{foreign:?}"
    );
    assert_eq!("2", content(store, "replace/blob").await);

    // Back to the first content is not back to the first version.
    let third = replace("1", &second).await.expect("a good ETag");
    let stale = replace("4", &first).await;
    assert!(
        matches!(stale, Err(StorageError::Conflict { .. })),
        "{stale:?}"
    );

    store
        .append(CONTAINER, "replace/blob", bytes("+"), None)
        .await
        .expect("append");
    let stale = replace("5", &third).await;
    assert!(
        matches!(stale, Err(StorageError::Conflict { .. })),
        "{stale:?}"
    );

    let fourth = store
        .info(CONTAINER, "replace/blob")
        .await
        .expect("info")
        .etag;
    store
        .delete(CONTAINER, "replace/blob")
        .await
        .expect("delete");
    assert!(replace("6", &fourth).await.unwrap_err().is_not_found());
    assert!(listed(store, "replace/").await.is_empty());
}

/// No two versions of a blob have one ETag, however fast they follow each other and whatever the bytes.
pub async fn etags_change_with_every_write(store: &dyn Store) {
    clear(store, "etag/").await;
    let mut seen = HashSet::new();
    for round in 0..30 {
        assert!(
            seen.insert(put(store, "etag/blob", "same").await),
            "put, round {round}"
        );
        store
            .append(CONTAINER, "etag/blob", bytes("+"), None)
            .await
            .expect("append");
        let etag = store.info(CONTAINER, "etag/blob").await.expect("info").etag;
        assert!(seen.insert(etag.clone()), "append, round {round}");
        let etag = store
            .replace(CONTAINER, "etag/blob", bytes("same"), &etag)
            .await
            .expect("replace");
        assert!(seen.insert(etag), "replace, round {round}");
        store.delete(CONTAINER, "etag/blob").await.expect("delete");
        let etag = store
            .create(CONTAINER, "etag/blob", bytes("same"))
            .await
            .expect("create");
        assert!(seen.insert(etag), "create, round {round}");
    }
}

/// Appends make the blob, then make it longer, also after other writes.
pub async fn appends_are_added_to_the_end(store: &dyn Store) {
    clear(store, "append/").await;
    for (added, length) in [("one\n", 4), ("two", 7), ("", 7), ("\nthree\n", 14)] {
        let result = store
            .append(CONTAINER, "append/log", bytes(added), None)
            .await;
        assert_eq!(length, result.expect("append"), "{added:?}");
    }
    assert_eq!("one\ntwo\nthree\n", content(store, "append/log").await);

    put(store, "append/log", "new: ").await;
    let length = store
        .append(CONTAINER, "append/log", bytes("four"), None)
        .await;
    assert_eq!(9, length.expect("append"));
    assert_eq!("new: four", content(store, "append/log").await);
}

/// With a position, an append happens only when the blob is exactly as long.
pub async fn appends_only_at_the_given_length(store: &dyn Store) {
    clear(store, "at/").await;
    let append = |name, added, at| store.append(CONTAINER, name, bytes(added), Some(at));
    let refused = append("at/log", "x", 1).await;
    assert!(
        matches!(refused, Err(StorageError::Conflict { .. })),
        "{refused:?}"
    );
    assert!(listed(store, "at/").await.is_empty());
    assert_eq!(3, append("at/log", "one", 0).await.expect("append to none"));
    for at in [0, 2, 4, u64::MAX] {
        let refused = append("at/log", "x", at).await;
        assert!(
            matches!(refused, Err(StorageError::Conflict { .. })),
            "{at}: {refused:?}"
        );
    }
    assert_eq!(
        6,
        append("at/log", "two", 3).await.expect("append at the end")
    );
    assert_eq!("onetwo", content(store, "at/log").await);
    put(store, "at/empty", "").await;
    assert_eq!(
        1,
        append("at/empty", "x", 0)
            .await
            .expect("append to an empty blob")
    );
}

/// A deletion takes the blob away and nothing else; without a blob it is no error.
pub async fn deletes_again_and_again(store: &dyn Store) {
    clear(store, "delete/").await;
    put(store, "delete/blob", "x").await;
    put(store, "delete/blob2", "x").await;
    for _ in 0..3 {
        store
            .delete(CONTAINER, "delete/blob")
            .await
            .expect("delete");
        assert_eq!(["delete/blob2"], listed(store, "delete/").await[..]);
    }
    store
        .delete(CONTAINER, "delete/no/such/blob")
        .await
        .expect("delete");
    store
        .delete(CONTAINER, "delete/blob2/below")
        .await
        .expect("delete");
    store.delete(CONTAINER, "delete").await.expect("delete");
    assert_eq!(["delete/blob2"], listed(store, "delete/").await[..]);
}

/// The same name in two containers is two blobs.
pub async fn containers_are_apart(store: &dyn Store) {
    let other = Container::Quarantine;
    clear(store, "apart/").await;
    store.delete(other, "apart/blob").await.expect("delete");
    put(store, "apart/blob", "here").await;
    assert!(
        store
            .read(other, "apart/blob")
            .await
            .unwrap_err()
            .is_not_found()
    );
    store
        .create(other, "apart/blob", bytes("there"))
        .await
        .expect("create");
    assert_eq!("here", content(store, "apart/blob").await);
    store.delete(other, "apart/blob").await.expect("delete");
    assert_eq!("here", content(store, "apart/blob").await);
}
