//! What can go wrong, by what the caller can do about it.

use thiserror::Error;

/// An error of this crate.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MonitoringError {
    /// Two summaries of different models were put together. Merge only summaries made for the same label list.
    #[error(
        "cannot merge summaries of different labels: {ours:?} and {theirs:?}; group them by model first"
    )]
    LabelsDiffer {
        /// The labels on this side.
        ours: Vec<String>,
        /// The labels on the other side.
        theirs: Vec<String>,
    },
    /// A plot was asked for with nothing to draw. Check for data first.
    #[error("nothing to draw in the plot {title:?}: it has no finite point")]
    EmptyPlot {
        /// The title of the plot.
        title: String,
    },
    /// The drawing library refused.
    #[error("could not draw the plot {title:?}: {reason}")]
    Plot {
        /// The title of the plot.
        title: String,
        /// What the library said.
        reason: String,
    },
    /// The report page could not be written.
    #[error("could not write the report page")]
    Page(#[from] askama::Error),
}
