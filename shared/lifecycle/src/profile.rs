//! The profile of accepted rows: what the data of a dataset version looks like.

use sluice_dataset::RowView;
use sluice_monitoring::{Observation, Profile, text_features};
use sluice_registry::Schema;

/// Sums up rows as they are accepted.
#[derive(Debug)]
pub(crate) struct RowProfiler {
    labels: Vec<String>,
    profile: Profile,
    features: Vec<(String, f64)>,
}

impl RowProfiler {
    pub(crate) fn new(schema: &Schema) -> Self {
        let labels = schema.label_names();
        Self {
            profile: Profile::new(&labels),
            labels,
            features: Vec::new(),
        }
    }

    pub(crate) fn observe(&mut self, row: &RowView<'_>) {
        text_features(row.text, &mut self.features);
        self.profile.observe(&Observation {
            at: row.time,
            features: &self.features,
            label: self
                .labels
                .get(row.label as usize)
                .map_or("", String::as_str),
            scores: &[],
            slice: row.slice,
        });
    }

    pub(crate) fn finish(self) -> Profile {
        self.profile
    }
}
