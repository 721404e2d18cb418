//! The registry through its public surface, over real stores.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says by failing that something is missing"
)]

mod audit;
mod crashes;
mod datasets;
mod faulty;
mod fixtures;
mod models;
mod predictions;
mod races;
mod releases;
mod repair;
mod runs;
mod trace;
