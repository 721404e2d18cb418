//! The queue of blob events, one file per message, so that no event is lost when the host is killed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, mpsc};

use super::Message;
use crate::state_file;

/// A message on the queue.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    id: String,
    pub(crate) message: Message,
    /// How often it was taken for an attempt.
    pub(crate) dequeue_count: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Stored {
    message: Message,
    dequeue_count: u32,
}

/// A queue on disk. The methods that touch the disk block.
#[derive(Debug)]
pub(crate) struct Queue {
    folder: PathBuf,
    poison: PathBuf,
    waiting: mpsc::UnboundedSender<Entry>,
    taking: Mutex<mpsc::UnboundedReceiver<Entry>>,
}

impl Queue {
    /// Opens the queue in the host's state folder, with the messages that an earlier host left.
    pub(crate) fn open(state_root: &Path) -> io::Result<Self> {
        let folder = state_root.join("blobs").join("queue");
        let poison = state_root.join("webjobs-blobtrigger-poison");
        fs::create_dir_all(&folder)?;
        fs::create_dir_all(&poison)?;
        let (waiting, taking) = mpsc::unbounded_channel();
        for entry in left_over(&folder)? {
            // The receiver is alive: it is in this very function.
            let _ = waiting.send(entry);
        }
        Ok(Self {
            folder,
            poison,
            waiting,
            taking: Mutex::new(taking),
        })
    }

    /// Puts a message on the queue; it is on disk when this returns.
    pub(crate) fn put(&self, message: Message, now: Timestamp) -> io::Result<()> {
        let id = format!("{:020}-{:08x}", now.as_nanosecond(), rand::random::<u32>());
        let entry = Entry {
            id,
            message,
            dequeue_count: 0,
        };
        self.store(&entry)?;
        let _ = self.waiting.send(entry);
        Ok(())
    }

    /// The oldest message that nobody has taken. It stays on disk until [`Queue::remove`].
    pub(crate) async fn take(&self) -> Entry {
        match self.taking.lock().await.recv().await {
            Some(entry) => entry,
            // Cannot happen while the queue, which holds the sender, exists.
            None => futures::future::pending().await,
        }
    }

    /// Notes an attempt before it begins: one that kills the host counts too.
    pub(crate) fn begin_attempt(&self, entry: &mut Entry) -> io::Result<()> {
        let counted = Entry {
            dequeue_count: entry.dequeue_count + 1,
            ..entry.clone()
        };
        self.store(&counted)?;
        *entry = counted;
        Ok(())
    }

    /// The message is dealt with.
    pub(crate) fn remove(&self, entry: &Entry) -> io::Result<()> {
        state_file::remove(&self.folder.join(format!("{}.json", entry.id)))
    }

    /// Moves the message to the poison folder and returns the record's file.
    pub(crate) fn poison(&self, entry: &Entry) -> io::Result<PathBuf> {
        let record = self.poison.join(format!("{}.json", entry.id));
        state_file::replace(
            &record,
            &serde_json::to_vec(&entry.message).map_err(io::Error::other)?,
        )?;
        self.remove(entry)?;
        Ok(record)
    }

    fn store(&self, entry: &Entry) -> io::Result<()> {
        let stored = Stored {
            message: entry.message.clone(),
            dequeue_count: entry.dequeue_count,
        };
        let content = serde_json::to_vec(&stored).map_err(io::Error::other)?;
        state_file::replace(&self.folder.join(format!("{}.json", entry.id)), &content)
    }
}

/// The messages on disk, oldest first. Half-written files have another ending.
fn left_over(folder: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        let is_message = path.extension().is_some_and(|ending| ending == "json");
        let Some(id) = path
            .file_stem()
            .and_then(|id| id.to_str())
            .filter(|_| is_message)
        else {
            continue;
        };
        let stored: Stored = serde_json::from_slice(&fs::read(&path)?).map_err(|error| {
            io::Error::other(format!(
                "{} is not a message of the blob queue ({error}): remove it",
                path.display()
            ))
        })?;
        entries.push(Entry {
            id: id.to_owned(),
            message: stored.message,
            dequeue_count: stored.dequeue_count,
        });
    }
    entries.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(blob: &str) -> Message {
        Message::new("ingest", "incoming", blob, "0x1")
    }

    #[tokio::test]
    async fn a_message_outlives_the_queue_until_it_is_removed() {
        let state = tempfile::tempdir().unwrap();
        let queue = Queue::open(state.path()).unwrap();
        queue
            .put(message("a"), Timestamp::from_second(1).unwrap())
            .unwrap();
        queue
            .put(message("b"), Timestamp::from_second(2).unwrap())
            .unwrap();
        let mut first = queue.take().await;
        queue.begin_attempt(&mut first).unwrap();
        drop(queue);

        let queue = Queue::open(state.path()).unwrap();
        let first = queue.take().await;
        assert_eq!((first.message.blob(), first.dequeue_count), ("a", 1));
        queue.remove(&first).unwrap();
        drop(queue);

        let queue = Queue::open(state.path()).unwrap();
        assert_eq!(queue.take().await.message.blob(), "b");
    }

    #[tokio::test]
    async fn poison_is_moved_aside() {
        let state = tempfile::tempdir().unwrap();
        let queue = Queue::open(state.path()).unwrap();
        queue.put(message("a"), Timestamp::UNIX_EPOCH).unwrap();
        let entry = queue.take().await;
        let record = queue.poison(&entry).unwrap();
        let read: Message = serde_json::from_slice(&fs::read(record).unwrap()).unwrap();
        assert_eq!(read, message("a"));
        assert!(
            left_over(&state.path().join("blobs/queue"))
                .unwrap()
                .is_empty()
        );
    }
}
