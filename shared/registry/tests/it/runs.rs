//! Training runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use sluice_registry::{Begin, Clock, RegistryError, RunState};

use crate::fixtures::{MODEL, any_dataset, memory, now, registry, run};

fn submitted() -> RunState {
    RunState::Submitted {
        job: "job".into(),
        at: now(),
    }
}

fn succeeded() -> RunState {
    RunState::Succeeded {
        model_version: 1,
        at: now(),
    }
}

#[tokio::test]
async fn a_run_goes_forward_only() {
    let registry = registry(&memory(), "w");
    let runs = registry.runs();
    let created = runs.create(run("1-a", 1, any_dataset())).await.unwrap();
    let mut again = run("1-a", 1, any_dataset());
    again.created_at = now() + SignedDuration::from_hours(1);
    assert_eq!(
        runs.create(again).await.unwrap(),
        created,
        "the first one stays"
    );
    runs.advance("1-a", submitted()).await.unwrap();
    runs.advance("1-a", submitted()).await.unwrap();
    let done = runs.advance("1-a", succeeded()).await.unwrap();
    let failed = RunState::Failed {
        reason: "late".into(),
        at: now(),
    };
    let error = runs.advance("1-a", failed).await.unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("run 1-a cannot go from succeeded to failed"),
        "{error}"
    );
    assert_eq!(runs.get("1-a").await.unwrap().unwrap().0, done);
    assert_eq!(runs.list().await.unwrap(), [done]);
    assert!(runs.get("1-b").await.unwrap().is_none());
    assert!(matches!(
        runs.advance("1-b", submitted()).await.unwrap_err(),
        RegistryError::NotFound { .. }
    ));
}

#[tokio::test]
async fn an_update_is_for_the_version_that_was_read() {
    let registry = registry(&memory(), "w");
    let runs = registry.runs();
    runs.create(run("1-a", 1, any_dataset())).await.unwrap();
    let (mut read, etag) = runs.get("1-a").await.unwrap().unwrap();
    runs.advance("1-a", submitted()).await.unwrap();
    read.state = succeeded();
    assert!(runs.update(&read, &etag).await.unwrap_err().is_lost_race());
    let (mut read, etag) = runs.get("1-a").await.unwrap().unwrap();
    read.state = succeeded();
    let etag = runs.update(&read, &etag).await.unwrap();
    assert_eq!(
        runs.update(&read, &etag).await.unwrap(),
        etag,
        "the same again is a success"
    );
    read.model_version = 2;
    assert!(matches!(
        runs.update(&read, &etag).await.unwrap_err(),
        RegistryError::Inconsistent { .. }
    ));
}

#[tokio::test]
async fn one_run_of_a_model_at_a_time() {
    let registry = registry(&memory(), "w");
    let runs = registry.runs();
    let deadline = now() + SignedDuration::from_hours(1);
    assert_eq!(runs.active(MODEL).await.unwrap(), None);
    let (a, b) = (run("1-a", 1, any_dataset()), run("1-b", 2, any_dataset()));
    assert_eq!(
        runs.begin(a.clone(), deadline).await.unwrap(),
        Begin::Begun(a.clone())
    );
    assert_eq!(
        runs.begin(a.clone(), deadline).await.unwrap(),
        Begin::AlreadyRunning(a.clone())
    );
    assert_eq!(
        runs.begin(b.clone(), deadline).await.unwrap(),
        Begin::AlreadyRunning(a.clone())
    );
    assert_eq!(runs.active(MODEL).await.unwrap(), Some(a.clone()));
    let mut elsewhere = run("1-c", 1, any_dataset());
    elsewhere.model = "other".into();
    assert!(
        matches!(
            runs.begin(elsewhere, deadline).await.unwrap(),
            Begin::Begun(_)
        ),
        "models do not wait for others"
    );
    let done = runs.advance("1-a", succeeded()).await.unwrap();
    assert_eq!(runs.active(MODEL).await.unwrap(), None);
    assert_eq!(
        runs.begin(a, deadline).await.unwrap(),
        Begin::AlreadyDone(done)
    );
    assert_eq!(
        runs.begin(b.clone(), deadline).await.unwrap(),
        Begin::Begun(b)
    );
}

#[tokio::test]
async fn a_lost_run_makes_room_and_cannot_come_back() {
    let seconds = Arc::new(AtomicI64::new(now().as_second()));
    let clock = {
        let seconds = seconds.clone();
        Clock::new(move || Timestamp::from_second(seconds.load(Ordering::SeqCst)).unwrap())
    };
    let registry = registry(&memory(), "w").with_clock(clock);
    let runs = registry.runs();
    let deadline = now() + SignedDuration::from_secs(60);
    let (a, b) = (run("1-a", 1, any_dataset()), run("1-b", 2, any_dataset()));
    runs.begin(a, deadline).await.unwrap();
    runs.advance("1-a", submitted()).await.unwrap();
    seconds.fetch_add(59, Ordering::SeqCst);
    assert!(
        matches!(runs.begin(b.clone(), deadline).await.unwrap(), Begin::AlreadyRunning(run) if run.id == "1-a")
    );
    seconds.fetch_add(1, Ordering::SeqCst);
    let later = deadline + SignedDuration::from_secs(60);
    assert_eq!(
        runs.begin(b.clone(), later).await.unwrap(),
        Begin::Begun(b.clone())
    );
    assert_eq!(runs.active(MODEL).await.unwrap(), Some(b));
    assert!(matches!(
        runs.advance("1-a", succeeded()).await.unwrap_err(),
        RegistryError::IllegalTransition { .. }
    ));
    let (lost, _) = runs.get("1-a").await.unwrap().unwrap();
    assert!(matches!(lost.state, RunState::Failed { reason, .. } if reason.contains("deadline")));
}

#[tokio::test]
async fn a_run_whose_starter_died_is_written_from_the_place_it_took() {
    let store = memory();
    let registry = registry(&store, "w");
    let deadline = now() + SignedDuration::from_hours(1);
    let a = run("1-a", 1, any_dataset());
    registry.runs().begin(a.clone(), deadline).await.unwrap();
    store
        .delete(sluice_storage::Container::Runs, "1-a.json")
        .await
        .unwrap();
    let b = run("1-b", 2, any_dataset());
    assert_eq!(
        registry.runs().begin(b, deadline).await.unwrap(),
        Begin::AlreadyRunning(a.clone())
    );
    assert_eq!(registry.runs().list().await.unwrap(), [a]);
}
