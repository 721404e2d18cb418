//! The two-sample Kolmogorov–Smirnov test.

use super::TestResult;
use super::tail::kolmogorov_upper;

/// Samples whose product of sizes is at most this get the exact distribution: about 10 ms of counting.
const EXACT_CELLS: usize = 4_000_000;

/// D = max |F₁ − F₂| of two samples, and its two-sided p-value.
///
/// The p-value is exact (counting lattice paths, as R's `psmirnov` does) when the product of the sizes is at most 4 million, and otherwise the
/// one-sample law for n·m/(n+m) values. With ties both are conservative. Values that are not finite are left out. `None` when a
/// sample is empty.
#[must_use]
pub fn kolmogorov_smirnov(reference: &[f64], current: &[f64]) -> Option<TestResult> {
    let (reference, current) = (sorted(reference), sorted(current));
    if reference.is_empty() || current.is_empty() {
        return None;
    }
    let (n, m) = (reference.len(), current.len());
    let (mut i, mut j) = (0, 0);
    let mut statistic = 0f64;
    while i < n && j < m {
        let value = reference[i].min(current[j]);
        while i < n && reference[i] <= value {
            i += 1;
        }
        while j < m && current[j] <= value {
            j += 1;
        }
        statistic = statistic.max((i as f64 / n as f64 - j as f64 / m as f64).abs());
    }
    Some(TestResult {
        statistic,
        p_value: p_value(statistic, n, m),
    })
}

fn p_value(statistic: f64, n: usize, m: usize) -> f64 {
    let limit = asymptotic_p_value(statistic, n as f64, m as f64);
    let cells = n.saturating_mul(m);
    // The exact count is 1 − P(D < d): no digit of it is left for the tiny tails of larger samples.
    if cells > EXACT_CELLS || (limit < 1e-9 && cells > 2_500) {
        limit
    } else {
        exact_p_value(statistic, n, m)
    }
}

/// The p-value of D from two samples of these sizes, from the one-sample law for n·m/(n+m) values.
pub(super) fn asymptotic_p_value(statistic: f64, n: f64, m: f64) -> f64 {
    kolmogorov_upper(statistic, (n * m / (n + m)).round().max(1.0))
}

/// 1 − the share of the paths from (0, 0) to (n, m) that stay closer than `statistic` to the diagonal, in units of the distribution functions.
fn exact_p_value(statistic: f64, n: usize, m: usize) -> f64 {
    let (n, m) = (n.min(m), n.max(m));
    let (rows, columns) = (n as f64, m as f64);
    // The largest distance below the statistic, halfway to it: distances are multiples of 1/(n·m).
    let limit = ((statistic * rows * columns - 1e-7).floor() + 0.5) / (rows * columns);
    let mut paths: Vec<f64> = (0..=m)
        .map(|j| if j as f64 / columns > limit { 0.0 } else { 1.0 })
        .collect();
    for i in 1..=n {
        let row = i as f64 / rows;
        // Keeps the counts near one: after all rows the product of the factors is 1 / C(n + m, n).
        let factor = i as f64 / (i as f64 + columns);
        paths[0] = if row > limit { 0.0 } else { factor * paths[0] };
        for j in 1..=m {
            paths[j] = if (row - j as f64 / columns).abs() > limit {
                0.0
            } else {
                factor * paths[j] + paths[j - 1]
            };
        }
    }
    (1.0 - paths[m]).clamp(0.0, 1.0)
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values: Vec<f64> = values
        .iter()
        .copied()
        .filter(|value| value.is_finite())
        .collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_samples_agree_with_counting_by_hand() {
        // Two samples of two, fully apart: 2 of the C(4,2) = 6 orders have D = 1.
        let result = kolmogorov_smirnov(&[1.0, 2.0], &[3.0, 4.0]).unwrap();
        assert_eq!(result.statistic, 1.0);
        assert!((result.p_value - 2.0 / 6.0).abs() < 1e-12);
        assert!(kolmogorov_smirnov(&[], &[1.0]).is_none());
        assert!(kolmogorov_smirnov(&[f64::NAN], &[1.0]).is_none());
    }

    #[test]
    fn exact_and_asymptotic_agree_for_larger_samples() {
        for d in [0.05, 0.08, 0.12] {
            let (exact, limit) = (
                exact_p_value(d, 500, 700),
                asymptotic_p_value(d, 500.0, 700.0),
            );
            assert!((exact - limit).abs() < 0.02, "{d}: {exact} {limit}");
        }
    }

    proptest! {
        #[test]
        fn it_does_not_change_under_a_rising_map_and_is_symmetric(
            a in prop::collection::vec(-5.0..5.0f64, 1..60),
            b in prop::collection::vec(-5.0..5.0f64, 1..60),
        ) {
            let original = kolmogorov_smirnov(&a, &b).unwrap();
            let map = |values: &[f64]| values.iter().map(|value| (value * 0.7).exp() + 3.0).collect::<Vec<_>>();
            prop_assert_eq!(original, kolmogorov_smirnov(&map(&a), &map(&b)).unwrap());
            let turned = kolmogorov_smirnov(&b, &a).unwrap();
            prop_assert!((original.p_value - turned.p_value).abs() < 1e-9);
            prop_assert!((0.0..=1.0).contains(&original.p_value) && (0.0..=1.0).contains(&original.statistic));
            prop_assert_eq!(kolmogorov_smirnov(&a, &a).unwrap().p_value, 1.0);
        }
    }
}
