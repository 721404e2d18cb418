//! The containers: one for each purpose, because on Azure permission is given by container.

use std::fmt;

/// A container of blobs. Its name is the same in every store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Container {
    /// Uploads, `{dataset}/{file}`.
    Incoming,
    /// Refused rows and files with their reasons.
    Quarantine,
    /// Parts, dataset versions, the ledger of uploads, the pointer.
    Datasets,
    /// Models with their cards and the evidence for them.
    Models,
    /// Training runs and the state of each.
    Runs,
    /// Releases and the pointer to what serves. The function app may only read it.
    Releases,
    /// Requests to fall back from a release.
    Aborts,
    /// The prediction log.
    Predictions,
    /// True labels sent back by callers.
    Feedback,
    /// Drift and accuracy reports.
    Reports,
    /// Hash-chained audit streams, one per writer.
    Audit,
}

impl Container {
    /// Every container, in the order in which they are documented.
    pub const ALL: [Self; 11] = [
        Self::Incoming,
        Self::Quarantine,
        Self::Datasets,
        Self::Models,
        Self::Runs,
        Self::Releases,
        Self::Aborts,
        Self::Predictions,
        Self::Feedback,
        Self::Reports,
        Self::Audit,
    ];

    /// The container's name, valid on Azure (lower-case letters).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Incoming => "incoming",
            Self::Quarantine => "quarantine",
            Self::Datasets => "datasets",
            Self::Models => "models",
            Self::Runs => "runs",
            Self::Releases => "releases",
            Self::Aborts => "aborts",
            Self::Predictions => "predictions",
            Self::Feedback => "feedback",
            Self::Reports => "reports",
            Self::Audit => "audit",
        }
    }
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
