//! Model versions.

use sluice_registry::{Digest, ModelArtifact, ModelRef, Registry, RegistryError};

use crate::fixtures::{
    MODEL, any_dataset, card, memory, model_file, put_files, register, registry, run,
};

#[tokio::test]
async fn a_model_exists_once_its_card_is_there() {
    let registry = registry(&memory(), "w");
    let models = registry.models();
    assert_eq!(models.next_version(MODEL).await.unwrap(), 1);
    put_files(&registry, 1).await.unwrap();
    assert!(models.latest(MODEL).await.unwrap().is_none());
    assert_eq!(
        models.next_version(MODEL).await.unwrap(),
        2,
        "files without a card keep their number"
    );
    let first = register(&registry, 1).await;
    let second = register(&registry, 2).await;
    assert_eq!(models.latest(MODEL).await.unwrap(), Some(second.clone()));
    assert_eq!(
        models.list(MODEL).await.unwrap(),
        [first.clone(), second.clone()]
    );
    assert_eq!(
        models.find_by_digest(first.file.digest).await.unwrap(),
        Some(first.clone())
    );
    assert_eq!(
        models.find_by_digest(Digest::of(b"none")).await.unwrap(),
        None
    );
    assert_eq!(
        models.model_bytes(&second.model_ref()).await.unwrap(),
        model_file(2)
    );
    assert_eq!(
        models.register(first.clone()).await.unwrap(),
        first,
        "the same card again is a success"
    );
}

#[tokio::test]
async fn a_run_reserves_the_version_of_its_model() {
    let registry = registry(&memory(), "w");
    registry
        .runs()
        .create(run("1-a", 7, any_dataset()))
        .await
        .unwrap();
    assert_eq!(registry.models().next_version(MODEL).await.unwrap(), 8);
    assert_eq!(registry.models().next_version("other").await.unwrap(), 1);
}

#[tokio::test]
async fn files_can_be_replaced_until_the_card_exists() {
    let registry = registry(&memory(), "w");
    let models = registry.models();
    models
        .put_artifact(MODEL, 1, ModelArtifact::Model, "half a run".into())
        .await
        .unwrap();
    register(&registry, 1).await;
    models
        .put_artifact(MODEL, 1, ModelArtifact::Model, model_file(1))
        .await
        .unwrap();
    let error = models
        .put_artifact(MODEL, 1, ModelArtifact::Model, "late".into())
        .await
        .unwrap_err();
    assert!(
        matches!(error, RegistryError::AlreadyExists { .. }),
        "{error}"
    );
    assert_eq!(
        models
            .artifact(MODEL, 1, ModelArtifact::Model)
            .await
            .unwrap(),
        model_file(1)
    );
}

#[tokio::test]
async fn a_card_must_be_of_the_stored_files() {
    let registry = registry(&memory(), "w");
    let models = registry.models();
    let missing = models.register(card(1, any_dataset())).await.unwrap_err();
    assert!(
        missing
            .to_string()
            .starts_with("there is no model file models/messages/000001/model.onnx"),
        "{missing}"
    );
    put_files(&registry, 1).await.unwrap();
    let other = Digest::of(b"other");
    for change in [
        (|card, other| card.file.digest = other) as fn(&mut sluice_registry::ModelCard, Digest),
        |card, other| card.gate.evidence = other,
        |card, other| card.baseline = other,
    ] {
        let mut bad = card(1, any_dataset());
        change(&mut bad, other);
        let error = models.register(bad).await.unwrap_err();
        assert!(
            matches!(error, RegistryError::DigestMismatch { expected, .. } if expected == other),
            "{error}"
        );
    }
    let mut bad = card(1, any_dataset());
    bad.file.size_bytes += 1;
    assert!(
        models
            .register(bad)
            .await
            .unwrap_err()
            .to_string()
            .contains("the stored model has 7 bytes, the card says 8")
    );
    let mut bad = card(1, any_dataset());
    bad.gate.failures.push("macro_f1".into());
    assert!(matches!(
        models.register(bad).await.unwrap_err(),
        RegistryError::Inconsistent { .. }
    ));
    let mut bad = card(1, any_dataset());
    bad.evaluation.metrics.insert("macro_f1".into(), f64::NAN);
    assert!(
        models
            .register(bad)
            .await
            .unwrap_err()
            .to_string()
            .contains("would not be readable")
    );
    models.register(card(1, any_dataset())).await.unwrap();
    let mut other = card(1, any_dataset());
    other.run = "1-b".into();
    assert!(matches!(
        models.register(other).await.unwrap_err(),
        RegistryError::AlreadyExists { .. }
    ));
}

#[tokio::test]
async fn bytes_that_are_not_the_pinned_ones_are_never_given_out() {
    let store = memory();
    let registry = registry(&store, "w");
    let card = register(&registry, 1).await;
    store
        .put(
            sluice_storage::Container::Models,
            "messages/000001/model.onnx",
            "evil".into(),
        )
        .await
        .unwrap();
    let error = registry
        .models()
        .model_bytes(&card.model_ref())
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains(&card.file.digest.to_string()), "{error}");
    assert!(error.contains(&Digest::of(b"evil").to_string()), "{error}");
    let none = ModelRef {
        version: 9,
        ..card.model_ref()
    };
    assert!(matches!(
        registry.models().model_bytes(&none).await.unwrap_err(),
        RegistryError::NotFound { .. }
    ));
}

#[tokio::test]
async fn a_registry_without_an_audit_stream_changes_nothing() {
    let store = memory();
    put_files(&registry(&store, "w"), 1).await.unwrap();
    let reader = Registry::new(store);
    assert!(matches!(
        reader
            .models()
            .register(card(1, any_dataset()))
            .await
            .unwrap_err(),
        RegistryError::ReadOnly
    ));
    assert!(reader.models().latest(MODEL).await.unwrap().is_none());
}
