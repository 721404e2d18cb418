//! Which side of the split a row is on.

use sluice_registry::{Split, SplitRule};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The side of a row, from the hash of its normalised content: the same for ever, whatever else is in the dataset, and
/// the same for every repeat of the content.
///
/// The content hash is hashed once more with the rule's seed, so that the sides of two seeds are independent of each
/// other and of everything else that the content hash decides. The upper 53 bits, as a number from 0 to 1, fall into
/// test, calibration or train in this order: enlarging the calibration share moves no row into or out of the test side.
#[must_use]
pub fn split_of(content_hash: u64, rule: &SplitRule) -> Split {
    let mixed = xxh3_64_with_seed(&content_hash.to_le_bytes(), rule.seed);
    let position = (mixed >> 11) as f64 / (1u64 << 53) as f64;
    if position < rule.test {
        Split::Test
    } else if position < rule.test + rule.calibration {
        Split::Calibration
    } else {
        Split::Train
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(seed: u64, calibration: f64, test: f64) -> SplitRule {
        SplitRule {
            seed,
            calibration,
            test,
        }
    }

    #[test]
    fn the_side_of_a_row_never_changes() {
        let sides: Vec<_> = (0..12)
            .map(|hash| split_of(hash, &rule(1, 0.3, 0.3)))
            .collect();
        use Split::{Calibration as C, Test as T, Train as R};
        assert_eq!(sides, [R, C, T, C, T, R, C, R, T, C, R, R]);
    }

    proptest! {
        #[test]
        fn the_shares_are_kept(seed: u64, first: u64, calibration in 0.05..0.4f64, test in 0.05..0.4f64) {
            let rule = rule(seed, calibration, test);
            let rows = 20_000;
            let sides: Vec<_> = (0..rows).map(|row| split_of(first.wrapping_add(row), &rule)).collect();
            let share = |side| sides.iter().filter(|s| **s == side).count() as f64 / rows as f64;
            prop_assert!((share(Split::Test) - test).abs() < 0.02);
            prop_assert!((share(Split::Calibration) - calibration).abs() < 0.02);
        }

        #[test]
        fn a_larger_calibration_share_leaves_the_test_side_alone(hash: u64, seed: u64) {
            let is_test = |calibration| split_of(hash, &rule(seed, calibration, 0.2)) == Split::Test;
            prop_assert_eq!(is_test(0.1), is_test(0.5));
        }

        #[test]
        fn the_ends_are_exact(hash: u64, seed: u64) {
            prop_assert_eq!(split_of(hash, &rule(seed, 0.0, 0.0)), Split::Train);
            prop_assert_eq!(split_of(hash, &rule(seed, 0.0, 1.0)), Split::Test);
            prop_assert_eq!(split_of(hash, &rule(seed, 1.0, 0.0)), Split::Calibration);
        }
    }

    #[test]
    fn the_sides_of_two_seeds_are_independent() {
        let both = (0..40_000u64)
            .filter(|hash| split_of(*hash, &rule(1, 0.0, 0.5)) == Split::Test)
            .filter(|hash| split_of(*hash, &rule(2, 0.0, 0.5)) == Split::Test)
            .count();
        assert!((9_500..10_500).contains(&both), "{both}");
    }
}
