//! `POST /api/feedback`: the true label of a prediction, one or many.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use sluice_serving::Feedback;

use crate::api::{ApiError, read_json};
use crate::context::Context;
use crate::predict::serving_error;

/// Labels in one request, at most.
const MAX_LABELS: usize = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    id: String,
    label: String,
}

/// One label, or `{"feedback": […]}` with many.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FeedbackRequest {
    id: Option<String>,
    label: Option<String>,
    feedback: Option<Vec<Item>>,
}

#[derive(Serialize)]
struct FeedbackResponse {
    accepted: usize,
    feedback: Vec<Accepted>,
}

#[derive(Serialize)]
struct Accepted {
    id: String,
    label: String,
}

/// Answers one request.
pub(crate) async fn handle(State(context): State<Arc<Context>>, request: Request) -> Response {
    match take(&context, request).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

async fn take(context: &Context, request: Request) -> Result<Response, ApiError> {
    let body = read_json(request, context.config.predict.max_body_bytes).await?;
    let (items, many) = items(body.parse()?)?;
    let taken = context
        .predictor
        .take_feedback(&items, &context.label_names)
        .await
        .map_err(|(index, error)| {
            let field = |name: &str| {
                if many {
                    format!("feedback[{index}].{name}")
                } else {
                    name.to_owned()
                }
            };
            let is_label = matches!(error, sluice_serving::ServingError::UnknownLabel { .. });
            serving_error(&error).about(field(if is_label { "label" } else { "id" }))
        })?;
    let feedback: Vec<Accepted> = taken
        .into_iter()
        .map(|record| Accepted {
            id: record.id,
            label: record.label,
        })
        .collect();
    Ok(Json(FeedbackResponse {
        accepted: feedback.len(),
        feedback,
    })
    .into_response())
}

fn items(request: FeedbackRequest) -> Result<(Vec<Feedback>, bool), ApiError> {
    let shape =
        |field: &str, message: &str| Err(ApiError::invalid("invalid_request", field, message));
    match request {
        FeedbackRequest {
            id: Some(id),
            label: Some(label),
            feedback: None,
        } => Ok((vec![Feedback { id, label }], false)),
        FeedbackRequest {
            id: None,
            label: None,
            feedback: Some(items),
        } if items.is_empty() => {
            shape("feedback", "expected at least one label, got an empty list")
        }
        FeedbackRequest {
            id: None,
            label: None,
            feedback: Some(items),
        } if items.len() > MAX_LABELS => shape(
            "feedback",
            "expected at most 10000 labels: send several requests",
        ),
        FeedbackRequest {
            id: None,
            label: None,
            feedback: Some(items),
        } => Ok((
            items
                .into_iter()
                .map(|item| Feedback {
                    id: item.id,
                    label: item.label,
                })
                .collect(),
            true,
        )),
        FeedbackRequest {
            id: None,
            feedback: None,
            ..
        } => shape("id", "missing: expected the id of a prediction"),
        FeedbackRequest {
            label: None,
            feedback: None,
            ..
        } => shape("label", "missing: expected the true label"),
        _ => shape(
            "feedback",
            "expected either id and label, or feedback with a list of them",
        ),
    }
}
