//! Several processes on one directory, and processes that are killed while they write.
//!
//! The writers are this test program again: it runs only the test `worker`, which does nothing unless it is told the
//! root to work on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod documents;
mod worker;

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::TryStreamExt as _;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sluice_storage::{Container, DirectoryStore, Store as _};

use crate::documents::{Record, parse_document, parse_records};
use crate::worker::{COUNTER, Done, Task, Worker};

const CONTAINER: Container = Container::Predictions;

async fn text(store: &DirectoryStore, name: &str) -> String {
    let (bytes, _) = store.read(CONTAINER, name).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn listed(store: &DirectoryStore, prefix: &str) -> Vec<(String, u64)> {
    let infos = store.list(CONTAINER, prefix).await.unwrap();
    let infos = infos.map_ok(|info| (info.name, info.size_bytes));
    infos.try_collect().await.unwrap()
}

fn opened(root: &Path) -> DirectoryStore {
    DirectoryStore::open(root).unwrap()
}

/// What was created: each blob once, by the one that says so, whole.
async fn check_created(store: &DirectoryStore, prefix: &str, done: &[(u32, Done)]) {
    let mut winners: HashMap<&str, u32> = HashMap::new();
    for (worker, done) in done {
        if let Done::Created(name) = done {
            assert_eq!(
                None,
                winners.insert(name, *worker),
                "{name} was created twice"
            );
        }
    }
    let names = listed(store, prefix).await;
    for (name, _) in &names {
        let content = text(store, name).await;
        let [Record { writer, .. }] = parse_records(&content)[..] else {
            panic!("{name} is not one whole record");
        };
        if let Some(winner) = winners.remove(&**name) {
            assert_eq!(winner, writer, "{name} is not its creator's");
        }
    }
    assert!(winners.is_empty(), "created, and gone: {winners:?}");
}

/// Every acknowledged record is in the log, once and in its writer's order; there may be one more of each killed writer.
fn check_appended(log: &str, done: &[(u32, Done)]) {
    let records = parse_records(log);
    let writers: BTreeSet<u32> = done.iter().map(|(worker, _)| *worker).collect();
    for worker in writers {
        let of_worker = records.iter().filter(|record| record.writer == worker);
        let found: Vec<u32> = of_worker.map(|record| record.number).collect();
        let acknowledged: Vec<u32> = done
            .iter()
            .filter(|(by, _)| *by == worker)
            .filter_map(|(_, done)| match done {
                Done::Appended(number) => Some(*number),
                _ => None,
            })
            .collect();
        let expected: Vec<u32> = (0..found.len() as u32).collect();
        assert_eq!(
            expected, found,
            "worker {worker}: lost, doubled or out of order"
        );
        assert!(
            found.starts_with(&acknowledged) && found.len() <= acknowledged.len() + 1,
            "worker {worker}: {acknowledged:?} acknowledged, {found:?} found"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_at_once_lose_nothing_and_share_fairly() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path());
    let task = Task {
        round: 0,
        repetitions: Some(25),
    };
    let workers: Vec<Worker> = (0..4)
        .map(|number| Worker::start(folder.path(), number, task))
        .collect();
    let mut done = Vec::new();
    for worker in workers {
        done.extend(worker.finish());
    }

    let count = |wanted: fn(&Done) -> bool| done.iter().filter(|(_, done)| wanted(done)).count();
    assert_eq!(100, count(|done| matches!(done, Done::Replaced(_))));
    assert_eq!(100, count(|done| matches!(done, Done::Appended(_))));
    assert_eq!(25, count(|done| matches!(done, Done::Created(_))));
    assert_eq!(100, parse_document(&text(&store, COUNTER).await));
    check_appended(&text(&store, &task.log()).await, &done);
    check_created(&store, &task.folder(), &done).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_processes_leave_nothing_half_done() {
    const KILLS: u32 = 20;
    const AT_ONCE: u32 = 2;
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path());
    let mut random = StdRng::seed_from_u64(20_261_120);
    let mut replaced = BTreeSet::new();

    for round in 0..KILLS / AT_ONCE {
        let task = Task {
            round,
            repetitions: None,
        };
        let stop = Arc::new(AtomicBool::new(false));
        let reader = tokio::spawn(read_until(store.clone(), task, Arc::clone(&stop)));
        let mut workers: Vec<Worker> = (0..AT_ONCE)
            .map(|number| Worker::start(folder.path(), number, task))
            .collect();
        for worker in &mut workers {
            worker.wait_for_first_record();
        }
        let mut done = Vec::new();
        for worker in workers {
            tokio::time::sleep(Duration::from_micros(random.random_range(0..30_000))).await;
            done.extend(worker.kill());
        }
        stop.store(true, Ordering::Relaxed);
        reader.await.unwrap();

        for (_, done) in &done {
            if let Done::Replaced(number) = done {
                assert!(
                    replaced.insert(*number),
                    "two writers both replaced version {number}"
                );
            }
        }
        check_appended(&text(&store, &task.log()).await, &done);
        check_created(&store, &task.folder(), &done).await;
        parse_document(&text(&store, COUNTER).await);
        // A later process finds the way free.
        let next = opened(folder.path());
        let record = Record {
            writer: 9,
            number: 0,
        }
        .to_text();
        next.append(CONTAINER, &task.log(), record.into(), None)
            .await
            .unwrap();
        parse_records(&text(&store, &task.log()).await);
    }

    let last = parse_document(&text(&store, COUNTER).await);
    assert!(
        replaced
            .last()
            .is_some_and(|&acknowledged| acknowledged <= last)
    );
    let unacknowledged = last - replaced.len() as u32;
    assert!(
        unacknowledged <= KILLS,
        "{unacknowledged} replacements by nobody"
    );
    check_bookkeeping(folder.path(), &store);
}

/// Reads everything beside the writers: a torn document, record or created blob fails.
async fn read_until(store: DirectoryStore, task: Task, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        for (name, size) in listed(&store, "").await {
            let Ok((bytes, _)) = store.read(CONTAINER, &name).await else {
                panic!("{name} is listed and cannot be read");
            };
            let content = String::from_utf8(bytes.to_vec()).unwrap();
            if name == COUNTER {
                parse_document(&content);
            } else if name == task.log() || name.starts_with(&task.folder()) {
                parse_records(&content);
                // The length that was listed is where a record ends, too.
                parse_records(&content[..size as usize]);
            }
        }
    }
}

/// No lock is held, and nothing but the living store's session is left.
fn check_bookkeeping(root: &Path, store: &DirectoryStore) {
    let next = opened(root);
    for lock in fs::read_dir(root.join(".sluice/locks")).unwrap() {
        let lock = fs::File::open(lock.unwrap().path()).unwrap();
        lock.try_lock().unwrap();
    }
    let sessions = || fs::read_dir(root.join(".sluice/sessions")).unwrap();
    assert_eq!(2, sessions().count());
    for session in sessions() {
        let files = fs::read_dir(session.unwrap().path()).unwrap().count();
        assert_eq!(1, files, "temporary files of killed processes");
    }
    drop((next, store));
}
