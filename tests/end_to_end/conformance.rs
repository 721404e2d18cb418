//! The contract between the Functions host and a custom handler, line by line of its checklist: `checklist.rs` has the lines,
//! and every test is named by the line that it holds.
//!
//! Lines 1 to 30 are about the local host. A real [`Host`](sluice_functions_host::Host) runs, with `planned.py` as its
//! handler: a program that does what a test planned and writes down what it saw.

mod calls;
mod checklist;
mod functions;
mod support;

mod bindings;
mod blobs;
mod ending;
mod envelopes;
mod forwarding;
mod http_outputs;
mod indexing;
mod isolation;
mod keys;
mod large;
mod outcomes;
mod payloads;
mod proxying;
mod starting;
mod timers;
