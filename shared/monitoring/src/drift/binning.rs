//! Equal-width bins, as the tools that we compare with choose them.

/// How many bins, and over which values.
pub(super) struct Bins {
    pub(super) edges: Vec<f64>,
}

impl Bins {
    /// `count` equal bins from `low` to `high`, as NumPy's `linspace` gives the edges.
    pub(super) fn equal_width(low: f64, high: f64, count: usize) -> Self {
        let mut bins = Self::spark(low, high, count);
        if let Some(last) = bins.edges.last_mut() {
            *last = high;
        }
        bins
    }

    /// The edges as Spark's `histogram` computes them: rounding can leave the last one below `high`, and then the largest value is not counted.
    pub(super) fn spark(low: f64, high: f64, count: usize) -> Self {
        let step = (high - low) / count as f64;
        Self {
            edges: (0..=count).map(|index| low + step * index as f64).collect(),
        }
    }

    /// NumPy's `histogram_bin_edges(values, "sturges")`: ⌈log₂ n + 1⌉ bins.
    pub(super) fn sturges(values: &[f64]) -> Self {
        let (low, high) = range(values);
        let count = ((values.len().max(1) as f64).log2() + 1.0).ceil() as usize;
        Self::around(low, high, count)
    }

    /// NumPy's `histogram_bin_edges(values, "doane")`: Sturges with a term for the skewness.
    pub(super) fn doane(values: &[f64]) -> Self {
        let (low, high) = range(values);
        let n = values.len() as f64;
        let deviation = super::distance::standard_deviation(values, 0);
        if values.len() <= 2 || deviation <= 0.0 {
            return Self::around(low, high, 1);
        }
        let mean = values.iter().sum::<f64>() / n;
        let skewness = values
            .iter()
            .map(|value| ((value - mean) / deviation).powi(3))
            .sum::<f64>()
            / n;
        let scale = (6.0 * (n - 2.0) / ((n + 1.0) * (n + 3.0))).sqrt();
        let count = 1.0 + n.log2() + (1.0 + skewness.abs() / scale).log2();
        Self::around(low, high, count.ceil() as usize)
    }

    /// A range without width is widened by one half on both sides, as NumPy does.
    fn around(low: f64, high: f64, count: usize) -> Self {
        if low < high {
            Self::equal_width(low, high, count.max(1))
        } else {
            Self::equal_width(low - 0.5, high + 0.5, 1)
        }
    }

    /// How many values lie in each bin: closed below, open above, the last one closed. Values outside are not counted.
    pub(super) fn count(&self, values: &[f64]) -> Vec<u64> {
        let mut counts = vec![0; self.edges.len().saturating_sub(1)];
        let (Some(low), Some(high)) = (self.edges.first(), self.edges.last()) else {
            return counts;
        };
        for value in values
            .iter()
            .filter(|value| *value >= low && *value <= high)
        {
            let bin = self
                .edges
                .partition_point(|edge| edge <= value)
                .saturating_sub(1);
            let last = counts.len() - 1;
            counts[bin.min(last)] += 1;
        }
        counts
    }
}

/// The values that are finite.
pub(super) fn finite(values: &[f64]) -> Vec<f64> {
    values
        .iter()
        .copied()
        .filter(|value| value.is_finite())
        .collect()
}

pub(super) fn range(values: &[f64]) -> (f64, f64) {
    values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(*value), high.max(*value))
        })
}

/// Counts of each distinct category in two samples, in the order of the names.
pub(super) fn category_counts<'a>(
    reference: &[&'a str],
    current: &[&'a str],
) -> (Vec<u64>, Vec<u64>) {
    let mut table: std::collections::BTreeMap<&str, [u64; 2]> = std::collections::BTreeMap::new();
    for (side, values) in [reference, current].into_iter().enumerate() {
        for value in values {
            table.entry(value).or_default()[side] += 1;
        }
    }
    table
        .values()
        .map(|[reference, current]| (*reference, *current))
        .unzip()
}
