//! Tests of categories: χ² and two proportions.

use super::TestResult;
use super::tail::{chi_squared_upper, normal_two_sided};

/// Pearson's χ² test of the 2 × K table of two samples' counts. The sizes of *both* samples count, so that its false-alarm rate is the nominal one.
///
/// `yates` subtracts ½ from each deviation when the table is 2 × 2, as SciPy's `chi2_contingency` does. Categories that neither sample has are left
/// out. `None` when a sample is empty; p = 1 when there is but one category.
#[must_use]
pub fn chi_squared_contingency(
    reference: &[u64],
    current: &[u64],
    yates: bool,
) -> Option<TestResult> {
    let columns: Vec<[f64; 2]> = pairs(reference, current)
        .filter(|pair| pair[0] + pair[1] > 0.0)
        .collect();
    let sizes = [0, 1].map(|side| columns.iter().map(|pair| pair[side]).sum::<f64>());
    if sizes[0] == 0.0 || sizes[1] == 0.0 {
        return None;
    }
    let total = sizes[0] + sizes[1];
    let degrees = columns.len() - 1;
    let mut statistic = 0.0;
    for pair in &columns {
        for side in [0, 1] {
            let expected = (pair[0] + pair[1]) * sizes[side] / total;
            let mut deviation = (pair[side] - expected).abs();
            if yates && degrees == 1 {
                deviation -= deviation.min(0.5);
            }
            statistic += deviation * deviation / expected;
        }
    }
    Some(TestResult {
        statistic,
        p_value: chi_squared_upper(statistic, degrees),
    })
}

/// Pearson's χ² test of `current` against the shares of `reference` *taken as the truth*, as Evidently and Azure ML do.
///
/// It ignores that the reference is a sample too and fires too often when that is not much larger than the window: .23 instead of .05 at 500 and
/// 500 rows. For comparison with those tools only. `None` when a sample is empty.
#[must_use]
pub fn chi_squared_goodness_of_fit(reference: &[u64], current: &[u64]) -> Option<TestResult> {
    let (n, m) = (
        reference.iter().sum::<u64>() as f64,
        current.iter().sum::<u64>() as f64,
    );
    if n == 0.0 || m == 0.0 {
        return None;
    }
    let columns: Vec<[f64; 2]> = pairs(reference, current)
        .filter(|pair| pair[0] + pair[1] > 0.0)
        .collect();
    let statistic = columns
        .iter()
        .map(|pair| {
            let expected = pair[0] / n * m;
            if expected == 0.0 {
                f64::INFINITY
            } else {
                (pair[1] - expected).powi(2) / expected
            }
        })
        .sum();
    Some(TestResult {
        statistic,
        p_value: chi_squared_upper(statistic, columns.len() - 1),
    })
}

/// The pooled two-sided z-test that a share is the same in two samples: `successes` of `trials` each. p = 1 when all or none succeed.
#[must_use]
pub fn two_proportions(reference: (u64, u64), current: (u64, u64)) -> Option<TestResult> {
    let (n, m) = (reference.1 as f64, current.1 as f64);
    if n == 0.0 || m == 0.0 {
        return None;
    }
    let pooled = (reference.0 + current.0) as f64 / (n + m);
    let variance = pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m);
    if variance <= 0.0 {
        return Some(TestResult {
            statistic: 0.0,
            p_value: 1.0,
        });
    }
    let statistic = (current.0 as f64 / m - reference.0 as f64 / n) / variance.sqrt();
    Some(TestResult {
        statistic,
        p_value: normal_two_sided(statistic),
    })
}

fn pairs<'a>(reference: &'a [u64], current: &'a [u64]) -> impl Iterator<Item = [f64; 2]> + 'a {
    (0..reference.len().max(current.len())).map(move |index| {
        [reference, current].map(|counts| counts.get(index).copied().unwrap_or(0) as f64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_worked_by_hand() {
        // 10/20 against 20/10: every cell expects 15, so χ² = 4 · 25/15, and with Yates 4 · 4.5²/15.
        let plain = chi_squared_contingency(&[10, 20], &[20, 10], false).unwrap();
        assert!((plain.statistic - 100.0 / 15.0).abs() < 1e-12);
        let corrected = chi_squared_contingency(&[10, 20], &[20, 10], true).unwrap();
        assert!((corrected.statistic - 81.0 / 15.0).abs() < 1e-12);
        // The z-test is the root of the uncorrected χ².
        let z = two_proportions((10, 30), (20, 30)).unwrap();
        assert!(
            (z.statistic.powi(2) - plain.statistic).abs() < 1e-9
                && (z.p_value - plain.p_value).abs() < 1e-9
        );
    }

    #[test]
    fn nothing_to_compare_is_no_result() {
        assert!(chi_squared_contingency(&[0, 0], &[1, 2], false).is_none());
        assert_eq!(
            chi_squared_contingency(&[5], &[7], false).unwrap().p_value,
            1.0
        );
        assert_eq!(two_proportions((5, 5), (7, 7)).unwrap().p_value, 1.0);
    }

    #[test]
    fn a_category_that_the_reference_lacks_makes_the_one_sample_test_certain_and_the_two_sample_test_careful()
     {
        assert_eq!(
            chi_squared_goodness_of_fit(&[50, 50, 0], &[50, 50, 1])
                .unwrap()
                .p_value,
            0.0
        );
        assert!(
            chi_squared_contingency(&[50, 50, 0], &[50, 50, 1], false)
                .unwrap()
                .p_value
                > 0.5
        );
    }
}
