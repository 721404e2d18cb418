//! A histogram whose bins are the same everywhere, so that merging is adding.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Magnitudes below 2⁻³⁰ share the bin of zero.
const MIN_EXPONENT: i32 = -30;
/// Magnitudes from 2⁴⁰ on share the last bin.
const MAX_EXPONENT: i32 = 40;
/// Bins in each power of two.
const BINS: i32 = 128;
/// Bins between one half and one, where confident scores crowd.
const BINS_BELOW_ONE: i32 = 512;
/// The key of the first bin at one half.
const KEY_HALF: i32 = 1 + (-1 - MIN_EXPONENT) * BINS;
/// The key of the first bin at one.
const KEY_ONE: i32 = KEY_HALF + BINS_BELOW_ONE;
const KEY_LAST: i32 = KEY_ONE + MAX_EXPONENT * BINS - 1;

/// One bin of a [`Histogram`]: the values from `low` up to `high`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// The lower edge.
    pub low: f64,
    /// The upper edge.
    pub high: f64,
    /// How many values are in it.
    pub count: u64,
}

impl Bin {
    /// The value that stands for the bin: its middle.
    #[must_use]
    pub fn middle(&self) -> f64 {
        (self.low + self.high) / 2.0
    }
}

/// Counts of values in fixed bins: each power of two in 128 equal parts, as HDR histograms do, and 512 parts between ½ and 1.
///
/// Every histogram has the same bins, so merging adds counts and is exact in any order. A value is known to its bin: to 0.8 % of itself
/// (0.4 % from the middle), and to 0.001 between ½ and 1. Magnitudes below 2⁻³⁰ count as zero and those from 2⁴⁰ on as 2⁴⁰. The binning is
/// monotone: the Kolmogorov–Smirnov statistic of two histograms is never above that of the values, and below it by at most the share of
/// one bin, and quantiles are right to the width of their bin.
/// At most 18,945 bins exist; a feature in practice fills some hundreds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Document", into = "Document")]
pub struct Histogram {
    bins: BTreeMap<i32, u64>,
    count: u64,
    missing: u64,
    sum: f64,
    min: Option<f64>,
    max: Option<f64>,
}

/// How a histogram is written: the keys as differences, which keeps the numbers short.
#[derive(Serialize, Deserialize)]
struct Document {
    missing: u64,
    sum: f64,
    min: Option<f64>,
    max: Option<f64>,
    key_steps: Vec<i32>,
    counts: Vec<u64>,
}

impl Histogram {
    /// Adds a value. `NaN` and infinities count as missing.
    pub fn add(&mut self, value: f64) {
        if !value.is_finite() {
            self.missing += 1;
            return;
        }
        self.count += 1;
        self.sum += value;
        self.min = Some(self.min.map_or(value, |min| min.min(value)));
        self.max = Some(self.max.map_or(value, |max| max.max(value)));
        *self.bins.entry(key(value)).or_default() += 1;
    }

    /// Adds all values of another histogram.
    pub fn merge(&mut self, other: &Self) {
        for (key, count) in &other.bins {
            *self.bins.entry(*key).or_default() += count;
        }
        self.count += other.count;
        self.missing += other.missing;
        self.sum += other.sum;
        self.min = self.min.into_iter().chain(other.min).reduce(f64::min);
        self.max = self.max.into_iter().chain(other.max).reduce(f64::max);
    }

    /// How many values it holds, without the missing ones.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many values were missing.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// The smallest value, exactly.
    #[must_use]
    pub fn min(&self) -> Option<f64> {
        self.min
    }

    /// The largest value, exactly.
    #[must_use]
    pub fn max(&self) -> Option<f64> {
        self.max
    }

    /// The mean of the values, up to the rounding of the sum.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// The standard deviation (divided by n) of the bins' middles.
    #[must_use]
    pub fn standard_deviation(&self) -> Option<f64> {
        let mean = self
            .bins()
            .map(|bin| bin.middle() * bin.count as f64)
            .sum::<f64>()
            / self.count.max(1) as f64;
        let squares: f64 = self
            .bins()
            .map(|bin| (bin.middle() - mean).powi(2) * bin.count as f64)
            .sum();
        (self.count > 0).then(|| (squares / self.count as f64).sqrt())
    }

    /// The value below which the share `q` (0 to 1) of the values lies: right to the width of its bin. `None` when there are no values.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let rank = ((q.clamp(0.0, 1.0) * self.count as f64).ceil() as u64).max(1);
        let mut seen = 0;
        let bin = self.bins().find(|bin| {
            seen += bin.count;
            seen >= rank
        })?;
        let (min, max) = self.min.zip(self.max)?;
        Some(bin.middle().clamp(min, max))
    }

    /// How many values are above `limit`, leaving out those in the same bin.
    #[must_use]
    pub fn count_above(&self, limit: f64) -> u64 {
        self.bins
            .range(key(limit) + 1..)
            .map(|(_, count)| count)
            .sum()
    }

    /// The bins with values, in rising order.
    pub fn bins(&self) -> impl Iterator<Item = Bin> + '_ {
        self.bins.iter().map(|(key, count)| {
            let (low, high) = edges(*key);
            Bin {
                low,
                high,
                count: *count,
            }
        })
    }

    /// The bins of two histograms side by side: key, count here, count there.
    pub(crate) fn paired<'a>(
        &'a self,
        other: &'a Self,
    ) -> impl Iterator<Item = (i32, u64, u64)> + 'a {
        let keys: std::collections::BTreeSet<i32> =
            self.bins.keys().chain(other.bins.keys()).copied().collect();
        keys.into_iter().map(|key| {
            let count = |of: &Self| of.bins.get(&key).copied().unwrap_or(0);
            (key, count(self), count(other))
        })
    }

    #[cfg(test)]
    pub(crate) fn forget_rounding(&mut self) {
        self.sum = 0.0;
        for extreme in [&mut self.min, &mut self.max] {
            *extreme = extreme.map(|value| (value * 1e6).round());
        }
    }
}

/// The middle of the bin with this key.
pub(crate) fn middle(key: i32) -> f64 {
    let (low, high) = edges(key);
    (low + high) / 2.0
}

/// The bin of a finite value. Rises with the value.
fn key(value: f64) -> i32 {
    let magnitude = value.abs();
    if magnitude < 2f64.powi(MIN_EXPONENT) {
        return 0;
    }
    // The exponent and the leading bits of the fraction are the bin: no logarithm, and edges are exact.
    let bits = magnitude.to_bits();
    let exponent = (bits >> 52) as i32 - 1023;
    let fraction = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52)) - 1.0;
    let key = if exponent >= MAX_EXPONENT {
        KEY_LAST
    } else if exponent == -1 {
        KEY_HALF + (fraction * f64::from(BINS_BELOW_ONE)) as i32
    } else {
        let first = if exponent < 0 {
            1 + (exponent - MIN_EXPONENT) * BINS
        } else {
            KEY_ONE + exponent * BINS
        };
        first + (fraction * f64::from(BINS)) as i32
    };
    if value < 0.0 { -key } else { key }
}

/// The lower and the upper edge of a bin.
fn edges(key: i32) -> (f64, f64) {
    let magnitude = key.abs();
    let (low, width) = match magnitude {
        0 => {
            let tiny = 2f64.powi(MIN_EXPONENT);
            return (-tiny, tiny);
        }
        KEY_HALF..KEY_ONE => {
            let width = 0.5 / f64::from(BINS_BELOW_ONE);
            (0.5 + f64::from(magnitude - KEY_HALF) * width, width)
        }
        _ => {
            let (step, first) = if magnitude < KEY_HALF {
                (magnitude - 1, MIN_EXPONENT)
            } else {
                (magnitude - KEY_ONE, 0)
            };
            let octave = 2f64.powi(first + step / BINS);
            let width = octave / f64::from(BINS);
            (octave + f64::from(step % BINS) * width, width)
        }
    };
    if key < 0 {
        (-low - width, -low)
    } else {
        (low, low + width)
    }
}

impl From<Histogram> for Document {
    fn from(histogram: Histogram) -> Self {
        let mut last = 0;
        let key_steps = histogram
            .bins
            .keys()
            .map(|key| key - std::mem::replace(&mut last, *key))
            .collect();
        Self {
            missing: histogram.missing,
            sum: histogram.sum,
            min: histogram.min,
            max: histogram.max,
            key_steps,
            counts: histogram.bins.into_values().collect(),
        }
    }
}

impl TryFrom<Document> for Histogram {
    type Error = String;

    fn try_from(document: Document) -> Result<Self, String> {
        if document.key_steps.len() != document.counts.len() {
            return Err("a histogram needs as many `counts` as `key_steps`".to_owned());
        }
        let mut key = 0i32;
        let mut bins = BTreeMap::new();
        let mut total = 0u64;
        for (step, count) in document.key_steps.into_iter().zip(document.counts) {
            key = key
                .checked_add(step)
                .filter(|key| key.abs() <= KEY_LAST)
                .ok_or_else(|| "a histogram's `key_steps` lead outside its range".to_owned())?;
            total = total
                .checked_add(count)
                .ok_or_else(|| "a histogram's `counts` overflow".to_owned())?;
            bins.insert(key, count);
        }
        Ok(Self {
            bins,
            count: total,
            missing: document.missing,
            sum: document.sum,
            min: document.min,
            max: document.max,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[f64]) -> Histogram {
        let mut histogram = Histogram::default();
        values.iter().for_each(|value| histogram.add(*value));
        histogram
    }

    proptest! {
        #[test]
        fn a_value_lies_in_its_bin_and_the_bin_is_narrow(value in prop_oneof![-1e9..1e9f64, -1.0..1.0f64, -1e-6..1e-6f64]) {
            let (low, high) = edges(key(value));
            prop_assert!(low <= value && value <= high, "{low} {value} {high}");
            if value.abs() >= 2f64.powi(MIN_EXPONENT) {
                prop_assert!(high - low <= value.abs() / 128.0 * 1.000_001);
            }
            if (0.5..1.0).contains(&value) {
                prop_assert!(high - low <= 0.001);
            }
        }

        #[test]
        fn keys_rise_with_values(a in -1e13..1e13f64, b in -1e13..1e13f64) {
            let (low, high) = if a <= b { (a, b) } else { (b, a) };
            prop_assert!(key(low) <= key(high));
        }

        #[test]
        fn quantiles_are_right_to_the_width_of_a_bin(mut values in prop::collection::vec(0.001..1e6f64, 1..200), q in 0.0..=1.0f64) {
            let histogram = of(&values);
            values.sort_by(f64::total_cmp);
            let rank = ((q * values.len() as f64).ceil() as usize).max(1) - 1;
            let (exact, sketched) = (values[rank], histogram.quantile(q).unwrap());
            prop_assert!((exact - sketched).abs() <= exact / 128.0, "{exact} {sketched}");
        }
    }

    #[test]
    fn neighbouring_bins_touch() {
        for key in -KEY_LAST..KEY_LAST {
            if key != 0 && key != -1 {
                assert_eq!(edges(key).1, edges(key + 1).0, "{key}");
            }
        }
    }

    #[test]
    fn what_is_not_a_number_is_missing() {
        let histogram = of(&[f64::NAN, f64::INFINITY, 2.0, 4.0]);
        assert_eq!(
            (histogram.count(), histogram.missing(), histogram.mean()),
            (2, 2, Some(3.0))
        );
        assert_eq!((histogram.min(), histogram.max()), (Some(2.0), Some(4.0)));
        assert_eq!(histogram.count_above(3.0), 1);
        assert_eq!(Histogram::default().quantile(0.5), None);
    }

    #[test]
    fn a_broken_document_is_refused() {
        let text = r#"{"missing":0,"sum":0.0,"min":null,"max":null,"key_steps":[2147483647,2147483647],"counts":[1,1]}"#;
        assert!(serde_json::from_str::<Histogram>(text).is_err());
    }
}
