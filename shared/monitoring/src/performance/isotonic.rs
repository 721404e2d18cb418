//! Calibration by a rising step function.

/// Isotonic regression of outcomes on scores, as scikit-learn's `IsotonicRegression(out_of_bounds="clip")`: the rising function with the least squared
/// error (pool adjacent violators), linear between its knots.
#[derive(Clone, Debug, PartialEq)]
pub struct Isotonic {
    knots: Vec<(f64, f64)>,
}

struct Block {
    first: f64,
    last: f64,
    mean: f64,
    weight: f64,
}

impl Isotonic {
    /// Fits scores to whether the row was positive. `None` without rows; extra values of the longer list and `NaN` scores are ignored.
    #[must_use]
    pub fn fit(scores: &[f64], positive: &[bool]) -> Option<Self> {
        let mut rows: Vec<(f64, f64)> = scores
            .iter()
            .zip(positive)
            .filter(|(score, _)| score.is_finite())
            .map(|(score, positive)| (*score, f64::from(u8::from(*positive))))
            .collect();
        rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut blocks: Vec<Block> = Vec::new();
        for (score, outcome) in rows {
            let tied = blocks
                .last()
                .is_some_and(|block| block.first == score && block.last == score);
            blocks.push(Block {
                first: score,
                last: score,
                mean: outcome,
                weight: 1.0,
            });
            if tied {
                merge_last(&mut blocks);
            }
        }
        let mut pooled: Vec<Block> = Vec::new();
        for block in blocks {
            pooled.push(block);
            while pooled.len() > 1 && pooled[pooled.len() - 2].mean >= pooled[pooled.len() - 1].mean
            {
                merge_last(&mut pooled);
            }
        }
        let mut knots: Vec<(f64, f64)> = pooled
            .iter()
            .flat_map(|block| [(block.first, block.mean), (block.last, block.mean)])
            .collect();
        knots.dedup();
        (!knots.is_empty()).then_some(Self { knots })
    }

    /// The calibrated probability of a score; scores outside the fitted range get the value of the nearest end.
    #[must_use]
    pub fn apply(&self, score: f64) -> f64 {
        let after = self.knots.partition_point(|knot| knot.0 < score);
        let Some(high) = self.knots.get(after) else {
            return self.knots.last().map_or(score, |knot| knot.1);
        };
        let Some(low) = after
            .checked_sub(1)
            .and_then(|before| self.knots.get(before))
        else {
            return high.1;
        };
        if high.0 == low.0 {
            high.1
        } else {
            low.1 + (high.1 - low.1) * (score - low.0) / (high.0 - low.0)
        }
    }
}

fn merge_last(blocks: &mut Vec<Block>) {
    let Some(last) = blocks.pop() else { return };
    if let Some(block) = blocks.last_mut() {
        let weight = block.weight + last.weight;
        block.mean = (block.mean * block.weight + last.mean * last.weight) / weight;
        block.weight = weight;
        block.last = last.last;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn violators_are_pooled_and_the_rest_is_linear() {
        let isotonic = Isotonic::fit(&[0.1, 0.2, 0.3, 0.4], &[false, true, false, true]).unwrap();
        assert_eq!(
            (
                isotonic.apply(0.0),
                isotonic.apply(0.25),
                isotonic.apply(0.9)
            ),
            (0.0, 0.5, 1.0)
        );
        assert!((isotonic.apply(0.15) - 0.25).abs() < 1e-12);
        assert!(Isotonic::fit(&[], &[]).is_none());
    }

    proptest! {
        #[test]
        fn it_rises_and_stays_a_probability(rows in prop::collection::vec((0.0..=1.0f64, any::<bool>()), 1..80), a in 0.0..=1.0f64, b in 0.0..=1.0f64) {
            let (scores, positive): (Vec<f64>, Vec<bool>) = rows.into_iter().unzip();
            let isotonic = Isotonic::fit(&scores, &positive).unwrap();
            prop_assert!(isotonic.apply(a.min(b)) <= isotonic.apply(a.max(b)) + 1e-12);
            prop_assert!((0.0..=1.0).contains(&isotonic.apply(a)));
        }
    }
}
