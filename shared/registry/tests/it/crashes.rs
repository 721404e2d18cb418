//! The whole loop with a fault at every single write: whatever breaks, repair and repetition bring it to its end.

use std::sync::Arc;

use sluice_registry::{
    Abort, AuditEvent, Begin, Challenger, ChallengerMode, Registry, RegistryError, RepairScope,
    RunState,
};
use sluice_storage::{DirectoryStore, Store};

use crate::faulty::{FAULTS, Fault, FaultyStore};
use crate::fixtures::{
    MODEL, approval, card, dataset_ref, ingest, memory, now, proposal, put_files, registry, run,
};

/// Everything that changes documents, as verbs that may be repeated from the start at any time.
async fn whole_loop(registry: &Registry) -> Result<(), RegistryError> {
    let (models, runs, releases) = (registry.models(), registry.runs(), registry.releases());
    for version in 1..=3 {
        let (manifest, digest) = ingest(registry, &format!("upload-{version}")).await?;
        registry
            .datasets()
            .ledger_entry("messages", manifest.uploads[0].digest)
            .await?;
        let id = format!("1-{version:012x}");
        if (models.list(MODEL).await?.len() as u64) < version {
            let deadline = now() + jiff::SignedDuration::from_hours(6);
            let run = run(&id, version, dataset_ref(&manifest, digest));
            let (Begin::Begun(run) | Begin::AlreadyRunning(run) | Begin::AlreadyDone(run)) =
                runs.begin(run, deadline).await?;
            assert_eq!(run.id, id);
            if run.state == RunState::Created {
                runs.advance(
                    &run.id,
                    RunState::Submitted {
                        job: run.id.clone(),
                        at: now(),
                    },
                )
                .await?;
            }
            put_files(registry, version).await?;
            models.register(card(version, run.dataset.clone())).await?;
        }
        runs.advance(
            &id,
            RunState::Succeeded {
                model_version: version,
                at: now(),
            },
        )
        .await?;
        let card = models.card(MODEL, version).await?;
        releases.propose(proposal(&card)).await?;
        releases.approve(approval(&card)).await?;
    }
    let reached = async || {
        Ok::<u64, RegistryError>(releases.newest().await?.map_or(0, |release| release.number))
    };
    let digest =
        async |version| Ok::<_, RegistryError>(models.card(MODEL, version).await?.file.digest);
    for version in 1..=3 {
        if reached().await? < version {
            releases
                .promote(digest(version).await?, "ada", "better")
                .await?;
        }
    }
    if reached().await? == 3 {
        let reason = "drift".to_owned();
        releases
            .abort(Abort {
                release: 3,
                reason,
                requested_by: "monitor".into(),
                requested_at: now(),
            })
            .await?;
        releases.rollback(Some(3), "ada", "it drifts").await?;
    }
    if reached().await? == 4 {
        let model = models.card(MODEL, 3).await?.model_ref();
        let challenger = Challenger {
            model,
            mode: ChallengerMode::Shadow,
            weight: 1.0,
        };
        releases
            .set_challenger(Some(challenger), "ada", "look again")
            .await?;
    }
    Ok(())
}

/// What must hold whenever a repair has run, however far the loop came.
async fn check_invariants(registry: &Registry, context: &str) {
    let chains = registry.audit_log().verify(&[]).await.unwrap();
    assert!(chains.is_whole(), "{context}: {:?}", chains.first_broken());
    let documents = registry
        .verify_documents(jiff::Timestamp::MAX)
        .await
        .unwrap();
    assert!(documents.is_whole(), "{context}: {documents:?}");
    if let Some((newest, _)) = registry.datasets().current("messages").await.unwrap() {
        assert_eq!(
            newest.uploads.len() as u64,
            newest.version,
            "{context}: every version adds one upload"
        );
        for upload in &newest.uploads {
            let entry = registry
                .datasets()
                .ledger_entry("messages", upload.digest)
                .await
                .unwrap();
            assert_eq!(entry.unwrap().upload, *upload, "{context}");
        }
    }
    if let Some(serving) = registry.releases().serving().await.unwrap() {
        registry
            .models()
            .model_bytes(&serving.model)
            .await
            .expect(context);
    }
}

async fn check_end(registry: &Registry, context: &str) {
    check_invariants(registry, context).await;
    let (newest, _) = registry
        .datasets()
        .current("messages")
        .await
        .unwrap()
        .unwrap();
    assert_eq!((newest.version, newest.rows), (3, 30), "{context}");
    let status = registry.releases().status().await.unwrap();
    assert_eq!(status.history.len(), 5, "{context}: {:?}", status.history);
    let serving = status.serving.unwrap();
    assert_eq!(
        (serving.release.number, serving.model.version),
        (5, 2),
        "{context}"
    );
    assert_eq!(
        serving.release.challenger.unwrap().model.version,
        3,
        "{context}"
    );
    assert_eq!(
        registry.runs().active(MODEL).await.unwrap(),
        None,
        "{context}"
    );
    let mut kinds = std::collections::BTreeMap::<String, usize>::new();
    registry
        .audit_log()
        .scan(None, |line| {
            *kinds.entry(line.event.kind().to_owned()).or_default() += 1
        })
        .await
        .unwrap();
    for (kind, count) in [
        ("model_registered", 3),
        ("run_succeeded", 3),
        ("release_promoted", 3),
        ("release_rolled_back", 1),
    ] {
        assert_eq!(kinds[kind], count, "{context}: {kind}");
    }
}

#[tokio::test]
async fn the_loop_ends_the_same_in_memory_and_in_a_directory() {
    let folder = tempfile::tempdir().unwrap();
    let directory: Arc<dyn Store> = Arc::new(DirectoryStore::open(folder.path()).unwrap());
    for store in [memory(), directory] {
        let registry = registry(&store, "loop");
        whole_loop(&registry).await.unwrap();
        check_end(&registry, "no fault").await;
        whole_loop(&registry).await.unwrap();
        check_end(&registry, "repeated").await;
        assert_eq!(
            registry.repair(RepairScope::default()).await.unwrap().added,
            Vec::<String>::new()
        );
    }
}

#[tokio::test]
async fn a_death_at_any_write_is_repaired_by_another_process() {
    for fault in [Fault::DiesBefore, Fault::DiesAfter] {
        let mut at = 0;
        loop {
            let store = memory();
            let faulty = Arc::new(FaultyStore::new(store.clone(), fault, at));
            let dying = registry(&(faulty.clone() as Arc<dyn Store>), "loop");
            let result = whole_loop(&dying).await;
            assert_eq!(result.is_err(), faulty.broke(), "{fault:?} at write {at}");
            let context = format!("{fault:?} at write {at}");
            let other = registry(&store, "other");
            other.repair(RepairScope::default()).await.expect(&context);
            check_invariants(&other, &context).await;
            whole_loop(&registry(&store, "loop")).await.expect(&context);
            check_end(&other, &context).await;
            if !faulty.broke() {
                break;
            }
            at += 1;
        }
        assert!(at > 50, "the loop has many writes, {at} were reached");
    }
}

#[tokio::test]
async fn a_stutter_at_any_write_is_healed_by_trying_again() {
    for fault in FAULTS
        .into_iter()
        .filter(|fault| matches!(fault, Fault::LosesAnswer | Fault::Refuses))
    {
        let mut at = 0;
        loop {
            let context = format!("{fault:?} at write {at}");
            let faulty = Arc::new(FaultyStore::new(memory(), fault, at));
            let store: Arc<dyn Store> = faulty.clone();
            let registry = registry(&store, "loop");
            // The same process goes on with the same stream: what it remembers of the end must be right.
            if whole_loop(&registry).await.is_err() {
                whole_loop(&registry).await.expect(&context);
            }
            registry
                .repair(RepairScope::default())
                .await
                .expect(&context);
            check_end(&registry, &context).await;
            if !faulty.broke() {
                break;
            }
            at += 1;
        }
    }
}

#[tokio::test]
async fn an_append_whose_answer_is_lost_is_written_once() {
    let faulty: Arc<dyn Store> = Arc::new(FaultyStore::new(memory(), Fault::LosesAnswer, 1));
    let registry = registry(&faulty, "w");
    for reason in ["one", "two", "three"] {
        let event = AuditEvent::RetrainRequested {
            model: MODEL.into(),
            reason: reason.into(),
            report: None,
        };
        registry.record(event).await.unwrap();
    }
    let report = registry.audit_log().verify(&[]).await.unwrap();
    assert!(report.is_whole());
    assert_eq!(report.lines(), 3);
}
