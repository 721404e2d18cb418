//! Azure ML model monitoring's numbers (azureml-assets, `model_monitoring/components`). An empty sample gives `NaN`.
//!
//! Its rule: above the threshold (0.1 for distances from the SDK), or below it for p-values. It refuses Kolmogorov–Smirnov from 10,000 rows on.

use super::binning::{Bins, category_counts, finite, range};
use super::distance;

/// Counts of both samples in ⌈log₂(min(n, m)) + 1⌉ equal bins over both ranges; a constant gets one bin of ±0.5 %.
#[must_use]
pub fn bin_counts(reference: &[f64], current: &[f64]) -> (Vec<u64>, Vec<u64>) {
    let (reference, current) = (finite(reference), finite(current));
    let (low, high) = range(&[reference.as_slice(), &current].concat());
    let bins = if low < high {
        let smaller = reference.len().min(current.len()).max(1) as f64;
        Bins::equal_width(low, high, (smaller.log2() + 1.0).ceil() as usize)
    } else {
        let margin = if low == 0.0 { 0.005 } else { (low * 0.005).abs() };
        Bins::equal_width(low - margin, low + margin, 1)
    };
    (bins.count(&reference), bins.count(&current))
}

/// Counts of both samples by category.
#[must_use]
pub fn bin_categories(reference: &[&str], current: &[&str]) -> (Vec<u64>, Vec<u64>) {
    category_counts(reference, current)
}

/// `JensenShannonDistance`: in base 2.
#[must_use]
pub fn jensen_shannon((reference, current): &(Vec<u64>, Vec<u64>)) -> f64 {
    distance::jensen_shannon_divergence(&distance::shares(reference), &distance::shares(current)).sqrt()
}

/// `PopulationStabilityIndex`: with one added to every count.
#[must_use]
pub fn population_stability_index((reference, current): &(Vec<u64>, Vec<u64>)) -> f64 {
    distance::population_stability_index(&distance::smoothed_shares(reference, 1.0), &distance::smoothed_shares(current, 1.0))
}

/// `NormalizedWassersteinDistance`: divided by the reference's standard deviation (by n − 1), at least 0.001.
#[must_use]
pub fn wasserstein(reference: &[f64], current: &[f64]) -> f64 {
    let deviation = distance::standard_deviation(&finite(reference), 1).max(0.001);
    distance::wasserstein(reference, current).map_or(f64::NAN, |distance| distance / deviation)
}
