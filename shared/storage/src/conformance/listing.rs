//! Listing.

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{CONTAINER, clear, listed, put};
use crate::{BlobInfo, Store};

/// A listing says of each blob what `info` says, and shows creations and deletions at once.
pub async fn lists_what_is_there(store: &dyn Store) {
    clear(store, "list/").await;
    assert!(listed(store, "list/").await.is_empty());
    put(store, "list/a", "1").await;
    put(store, "list/b/c", "22").await;
    let infos = store.list(CONTAINER, "list/").await.expect("list");
    let infos: Vec<BlobInfo> = infos.try_collect().await.expect("the listing");
    for info in &infos {
        let expected = store.info(CONTAINER, &info.name).await.expect("info");
        assert_eq!(&expected, info);
    }
    let sizes: Vec<u64> = infos.iter().map(|info| info.size_bytes).collect();
    assert_eq!([1, 2], sizes[..]);
    store.delete(CONTAINER, "list/a").await.expect("delete");
    assert_eq!(["list/b/c"], listed(store, "list/").await[..]);
}

/// The order is that of the bytes of the full names. A folder is not a name: `a/x` comes after `a-b`, before `a0`.
pub async fn lists_by_name(store: &dyn Store) {
    clear(store, "order/").await;
    let mut names = [
        "order/b",
        "order/a/x",
        "order/a-b",
        "order/a.csv",
        "order/a0",
        "order/a/b/c",
        "order/a/b-c",
        "order/A",
        "order/ä",
        "order/z",
        "order/10",
        "order/9",
        "order/a b",
        "order/~",
        "order/日本",
        "order/\u{ffff}",
        "order/🌊",
    ];
    for name in names {
        put(store, name, "").await;
    }
    names.sort_unstable();
    assert_eq!(names[..], listed(store, "order/").await[..]);
}

/// A prefix is a string, not a folder; one that no name can have matches nothing.
pub async fn lists_by_string_prefix(store: &dyn Store) {
    clear(store, "prefix/").await;
    for name in [
        "prefix/a/1",
        "prefix/a/2",
        "prefix/ab",
        "prefix/b/1",
        "prefix/b1",
    ] {
        put(store, name, "").await;
    }
    for (prefix, expected) in [
        (
            "prefix/",
            &[
                "prefix/a/1",
                "prefix/a/2",
                "prefix/ab",
                "prefix/b/1",
                "prefix/b1",
            ][..],
        ),
        ("prefix/a", &["prefix/a/1", "prefix/a/2", "prefix/ab"]),
        ("prefix/a/", &["prefix/a/1", "prefix/a/2"]),
        ("prefix/a/2", &["prefix/a/2"]),
        ("prefix/a/2/", &[]),
        ("prefix/c", &[]),
        ("prefix/c/d", &[]),
        ("/", &[]),
        ("/prefix/a", &[]),
        ("prefix//a", &[]),
        ("prefix/../prefix/a", &[]),
        ("../reports/prefix/a", &[]),
        ("prefix/./a", &[]),
    ] {
        assert_eq!(expected, listed(store, prefix).await, "{prefix}");
    }
    let all = listed(store, "").await;
    assert!(all.is_sorted() && all.contains(&"prefix/ab".to_owned()));
}

/// A listing of more than 5,000 blobs (the most that Azure gives at once) is complete and in order. Slow on a store
/// behind a network.
pub async fn lists_more_than_one_page(store: &dyn Store) {
    clear(store, "many/").await;
    let names: Vec<String> = (0..5_050)
        .map(|number| format!("many/{:02}/{number}", number % 7))
        .collect();
    stream::iter(&names)
        .for_each_concurrent(16, |name| async {
            store.put(CONTAINER, name, Bytes::new()).await.expect("put");
        })
        .await;
    let mut expected = names.clone();
    expected.sort_unstable();
    assert_eq!(expected, listed(store, "many/").await);
    stream::iter(&names)
        .for_each_concurrent(16, |name| async {
            store.delete(CONTAINER, name).await.expect("delete");
        })
        .await;
    assert!(listed(store, "many/").await.is_empty());
}
