//! Propose, approve, promote, roll back, abort.

use sluice_registry::{Abort, Challenger, ChallengerMode, Digest, RegistryError, ReleaseKind};
use sluice_storage::Container;

use crate::fixtures::{
    any_dataset, approval, approved, card, memory, now, proposal, put_files, register, registry,
};

fn abort(release: u64) -> Abort {
    Abort {
        release,
        reason: "macro F1 fell".into(),
        requested_by: "monitor".into(),
        requested_at: now(),
    }
}

#[tokio::test]
async fn nothing_serves_without_a_persons_yes() {
    let registry = registry(&memory(), "w");
    let releases = registry.releases();
    let card = register(&registry, 1).await;
    let digest = card.file.digest;
    assert_eq!(releases.serving().await.unwrap(), None);
    assert!(matches!(
        releases.promote(digest, "ada", "try").await.unwrap_err(),
        RegistryError::NotApproved { .. }
    ));
    assert!(matches!(
        releases.approve(approval(&card)).await.unwrap_err(),
        RegistryError::NotProposed { .. }
    ));
    releases.propose(proposal(&card)).await.unwrap();
    assert!(matches!(
        releases.promote(digest, "ada", "try").await.unwrap_err(),
        RegistryError::NotApproved { .. }
    ));
    releases.approve(approval(&card)).await.unwrap();
    let change = releases.promote(digest, "ada", "first").await.unwrap();
    assert!(change.changed);
    assert_eq!(
        (change.release.number, change.release.previous.clone()),
        (1, None)
    );
    assert_eq!(
        releases.serving().await.unwrap().unwrap().model,
        card.model_ref()
    );
    let again = releases.promote(digest, "ada", "first").await.unwrap();
    assert_eq!(
        (again.changed, again.release),
        (false, change.release),
        "the champion is the champion already"
    );
}

#[tokio::test]
async fn a_pointer_to_a_release_that_is_not_there_hides_none_and_stops_none() {
    let store = memory();
    let registry = registry(&store, "w");
    let releases = registry.releases();
    let first = approved(&registry, 1).await;
    let promoted = releases.promote(first.file.digest, "ada", "first").await;
    assert_eq!(promoted.unwrap().release.number, 1);
    for number in [7, u64::MAX] {
        let pointer = format!("{{\"number\":{number}}}");
        store
            .put(Container::Releases, "current.json", pointer.into())
            .await
            .unwrap();
        assert_eq!(releases.newest().await.unwrap().unwrap().number, 1);
    }
    let second = approved(&registry, 2).await;
    let promoted = releases.promote(second.file.digest, "ada", "second").await;
    assert_eq!(promoted.unwrap().release.number, 2);
}

#[tokio::test]
async fn a_release_that_says_another_number_is_not_consistent() {
    let store = memory();
    let registry = registry(&store, "w");
    let releases = registry.releases();
    let card = approved(&registry, 1).await;
    releases
        .promote(card.file.digest, "ada", "first")
        .await
        .unwrap();
    let (bytes, _) = store
        .read(Container::Releases, "000001.json")
        .await
        .unwrap();
    let mut release: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    release["number"] = u64::MAX.into();
    store
        .put(
            Container::Releases,
            "000001.json",
            release.to_string().into(),
        )
        .await
        .unwrap();
    let error = releases.serving().await.unwrap_err();
    assert!(
        matches!(error, RegistryError::Inconsistent { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn an_approval_is_for_exactly_these_bytes_and_this_evidence() {
    let registry = registry(&memory(), "w");
    let releases = registry.releases();
    let card = register(&registry, 1).await;
    releases.propose(proposal(&card)).await.unwrap();
    let mut other = approval(&card);
    other.model.digest = Digest::of(b"other");
    let error = releases.approve(other).await.unwrap_err();
    assert!(
        matches!(
            error,
            RegistryError::DifferentModel {
                what: "model digest",
                ..
            }
        ),
        "{error}"
    );
    let mut other = approval(&card);
    other.evidence = Digest::of(b"other");
    let error = releases.approve(other).await.unwrap_err();
    assert!(
        matches!(
            error,
            RegistryError::DifferentModel {
                what: "evidence digest",
                ..
            }
        ),
        "{error}"
    );
    let first = releases.approve(approval(&card)).await.unwrap();
    let mut again = approval(&card);
    again.approved_by = "grace".into();
    assert_eq!(
        releases.approve(again).await.unwrap(),
        first,
        "the first yes stands"
    );
}

#[tokio::test]
async fn a_failed_gate_stops_proposal_and_approval() {
    let registry = registry(&memory(), "w");
    put_files(&registry, 1).await.unwrap();
    let mut failed = card(1, any_dataset());
    failed.gate.passed = false;
    failed.gate.failures = vec!["macro_f1 is .04 below".into(), "slice flood".into()];
    registry.models().register(failed.clone()).await.unwrap();
    let error = registry
        .releases()
        .propose(proposal(&failed))
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("(macro_f1 is .04 below; slice flood)"),
        "{error}"
    );
    let error = registry
        .releases()
        .approve(approval(&failed))
        .await
        .unwrap_err();
    assert!(matches!(error, RegistryError::GateFailed { .. }));
}

#[tokio::test]
async fn bytes_that_changed_after_the_approval_are_not_promoted() {
    let store = memory();
    let registry = registry(&store, "w");
    let card = approved(&registry, 1).await;
    store
        .put(
            Container::Models,
            "messages/000001/model.onnx",
            "evil".into(),
        )
        .await
        .unwrap();
    let error = registry
        .releases()
        .promote(card.file.digest, "ada", "first")
        .await
        .unwrap_err();
    assert!(
        matches!(error, RegistryError::DigestMismatch { .. }),
        "{error}"
    );
    assert_eq!(registry.releases().newest().await.unwrap(), None);
}

#[tokio::test]
async fn rolling_back_goes_backwards_step_by_step() {
    let registry = registry(&memory(), "w");
    let releases = registry.releases();
    let mut cards = Vec::new();
    for version in 1..=3 {
        let card = approved(&registry, version).await;
        releases
            .promote(card.file.digest, "ada", "better")
            .await
            .unwrap();
        cards.push(card.model_ref());
    }
    let back = releases
        .rollback(None, "ada", "slow")
        .await
        .unwrap()
        .release;
    assert_eq!((back.number, back.kind()), (4, ReleaseKind::Rollback));
    assert_eq!(
        (&back.champion, &back.previous),
        (&cards[1], &Some(cards[0].clone()))
    );
    assert_eq!(back.approval.model, cards[1]);
    let repeated = releases.rollback(Some(3), "ada", "slow").await.unwrap();
    assert_eq!(
        (repeated.changed, repeated.release),
        (false, back),
        "a repeated request takes back once"
    );
    let further = releases
        .rollback(Some(4), "ada", "slow")
        .await
        .unwrap()
        .release;
    assert_eq!((&further.champion, &further.previous), (&cards[0], &None));
    let error = releases.rollback(None, "ada", "slow").await.unwrap_err();
    assert!(
        matches!(error, RegistryError::NothingToFallBackTo { release: 5 }),
        "{error}"
    );
    assert!(matches!(
        releases.rollback(Some(2), "a", "b").await.unwrap_err(),
        RegistryError::NotNewest { newest: 5, .. }
    ));
}

#[tokio::test]
async fn an_abort_falls_back_until_somebody_decides() {
    let registry = registry(&memory(), "w");
    let releases = registry.releases();
    assert!(matches!(
        releases.abort(abort(1)).await.unwrap_err(),
        RegistryError::NoRelease
    ));
    let (one, two, three) = (
        approved(&registry, 1).await,
        approved(&registry, 2).await,
        approved(&registry, 3).await,
    );
    releases
        .promote(one.file.digest, "ada", "first")
        .await
        .unwrap();
    assert!(matches!(
        releases.abort(abort(1)).await.unwrap_err(),
        RegistryError::NothingToFallBackTo { release: 1 }
    ));
    releases
        .promote(two.file.digest, "ada", "better")
        .await
        .unwrap();
    assert!(matches!(
        releases.abort(abort(1)).await.unwrap_err(),
        RegistryError::NotNewest { newest: 2, .. }
    ));
    let seen = releases.serving().await.unwrap().unwrap();
    assert_eq!(releases.poll(Some(&seen)).await.unwrap(), None);
    releases.abort(abort(2)).await.unwrap();
    let mut second = abort(2);
    second.reason = "another".into();
    assert_eq!(
        releases.abort(second).await.unwrap(),
        abort(2),
        "the first abort stands"
    );
    let serving = releases.poll(Some(&seen)).await.unwrap().unwrap();
    assert_eq!(
        (&serving.model, serving.release.number),
        (&one.model_ref(), 2)
    );
    assert_eq!(serving.aborted, Some(abort(2)));
    assert_eq!(releases.poll(Some(&serving)).await.unwrap(), None);
    let error = releases
        .promote(two.file.digest, "retry", "better")
        .await
        .unwrap_err();
    assert!(
        matches!(error, RegistryError::ChampionAborted { release: 2, .. }),
        "a retried request stays aborted"
    );
    // The next champion falls back to what served, not to what was aborted.
    let next = releases
        .promote(three.file.digest, "ada", "fixed")
        .await
        .unwrap()
        .release;
    assert_eq!(next.previous, Some(one.model_ref()));
    assert_eq!(
        releases.poll(Some(&serving)).await.unwrap().unwrap().model,
        three.model_ref()
    );
}

#[tokio::test]
async fn promoting_the_fallback_keeps_its_own_way_back() {
    let registry = registry(&memory(), "w");
    let releases = registry.releases();
    let mut models = Vec::new();
    for version in 1..=3 {
        let card = approved(&registry, version).await;
        releases
            .promote(card.file.digest, "ada", "better")
            .await
            .unwrap();
        models.push(card.model_ref());
    }
    releases.abort(abort(3)).await.unwrap();
    let release = releases
        .promote(models[1].digest, "ada", "stay here")
        .await
        .unwrap()
        .release;
    assert_eq!(
        (&release.champion, &release.previous),
        (&models[1], &Some(models[0].clone()))
    );
}

#[tokio::test]
async fn a_challenger_takes_part_beside_the_same_champion() {
    let registry = registry(&memory(), "w");
    let releases = registry.releases();
    let one = approved(&registry, 1).await;
    let two = register(&registry, 2).await;
    releases
        .promote(one.file.digest, "ada", "first")
        .await
        .unwrap();
    let challenger = |mode, weight| {
        Some(Challenger {
            model: two.model_ref(),
            mode,
            weight,
        })
    };
    let heavy = releases
        .set_challenger(challenger(ChallengerMode::Shadow, 1.5), "ada", "look")
        .await
        .unwrap_err();
    assert!(heavy.to_string().contains("its weight is 1.5"), "{heavy}");
    let canary = releases
        .set_challenger(challenger(ChallengerMode::Canary, 0.1), "ada", "try")
        .await
        .unwrap_err();
    assert!(
        matches!(canary, RegistryError::NotApproved { .. }),
        "a canary answers callers"
    );
    let shadow = challenger(ChallengerMode::Shadow, 1.0);
    let change = releases
        .set_challenger(shadow.clone(), "ada", "look")
        .await
        .unwrap();
    assert_eq!(
        (change.release.number, &change.release.champion),
        (2, &one.model_ref())
    );
    assert!(
        !releases
            .set_challenger(shadow, "ada", "look")
            .await
            .unwrap()
            .changed
    );
    let cleared = releases
        .set_challenger(None, "ada", "seen enough")
        .await
        .unwrap()
        .release;
    assert_eq!(
        (cleared.number, cleared.kind(), cleared.challenger),
        (3, ReleaseKind::Challenger, None)
    );
}

#[tokio::test]
async fn a_release_counts_before_its_pointer_is_switched() {
    let store = memory();
    let registry = registry(&store, "w");
    let releases = registry.releases();
    let (one, two) = (approved(&registry, 1).await, approved(&registry, 2).await);
    releases
        .promote(one.file.digest, "ada", "first")
        .await
        .unwrap();
    let seen = releases.serving().await.unwrap().unwrap();
    let (lagging, _) = store
        .read(Container::Releases, "current.json")
        .await
        .unwrap();
    releases
        .promote(two.file.digest, "ada", "second")
        .await
        .unwrap();
    store
        .put(Container::Releases, "current.json", lagging)
        .await
        .unwrap();
    assert_eq!(
        releases.poll(Some(&seen)).await.unwrap().unwrap().model,
        two.model_ref()
    );
    assert_eq!(
        releases.poll(None).await.unwrap().unwrap().release.number,
        2
    );
}

#[tokio::test]
async fn the_status_shows_what_waits() {
    let registry = registry(&memory(), "w");
    let releases = registry.releases();
    let one = approved(&registry, 1).await;
    releases
        .promote(one.file.digest, "ada", "first")
        .await
        .unwrap();
    approved(&registry, 2).await;
    let three = register(&registry, 3).await;
    releases.propose(proposal(&three)).await.unwrap();
    let status = releases.status().await.unwrap();
    let mut waiting: Vec<_> = status
        .candidates
        .iter()
        .map(|c| (c.proposal.model.version, c.approval.is_some()))
        .collect();
    waiting.sort_unstable();
    assert_eq!(waiting, [(2, true), (3, false)]);
    assert_eq!(status.history.len(), 1);
}
