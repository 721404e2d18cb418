//! Many tests at once.

/// Adjusted p-values of Benjamini and Hochberg (1995), in the order given.
///
/// Calling every test with an adjusted value of at most α keeps the expected share of false calls among all calls at α. Among 20 columns without drift the
/// chance of any call falls from .64 to .05.
#[must_use]
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*b].total_cmp(&p_values[*a]));
    let tests = p_values.len();
    let mut adjusted = vec![1.0; tests];
    let mut smallest = 1f64;
    for (from_largest, index) in order.into_iter().enumerate() {
        let rank = (tests - from_largest) as f64;
        smallest = smallest.min(p_values[index] * (tests as f64 / rank));
        adjusted[index] = smallest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// R: `p.adjust(c(.01, .04, .03, .5), "BH")`.
    #[test]
    fn it_agrees_with_r() {
        let adjusted = benjamini_hochberg(&[0.01, 0.04, 0.03, 0.5]);
        for (ours, theirs) in adjusted
            .iter()
            .zip([0.04, 0.053_333_333, 0.053_333_333, 0.5])
        {
            assert!((ours - theirs).abs() < 1e-8, "{adjusted:?}");
        }
        assert!(benjamini_hochberg(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn it_never_lowers_a_p_value_and_keeps_the_order(values in prop::collection::vec(0.0..=1.0f64, 1..30)) {
            let adjusted = benjamini_hochberg(&values);
            for (index, value) in values.iter().enumerate() {
                prop_assert!(adjusted[index] >= *value && adjusted[index] <= 1.0);
                for (other, theirs) in values.iter().enumerate() {
                    prop_assert!(value > theirs || adjusted[index] <= adjusted[other]);
                }
            }
        }
    }
}
