//! Which names a blob may have: the same in every store, so that what works on a laptop works on Azure.

use crate::{Container, Result, StorageError};

/// The longest name, in bytes of UTF-8. Azure's limit is 1,024 characters; no name of this length has more.
const LONGEST_NAME: usize = 1_024;

/// The longest part between two `/`, in bytes: what Linux and macOS file systems accept as one file name.
const LONGEST_SEGMENT: usize = 255;

/// A container and a name in it that has been checked: the only way to a blob inside a store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BlobName {
    pub(crate) container: Container,
    pub(crate) name: String,
}

impl BlobName {
    /// Errors: `InvalidName`.
    pub(crate) fn new(container: Container, name: &str) -> Result<Self> {
        let blob = Self {
            container,
            name: name.to_owned(),
        };
        match refusal(name) {
            None => Ok(blob),
            Some(reason) => Err(blob.invalid(reason)),
        }
    }

    /// The parts of the name before the last one: folders, in a store that has folders.
    pub(crate) fn folders(&self) -> impl Iterator<Item = &str> {
        let folders = self.name.rsplit_once('/').map(|(folders, _)| folders);
        folders.into_iter().flat_map(|folders| folders.split('/'))
    }

    /// The last part of the name.
    pub(crate) fn leaf(&self) -> &str {
        self.name
            .rsplit_once('/')
            .map_or(&*self.name, |(_, leaf)| leaf)
    }

    pub(crate) fn not_found(&self) -> StorageError {
        StorageError::NotFound {
            container: self.container,
            name: self.name.clone(),
        }
    }

    pub(crate) fn already_exists(&self) -> StorageError {
        StorageError::AlreadyExists {
            container: self.container,
            name: self.name.clone(),
        }
    }

    pub(crate) fn conflict(&self) -> StorageError {
        StorageError::Conflict {
            container: self.container,
            name: self.name.clone(),
        }
    }

    pub(crate) fn invalid(&self, reason: &'static str) -> StorageError {
        StorageError::InvalidName {
            container: self.container,
            name: self.name.clone(),
            reason,
        }
    }

    pub(crate) fn io(
        &self,
        operation: &'static str,
        source: impl Into<std::io::Error>,
    ) -> StorageError {
        StorageError::Io {
            operation,
            container: self.container,
            name: self.name.clone(),
            source: source.into(),
        }
    }
}

/// Whether a blob may have this name. A file of another name is never listed.
pub(crate) fn is_valid(name: &str) -> bool {
    refusal(name).is_none()
}

/// Why `name` cannot name a blob, or `None` when it can.
fn refusal(name: &str) -> Option<&'static str> {
    if name.len() > LONGEST_NAME {
        return Some("it is longer than 1,024 bytes");
    }
    if name.contains('\\') {
        return Some("it contains a backslash");
    }
    if name.contains(char::is_control) {
        return Some("it contains a control character");
    }
    name.split('/').find_map(|segment| match segment {
        "" => Some("it is empty or has an empty part between slashes"),
        // `.`, `..`, the store's own `.sluice`, a desktop's `.DS_Store`, the unfinished `.name.Xy12` of rsync.
        _ if segment.starts_with('.') => Some("a part of it begins with a dot"),
        _ if segment.len() > LONGEST_SEGMENT => {
            Some("a part of it between slashes is longer than 255 bytes")
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_refused(name: &str) -> bool {
        matches!(
            BlobName::new(Container::Incoming, name),
            Err(StorageError::InvalidName { .. })
        )
    }

    #[test]
    fn refuses_what_could_leave_the_container_or_hide_in_it() {
        for name in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "../a",
            "a/../b",
            "a/./b",
            "a/..",
            "a\\b",
            "a\0b",
            "a\nb",
            "\u{7f}",
            "a\u{85}b",
            ".sluice",
            ".sluice/locks/00",
            "a/.sluice/b",
            ".DS_Store",
        ] {
            assert!(is_refused(name), "{name:?}");
        }
        assert!(is_refused(&"a".repeat(256)));
        assert!(is_refused(&("a/".repeat(512) + "b")));
    }

    #[test]
    fn accepts_ordinary_unicode_and_long_names() {
        let long = format!("{}/{}", "a".repeat(255), "b/".repeat(384) + "c");
        assert_eq!(1_025, long.len());
        for name in [
            "a",
            "a/b/c.json",
            "a b",
            "ümlaut/日本語/🌊.csv",
            "a..b",
            "a.",
            "-",
            "~",
            "%2e%2e",
            "C:",
            &long[1..],
            &"a".repeat(255),
        ] {
            assert!(!is_refused(name), "{name:?}");
        }
    }

    proptest! {
        /// Whatever is accepted walks down one existing or new folder after the other, never up, and never to a hidden one.
        #[test]
        fn an_accepted_name_stays_inside(name in r#"([a-z./\\é\x00-\x20]{0,6}/){0,4}[a-z.\\é]{0,4}"#) {
            if let Ok(blob) = BlobName::new(Container::Incoming, &name) {
                let segments: Vec<&str> = blob.folders().chain([blob.leaf()]).collect();
                prop_assert_eq!(segments.join("/"), &name[..]);
                for segment in segments {
                    prop_assert!(!segment.is_empty() && !segment.starts_with('.'));
                    prop_assert_eq!(1, std::path::Path::new(segment).components().count());
                    prop_assert!(!segment.contains(['/', '\\', '\0']));
                }
            }
        }

        #[test]
        fn names_of_plain_segments_are_accepted(segments in prop::collection::vec("[a-zA-Z0-9_é][a-z0-9._ -]{0,20}", 1..8)) {
            prop_assert!(!is_refused(&segments.join("/")));
        }

        #[test]
        fn one_bad_segment_spoils_the_name(
            mut segments in prop::collection::vec("[a-z]{1,5}", 1..5),
            bad in prop::sample::select(vec!["", ".", "..", ".sluice", "a\\b", "a\tb", "\u{0}"]),
            at in any::<prop::sample::Index>(),
        ) {
            segments.insert(at.index(segments.len() + 1), bad.to_owned());
            prop_assert!(is_refused(&segments.join("/")));
        }
    }
}
