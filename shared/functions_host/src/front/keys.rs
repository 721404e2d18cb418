//! Access keys: the master key, the host's, one for each function, one for the blob webhook.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;

use azure_functions::wire::FUNCTIONS_KEY;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use http::HeaderMap;
use serde::{Deserialize, Serialize};

use super::query;
use crate::function::AuthLevel;
use crate::state_file;

const KEY_BYTES: usize = 40;

/// The keys of an app. They are made at its first start and kept in the state folder, readable by their owner only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Keys {
    master: String,
    host: String,
    blobs_extension: String,
    functions: BTreeMap<String, String>,
}

impl Keys {
    /// Reads the keys and makes those that are missing.
    pub(crate) fn open<'a>(
        state_root: &Path,
        functions: impl Iterator<Item = &'a str>,
    ) -> io::Result<Self> {
        let path = state_root.join("keys.json");
        let known = match state_file::read(&path)? {
            Some(content) => Some(serde_json::from_slice::<Self>(&content).map_err(|error| {
                io::Error::other(format!(
                    "it is damaged ({error}): remove it to get new keys"
                ))
            })?),
            None => None,
        };
        let mut keys = known.clone().unwrap_or_else(|| Self {
            master: fresh(),
            host: fresh(),
            blobs_extension: fresh(),
            functions: BTreeMap::new(),
        });
        for function in functions {
            keys.functions
                .entry(function.to_lowercase())
                .or_insert_with(fresh);
        }
        if known.as_ref() != Some(&keys) {
            state_file::replace(
                &path,
                &serde_json::to_vec_pretty(&keys).map_err(io::Error::other)?,
            )?;
        }
        Ok(keys)
    }

    /// The key for everything, also for `/admin`.
    #[must_use]
    pub fn master(&self) -> &str {
        &self.master
    }

    /// The key for all functions.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The key of one function.
    #[must_use]
    pub fn function(&self, name: &str) -> Option<&str> {
        self.functions.get(&name.to_lowercase()).map(String::as_str)
    }

    /// The key for `/runtime/webhooks/blobs`.
    #[must_use]
    pub fn blobs_extension(&self) -> &str {
        &self.blobs_extension
    }

    /// Whether a caller of a function may pass.
    pub(crate) fn admits(
        &self,
        level: AuthLevel,
        function: &str,
        headers: &HeaderMap,
        query: &str,
    ) -> bool {
        let function = self.function(function).unwrap_or_default();
        match level {
            AuthLevel::Anonymous => true,
            AuthLevel::Function => {
                self.presented(headers, query, &[&self.master, &self.host, function])
            }
            AuthLevel::Admin => self.presented(headers, query, &[&self.master]),
        }
    }

    /// Whether a caller may use `/admin`.
    pub(crate) fn admits_admin(&self, headers: &HeaderMap, query: &str) -> bool {
        self.presented(headers, query, &[&self.master])
    }

    /// Whether a caller may use the blob webhook.
    pub(crate) fn admits_webhook(&self, headers: &HeaderMap, query: &str) -> bool {
        self.presented(headers, query, &[&self.master, &self.blobs_extension])
    }

    /// The header counts; the query only when there is no header.
    fn presented(&self, headers: &HeaderMap, query: &str, accepted: &[&str]) -> bool {
        let key = match headers.get(FUNCTIONS_KEY) {
            Some(header) => header.as_bytes().to_vec(),
            None => query::value(query, "code").unwrap_or_default().into_bytes(),
        };
        !key.is_empty()
            && accepted
                .iter()
                .any(|accepted| same(accepted.as_bytes(), &key))
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

fn fresh() -> String {
    URL_SAFE.encode(rand::random::<[u8; KEY_BYTES]>())
}

/// Compares in a time that does not depend on where the first difference is.
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len()
        && one
            .iter()
            .zip(other)
            .fold(0, |difference, (a, b)| difference | (a ^ b))
            == 0
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use http::HeaderValue;

    use super::*;

    fn header(key: &str) -> HeaderMap {
        HeaderMap::from_iter([(FUNCTIONS_KEY, HeaderValue::from_str(key).unwrap())])
    }

    #[test]
    fn keys_are_kept_private_and_survive_a_restart() {
        let state = tempfile::tempdir().unwrap();
        let first = Keys::open(state.path(), ["predict"].into_iter()).unwrap();
        let mode = state
            .path()
            .join("keys.json")
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let second = Keys::open(state.path(), ["predict", "new"].into_iter()).unwrap();
        assert_eq!(
            (first.master(), first.function("Predict")),
            (second.master(), second.function("predict"))
        );
        assert!(second.function("new").is_some());
        assert!(!format!("{first:?}").contains(first.master()));
    }

    #[test]
    fn the_level_says_whose_key_opens() {
        let state = tempfile::tempdir().unwrap();
        let keys = Keys::open(state.path(), ["a", "b"].into_iter()).unwrap();
        let none = HeaderMap::new();
        assert!(keys.admits(AuthLevel::Anonymous, "a", &none, ""));
        assert!(!keys.admits(AuthLevel::Function, "a", &none, ""));
        assert!(!keys.admits(AuthLevel::Function, "a", &none, "code="));
        for key in [keys.function("a").unwrap(), keys.host(), keys.master()] {
            assert!(keys.admits(AuthLevel::Function, "a", &header(key), ""));
            assert!(keys.admits(AuthLevel::Function, "a", &none, &format!("x=1&code={key}")));
        }
        assert!(!keys.admits(
            AuthLevel::Function,
            "a",
            &header(keys.function("b").unwrap()),
            ""
        ));
        assert!(!keys.admits(AuthLevel::Admin, "a", &header(keys.host()), ""));
        assert!(keys.admits(AuthLevel::Admin, "a", &header(keys.master()), ""));
    }

    #[test]
    fn a_bad_header_is_not_saved_by_a_good_query() {
        let state = tempfile::tempdir().unwrap();
        let keys = Keys::open(state.path(), ["a"].into_iter()).unwrap();
        let code = format!("code={}", keys.host());
        assert!(!keys.admits(AuthLevel::Function, "a", &header("wrong"), &code));
    }
}
