//! Names.

use bytes::Bytes;

use super::{CONTAINER, clear, content, listed, put};
use crate::{ETag, StorageError, Store};

/// Names are any text: nothing in them is decoded, folded or normalised.
pub async fn unicode_names(store: &dyn Store) {
    clear(store, "unicode/").await;
    let names = [
        "unicode/Überschwemmung.csv",
        "unicode/日本/地震.jsonl",
        "unicode/🌊🔥",
        "unicode/a b+c&d=e?f#g",
        "unicode/100%",
        "unicode/%2e%2e%2f",
        "unicode/'quoted' \"twice\"",
        "unicode/a..b",
        "unicode/-",
    ];
    for name in names {
        store
            .create(CONTAINER, name, Bytes::from_static(name.as_bytes()))
            .await
            .expect(name);
    }
    for name in names {
        assert_eq!(name, content(store, name).await);
    }
    let mut sorted = names;
    sorted.sort_unstable();
    assert_eq!(sorted[..], listed(store, "unicode/").await[..]);
    clear(store, "unicode/").await;
}

/// A name may have 1,024 bytes, and 255 between two slashes.
pub async fn long_names(store: &dyn Store) {
    clear(store, "long/").await;
    let part = "p".repeat(255);
    let name = format!("long/{part}/{part}/{part}/{}", "q".repeat(251));
    assert_eq!(1_024, name.len());
    put(store, &name, "x").await;
    store
        .append(CONTAINER, &name, Bytes::from_static(b"y"), Some(1))
        .await
        .expect("append");
    assert_eq!("xy", content(store, &name).await);
    assert_eq!([&*name], listed(store, "long/").await[..]);
    clear(store, "long/").await;
}

/// Every method refuses a name that could leave its container or that some store cannot hold.
pub async fn invalid_names_are_refused(store: &dyn Store) {
    let long = "n".repeat(256);
    let longer = "n/".repeat(512) + "n";
    for name in [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        "..",
        "../incoming/a",
        "a/../../b",
        "./a",
        "a\\b",
        "a\nb",
        "a\0",
        ".sluice/locks/00",
        "a/.hidden",
        &long,
        &longer,
    ] {
        let bytes = || Bytes::from_static(b"x");
        let etag = ETag("1".to_owned());
        let file = std::path::Path::new("any");
        let results = [
            store.read(CONTAINER, name).await.err(),
            store.read_range(CONTAINER, name, 0..1).await.err(),
            store.read_stream(CONTAINER, name).await.err(),
            store.info(CONTAINER, name).await.err(),
            store.create(CONTAINER, name, bytes()).await.err(),
            store.create_from_file(CONTAINER, name, file).await.err(),
            store.put(CONTAINER, name, bytes()).await.err(),
            store.put_from_file(CONTAINER, name, file).await.err(),
            store.replace(CONTAINER, name, bytes(), &etag).await.err(),
            store.append(CONTAINER, name, bytes(), None).await.err(),
            store.delete(CONTAINER, name).await.err(),
        ];
        for (at, result) in results.into_iter().enumerate() {
            assert!(
                matches!(result, Some(StorageError::InvalidName { .. })),
                "method {at}, {name:?}: {result:?}"
            );
        }
    }
}
