//! Distances between two distributions, with what to do about empty bins said by the caller.

/// Shares of a total: each count divided by the sum. All zero when the sum is.
#[must_use]
pub fn shares(counts: &[u64]) -> Vec<f64> {
    let total = counts.iter().sum::<u64>() as f64;
    counts
        .iter()
        .map(|count| {
            if total > 0.0 {
                *count as f64 / total
            } else {
                0.0
            }
        })
        .collect()
}

/// Shares with `pseudo` added to each count first (Laplace's rule with 1): (c + a) / (N + K·a). No bin is empty then.
#[must_use]
pub fn smoothed_shares(counts: &[u64], pseudo: f64) -> Vec<f64> {
    let total = counts.iter().sum::<u64>() as f64 + pseudo * counts.len() as f64;
    counts
        .iter()
        .map(|count| {
            if total > 0.0 {
                (*count as f64 + pseudo) / total
            } else {
                0.0
            }
        })
        .collect()
}

/// Population stability index: Σ (q − p) ln(q / p), in nats. It is symmetric, at least 0, and 0 for equal shares.
///
/// It is infinite when one side has an empty bin that the other has not: smooth the shares first. The usual reading: below 0.1 stable, 0.1 to
/// 0.25 some change, above 0.25 a shift. Without drift it is about (K − 1)(1/n + 1/m) for K bins, so that small windows look shifted.
#[must_use]
pub fn population_stability_index(reference: &[f64], current: &[f64]) -> f64 {
    let terms = reference
        .iter()
        .zip(current)
        .map(|(p, q)| if p == q { 0.0 } else { (q - p) * (q / p).ln() });
    terms.sum()
}

/// Kullback–Leibler divergence Σ p ln(p / q), in nats, of the shares scaled to sum 1. Infinite when q lacks what p has.
#[must_use]
pub fn kullback_leibler(reference: &[f64], current: &[f64]) -> f64 {
    let (p, q) = (scaled(reference), scaled(current));
    p.iter()
        .zip(&q)
        .map(|(p, q)| if *p == 0.0 { 0.0 } else { p * (p / q).ln() })
        .sum::<f64>()
        .max(0.0)
}

/// Jensen–Shannon divergence in bits: ½ KL(p‖m) + ½ KL(q‖m) with m = (p + q)/2 and base 2. Between 0 (equal) and 1 (disjoint); symmetric; empty
/// bins need no care. Its root is a metric, which some tools report under the same name, and some in nats: × √ln 2.
#[must_use]
pub fn jensen_shannon_divergence(reference: &[f64], current: &[f64]) -> f64 {
    let (p, q) = (scaled(reference), scaled(current));
    let half = |side: f64, middle: f64| {
        if side > 0.0 {
            side * (side / middle).log2()
        } else {
            0.0
        }
    };
    let sum: f64 = p
        .iter()
        .zip(&q)
        .map(|(p, q)| half(*p, f64::midpoint(*p, *q)) + half(*q, f64::midpoint(*p, *q)))
        .sum();
    (sum / 2.0).clamp(0.0, 1.0)
}

/// Hellinger distance √(1 − Σ √(p q)), between 0 and 1, of the shares as they are.
#[must_use]
pub fn hellinger(reference: &[f64], current: &[f64]) -> f64 {
    let overlap: f64 = reference
        .iter()
        .zip(current)
        .map(|(p, q)| (p * q).sqrt())
        .sum();
    (1.0 - overlap).max(0.0).sqrt()
}

/// The largest difference of a share: L∞.
#[must_use]
pub fn largest_difference(reference: &[f64], current: &[f64]) -> f64 {
    reference
        .iter()
        .zip(current)
        .map(|(p, q)| (p - q).abs())
        .fold(0.0, f64::max)
}

/// Total variation: half the sum of the absolute differences of shares. The share of rows that would have to change their category.
#[must_use]
pub fn total_variation(reference: &[f64], current: &[f64]) -> f64 {
    reference
        .iter()
        .zip(current)
        .map(|(p, q)| (p - q).abs())
        .sum::<f64>()
        / 2.0
}

/// Wasserstein-1 (earth mover's) distance of two samples, in the unit of the values: ∫ |F₁ − F₂|. Values that are not finite are left out; `None` when
/// a sample is empty.
#[must_use]
pub fn wasserstein(reference: &[f64], current: &[f64]) -> Option<f64> {
    let count = |values: &[f64]| values.iter().filter(|value| value.is_finite()).count() as f64;
    let (n, m) = (count(reference), count(current));
    if n == 0.0 || m == 0.0 {
        return None;
    }
    let weighted = |values: &[f64], weight: f64| {
        values
            .iter()
            .map(|value| (*value, weight))
            .collect::<Vec<_>>()
    };
    let mut steps = weighted(reference, 1.0 / n);
    steps.extend(weighted(current, -1.0 / m));
    steps.retain(|(value, _)| value.is_finite());
    steps.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    Some(area(steps))
}

/// ∫ |cumulated weight| over values in rising order.
pub(super) fn area(steps: impl IntoIterator<Item = (f64, f64)>) -> f64 {
    let mut distance = 0.0;
    let mut difference = 0.0f64;
    let mut last = None;
    for (value, weight) in steps {
        if let Some(last) = last {
            distance += difference.abs() * (value - last);
        }
        difference += weight;
        last = Some(value);
    }
    distance
}

/// The standard deviation of a sample; `lost` is 0 to divide by n, 1 to divide by n − 1.
#[must_use]
pub fn standard_deviation(values: &[f64], lost: u32) -> f64 {
    let n = values.len() as f64;
    if n <= f64::from(lost) {
        return 0.0;
    }
    let mean = values.iter().sum::<f64>() / n;
    (values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>()
        / (n - f64::from(lost)))
    .sqrt()
}

fn scaled(shares: &[f64]) -> Vec<f64> {
    let total: f64 = shares.iter().sum();
    shares
        .iter()
        .map(|share| if total > 0.0 { share / total } else { 0.0 })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counts() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec(0u64..1_000, 6)
            .prop_filter("not all zero", |counts| counts.iter().sum::<u64>() > 0)
    }

    proptest! {
        #[test]
        fn psi_is_symmetric_not_negative_and_zero_on_itself(a in counts(), b in counts()) {
            let (p, q) = (smoothed_shares(&a, 0.5), smoothed_shares(&b, 0.5));
            let psi = population_stability_index(&p, &q);
            prop_assert!(psi >= 0.0 && psi.is_finite());
            prop_assert!((psi - population_stability_index(&q, &p)).abs() < 1e-9);
            prop_assert_eq!(population_stability_index(&p, &p), 0.0);
        }

        #[test]
        fn divergences_stay_in_their_range_and_are_symmetric(a in counts(), b in counts()) {
            let (p, q) = (shares(&a), shares(&b));
            for distance in [jensen_shannon_divergence, hellinger, largest_difference, total_variation] {
                let there = distance(&p, &q);
                prop_assert!((0.0..=1.0).contains(&there));
                prop_assert!((there - distance(&q, &p)).abs() < 1e-9);
                prop_assert!(distance(&p, &p) < 1e-7);
            }
            prop_assert!(kullback_leibler(&p, &q) >= 0.0);
        }

        #[test]
        fn wasserstein_moves_with_the_values(values in prop::collection::vec(-100.0..100.0f64, 1..50), shift in -50.0..50.0f64) {
            let moved: Vec<f64> = values.iter().map(|value| value + shift).collect();
            prop_assert!((wasserstein(&values, &moved).unwrap() - shift.abs()).abs() < 1e-9);
            prop_assert!(wasserstein(&values, &values).unwrap() < 1e-9);
        }
    }

    #[test]
    fn disjoint_distributions_are_as_far_apart_as_can_be() {
        let (p, q) = ([1.0, 0.0], [0.0, 1.0]);
        assert_eq!(
            (
                jensen_shannon_divergence(&p, &q),
                hellinger(&p, &q),
                total_variation(&p, &q)
            ),
            (1.0, 1.0, 1.0)
        );
        assert!(population_stability_index(&p, &q).is_infinite());
        assert_eq!(wasserstein(&[0.0, 1.0], &[5.0, 6.0]), Some(5.0));
        assert_eq!(wasserstein(&[], &[5.0]), None);
    }
}
