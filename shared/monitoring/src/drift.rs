//! How far two sets of values are apart, and whether that can be chance.
//!
//! * [`distance`]: PSI, Jensen–Shannon, Hellinger, Kullback–Leibler, L∞ of two lists of shares; Wasserstein of two samples.
//! * [`kolmogorov_smirnov()`], [`chi_squared_contingency`], [`two_proportions`]: two-sample tests; [`benjamini_hochberg()`] over many of them.
//! * [`compare_values`] and [`compare_categories`]: what the alert rules use, on [`Histogram`](crate::profile::Histogram)s and
//!   [`Counts`](crate::profile::Counts).
//! * [`evidently`], [`nannyml`], [`azure_ml`]: the same quantities exactly as those tools compute them, for whoever compares.
//!
//! The tools' default thresholds do not know how many rows a window has: with 1,500 reference rows and windows of 100 they report drift in 70 to
//! 80 of 100 windows in which nothing drifted. Our rules ask for two things at once: an effect of a size that matters, and a
//! two-sample p-value below the significance level after the Benjamini–Hochberg correction.

pub mod azure_ml;
mod benjamini_hochberg;
mod binning;
mod categorical;
mod compare;
pub mod distance;
pub mod evidently;
mod kolmogorov_smirnov;
pub mod nannyml;
mod tail;

pub use self::benjamini_hochberg::benjamini_hochberg;
pub use self::categorical::{
    chi_squared_contingency, chi_squared_goodness_of_fit, two_proportions,
};
pub use self::compare::{Comparison, compare_categories, compare_values};
pub use self::kolmogorov_smirnov::kolmogorov_smirnov;
pub(crate) use self::tail::{binomial_upper, chi_squared_upper, normal_quantile};

/// A test statistic and the probability of one at least as extreme when both samples come from one distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TestResult {
    /// The statistic.
    pub statistic: f64,
    /// The p-value, 0 to 1.
    pub p_value: f64,
}
