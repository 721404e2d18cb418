//! Azure ML model monitoring's numbers (azureml-assets, `model_monitoring/components`). An empty sample gives `NaN`.
//!
//! Its rule: above the threshold (0.1 for distances from the SDK), or below it for p-values. It refuses Kolmogorov–Smirnov from 10,000 rows on.

use super::binning::{Bins, category_counts, finite, range};
use super::distance;

/// Both samples counted in the same bins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BinCounts {
    /// Counts of the reference.
    pub reference: Vec<u64>,
    /// Counts of the current sample.
    pub current: Vec<u64>,
    /// Rows of both. Rounding can leave the largest value out of the last bin, and it counts here all the same.
    pub rows: (u64, u64),
}

/// Counts of both samples in ⌈log₂(min(n, m)) + 1⌉ equal bins over both ranges, with Spark's edges; a constant gets one bin of ±0.5 %.
#[must_use]
pub fn bin_counts(reference: &[f64], current: &[f64]) -> BinCounts {
    let (reference, current) = (finite(reference), finite(current));
    let (low, high) = range(&[reference.as_slice(), &current].concat());
    let bins = if low < high {
        let smaller = reference.len().min(current.len()).max(1) as f64;
        Bins::spark(low, high, (smaller.log2() + 1.0).ceil() as usize)
    } else {
        let margin = if low == 0.0 {
            0.005
        } else {
            (low * 0.005).abs()
        };
        Bins::spark(low - margin, low + margin, 1)
    };
    BinCounts {
        reference: bins.count(&reference),
        current: bins.count(&current),
        rows: (reference.len() as u64, current.len() as u64),
    }
}

/// Counts of both samples by category.
#[must_use]
pub fn bin_categories(reference: &[&str], current: &[&str]) -> BinCounts {
    let rows = (reference.len() as u64, current.len() as u64);
    let (reference, current) = category_counts(reference, current);
    BinCounts {
        reference,
        current,
        rows,
    }
}

/// `JensenShannonDistance`: in base 2.
#[must_use]
pub fn jensen_shannon(bins: &BinCounts) -> f64 {
    distance::jensen_shannon_divergence(
        &distance::shares(&bins.reference),
        &distance::shares(&bins.current),
    )
    .sqrt()
}

/// `PopulationStabilityIndex`: with shares (c + 1) / (N + K).
#[must_use]
pub fn population_stability_index(bins: &BinCounts) -> f64 {
    let shares = |counts: &[u64], rows: u64| -> Vec<f64> {
        counts
            .iter()
            .map(|count| (*count as f64 + 1.0) / (rows as f64 + counts.len() as f64))
            .collect()
    };
    distance::population_stability_index(
        &shares(&bins.reference, bins.rows.0),
        &shares(&bins.current, bins.rows.1),
    )
}

/// `NormalizedWassersteinDistance`: divided by the reference's standard deviation (by n − 1), at least 0.001.
#[must_use]
pub fn wasserstein(reference: &[f64], current: &[f64]) -> f64 {
    let deviation = distance::standard_deviation(&finite(reference), 1).max(0.001);
    distance::wasserstein(reference, current).map_or(f64::NAN, |distance| distance / deviation)
}
