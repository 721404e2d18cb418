//! The real functions over a store in memory, in which one prediction is known and nothing was released.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use jiff::Timestamp;
use sluice::config::{ModelConfig, Settings};
use sluice::context::Context;
use sluice::functions;
use sluice_lifecycle::LocalTrainer;
use sluice_registry::{
    Clock, Digest, InstanceId, Outcome, PredictionId, PredictionRecord, RequestId,
};
use sluice_storage::MemoryStore;
use tokio::runtime::{Builder, Runtime};

/// The configuration that is shipped.
pub const SLUICE_TOML: &str = include_str!("../../../sluice.toml");

/// The present, in every run.
const NOW: Timestamp = Timestamp::constant(1_790_000_000, 0);

/// A runtime on this thread alone, so that a run of the same bytes is the same run.
pub fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime can be made")
}

/// The id of the one prediction that is known.
pub fn known_prediction() -> PredictionId {
    RequestId::new(NOW, InstanceId::from_bits(1), 1).input(0)
}

/// The app's router, as the handler serves it.
pub async fn router() -> Router {
    let config = ModelConfig::parse(SLUICE_TOML, Path::new("sluice.toml")).expect("it is right");
    let settings = Settings::read(|_| None).expect("the defaults are right");
    // Neither target can start a training run.
    let trainer = LocalTrainer {
        executable: "unused".into(),
        environment: BTreeMap::new(),
        logs: "unused".into(),
    };
    let context = Context::assemble(
        settings,
        config,
        Arc::new(MemoryStore::new()),
        Clock::new(|| NOW),
        Arc::new(trainer),
        "fuzz",
    )
    .expect("the writer's name is right");
    context
        .predictor
        .refresh()
        .await
        .expect("nothing is released");
    let registry = context.lifecycle.registry();
    let appended = registry.predictions().append(&[prediction()]).await;
    appended.expect("memory takes a record");
    functions::app(&context)
        .into_router()
        .expect("the routes are right")
}

fn prediction() -> PredictionRecord {
    PredictionRecord {
        id: known_prediction().to_string(),
        at: NOW,
        input: None,
        input_hash: "0000000000000000".to_owned(),
        features: Vec::new(),
        outcome: Outcome {
            label: "other".to_owned(),
            confidence: 0.75,
            scores: vec![0.75, 0.25],
        },
        model_version: 1,
        model: Digest::of(b"a model"),
        release: 1,
        variant: "champion".to_owned(),
        latency_us: 100,
    }
}
