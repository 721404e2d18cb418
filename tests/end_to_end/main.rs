//! The whole product, through its real surface: the real executable, real HTTP, the real ONNX Runtime, real processes that
//! are really killed. Every test has a machine of its own: a folder with a home, a data folder and a `sluice.toml`.
//!
//! Nothing here is judged by the clock. A test that waits looks again and again, with a deadline far beyond any sane
//! duration, and what the processes printed is in its failure message.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "what helps a test fails like a test"
)]

mod http;
mod machine;
mod process;
mod rows;
mod settings;
mod up;
mod wait;

mod bad_requests;
mod bad_settings;
mod bad_uploads;
mod clean_stop;
mod crashes;
mod damaged_model;
mod faults;
mod manifests;
mod releases;
mod replaced_executable;
mod single_flight;
mod telemetry;
mod uploads;
mod whole_loop;
