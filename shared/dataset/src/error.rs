//! What can go wrong beside the data: bad data is a [`crate::Refusal`] or a [`crate::RefusedRow`], not an error.

use std::error::Error;
use std::io;

/// A failure of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// The upload's bytes could not be read. Nothing was taken: try again.
    #[error("the upload could not be read to its end")]
    Input(#[source] io::Error),
    /// A file in the working directory could not be written. Nothing was taken: make room, try again.
    #[error("{file} could not be written in the working directory")]
    Output {
        /// Which file: `a part`, `the refused rows`…
        file: &'static str,
        /// The cause.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The columns or labels cannot be used.
    #[error("the schema cannot be used: {0}")]
    Schema(String),
    /// A stored part is not what its dataset version says: it was damaged or belongs to another schema.
    #[error("the part cannot be read with this schema: {detail}")]
    Part {
        /// What is wrong.
        detail: String,
        /// The cause, when a library found it.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
}

impl DatasetError {
    pub(crate) fn output(file: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Output {
            file,
            source: source.into(),
        }
    }

    pub(crate) fn part_file(source: parquet::errors::ParquetError) -> Self {
        Self::Output {
            file: "a part",
            source: source.into(),
        }
    }

    pub(crate) fn damaged_part(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Part {
            detail: source.to_string(),
            source: Some(source.into()),
        }
    }
}
