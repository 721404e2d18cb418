//! How often each category occurred, bounded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How many categories are counted by name.
pub const MAX_CATEGORIES: usize = 256;

/// Counts of categories with a bound on memory.
///
/// Up to [`MAX_CATEGORIES`] names every count is exact. Beyond that it is the mergeable summary of Misra and Gries (Agarwal et al., "Mergeable
/// Summaries", PODS 2012): a count is at most `total / 257` too low, however the parts were merged, and what it lacks is in `other`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    total: u64,
    counts: BTreeMap<String, u64>,
}

impl Counts {
    /// Counts one occurrence.
    pub fn add(&mut self, name: &str) {
        self.add_many(name, 1);
    }

    /// Counts several occurrences at once.
    pub fn add_many(&mut self, name: &str, occurrences: u64) {
        self.total += occurrences;
        if let Some(count) = self.counts.get_mut(name) {
            *count += occurrences;
        } else {
            self.counts.insert(name.to_owned(), occurrences);
            self.shrink();
        }
    }

    /// Adds the counts of another summary.
    pub fn merge(&mut self, other: &Self) {
        self.total += other.total;
        for (name, count) in &other.counts {
            *self.counts.entry(name.clone()).or_default() += count;
        }
        self.shrink();
    }

    /// Takes the size of the first category too many off every count: at most [`MAX_CATEGORIES`] stay above zero.
    fn shrink(&mut self) {
        if self.counts.len() <= MAX_CATEGORIES {
            return;
        }
        let mut sizes: Vec<u64> = self.counts.values().copied().collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        let excess = sizes[MAX_CATEGORIES];
        self.counts.retain(|_, count| {
            *count = count.saturating_sub(excess);
            *count > 0
        });
    }

    /// All occurrences, named or not.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The count of one category; zero when it has not been seen.
    #[must_use]
    pub fn get(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or(0)
    }

    /// Occurrences that are not counted by name.
    #[must_use]
    pub fn other(&self) -> u64 {
        self.total.saturating_sub(self.counts.values().sum())
    }

    /// The named categories in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts
            .iter()
            .map(|(name, count)| (name.as_str(), *count))
    }

    /// The share of one category, 0 to 1. `None` when nothing was counted.
    #[must_use]
    pub fn share(&self, name: &str) -> Option<f64> {
        (self.total > 0).then(|| self.get(name) as f64 / self.total as f64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn few_categories_are_exact() {
        let mut counts = Counts::default();
        for name in ["a", "b", "a"] {
            counts.add(name);
        }
        assert_eq!(
            (
                counts.get("a"),
                counts.get("b"),
                counts.other(),
                counts.total()
            ),
            (2, 1, 0, 3)
        );
    }

    proptest! {
        #[test]
        fn a_frequent_category_survives_many_rare_ones_in_any_order(parts in prop::collection::vec((0u64..300, 0u64..400), 1..6)) {
            let summaries: Vec<Counts> = parts.iter().enumerate().map(|(part, (frequent, rare))| {
                let mut counts = Counts::default();
                for _ in 0..*frequent { counts.add("frequent"); }
                for row in 0..*rare { counts.add(&format!("rare {part} {row}")); }
                counts
            }).collect();
            let truth: u64 = parts.iter().map(|(frequent, _)| frequent).sum();
            for order in [summaries.iter().collect::<Vec<_>>(), summaries.iter().rev().collect()] {
                let mut all = Counts::default();
                for part in order { all.merge(part); }
                prop_assert_eq!(all.total(), parts.iter().map(|(a, b)| a + b).sum::<u64>());
                prop_assert!(all.iter().count() <= MAX_CATEGORIES);
                let bound = all.total() / (MAX_CATEGORIES as u64 + 1);
                prop_assert!(all.get("frequent") <= truth && truth - all.get("frequent") <= bound);
            }
        }
    }
}
