//! NannyML 0.13.1's numbers (`drift/univariate/methods.py`): bins come from the reference alone.
//!
//! From 10,000 reference rows on NannyML estimates Kolmogorov–Smirnov and Wasserstein on 10,000 bins; here they are always exact, which differs
//! from it by up to 0.5 % then. Its rule is the mean ± 3 standard deviations over chunks of the reference.

use super::binning::{Bins, category_counts, finite};
use super::distance;

/// Shares of both samples in Doane's bins of the reference, with what lies outside as one more bin.
#[must_use]
pub fn bin_shares(reference: &[f64], current: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let (reference, current) = (finite(reference), finite(current));
    let bins = Bins::doane(&reference);
    let shares = |values: &[f64]| {
        let counts = bins.count(values);
        counts
            .iter()
            .map(|count| *count as f64 / values.len().max(1) as f64)
            .collect::<Vec<_>>()
    };
    let (mut reference, mut current) = (shares(&reference), shares(&current));
    let outside = 1.0 - current.iter().sum::<f64>();
    if outside > 1e-12 {
        reference.push(0.0);
        current.push(outside);
    }
    (reference, current)
}

/// Shares of both samples by category.
#[must_use]
pub fn category_shares(reference: &[&str], current: &[&str]) -> (Vec<f64>, Vec<f64>) {
    let (reference, current) = category_counts(reference, current);
    (distance::shares(&reference), distance::shares(&current))
}

/// `jensen_shannon`: the distance in base 2.
#[must_use]
pub fn jensen_shannon((reference, current): &(Vec<f64>, Vec<f64>)) -> f64 {
    distance::jensen_shannon_divergence(reference, current).sqrt()
}

/// `hellinger`: √Σ(√p − √q)² / √2.
#[must_use]
pub fn hellinger((reference, current): &(Vec<f64>, Vec<f64>)) -> f64 {
    let squares: f64 = reference
        .iter()
        .zip(current)
        .map(|(p, q)| (p.sqrt() - q.sqrt()).powi(2))
        .sum();
    (squares / 2.0).sqrt()
}

/// `l_infinity`: the largest difference of a share.
#[must_use]
pub fn l_infinity((reference, current): &(Vec<f64>, Vec<f64>)) -> f64 {
    distance::largest_difference(reference, current)
}

/// `wasserstein`: in the unit of the values, not normalised. `NaN` when a sample is empty.
#[must_use]
pub fn wasserstein(reference: &[f64], current: &[f64]) -> f64 {
    distance::wasserstein(reference, current).unwrap_or(f64::NAN)
}
