//! Mergeable summaries of predictions, of constant size however many there were.

mod counts;
mod histogram;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::counts::{Counts, MAX_CATEGORIES};
pub(crate) use self::histogram::middle as histogram_middle;
pub use self::histogram::{Bin, Histogram};
use crate::MonitoringError;

/// How many features a profile keeps; later names are left out.
pub const MAX_FEATURES: usize = 64;

/// Probabilities are added up in millionths, so that merging is exact in any order.
const MILLIONTHS: f64 = 1e6;

/// One prediction, or one row of a data set, as a profile sees it.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// When it was answered, if that is known.
    pub at: Option<Timestamp>,
    /// Numbers about the input. `NaN` means that the value is missing.
    pub features: &'a [(String, f64)],
    /// The label that the model gave, or the true label when a data set is profiled.
    pub label: &'a str,
    /// The calibrated probability of every label, in the profile's order. Empty when there is no model.
    pub scores: &'a [f64],
    /// The slice that the row belongs to: for example its event.
    pub slice: Option<&'a str>,
}

/// What a set of predictions looked like: inputs, scores, labels and times.
///
/// [`Profile::merge`] is commutative and associative: exactly for every count, and up to the rounding of `f64` sums for the means. Categories
/// beyond [`MAX_CATEGORIES`] follow the bound of [`Counts`]. The size does not depend on the number of rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    labels: Vec<String>,
    rows: u64,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    features: BTreeMap<String, Histogram>,
    score: Histogram,
    predicted: Counts,
    slices: Counts,
    /// For each label: the sum of its probability over all scored rows, in millionths.
    mass: Vec<u64>,
    /// For each label: the sum of its probability over the rows where it was predicted, in millionths.
    mass_predicted: Vec<u64>,
    /// For each label: the scored rows where it was predicted.
    scored: Vec<u64>,
}

impl Profile {
    /// An empty profile for a model with these labels, in the model's order.
    #[must_use]
    pub fn new(labels: &[String]) -> Self {
        Self {
            labels: labels.to_vec(),
            rows: 0,
            from: None,
            to: None,
            features: BTreeMap::new(),
            score: Histogram::default(),
            predicted: Counts::default(),
            slices: Counts::default(),
            mass: vec![0; labels.len()],
            mass_predicted: vec![0; labels.len()],
            scored: vec![0; labels.len()],
        }
    }

    /// Adds one row.
    pub fn observe(&mut self, row: &Observation<'_>) {
        self.rows += 1;
        if let Some(at) = row.at {
            self.from = Some(self.from.map_or(at, |from| from.min(at)));
            self.to = Some(self.to.map_or(at, |to| to.max(at)));
        }
        for (name, value) in row.features {
            if let Some(histogram) = self.features.get_mut(name) {
                histogram.add(*value);
            } else if self.features.len() < MAX_FEATURES {
                self.features.entry(name.clone()).or_default().add(*value);
            }
        }
        self.predicted.add(row.label);
        if let Some(slice) = row.slice {
            self.slices.add(slice);
        }
        self.observe_scores(row);
    }

    fn observe_scores(&mut self, row: &Observation<'_>) {
        if row.scores.len() != self.labels.len() || row.scores.is_empty() {
            return;
        }
        let Some(predicted) = self.labels.iter().position(|label| label == row.label) else {
            return;
        };
        // Two labels: one probability says it all, and its direction matters. More labels: how sure the model was.
        self.score.add(if row.scores.len() == 2 {
            row.scores[1]
        } else {
            row.scores[predicted]
        });
        self.scored[predicted] += 1;
        for (label, score) in row.scores.iter().enumerate() {
            let mass = (score.clamp(0.0, 1.0) * MILLIONTHS).round() as u64;
            self.mass[label] += mass;
            if label == predicted {
                self.mass_predicted[label] += mass;
            }
        }
    }

    /// Adds all rows of another profile.
    ///
    /// # Errors
    /// [`MonitoringError::LabelsDiffer`] when the profiles are of models with different labels; nothing is changed then.
    pub fn merge(&mut self, other: &Self) -> Result<(), MonitoringError> {
        if self.labels != other.labels {
            return Err(MonitoringError::LabelsDiffer {
                ours: self.labels.clone(),
                theirs: other.labels.clone(),
            });
        }
        self.rows += other.rows;
        self.from = self.from.into_iter().chain(other.from).min();
        self.to = self.to.into_iter().chain(other.to).max();
        for (name, histogram) in &other.features {
            self.features
                .entry(name.clone())
                .or_default()
                .merge(histogram);
        }
        while self.features.len() > MAX_FEATURES {
            self.features.pop_last();
        }
        self.score.merge(&other.score);
        self.predicted.merge(&other.predicted);
        self.slices.merge(&other.slices);
        for (ours, theirs) in [
            (&mut self.mass, &other.mass),
            (&mut self.mass_predicted, &other.mass_predicted),
            (&mut self.scored, &other.scored),
        ] {
            for (total, more) in ours.iter_mut().zip(theirs) {
                *total += more;
            }
        }
        Ok(())
    }

    /// The labels, in the model's order.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// How many rows it has seen.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The first and the last time it has seen.
    #[must_use]
    pub fn time_range(&self) -> Option<(Timestamp, Timestamp)> {
        self.from.zip(self.to)
    }

    /// The histogram of each feature, by name.
    #[must_use]
    pub fn features(&self) -> &BTreeMap<String, Histogram> {
        &self.features
    }

    /// The probability of the second of two labels, or of the predicted one when there are more than two.
    #[must_use]
    pub fn score(&self) -> &Histogram {
        &self.score
    }

    /// What `score` is the probability of, in words for a reader.
    #[must_use]
    pub fn score_meaning(&self) -> String {
        match self.labels.as_slice() {
            [_, positive] => format!("probability of label {positive}"),
            _ => "probability of the predicted label".to_owned(),
        }
    }

    /// How often each label was predicted.
    #[must_use]
    pub fn predicted(&self) -> &Counts {
        &self.predicted
    }

    /// How many rows each slice has.
    #[must_use]
    pub fn slices(&self) -> &Counts {
        &self.slices
    }

    /// The probabilities added up for [`crate::performance::estimate`]: for each label the expected number of rows that truly have it, the
    /// expected number of those that were predicted so, and the number predicted so.
    pub(crate) fn expected_counts(&self) -> impl Iterator<Item = (f64, f64, f64)> + '_ {
        self.mass
            .iter()
            .zip(&self.mass_predicted)
            .zip(&self.scored)
            .map(|((mass, correct), scored)| {
                (
                    *mass as f64 / MILLIONTHS,
                    *correct as f64 / MILLIONTHS,
                    *scored as f64,
                )
            })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels() -> Vec<String> {
        vec!["no".to_owned(), "yes".to_owned()]
    }

    fn profile(rows: &[(f64, f64)]) -> Profile {
        let mut profile = Profile::new(&labels());
        for (index, (score, words)) in rows.iter().enumerate() {
            profile.observe(&Observation {
                at: Timestamp::from_second(1_700_000_000 + (words * 1000.0) as i64).ok(),
                features: &[("words".to_owned(), *words)],
                label: if *score >= 0.5 { "yes" } else { "no" },
                scores: &[1.0 - score, *score],
                slice: Some(if index % 2 == 0 { "even" } else { "odd" }),
            });
        }
        profile
    }

    fn merged(parts: &[&Profile]) -> Profile {
        let mut all = Profile::new(&labels());
        for part in parts {
            all.merge(part).unwrap();
        }
        all
    }

    /// Equal in all counts; means and extremes to 9 digits.
    fn assert_same(left: &Profile, right: &Profile) {
        let strip = |profile: &Profile| {
            let mut profile = profile.clone();
            profile.score.forget_rounding();
            profile
                .features
                .values_mut()
                .for_each(Histogram::forget_rounding);
            profile
        };
        assert_eq!(strip(left), strip(right));
        for (name, histogram) in left.features() {
            let (ours, theirs) = (
                histogram.mean().unwrap_or(0.0),
                right.features()[name].mean().unwrap_or(0.0),
            );
            assert!(
                (ours - theirs).abs() <= 1e-9 * ours.abs().max(1.0),
                "{name}: {ours} {theirs}"
            );
        }
    }

    fn rows() -> impl Strategy<Value = Vec<(f64, f64)>> {
        prop::collection::vec((0.0..=1.0f64, 0.0..1e6f64), 0..40)
    }

    proptest! {
        #[test]
        fn merging_is_associative_and_commutative_and_equals_one_pass(a in rows(), b in rows(), c in rows()) {
            let (pa, pb, pc) = (profile(&a), profile(&b), profile(&c));
            let left = merged(&[&merged(&[&pa, &pb]), &pc]);
            assert_same(&left, &merged(&[&pa, &merged(&[&pb, &pc])]));
            assert_same(&left, &merged(&[&pc, &pa, &pb]));
            prop_assert_eq!(left.rows(), (a.len() + b.len() + c.len()) as u64);
            let mut one_pass = profile(&[a, b, c].concat());
            one_pass.slices = left.slices.clone();
            assert_same(&left, &one_pass);
        }

        #[test]
        fn a_profile_survives_json(a in rows()) {
            let profile = profile(&a);
            let back: Profile = serde_json::from_str(&serde_json::to_string(&profile).unwrap()).unwrap();
            assert_same(&profile, &back);
        }
    }

    #[test]
    fn profiles_of_different_labels_do_not_merge() {
        let mut ours = profile(&[(0.4, 3.0)]);
        let before = ours.clone();
        assert!(matches!(
            ours.merge(&Profile::new(&[])),
            Err(MonitoringError::LabelsDiffer { .. })
        ));
        assert_eq!(ours, before);
    }

    #[test]
    fn the_size_does_not_grow_with_the_rows() {
        let size = |rows: u32| {
            let rows: Vec<(f64, f64)> = (0..rows)
                .map(|row| (f64::from(row).sin().abs(), f64::from(row * 37 % 500)))
                .collect();
            serde_json::to_string(&profile(&rows)).unwrap().len()
        };
        // Two hundred thousand rows of two columns: some bytes for each bin in use, and more bins only for rarer values.
        assert!(size(200_000) < 16_000, "{}", size(200_000));
    }
}
