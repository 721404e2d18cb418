//! The host with real handler processes.

mod blobs;
mod envelopes;
mod forwarding;
mod keys;
mod process;
mod support;
mod timers;
