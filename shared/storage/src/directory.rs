//! A store on a local directory.

mod append;
mod folder;
mod journal;
mod list;
mod read;
mod session;
mod stripe;
mod version;
mod write;

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Mutex;

use self::folder::Folder;
use self::list::Walk;
use self::session::Session;
use crate::name::BlobName;
use crate::{BlobInfo, ByteStream, Container, ETag, InfoStream, Result, StorageError, Store};

/// The folder for the store's own files. No blob's name can reach it, because no part of one begins with a dot.
const BOOKKEEPING: &str = ".sluice";

/// A store on a local directory: the blob `messages/a.csv` of the container `incoming` is the plain file
/// `{root}/incoming/messages/a.csv`.
///
/// A person may copy files in and look at all of them; any number of processes may use one root at once. The root
/// must be on a local file system with hard links, file locks and times to the microsecond (ext4, XFS, Btrfs, tmpfs,
/// APFS). Files and folders whose names begin with a dot, symbolic links, and names that are no blob's are not seen.
///
/// Every write is complete and durable when it returns, and takes place entirely or not at all if the process is
/// killed at any moment. Temporary files and locks are in `{root}/.sluice`; what a killed process leaves there is
/// removed when the root is next opened.
///
/// # Files copied in
///
/// A plain `cp` fills the file under its final name, so the blob is visible while it grows; every new length is a new
/// [`ETag`], and a stream that was opened earlier ends at the length of that time. To make a file appear at once, copy
/// it under a name that begins with a dot, then rename it: `cp a.csv incoming/m/.a.csv && mv incoming/m/.a.csv
/// incoming/m/a.csv` (`rsync` does so by itself). Overwriting in place a blob that the store also writes is a race
/// that the store cannot decide; leave those containers to it.
///
/// # Names that a directory cannot hold
///
/// On Azure `a` and `a/b` may both be blobs. Here the second is refused with `InvalidName`, because a file cannot also
/// be a folder. Folders stay when their last blob is deleted. Where the file system ignores case, so do the names.
#[derive(Clone, Debug)]
pub struct DirectoryStore {
    path: Arc<Path>,
    tree: Arc<Tree>,
    /// One for each lock file. Writers of one process queue here first, so that they do not fill the threads for
    /// blocking work with waiting; the lock file then decides between processes.
    turns: Arc<[Arc<Mutex<()>>]>,
}

/// The open directory tree. Its methods block.
#[derive(Debug)]
struct Tree {
    root: Folder,
    locks: Folder,
    session: Session,
}

impl DirectoryStore {
    /// Opens a root, making it and a folder for each container when absent; removes and repairs what killed processes
    /// left. Blocks for a few milliseconds at most.
    ///
    /// Errors: `Unusable` when the directory cannot be made or written, or its file system lacks what is needed.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        let (path, tree) = match open_tree(&root) {
            Ok(opened) => opened,
            Err(source) => return Err(StorageError::Unusable { root, source }),
        };
        Ok(Self {
            path: path.into(),
            tree: Arc::new(tree),
            turns: (0..stripe::STRIPES).map(|_| Arc::default()).collect(),
        })
    }

    /// The root as an absolute path without symbolic links.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.path
    }

    /// Runs blocking work on one blob away from the async executor.
    async fn run<T: Send + 'static>(
        &self,
        operation: &'static str,
        blob: BlobName,
        work: impl FnOnce(&Tree, &BlobName) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (tree, name) = (Arc::clone(&self.tree), blob.clone());
        tokio::task::spawn_blocking(move || work(&tree, &name))
            .await
            .map_err(|error| blob.io(operation, error))?
    }

    /// Like [`Self::run`], after the writers of this process that came earlier.
    async fn run_in_turn<T: Send + 'static>(
        &self,
        operation: &'static str,
        blob: BlobName,
        work: impl FnOnce(&Tree, &BlobName) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let turn = Arc::clone(&self.turns[stripe::stripe_of(&blob)]);
        let turn = turn.lock_owned().await;
        self.run(operation, blob, move |tree, blob| {
            // Held by the work, not by this future, which may be dropped before the work is done.
            let _turn = turn;
            work(tree, blob)
        })
        .await
    }
}

fn open_tree(root: &Path) -> io::Result<(PathBuf, Tree)> {
    std::fs::create_dir_all(root)?;
    let path = root.canonicalize()?;
    let root = Folder::open(&path)?;
    for container in Container::ALL {
        root.make(container.name())?;
    }
    let bookkeeping = bookkeeping_folder(&root, BOOKKEEPING)?;
    let locks = bookkeeping_folder(&bookkeeping, "locks")?;
    let sessions = bookkeeping_folder(&bookkeeping, "sessions")?;
    root.sync()?;

    let opening = stripe::hold_opening(&locks)?;
    session::sweep(&sessions)?;
    let session = Session::begin(sessions)?;
    opening.unlock()?;

    let tree = Tree {
        root,
        locks,
        session,
    };
    tree.settle_all()?;
    Ok((path, tree))
}

fn bookkeeping_folder(parent: &Folder, name: &str) -> io::Result<Folder> {
    let folder = parent.enter_or_make(name)?;
    folder.ok_or_else(|| {
        let message = format!("{name} is not a folder: remove it");
        io::Error::new(io::ErrorKind::NotADirectory, message)
    })
}

#[async_trait]
impl Store for DirectoryStore {
    async fn read(&self, container: Container, name: &str) -> Result<(Bytes, ETag)> {
        let blob = BlobName::new(container, name)?;
        self.run("read", blob, Tree::read).await
    }

    async fn read_range(
        &self,
        container: Container,
        name: &str,
        range: Range<u64>,
    ) -> Result<Bytes> {
        let blob = BlobName::new(container, name)?;
        self.run("read", blob, |tree, blob| tree.read_range(blob, range))
            .await
    }

    async fn read_stream(
        &self,
        container: Container,
        name: &str,
    ) -> Result<(BlobInfo, ByteStream)> {
        let blob = BlobName::new(container, name)?;
        self.run("read", blob, |tree, blob| {
            let (file, metadata) = tree.open_blob(blob)?;
            let info = version::info(blob.name.clone(), &metadata)
                .map_err(|error| blob.io("read", error))?;
            Ok((info, read::stream_of(blob.clone(), file, metadata.len())))
        })
        .await
    }

    async fn info(&self, container: Container, name: &str) -> Result<BlobInfo> {
        let blob = BlobName::new(container, name)?;
        self.run("read", blob, Tree::info).await
    }

    async fn list(&self, container: Container, prefix: &str) -> Result<InfoStream> {
        let (tree, prefix) = (Arc::clone(&self.tree), prefix.to_owned());
        let asked = prefix.clone();
        tokio::task::spawn_blocking(move || Walk::begin(tree, container, asked))
            .await
            .map_err(io::Error::from)
            .flatten()
            .map(Walk::into_stream)
            .map_err(|error| list::listing_failed(container, &prefix, error))
    }

    async fn create(&self, container: Container, name: &str, bytes: Bytes) -> Result<ETag> {
        let blob = BlobName::new(container, name)?;
        self.run_in_turn("write", blob, move |tree, blob| tree.create(blob, &bytes))
            .await
    }

    async fn create_from_file(
        &self,
        container: Container,
        name: &str,
        file: &Path,
    ) -> Result<ETag> {
        let blob = BlobName::new(container, name)?;
        let file = file.to_owned();
        // Not in turn: the copy of a large file must not hold up the writers of other blobs.
        self.run("write", blob, move |tree, blob| {
            tree.create_from_file(blob, &file)
        })
        .await
    }

    async fn put(&self, container: Container, name: &str, bytes: Bytes) -> Result<ETag> {
        let blob = BlobName::new(container, name)?;
        self.run_in_turn("write", blob, move |tree, blob| tree.put(blob, &bytes))
            .await
    }

    async fn put_from_file(&self, container: Container, name: &str, file: &Path) -> Result<ETag> {
        let blob = BlobName::new(container, name)?;
        let file = file.to_owned();
        // Not in turn: the copy of a large file must not hold up the writers of other blobs.
        self.run("write", blob, move |tree, blob| {
            tree.put_from_file(blob, &file)
        })
        .await
    }

    async fn replace(
        &self,
        container: Container,
        name: &str,
        bytes: Bytes,
        if_match: &ETag,
    ) -> Result<ETag> {
        let blob = BlobName::new(container, name)?;
        let if_match = if_match.clone();
        self.run_in_turn("write", blob, move |tree, blob| {
            tree.replace(blob, &bytes, &if_match)
        })
        .await
    }

    async fn append(
        &self,
        container: Container,
        name: &str,
        bytes: Bytes,
        at: Option<u64>,
    ) -> Result<u64> {
        let blob = BlobName::new(container, name)?;
        self.run_in_turn("append", blob, move |tree, blob| {
            tree.append(blob, &bytes, at)
        })
        .await
    }

    async fn delete(&self, container: Container, name: &str) -> Result<()> {
        let blob = BlobName::new(container, name)?;
        self.run_in_turn("delete", blob, Tree::delete).await
    }
}

#[cfg(test)]
mod tests;
