//! A lock between hosts that share a state folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::SignedDuration;

use crate::event::HostEvent;
use crate::runtime::Runtime;

/// A host that waits for a lock looks again after so long.
const RECHECK: SignedDuration = SignedDuration::from_mins(1);

/// Waits until no other host has the lock; says once that it waits. The lock ends with the returned file, or with this
/// process.
pub(crate) async fn acquire(
    runtime: &Arc<Runtime>,
    path: PathBuf,
    held_elsewhere: HostEvent,
) -> Option<File> {
    let mut untold = Some(held_elsewhere);
    loop {
        let at = path.clone();
        let taken = tokio::task::spawn_blocking(move || try_lock(at)).await;
        match taken.map_err(io::Error::other).flatten() {
            Ok(Some(lock)) => return Some(lock),
            Ok(None) => {
                if let Some(event) = untold.take() {
                    runtime.emit(event);
                }
            }
            Err(error) => {
                runtime.emit(HostEvent::StateFault {
                    reason: format!("{} cannot be locked: {error}", path.display()),
                });
                return None;
            }
        }
        let again = runtime.options.clock.now().checked_add(RECHECK).ok()?;
        runtime.options.clock.sleep_until(again).await;
    }
}

/// Takes the lock; `None` when another host has it.
pub(crate) fn try_lock(path: PathBuf) -> io::Result<Option<File>> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
