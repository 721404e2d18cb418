//! What can go wrong with a document, named for what the caller can do about it.

use sluice_storage::{Container, StorageError};

use crate::{Digest, RunState};

/// A failure of the registry. Every message says what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// A name is not one that paths can be made of.
    #[error("{value:?} is not a {what} name: expected {expected}")]
    InvalidName {
        /// What was to be named: `dataset`, `model`, `run`, `writer`.
        what: &'static str,
        /// The name as given.
        value: String,
        /// What is accepted.
        expected: &'static str,
    },
    /// There is no such document.
    #[error("there is no {what} {name}: check the name, or list what there is")]
    NotFound {
        /// What was looked for: `model`, `dataset version`, `run`…
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// Somebody else was first: read again, decide again.
    #[error(
        "{what} was written by somebody else in the meantime: read it again and repeat the change on top"
    )]
    LostRace {
        /// The document.
        what: String,
    },
    /// A document that is written once exists with another content.
    #[error("{what} exists already with another content and is never changed: use a new version")]
    AlreadyExists {
        /// The document.
        what: String,
    },
    /// Stored bytes are not the ones that were pinned.
    #[error(
        "{path} has digest {found}, expected {expected}: it was changed or damaged; restore it or use another version"
    )]
    DigestMismatch {
        /// The blob, `{container}/{name}`.
        path: String,
        /// The digest that a document pins.
        expected: Digest,
        /// The digest of the stored bytes.
        found: Digest,
    },
    /// A document contradicts itself or what it builds on.
    #[error("{what} is not consistent: {reason}")]
    Inconsistent {
        /// The document.
        what: String,
        /// The contradiction, and what is expected.
        reason: String,
    },
    /// A stored document cannot be read.
    #[error("{path} cannot be read as a {what}: restore it from a copy or remove it")]
    Unreadable {
        /// The blob, `{container}/{name}`.
        path: String,
        /// What it should be.
        what: &'static str,
        /// Where reading stopped.
        #[source]
        source: serde_json::Error,
    },
    /// A run cannot go from one state to another.
    #[error(
        "run {run} cannot go from {from} to {to}: read it again; a run that ended stays as it is"
    )]
    IllegalTransition {
        /// The run.
        run: String,
        /// The state it is in.
        from: &'static str,
        /// The state that was asked for.
        to: &'static str,
    },
    /// The candidate did not pass its gate.
    #[error(
        "{model} did not pass its gate ({failures}): read its evidence and train a better candidate"
    )]
    GateFailed {
        /// The candidate.
        model: String,
        /// The rules that failed, joined by semicolons.
        failures: String,
    },
    /// Nobody proposed the model.
    #[error("{model} was not proposed: run `sluice release propose` first")]
    NotProposed {
        /// The candidate.
        model: String,
    },
    /// Nobody approved the model.
    #[error(
        "{model} was not approved: a person has to run `sluice release approve` for this digest first"
    )]
    NotApproved {
        /// The candidate, or the digest when no model is known.
        model: String,
    },
    /// Proposal, approval or request speaks of other bytes than the registered ones.
    #[error(
        "{model} is pinned as {expected} ({what}), the request says {found}: propose and approve what is registered"
    )]
    DifferentModel {
        /// The candidate.
        model: String,
        /// Which digest: `model digest`, `evidence digest`.
        what: &'static str,
        /// The registered digest.
        expected: Digest,
        /// The digest in the request.
        found: Digest,
    },
    /// Nothing was released yet.
    #[error("nothing has been released yet: run `sluice release promote` first")]
    NoRelease,
    /// The release is not the newest one any more.
    #[error(
        "release {asked} is not the newest, release {newest} is: look at `sluice release status` and repeat for it"
    )]
    NotNewest {
        /// The release in the request.
        asked: u64,
        /// The newest release.
        newest: u64,
    },
    /// The release has no previous champion.
    #[error(
        "release {release} has no previous champion to fall back to: promote another model instead"
    )]
    NothingToFallBackTo {
        /// The release.
        release: u64,
    },
    /// The champion's release was aborted.
    #[error(
        "{model} was aborted in release {release} ({reason}): roll back, or promote another model"
    )]
    ChampionAborted {
        /// The champion.
        model: String,
        /// Its release.
        release: u64,
        /// Why it was aborted.
        reason: String,
    },
    /// The registry was made without an audit stream, so it may only read.
    #[error(
        "this registry can only read: give it an audit stream (`Registry::with_audit`) before changing documents"
    )]
    ReadOnly,
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// The result of a registry call.
pub type Result<T, E = RegistryError> = std::result::Result<T, E>;

impl RegistryError {
    /// Whether somebody else was first and the caller should read and decide again.
    #[must_use]
    pub const fn is_lost_race(&self) -> bool {
        matches!(self, Self::LostRace { .. })
    }

    /// Whether the same call may work later without any change: storage was not reachable.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Storage(StorageError::Io { .. }) | Self::LostRace { .. }
        )
    }

    pub(crate) fn inconsistent(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Inconsistent {
            what: what.into(),
            reason: reason.into(),
        }
    }

    pub(crate) fn transition(run: &str, from: &RunState, to: &RunState) -> Self {
        Self::IllegalTransition {
            run: run.to_owned(),
            from: from.name(),
            to: to.name(),
        }
    }
}

/// `{container}/{name}`, the way messages name a blob.
pub(crate) fn blob_path(container: Container, name: &str) -> String {
    format!("{container}/{name}")
}
