//! Names of blobs: a directory and memory agree on each, and a name that is taken stays inside its container.

#![no_main]

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use libfuzzer_sys::fuzz_target;
use sluice_fuzz::product::runtime;
use sluice_storage::{Container, DirectoryStore, MemoryStore, Store};

fuzz_target!(|name: &str| {
    let outer = tempfile::tempdir().expect("a temporary directory can be made");
    let root = outer.path().join("root");
    runtime().block_on(async {
        let directory = DirectoryStore::open(&root).expect("the folder is new");
        let on_disk = put(&directory, name).await;
        let in_memory = put(&MemoryStore::new(), name).await;
        assert_eq!(on_disk, in_memory);
    });
    let beside = std::fs::read_dir(outer.path())
        .expect("it is a folder")
        .count();
    assert_eq!(beside, 1, "{name:?} left its store");
});

/// Writes a blob, and gives its name as a listing has it, or why it cannot be.
async fn put(store: &dyn Store, name: &str) -> Result<Vec<String>, String> {
    let container = Container::Incoming;
    let written = store
        .put(container, name, Bytes::from_static(b"bytes"))
        .await;
    let listed = store
        .list(container, "")
        .await
        .expect("a container can be listed");
    let listed = listed.map(|info| info.map(|info| info.name));
    let listed: Vec<String> = listed.try_collect().await.expect("it can be listed");
    match written {
        Ok(_) => {
            assert_eq!(listed, [name]);
            let (bytes, _) = store.read(container, name).await.expect("it was written");
            assert_eq!(bytes, "bytes");
            Ok(listed)
        }
        Err(error) => {
            assert!(listed.is_empty(), "{error}: {listed:?}");
            Err(error.to_string())
        }
    }
}
