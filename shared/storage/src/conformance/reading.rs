//! Reading.

use bytes::Bytes;
use futures::TryStreamExt as _;

use super::{CONTAINER, clear, content, put};
use crate::{ETag, Store};

/// Every way to read says `NotFound` when there is no such blob, also when it looks like a folder.
pub async fn missing_blobs_are_not_found(store: &dyn Store) {
    clear(store, "missing/").await;
    put(store, "missing/folder/blob", "x").await;
    for name in [
        "missing/blob",
        "missing/folder",
        "missing/none/blob",
        "missing/folder/blob/below",
    ] {
        let read = store.read(CONTAINER, name).await;
        assert!(read.unwrap_err().is_not_found(), "read {name}");
        let read = store.read_range(CONTAINER, name, 0..1).await;
        assert!(read.unwrap_err().is_not_found(), "read_range {name}");
        let read = store.read_stream(CONTAINER, name).await;
        assert!(
            read.err().expect("no stream").is_not_found(),
            "read_stream {name}"
        );
        let info = store.info(CONTAINER, name).await;
        assert!(info.unwrap_err().is_not_found(), "info {name}");
        let etag = ETag("1".to_owned());
        if name != "missing/folder" {
            let replaced = store.replace(CONTAINER, name, Bytes::new(), &etag).await;
            assert!(replaced.unwrap_err().is_not_found(), "replace {name}");
        }
    }
}

/// Bytes, version and length are the same by every way to read.
pub async fn reads_what_was_written(store: &dyn Store) {
    clear(store, "read/").await;
    let bytes = Bytes::from((0..=255).collect::<Vec<u8>>());
    let written = store
        .put(CONTAINER, "read/blob", bytes.clone())
        .await
        .expect("put");
    let (read, etag) = store.read(CONTAINER, "read/blob").await.expect("read");
    assert_eq!((&bytes, &written), (&read, &etag));
    let info = store.info(CONTAINER, "read/blob").await.expect("info");
    assert_eq!(
        ("read/blob", 256, &written),
        (&*info.name, info.size_bytes, &info.etag)
    );
    let (streamed, _) = store
        .read_stream(CONTAINER, "read/blob")
        .await
        .expect("read_stream");
    assert_eq!(info, streamed);
}

/// A blob of no bytes is a blob.
pub async fn empty_blobs(store: &dyn Store) {
    clear(store, "empty/").await;
    store
        .create(CONTAINER, "empty/created", Bytes::new())
        .await
        .expect("create");
    put(store, "empty/put", "").await;
    let length = store
        .append(CONTAINER, "empty/appended", Bytes::new(), None)
        .await
        .expect("append");
    assert_eq!(0, length);
    for name in ["empty/created", "empty/put", "empty/appended"] {
        assert_eq!(Bytes::new(), content(store, name).await, "{name}");
        assert_eq!(
            0,
            store.info(CONTAINER, name).await.expect("info").size_bytes,
            "{name}"
        );
        let range = store
            .read_range(CONTAINER, name, 0..10)
            .await
            .expect("read_range");
        assert!(range.is_empty(), "{name}");
        let (_, stream) = store
            .read_stream(CONTAINER, name)
            .await
            .expect("read_stream");
        let streamed: Vec<Bytes> = stream.try_collect().await.expect("stream");
        assert!(streamed.concat().is_empty(), "{name}");
    }
}

/// A range is cut at the blob's end; past the end, or without length, it has no bytes.
#[expect(
    clippy::reversed_empty_ranges,
    reason = "a range that ends before it starts is a case"
)]
pub async fn ranges_are_cut_at_the_end(store: &dyn Store) {
    clear(store, "range/").await;
    put(store, "range/blob", "0123456789").await;
    for (range, expected) in [
        (0..10, "0123456789"),
        (0..1, "0"),
        (3..6, "345"),
        (9..10, "9"),
        (8..100, "89"),
        (0..u64::MAX, "0123456789"),
        (0..0, ""),
        (5..5, ""),
        (6..3, ""),
        (10..11, ""),
        (10..10, ""),
        (11..20, ""),
        (u64::MAX - 1..u64::MAX, ""),
    ] {
        let bytes = store
            .read_range(CONTAINER, "range/blob", range.clone())
            .await;
        assert_eq!(
            expected.as_bytes(),
            &bytes.expect("read_range")[..],
            "{range:?}"
        );
    }
}

/// A stream gives all bytes in order, also of a blob that is larger than its pieces.
pub async fn streams_are_whole(store: &dyn Store) {
    clear(store, "stream/").await;
    let bytes: Bytes = large_content(7);
    store
        .put(CONTAINER, "stream/blob", bytes.clone())
        .await
        .expect("put");
    let (info, stream) = store
        .read_stream(CONTAINER, "stream/blob")
        .await
        .expect("read_stream");
    assert_eq!(bytes.len() as u64, info.size_bytes);
    let pieces: Vec<Bytes> = stream.try_collect().await.expect("stream");
    assert!(bytes == pieces.concat(), "the stream's bytes differ");
}

/// A stream that has begun goes on with the version it began with, whatever is done to the blob.
pub async fn streams_keep_one_version(store: &dyn Store) {
    clear(store, "version/").await;
    let old = large_content(11);
    for change in ["replace", "append", "delete"] {
        store
            .put(CONTAINER, "version/blob", old.clone())
            .await
            .expect("put");
        let (info, mut stream) = store
            .read_stream(CONTAINER, "version/blob")
            .await
            .expect("read_stream");
        let mut read = stream
            .try_next()
            .await
            .expect("stream")
            .expect("bytes")
            .to_vec();
        match change {
            "replace" => drop(
                store
                    .replace(CONTAINER, "version/blob", large_content(13), &info.etag)
                    .await
                    .expect("replace"),
            ),
            "append" => drop(
                store
                    .append(CONTAINER, "version/blob", large_content(17), None)
                    .await
                    .expect("append"),
            ),
            _ => store
                .delete(CONTAINER, "version/blob")
                .await
                .expect("delete"),
        }
        while let Some(piece) = stream.try_next().await.expect("stream") {
            read.extend_from_slice(&piece);
        }
        assert!(old == read, "{change} changed what the stream gave");
    }
}

/// Some 1.5 MB that repeat with a period of no power of two.
fn large_content(period: u32) -> Bytes {
    (0..1_500_000_u32)
        .map(|at| (at % (period * 37)) as u8)
        .collect()
}
