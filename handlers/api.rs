//! What every HTTP function answers with: JSON, and one shape for errors.

mod body;
mod error;

pub use body::{JsonBody, read_json};
pub use error::ApiError;
