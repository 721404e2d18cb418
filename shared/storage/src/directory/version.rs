//! The version of a file: its ETag.
//!
//! Inode, time of the last write and length. Two writes within one tick of the kernel's clock could repeat all three
//! (a freed inode is soon used again), so the store does not leave the time to the kernel: it stamps every file that
//! it writes with a time later than that of the version which the file replaces. Within a name the time then only
//! grows; an append changes the length. A file that a person copies in has the kernel's time, which is as good unless
//! it is overwritten in place, at the same length, within one tick.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

use crate::{BlobInfo, ETag};

/// The version that `metadata` describes.
pub(super) fn etag(metadata: &Metadata) -> ETag {
    let nanoseconds =
        i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
    ETag(format!(
        "{:x}-{nanoseconds:x}-{:x}",
        metadata.ino(),
        metadata.len()
    ))
}

/// What the store says of the blob `name`.
pub(super) fn info(name: String, metadata: &Metadata) -> io::Result<BlobInfo> {
    Ok(BlobInfo {
        name,
        size_bytes: metadata.len(),
        etag: etag(metadata),
        modified: Timestamp::try_from(metadata.modified()?).map_err(io::Error::other)?,
    })
}

/// Stamps a file with the present time in whole microseconds (what every usual file system keeps), or with a later one
/// when the version that it will replace was last written at `replaced` or after. Gives the file's metadata.
pub(super) fn stamp(file: &File, replaced: Option<SystemTime>) -> io::Result<Metadata> {
    let earliest = replaced.map(|time| whole_microseconds(time + Duration::from_micros(1)));
    let time = whole_microseconds(SystemTime::now()).max(earliest.unwrap_or(UNIX_EPOCH));
    file.set_modified(time)?;
    let metadata = file.metadata()?;
    if metadata.modified()? == time {
        Ok(metadata)
    } else {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this file system does not keep times to the microsecond, which versions need: use another one",
        ))
    }
}

fn whole_microseconds(time: SystemTime) -> SystemTime {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    UNIX_EPOCH
        + Duration::from_secs(since.as_secs())
        + Duration::from_micros(since.subsec_micros().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_later_than_the_replaced_version_even_when_the_clock_went_back() {
        let file = tempfile::tempfile().unwrap();
        let future = SystemTime::now() + Duration::from_hours(1) + Duration::from_nanos(999);
        let stamped = stamp(&file, Some(future)).unwrap();
        assert!(stamped.modified().unwrap() > future);
    }

    #[test]
    fn a_stamp_is_the_present_time_otherwise() {
        let file = tempfile::tempfile().unwrap();
        let before = whole_microseconds(SystemTime::now());
        let stamped = stamp(&file, Some(UNIX_EPOCH)).unwrap().modified().unwrap();
        assert!(before <= stamped && stamped <= SystemTime::now());
    }

    #[test]
    fn versions_of_one_time_differ_by_length_and_by_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        let write = |name, content| {
            std::fs::write(path(name), content).unwrap();
            let file = File::options().write(true).open(path(name)).unwrap();
            file.set_modified(UNIX_EPOCH).unwrap();
            etag(&file.metadata().unwrap())
        };
        let first = write("a", "1");
        assert_ne!(first, write("a", "12"), "longer");
        assert_eq!(first, write("a", "2"));
        assert_ne!(first, write("b", "1"), "another file");
    }
}
