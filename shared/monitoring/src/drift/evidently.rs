//! Evidently 0.7.21's numbers (`legacy/calculations/stattests`). Values that are not finite are dropped first; an empty sample gives `NaN`.
//!
//! Its rules: distances drift at ≥ 0.1, p-values below 0.05, whatever the number of rows.

use super::binning::{Bins, category_counts, finite};
use super::distance;

/// A bin of share 0 gets this, or a millionth of the smallest share if that is not above it.
const FILL: f64 = 1e-4;

/// Counts of both samples as Evidently bins them: by value when the reference has at most 20 distinct ones, else in Sturges' number of equal
/// bins over both samples together.
#[must_use]
pub fn bin_counts(reference: &[f64], current: &[f64]) -> (Vec<u64>, Vec<u64>) {
    let (reference, current) = (finite(reference), finite(current));
    let distinct = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_unstable_by(f64::total_cmp);
        values.dedup();
        values
    };
    let values = distinct(&reference);
    if values.len() > 20 {
        let bins = Bins::sturges(&[reference.as_slice(), &current].concat());
        return (bins.count(&reference), bins.count(&current));
    }
    let values = distinct(&[values.as_slice(), &current].concat());
    let count = |sample: &[f64]| {
        values
            .iter()
            .map(|value| sample.iter().filter(|other| *other == value).count() as u64)
            .collect()
    };
    (count(&reference), count(&current))
}

/// Counts of both samples by category.
#[must_use]
pub fn bin_categories(reference: &[&str], current: &[&str]) -> (Vec<u64>, Vec<u64>) {
    category_counts(reference, current)
}

/// `jensenshannon`: the distance in nats, √(JS ln 2).
#[must_use]
pub fn jensen_shannon((reference, current): &(Vec<u64>, Vec<u64>)) -> f64 {
    let divergence = distance::jensen_shannon_divergence(
        &distance::shares(reference),
        &distance::shares(current),
    );
    (divergence * std::f64::consts::LN_2).sqrt()
}

/// `psi`: with empty bins filled on each side and not scaled again.
#[must_use]
pub fn population_stability_index((reference, current): &(Vec<u64>, Vec<u64>)) -> f64 {
    distance::population_stability_index(&filled(reference), &filled(current))
}

/// `kl_div`: with the same filled bins, scaled to sum 1.
#[must_use]
pub fn kullback_leibler((reference, current): &(Vec<u64>, Vec<u64>)) -> f64 {
    distance::kullback_leibler(&filled(reference), &filled(current))
}

/// `hellinger` of numbers: Sturges' bins of the *distinct* values of both samples.
#[must_use]
pub fn hellinger(reference: &[f64], current: &[f64]) -> f64 {
    let (reference, current) = (finite(reference), finite(current));
    let mut values = [reference.as_slice(), &current].concat();
    values.sort_unstable_by(f64::total_cmp);
    values.dedup();
    let bins = Bins::sturges(&values);
    distance::hellinger(
        &distance::shares(&bins.count(&reference)),
        &distance::shares(&bins.count(&current)),
    )
}

/// `wasserstein`: divided by the reference's standard deviation (by n), at least 0.001.
#[must_use]
pub fn wasserstein(reference: &[f64], current: &[f64]) -> f64 {
    let deviation = distance::standard_deviation(&finite(reference), 0).max(0.001);
    distance::wasserstein(reference, current).map_or(f64::NAN, |distance| distance / deviation)
}

fn filled(counts: &[u64]) -> Vec<f64> {
    let mut shares = distance::shares(counts);
    let smallest = shares
        .iter()
        .copied()
        .filter(|share| *share > 0.0)
        .fold(f64::INFINITY, f64::min);
    let fill = if smallest <= FILL {
        smallest / 1e6
    } else {
        FILL
    };
    shares
        .iter_mut()
        .filter(|share| **share == 0.0)
        .for_each(|share| *share = fill);
    shares
}
