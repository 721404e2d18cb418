//! True labels that come back. An acknowledged label is durable.

use std::collections::HashMap;

use sluice_registry::{FeedbackRecord, PredictionId};

use crate::ServingError;
use crate::predictor::{Predictor, parse_id};

/// A label for a prediction, as a caller sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// The prediction's id, or the request's id when it had one input.
    pub id: String,
    /// The true label: its name or one of its other spellings.
    pub label: String,
}

impl Predictor {
    /// Checks every label against the prediction that it is for, then keeps them all, or none.
    ///
    /// `label_names` maps every accepted spelling of a label to its name.
    ///
    /// # Errors
    /// The index of the first label that cannot be taken, and why.
    pub async fn take_feedback(
        &self,
        feedback: &[Feedback],
        label_names: &HashMap<String, String>,
    ) -> Result<Vec<FeedbackRecord>, (usize, ServingError)> {
        let at = self.clock.now();
        let mut ids = Vec::with_capacity(feedback.len());
        let mut records = Vec::with_capacity(feedback.len());
        for (index, item) in feedback.iter().enumerate() {
            let id = parse_id(&item.id).map_err(|error| (index, error))?;
            let label = label_names
                .get(&item.label)
                .cloned()
                .ok_or_else(|| (index, unknown_label(item, label_names)))?;
            records.push(FeedbackRecord {
                id: id.to_string(),
                label,
                at,
            });
            ids.push(id);
        }
        self.check_known(feedback, &ids).await?;

        self.registry
            .predictions()
            .append_feedback(self.instance, &records)
            .await
            .map_err(|error| (0, error.into()))?;
        Ok(records)
    }

    /// Every id names a prediction, and a request's id a request with one input.
    async fn check_known(
        &self,
        feedback: &[Feedback],
        ids: &[PredictionId],
    ) -> Result<(), (usize, ServingError)> {
        // Predictions of this process may still wait in its buffer.
        self.log.flush().await;
        let named_by_request = |index: usize| !feedback[index].id.contains('.');
        let seconds: Vec<usize> = (0..ids.len())
            .filter(|index| named_by_request(*index))
            .collect();
        let mut wanted = ids.to_vec();
        wanted.extend(seconds.iter().map(|index| ids[*index].request().input(1)));
        let found = self
            .registry
            .predictions()
            .find_many(&wanted)
            .await
            .map_err(|error| (0, error.into()))?;

        let unknown = |index: usize, reason: &str| {
            let id = feedback[index].id.clone();
            Err((
                index,
                ServingError::UnknownPrediction {
                    id,
                    reason: reason.to_owned(),
                },
            ))
        };
        if let Some(index) = found[..ids.len()].iter().position(Option::is_none) {
            return unknown(index, "no prediction with this id was logged");
        }
        if let Some(place) = found[ids.len()..].iter().position(Option::is_some) {
            return unknown(
                seconds[place],
                "the request had several inputs; send the id of one prediction, as ID.0",
            );
        }
        Ok(())
    }
}

fn unknown_label(item: &Feedback, label_names: &HashMap<String, String>) -> ServingError {
    let mut names: Vec<&str> = label_names.values().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    ServingError::UnknownLabel {
        label: item.label.chars().take(80).collect(),
        expected: names.join(", "),
    }
}
