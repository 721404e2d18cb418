//! The host with real handler processes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail like tests"
)]

mod blobs;
mod envelopes;
mod forwarding;
mod keys;
mod process;
mod support;
mod timers;
