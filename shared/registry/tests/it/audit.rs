//! The chain and what breaks it.

use std::sync::Arc;

use sluice_registry::audit::{BrokenLine, Damage, StreamHead};
use sluice_registry::{AuditEvent, AuditLog, AuditStream, Digest, Registry};
use sluice_storage::{Container, Store};

use crate::fixtures::{MODEL, memory, now, registry};

const SEGMENT: &str = "w/000000.jsonl";

fn event(n: usize) -> AuditEvent {
    AuditEvent::RetrainRequested {
        model: MODEL.into(),
        reason: format!("reason {n}"),
        report: None,
    }
}

async fn record(registry: &Registry, lines: usize) {
    for n in 0..lines {
        registry.record(event(n)).await.unwrap();
    }
}

/// A stream `w` of ten lines, changed by `change`, and the first broken line then.
async fn broken_after(change: impl FnOnce(&mut Vec<String>)) -> Option<BrokenLine> {
    let store = memory();
    record(&registry(&store, "w"), 10).await;
    edit(&store, SEGMENT, change).await;
    let report = AuditLog::new(store).verify(&[]).await.unwrap();
    report.streams.into_iter().next().unwrap().broken
}

async fn edit(store: &Arc<dyn Store>, name: &str, change: impl FnOnce(&mut Vec<String>)) {
    let (bytes, _) = store.read(Container::Audit, name).await.unwrap();
    let mut lines: Vec<String> = String::from_utf8(bytes.to_vec())
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    change(&mut lines);
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    store
        .put(Container::Audit, name, text.into())
        .await
        .unwrap();
}

fn at(line: u64, damage: Damage) -> Option<BrokenLine> {
    Some(BrokenLine {
        blob: SEGMENT.into(),
        line,
        damage,
    })
}

#[tokio::test]
async fn the_first_broken_line_is_named() {
    assert_eq!(broken_after(|_| {}).await, None);
    assert_eq!(
        broken_after(|lines| lines[3] = lines[3].replace("reason 3", "reason 9")).await,
        at(4, Damage::Edited)
    );
    assert_eq!(
        broken_after(|lines| drop(lines.remove(3))).await,
        at(4, Damage::Missing { first: 4, last: 4 })
    );
    assert_eq!(
        broken_after(|lines| drop(lines.drain(..2))).await,
        at(1, Damage::Missing { first: 1, last: 2 })
    );
    assert_eq!(
        broken_after(|lines| lines.swap(3, 6)).await,
        at(4, Damage::Reordered { seq: 7 })
    );
    assert_eq!(
        broken_after(|lines| lines.insert(4, lines[2].clone())).await,
        at(5, Damage::Repeated { seq: 3 })
    );
    assert!(matches!(
        broken_after(|lines| lines[5].truncate(40)).await,
        Some(BrokenLine {
            line: 6,
            damage: Damage::Unreadable { .. },
            ..
        })
    ));
    assert!(matches!(
        broken_after(|lines| lines.insert(0, "{}".into())).await,
        Some(BrokenLine {
            line: 1,
            damage: Damage::Unreadable { .. },
            ..
        })
    ));
}

#[tokio::test]
async fn a_line_that_was_written_anew_breaks_the_next() {
    // Somebody with the code: an edited line with a right hash.
    let forged = broken_after(|lines| {
        let body = lines[3]
            .split(",\"hash\"")
            .next()
            .unwrap()
            .replace("reason 3", "reason 9")
            + "}";
        let hash = Digest::of(body.as_bytes());
        lines[3] = format!("{},\"hash\":\"{hash}\"}}", &body[..body.len() - 1]);
    });
    assert_eq!(forged.await, at(5, Damage::Relinked));
}

#[tokio::test]
async fn a_line_of_another_stream_is_foreign() {
    let store = memory();
    record(&registry(&store, "w"), 1).await;
    let (bytes, _) = store.read(Container::Audit, SEGMENT).await.unwrap();
    store
        .put(Container::Audit, "v/000000.jsonl", bytes)
        .await
        .unwrap();
    let report = AuditLog::new(store).verify(&[]).await.unwrap();
    let (stream, broken) = report.first_broken().unwrap();
    assert_eq!(
        (stream, &broken.damage),
        ("v", &Damage::Foreign { writer: "w".into() })
    );
}

#[tokio::test]
async fn a_kind_that_is_not_known_still_verifies() {
    let store = memory();
    record(&registry(&store, "w"), 2).await;
    edit(&store, SEGMENT, |lines| {
        let line: serde_json::Value = serde_json::from_str(&lines[1]).unwrap();
        let (prev, hash) = (line["prev"].as_str().unwrap(), ());
        let () = hash;
        let body = format!(
            r#"{{"seq":2,"at":"2026-03-09T03:00:00Z","writer":"w","nonce":"0","event":{{"kind":"from_the_future","x":[1.50]}},"prev":"{prev}"}}"#
        );
        lines[1] = format!("{},\"hash\":\"{}\"}}", &body[..body.len() - 1], Digest::of(body.as_bytes()));
    })
    .await;
    assert!(
        AuditLog::new(store.clone())
            .verify(&[])
            .await
            .unwrap()
            .is_whole()
    );
    record(&registry(&store, "w"), 1).await;
    let report = AuditLog::new(store).verify(&[]).await.unwrap();
    assert_eq!((report.is_whole(), report.lines()), (true, 3));
}

#[tokio::test]
async fn a_tail_that_was_cut_off_is_missed_by_its_witness_and_by_who_kept_the_head() {
    let store = memory();
    let (w, other) = (registry(&store, "w"), registry(&store, "other"));
    record(&w, 10).await;
    assert_eq!(
        other
            .repair(sluice_registry::RepairScope::default())
            .await
            .unwrap()
            .witnessed,
        1
    );
    assert_eq!(
        other
            .repair(sluice_registry::RepairScope::default())
            .await
            .unwrap()
            .witnessed,
        0,
        "nothing moved"
    );
    assert_eq!(
        w.repair(sluice_registry::RepairScope::default())
            .await
            .unwrap()
            .witnessed,
        0,
        "witnessing is no news"
    );
    record(&w, 2).await;
    let log = AuditLog::new(store.clone());
    let kept = log.verify(&[]).await.unwrap().heads();
    edit(&store, SEGMENT, |lines| lines.truncate(11)).await;
    assert!(
        log.verify(&[]).await.unwrap().is_whole(),
        "after the last witness a cut is not seen by the streams alone"
    );
    let broken = |report: sluice_registry::audit::VerifyReport| {
        report.first_broken().map(|(_, broken)| broken.clone())
    };
    assert_eq!(
        broken(log.verify(&kept).await.unwrap()),
        at(
            12,
            Damage::Truncated {
                known: 12,
                witness: "given".into()
            }
        )
    );
    edit(&store, SEGMENT, |lines| lines.truncate(7)).await;
    let cut = Damage::Truncated {
        known: 10,
        witness: "other".into(),
    };
    assert_eq!(broken(log.verify(&[]).await.unwrap()), at(8, cut.clone()));
    store.delete(Container::Audit, SEGMENT).await.unwrap();
    assert_eq!(broken(log.verify(&[]).await.unwrap()), at(1, cut));
}

#[tokio::test]
async fn a_stream_that_was_written_anew_differs_from_what_was_seen() {
    let store = memory();
    record(&registry(&store, "w"), 3).await;
    let log = AuditLog::new(store.clone());
    let kept = log.verify(&[]).await.unwrap().heads();
    store.delete(Container::Audit, SEGMENT).await.unwrap();
    record(&registry(&store, "w"), 5).await;
    assert!(log.verify(&[]).await.unwrap().is_whole());
    let report = log.verify(&kept).await.unwrap();
    assert_eq!(
        report.first_broken().unwrap().1.damage,
        Damage::Rewritten {
            witness: "given".into()
        }
    );
}

#[tokio::test]
async fn damage_does_not_stop_the_writer_and_stays_visible() {
    let store = memory();
    record(&registry(&store, "w"), 3).await;
    // Half a line without a newline, as a foreign tool may leave it.
    store
        .append(Container::Audit, SEGMENT, "{\"seq\":4,\"at\"".into(), None)
        .await
        .unwrap();
    record(&registry(&store, "w"), 2).await;
    let report = AuditLog::new(store.clone()).verify(&[]).await.unwrap();
    let (_, broken) = report.first_broken().unwrap();
    assert_eq!((broken.line, report.lines()), (4, 6), "{broken:?}");
    edit(&store, SEGMENT, |lines| drop(lines.remove(3))).await;
    assert!(
        AuditLog::new(store).verify(&[]).await.unwrap().is_whole(),
        "the chain goes on from the last good line"
    );
}

#[tokio::test]
async fn a_reopened_stream_goes_on_where_it_ended() {
    let store = memory();
    let stream = || AuditStream::open(store.clone(), "w").unwrap();
    let first = stream().append(now(), event(1)).await.unwrap();
    let second = stream().append(now(), event(2)).await.unwrap();
    assert_eq!((first.seq, second.seq), (1, 2));
    assert_eq!(
        AuditLog::new(store.clone()).heads().await.unwrap(),
        std::slice::from_ref(&second)
    );
    assert_eq!(
        second,
        StreamHead {
            stream: "w".into(),
            seq: 2,
            hash: second.hash
        }
    );
    assert!(AuditStream::open(store, "Not A Name").is_err());
}
