//! Many writers at once.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;
use tokio::task::JoinHandle;

use super::{CONTAINER, clear, content, put};
use crate::{StorageError, Store};

/// Runs `count` tasks at once and gives their results in order.
async fn at_once<T: Send + 'static, F>(
    store: &Arc<dyn Store>,
    count: u32,
    task: impl Fn(Arc<dyn Store>, u32) -> F,
) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<JoinHandle<T>> = (0..count)
        .map(|number| tokio::spawn(task(Arc::clone(store), number)))
        .collect();
    let results = join_all(tasks).await;
    results
        .into_iter()
        .map(|result| result.expect("a task"))
        .collect()
}

/// Of 50 that create one blob, one succeeds, and the blob is its.
pub async fn creators_have_one_winner(store: &Arc<dyn Store>) {
    clear(&**store, "winner/").await;
    let results = at_once(store, 50, |store, number| async move {
        let bytes = Bytes::from(number.to_string());
        store.create(CONTAINER, "winner/blob", bytes).await
    })
    .await;
    let winners: Vec<usize> = (0..results.len())
        .filter(|&number| results[number].is_ok())
        .collect();
    assert_eq!(1, winners.len(), "{winners:?}");
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        assert!(
            matches!(error, StorageError::AlreadyExists { .. }),
            "{error:?}"
        );
    }
    let content = content(&**store, "winner/blob").await;
    assert_eq!(winners[0].to_string().as_bytes(), &content[..]);
}

/// 100 that each add one to a counter, by reading and replacing until it succeeds, add 100.
pub async fn replacers_lose_nothing(store: &Arc<dyn Store>) {
    clear(&**store, "counter/").await;
    put(&**store, "counter/blob", "0").await;
    at_once(store, 100, |store, _| async move {
        loop {
            let (bytes, etag) = store.read(CONTAINER, "counter/blob").await.expect("read");
            let count: u32 = std::str::from_utf8(&bytes)
                .expect("text")
                .parse()
                .expect("a number");
            let bytes = Bytes::from((count + 1).to_string());
            match store.replace(CONTAINER, "counter/blob", bytes, &etag).await {
                Ok(_) => break,
                Err(StorageError::Conflict { .. }) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
    })
    .await;
    assert_eq!("100", content(&**store, "counter/blob").await);
}

/// Readers beside a writer see one of the written versions, whole, with the ETag that belongs to it.
pub async fn readers_see_whole_versions(store: &Arc<dyn Store>) {
    clear(&**store, "whole/").await;
    let version = |number: u32| Bytes::from(vec![number as u8; 100_000 + number as usize]);
    let first = store
        .put(CONTAINER, "whole/blob", version(0))
        .await
        .expect("put");
    // The first task writes, the others read until they have seen the last version.
    let seen = at_once(store, 5, move |store, task| async move {
        let mut seen = Vec::new();
        if task == 0 {
            for number in 1..20 {
                let etag = store
                    .put(CONTAINER, "whole/blob", version(number))
                    .await
                    .expect("put");
                seen.push((etag, number));
            }
            return seen;
        }
        loop {
            let (bytes, etag) = store.read(CONTAINER, "whole/blob").await.expect("read");
            let number = u32::from(bytes[0]);
            assert!(bytes == version(number), "half of a version was read");
            seen.push((etag, number));
            if number == 19 {
                return seen;
            }
        }
    })
    .await;
    let mut written: HashMap<_, _> = seen[0].iter().cloned().collect();
    written.insert(first, 0);
    for (etag, number) in &seen[1..].concat() {
        assert_eq!(
            Some(number),
            written.get(etag),
            "an ETag of another version"
        );
    }
}

/// 20 that append records of many lengths: every record is there once and whole, whoever reads meanwhile sees whole
/// records only, and each writer's records are in the order in which it wrote them.
pub async fn appenders_keep_every_record_whole(store: &Arc<dyn Store>) {
    clear(&**store, "records/").await;
    store
        .append(CONTAINER, "records/log", Bytes::new(), None)
        .await
        .expect("append");
    at_once(store, 20, |store, writer| async move {
        for number in 0..10_u32 {
            let record = record(writer, number);
            store
                .append(CONTAINER, "records/log", record, None)
                .await
                .expect("append");
            // Fails on a torn record.
            records_of(&content(&*store, "records/log").await);
        }
    })
    .await;
    let records = records_of(&content(&**store, "records/log").await);
    assert_eq!(200, records.len());
    for writer in 0..20 {
        let written: Vec<u32> = records
            .iter()
            .filter(|record| record.0 == writer)
            .map(|record| record.1)
            .collect();
        assert_eq!((0..10).collect::<Vec<_>>(), written, "writer {writer}");
    }
}

/// A record that says who wrote it and how long it is.
fn record(writer: u32, number: u32) -> Bytes {
    let filling = ".".repeat((writer * 131 + number * 977) as usize % 5_000);
    Bytes::from(format!("<{writer} {number} {} {filling}>", filling.len()))
}

/// The writers and numbers of the records. Panics on anything but whole records.
fn records_of(bytes: &[u8]) -> Vec<(u32, u32)> {
    let text = std::str::from_utf8(bytes).expect("text");
    let mut records = Vec::new();
    for line in text.split_inclusive('>') {
        let record = line
            .strip_prefix('<')
            .and_then(|line| line.strip_suffix('>'));
        let fields: Vec<&str> = record.expect("a whole record").split(' ').collect();
        let [writer, number, length, filling] = fields[..] else {
            panic!("a torn record: {fields:?}");
        };
        assert_eq!(length, filling.len().to_string(), "a torn record");
        records.push((
            writer.parse().expect("a number"),
            number.parse().expect("a number"),
        ));
    }
    records
}

/// 20 that append at the length they saw, and look again when another was faster: one after the other, none twice.
pub async fn positioned_appends_take_turns(store: &Arc<dyn Store>) {
    clear(&**store, "turns/").await;
    let lengths = at_once(store, 20, |store, _| async move {
        let mut at = 0;
        loop {
            match store
                .append(
                    CONTAINER,
                    "turns/log",
                    Bytes::from_static(b"turn\n"),
                    Some(at),
                )
                .await
            {
                Ok(length) => return length,
                Err(StorageError::Conflict { .. }) => {
                    at = store
                        .info(CONTAINER, "turns/log")
                        .await
                        .expect("info")
                        .size_bytes;
                }
                Err(error) => panic!("{error:?}"),
            }
        }
    })
    .await;
    let mut lengths = lengths;
    lengths.sort_unstable();
    assert_eq!((1..=20).map(|turn| turn * 5).collect::<Vec<u64>>(), lengths);
    assert_eq!("turn\n".repeat(20), content(&**store, "turns/log").await);
}
