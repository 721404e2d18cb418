//! The contract between the Functions host and a custom handler, line by line of its checklist: `checklist.rs` has the lines,
//! and every test is named by the line that it holds.
//!
//! Lines 1 to 30 are about the local host. A real [`Host`](sluice_functions_host::Host) runs, with `planned.py` as its
//! handler: a program that does what a test planned and writes down what it saw. Lines 31 to 46 are about our handler and its
//! folder; most of them are also tried by `sluice host conformance`, on our app and on a second one.

mod calls;
mod checked;
mod checklist;
mod functions;
mod support;

mod bindings;
mod blobs;
mod ending;
mod envelopes;
mod forwarding;
mod handler;
mod http_outputs;
mod indexing;
mod isolation;
mod keys;
mod large;
mod outcomes;
mod package;
mod payloads;
mod proxying;
mod staged;
mod starting;
mod timers;
