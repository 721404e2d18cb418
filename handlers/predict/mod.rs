//! `POST /api/predict`: inputs in, labels with an honest confidence out.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};
use sluice_serving::{PredictConfig, Prediction, ServingError};

use crate::api::{ApiError, read_json};
use crate::context::Context;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PredictRequest {
    inputs: Vec<String>,
}

/// The answer.
#[derive(Serialize)]
struct PredictResponse<'a> {
    id: String,
    model: Model<'a>,
    release: u64,
    variant: &'a str,
    predictions: Vec<PredictionBody<'a>>,
}

#[derive(Serialize)]
struct Model<'a> {
    name: &'a str,
    version: u64,
    digest: String,
}

#[derive(Serialize)]
struct PredictionBody<'a> {
    id: String,
    label: &'a str,
    confidence: f32,
    scores: LabelScores<'a>,
}

/// Labels and their scores as one object, in the model's order.
struct LabelScores<'a> {
    labels: &'a [String],
    scores: &'a [f32],
}

impl Serialize for LabelScores<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.labels.len()))?;
        for (label, score) in self.labels.iter().zip(self.scores) {
            map.serialize_entry(label, score)?;
        }
        map.end()
    }
}

/// Answers one request.
pub(crate) async fn handle(State(context): State<Arc<Context>>, request: Request) -> Response {
    let response = match predict(&context, request).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    };
    context.predictor.count(response.status().as_u16());
    response
}

async fn predict(context: &Context, request: Request) -> Result<Response, ApiError> {
    let limits = &context.config.predict;
    let body = read_json(request, limits.max_body_bytes).await?;
    let request: PredictRequest = body.parse()?;
    check_inputs(&request.inputs, limits)?;
    let prediction = context
        .predictor
        .predict(request.inputs)
        .await
        .map_err(|error| serving_error(&error))?;
    Ok(Json(response(&prediction)).into_response())
}

fn check_inputs(inputs: &[String], limits: &PredictConfig) -> Result<(), ApiError> {
    if inputs.is_empty() {
        return Err(ApiError::invalid(
            "no_inputs",
            "inputs",
            "expected at least one input, got an empty list",
        ));
    }
    if inputs.len() > limits.max_inputs {
        let message = format!(
            "expected at most {} inputs, got {}: send several requests",
            limits.max_inputs,
            inputs.len()
        );
        return Err(ApiError::invalid("too_many_inputs", "inputs", message));
    }
    if let Some(index) = inputs
        .iter()
        .position(|input| input.len() > limits.max_input_bytes)
    {
        let message = format!(
            "expected at most {} bytes, got {}",
            limits.max_input_bytes,
            inputs[index].len()
        );
        return Err(ApiError::invalid(
            "input_too_long",
            format!("inputs[{index}]"),
            message,
        ));
    }
    Ok(())
}

fn response(prediction: &Prediction) -> PredictResponse<'_> {
    let predictions = prediction.scores.iter().enumerate().map(|(index, scores)| {
        let (label, confidence) = Prediction::top(scores);
        PredictionBody {
            id: prediction.id.input(index as u32).to_string(),
            label: &prediction.labels[label],
            confidence,
            scores: LabelScores {
                labels: &prediction.labels,
                scores: &scores.probabilities,
            },
        }
    });
    PredictResponse {
        id: prediction.id.to_string(),
        model: Model {
            name: &prediction.model.name,
            version: prediction.model.version,
            digest: prediction.model.digest.to_string(),
        },
        release: prediction.release,
        variant: prediction.variant,
        predictions: predictions.collect(),
    }
}

/// What a failure of the online side is for a caller.
pub(crate) fn serving_error(error: &ServingError) -> ApiError {
    let message = error.to_string();
    match error {
        ServingError::NoChampion => ApiError::unavailable("no_champion", message).retry_after(30),
        ServingError::Loading => ApiError::unavailable("model_loading", message),
        ServingError::NotLoadable(_) | ServingError::Runtime(_) => {
            tracing::error!(error = message, "a request could not be answered");
            ApiError::unavailable("model_not_loadable", message)
        }
        ServingError::Log(_) => {
            tracing::error!(error = message, "a request could not be answered");
            ApiError::unavailable("prediction_log_full", message)
        }
        ServingError::UnknownPrediction { .. } => {
            ApiError::new(StatusCode::NOT_FOUND, "unknown_prediction", message)
        }
        ServingError::UnknownLabel { .. } => {
            ApiError::new(StatusCode::BAD_REQUEST, "unknown_label", message)
        }
        _ => {
            tracing::error!(
                error = sluice_telemetry::chain(error),
                "a request could not be answered"
            );
            ApiError::unavailable(
                "temporary_failure",
                "something behind this function failed; try again in a few seconds",
            )
        }
    }
}
