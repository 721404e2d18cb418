//! A process that writes, and says after every write that it was acknowledged.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

use bytes::Bytes;
use sluice_storage::{DirectoryStore, StorageError, Store as _};

use crate::CONTAINER;
use crate::documents::{Record, document, parse_document};

/// The document that all workers replace.
pub(crate) const COUNTER: &str = "counter";

/// What tells this program that it is a worker: root, number, round, repetitions.
const TOLD: &str = "SLUICE_STORAGE_TEST_WORKER";

/// What a worker does, over and over: append to a log, replace a counter, create blobs that others create, too.
#[derive(Clone, Copy)]
pub(crate) struct Task {
    /// Every round has its own log and folder.
    pub(crate) round: u32,
    /// How often; without end when absent.
    pub(crate) repetitions: Option<u32>,
}

impl Task {
    pub(crate) fn log(self) -> String {
        format!("log-{}", self.round)
    }

    pub(crate) fn folder(self) -> String {
        format!("created-{}/", self.round)
    }
}

/// An acknowledged write.
#[derive(Debug)]
pub(crate) enum Done {
    /// The record of this number.
    Appended(u32),
    /// The counter, with this number.
    Replaced(u32),
    /// The blob of this name.
    Created(String),
}

impl Done {
    fn parse(line: &str) -> Option<Self> {
        let (what, which) = line.strip_prefix("done ")?.split_once(' ')?;
        match what {
            "appended" => Some(Self::Appended(which.parse().unwrap())),
            "replaced" => Some(Self::Replaced(which.parse().unwrap())),
            _ => Some(Self::Created(which.to_owned())),
        }
    }
}

/// A running worker.
pub(crate) struct Worker {
    number: u32,
    process: Child,
    first: Receiver<()>,
    done: JoinHandle<Vec<Done>>,
}

impl Worker {
    pub(crate) fn start(root: &Path, number: u32, task: Task) -> Self {
        let repetitions = task.repetitions.unwrap_or(u32::MAX);
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "worker::worker", "--nocapture"])
            .env(
                TOLD,
                format!("{number} {} {repetitions} {}", task.round, root.display()),
            )
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (tell, first) = channel();
        let done = std::thread::spawn(move || {
            let mut done = Vec::new();
            for line in output.lines() {
                // A killed worker's last line may be cut.
                done.extend(Done::parse(&line.unwrap()));
                if let Some(Done::Appended(0)) = done.last() {
                    // Nobody may be waiting.
                    let _ = tell.send(());
                }
            }
            done
        });
        Self {
            number,
            process,
            first,
            done,
        }
    }

    /// Waits until the worker has appended its first record.
    pub(crate) fn wait_for_first_record(&mut self) {
        self.first.recv().unwrap();
    }

    /// Sends SIGKILL. Gives what was acknowledged.
    pub(crate) fn kill(mut self) -> Vec<(u32, Done)> {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.collect()
    }

    /// Waits for the end of the task.
    pub(crate) fn finish(mut self) -> Vec<(u32, Done)> {
        assert!(self.process.wait().unwrap().success());
        self.collect()
    }

    fn collect(self) -> Vec<(u32, Done)> {
        let done = self.done.join().unwrap();
        done.into_iter().map(|done| (self.number, done)).collect()
    }
}

/// One write to the pipe for each line: a kill loses it or leaves it whole.
fn say(line: String) {
    std::io::stdout()
        .write_all((line + "\n").as_bytes())
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker() {
    let Ok(told) = std::env::var(TOLD) else {
        return;
    };
    let fields: Vec<&str> = told.splitn(4, ' ').collect();
    let number: u32 = fields[0].parse().unwrap();
    let task = Task {
        round: fields[1].parse().unwrap(),
        repetitions: Some(fields[2].parse().unwrap()),
    };
    let store = DirectoryStore::open(fields[3]).unwrap();
    let repetitions = task.repetitions.unwrap();
    tokio::join!(
        append(&store, number, task, repetitions),
        replace(&store, repetitions),
        create(&store, number, task, repetitions),
    );
}

async fn append(store: &DirectoryStore, writer: u32, task: Task, repetitions: u32) {
    for number in 0..repetitions {
        let record = Record { writer, number }.to_text();
        store
            .append(CONTAINER, &task.log(), record.into(), None)
            .await
            .unwrap();
        say(format!("done appended {number}"));
    }
}

async fn replace(store: &DirectoryStore, repetitions: u32) {
    let first = store.create(CONTAINER, COUNTER, document(0).into()).await;
    assert!(matches!(
        first,
        Ok(_) | Err(StorageError::AlreadyExists { .. })
    ));
    let mut done = 0;
    while done < repetitions {
        let (bytes, etag) = store.read(CONTAINER, COUNTER).await.unwrap();
        let next = parse_document(std::str::from_utf8(&bytes).unwrap()) + 1;
        match store
            .replace(CONTAINER, COUNTER, document(next).into(), &etag)
            .await
        {
            Ok(_) => {
                say(format!("done replaced {next}"));
                done += 1;
            }
            Err(StorageError::Conflict { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

async fn create(store: &DirectoryStore, writer: u32, task: Task, repetitions: u32) {
    for number in 0..repetitions {
        let name = format!("{}{number}", task.folder());
        let content = Bytes::from(Record { writer, number }.to_text());
        match store.create(CONTAINER, &name, content).await {
            Ok(_) => say(format!("done created {name}")),
            Err(StorageError::AlreadyExists { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}
