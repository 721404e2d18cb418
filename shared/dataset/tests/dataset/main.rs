//! Uploads through the public surface: what is taken, what is refused and why, what can be read back.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may")]

mod formats;
mod properties;
mod reading;
mod row_checks;
mod support;
mod upload_refusals;
