//! The way back from a prediction.

use sluice_registry::trace::{StepKind, StepStatus};
use sluice_registry::{InstanceId, PredictionId, Registry, RequestIds, RunState};
use sluice_storage::{Container, Store};

use crate::fixtures::{
    approval, card, dataset_ref, ingest, memory, now, prediction, proposal, put_files, registry,
    run,
};

/// One prediction with everything behind it.
async fn answered(registry: &Registry) -> PredictionId {
    ingest(registry, "a").await.unwrap();
    let (version, digest) = ingest(registry, "b").await.unwrap();
    let card = card(1, dataset_ref(&version, digest));
    registry
        .runs()
        .create(run(&card.run, 1, card.dataset.clone()))
        .await
        .unwrap();
    put_files(registry, 1).await.unwrap();
    registry.models().register(card.clone()).await.unwrap();
    registry
        .runs()
        .advance(
            &card.run,
            RunState::Succeeded {
                model_version: 1,
                at: now(),
            },
        )
        .await
        .unwrap();
    registry.releases().propose(proposal(&card)).await.unwrap();
    registry.releases().approve(approval(&card)).await.unwrap();
    registry
        .releases()
        .promote(card.file.digest, "ada", "first")
        .await
        .unwrap();
    let id = RequestIds::new(InstanceId::from_bits(1))
        .next(now())
        .input(0);
    registry
        .predictions()
        .append(&[prediction(id, now(), &card, 1)])
        .await
        .unwrap();
    id
}

async fn status_after(kind: StepKind, change: impl AsyncFnOnce(&dyn Store)) -> StepStatus {
    let store = memory();
    let registry = registry(&store, "w");
    let id = answered(&registry).await;
    change(&*store).await;
    let trace = registry.trace(&id).await.unwrap();
    assert!(!trace.is_whole(), "{trace:?}");
    trace
        .steps
        .into_iter()
        .find(|step| step.kind == kind)
        .unwrap()
        .status
}

#[tokio::test]
async fn every_step_is_there_and_checked() {
    let registry = registry(&memory(), "w");
    let id = answered(&registry).await;
    let trace = registry.trace(&id).await.unwrap();
    assert!(trace.is_whole(), "{trace:?}");
    let kinds: Vec<_> = trace.steps.iter().map(|step| step.kind).collect();
    use StepKind::{
        Approval, Code, Dataset, Evidence, Model, ModelCard, Part, Prediction, Release, Run, Upload,
    };
    let expected = [
        Prediction, Release, Model, ModelCard, Evidence, Approval, Run, Code, Dataset, Part, Part,
        Upload, Upload,
    ];
    assert_eq!(kinds, expected);
    for step in &trace.steps {
        if [Model, ModelCard, Evidence, Approval, Dataset].contains(&step.kind) {
            assert_eq!(step.status, StepStatus::Verified, "{step:?}");
        }
        assert!(step.path.is_some() || step.kind == Code, "{step:?}");
    }
    let json = serde_json::to_string(&trace).unwrap();
    assert_eq!(
        serde_json::from_str::<sluice_registry::Trace>(&json).unwrap(),
        trace
    );
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let deleted = |container, name: &'static str| {
        async move |store: &dyn Store| store.delete(container, name).await.unwrap()
    };
    let gone = |status| matches!(status, StepStatus::Missing { .. });
    assert!(gone(
        status_after(
            StepKind::Release,
            deleted(Container::Releases, "000001.json")
        )
        .await
    ));
    assert!(gone(
        status_after(
            StepKind::Model,
            deleted(Container::Models, "messages/000001/model.onnx")
        )
        .await
    ));
    assert!(gone(
        status_after(
            StepKind::ModelCard,
            deleted(Container::Models, "messages/000001/model.json")
        )
        .await
    ));
    assert!(gone(
        status_after(
            StepKind::Run,
            deleted(Container::Runs, "1-000000000001.json")
        )
        .await
    ));
    assert!(gone(
        status_after(
            StepKind::Dataset,
            deleted(Container::Datasets, "messages/versions/000002.json")
        )
        .await
    ));
    let parts = async |store: &dyn Store| {
        use futures::TryStreamExt as _;
        let parts: Vec<_> = store
            .list(Container::Datasets, "messages/parts/")
            .await
            .unwrap()
            .try_collect()
            .await
            .unwrap();
        store
            .delete(Container::Datasets, &parts[0].name)
            .await
            .unwrap();
        store
            .delete(Container::Datasets, &parts[1].name)
            .await
            .unwrap();
    };
    assert!(gone(status_after(StepKind::Part, parts).await));
}

#[tokio::test]
async fn what_was_changed_is_named_with_both_digests() {
    let status = status_after(StepKind::Model, async |store: &dyn Store| {
        store
            .put(
                Container::Models,
                "messages/000001/model.onnx",
                "evil".into(),
            )
            .await
            .unwrap();
    });
    let StepStatus::Different { detail } = status.await else {
        panic!("not noticed")
    };
    assert_eq!(detail.matches("sha256:").count(), 2, "{detail}");
    let status = status_after(StepKind::Dataset, async |store: &dyn Store| {
        store
            .put(
                Container::Datasets,
                "messages/versions/000002.json",
                "{}".into(),
            )
            .await
            .unwrap();
    });
    assert!(matches!(status.await, StepStatus::Different { .. }));
}

#[tokio::test]
async fn a_prediction_that_no_log_has_is_missing() {
    let registry = registry(&memory(), "w");
    let id = RequestIds::new(InstanceId::from_bits(1))
        .next(now())
        .input(0);
    let trace = registry.trace(&id).await.unwrap();
    assert!(matches!(trace.steps[0].status, StepStatus::Missing { .. }));
    assert_eq!(trace.steps.len(), 1);
}
