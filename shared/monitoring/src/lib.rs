//! Profiles, drift tests, performance, alert rules and the report page: pure, no IO.
//!
//! The path of the data, top to bottom:
//!
//! 1. [`Profile`] summarises predictions at constant memory and merges with other profiles; [`Outcomes`] does the same for predictions whose
//!    true label came back.
//! 2. [`drift`] compares two profiles (or two raw samples): effect sizes, and p-values that know how many rows there were.
//! 3. [`performance`] turns outcomes into accuracy, macro F1 and calibration, each with an interval, and estimates them when no label came.
//! 4. [`rules`] hold a window of predictions against the baseline made at training time: [`evaluate`] gives a [`Report`] of signals, and says
//!    whether to retrain early or to abort a release. An alert needs both an effect that matters and evidence that it is not chance.
//! 5. [`page`] draws the report as one self-contained HTML page; [`plot`] draws line charts, histograms and reliability diagrams as SVG.
//!
//! Nothing here reads a clock, a file or an environment variable, and everything random is seeded: the same input gives the same report.

mod error;
mod text;

pub mod drift;
pub mod page;
pub mod performance;
pub mod plot;
pub mod profile;
pub mod rules;

pub use error::MonitoringError;
pub use performance::{JoinedOutcome, Outcomes};
pub use profile::{Observation, Profile};
pub use rules::{Baseline, MonitorConfig, Report, Rule, Signal, Status, Window, evaluate};
pub use text::text_features;
