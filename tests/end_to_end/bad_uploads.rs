//! Uploads that cannot be taken: quarantined with a reason, while the loop goes on.

use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use sluice_registry::Digest;

use crate::machine::{Machine, json_lines, read_json};
use crate::rows::{self, HEADER};
use crate::up::Up;

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A host on a machine with small limits, so that nothing here must be large.
fn up_with_small_limits() -> Up {
    Machine::with(&[
        ("data.checks.max_decompressed_bytes", 200_000.into()),
        ("data.checks.max_row_bytes", 2_000.into()),
    ])
    .up()
}

/// Waits for the ledger's word on an upload, then gives its quarantine lines.
fn refused(up: &Up, upload: Digest) -> (Value, Vec<Value>) {
    let entry = up.blob(&format!("datasets/messages/ledger/{}.json", upload.hex()));
    up.eventually("the upload's entry in the ledger", || {
        entry.is_file().then_some(())
    });
    let quarantine = up.blob(&format!("quarantine/messages/{}.jsonl", upload.hex()));
    (read_json(&entry), json_lines(&quarantine))
}

/// An upload that is refused as a whole, for this reason; the detail says something about it.
#[track_caller]
fn is_quarantined(up: &Up, name: &str, bytes: impl AsRef<[u8]>, reason: &str) {
    let digest = up.upload(name, bytes);
    let (entry, records) = refused(up, digest);
    assert_eq!(entry["outcome"], "refused", "{entry}");
    assert_eq!(records.len(), 1, "{records:?}");
    let record = &records[0];
    assert_eq!(
        (record["reason"].as_str(), record["upload"].as_str()),
        (Some(reason), Some(&*format!("messages/{name}"))),
        "{record}"
    );
    assert!(
        record["detail"]
            .as_str()
            .is_some_and(|detail| detail.len() > reason.len() + 10),
        "{record}"
    );
    up.prints(&format!("messages/{name}"));
}

#[test]
fn a_file_that_is_wrong_as_a_whole_is_quarantined_and_the_loop_goes_on() {
    let up = up_with_small_limits();
    let rows = rows::csv(1, 150);
    let packed = gzip(rows.as_bytes());
    let bomb = gzip(&[HEADER.as_bytes(), b"\n", &vec![b'a'; 3_000_000]].concat());
    let program = fs::read(env!("CARGO_BIN_EXE_sluice")).unwrap();

    is_quarantined(&up, "empty.csv", "", "empty");
    is_quarantined(&up, "header.csv", format!("{HEADER}\n"), "no_rows");
    is_quarantined(
        &up,
        "truncated.csv.gz",
        &packed[..packed.len() / 2],
        "truncated_gzip",
    );
    is_quarantined(&up, "bomb.csv.gz", bomb, "gzip_bomb");
    is_quarantined(&up, "program.csv", &program[..100_000], "binary");
    is_quarantined(
        &up,
        "unlabelled.csv",
        rows.replace(",label,", ",verdict,"),
        "missing_column",
    );
    assert_eq!(up.dataset(), Value::Null);

    up.upload("good.csv", &rows);
    up.eventually("the good file in the dataset", || {
        (up.dataset()["rows"] == 150).then_some(())
    });
    let refusals = up
        .audit_events()
        .iter()
        .filter(|event| event["kind"] == "upload_refused")
        .count();
    assert_eq!(refusals, 6);
    up.eventually("a whole audit record", || {
        (up.sluice(&["audit", "verify"]).code == 0).then_some(())
    });
    assert!(
        !up.process.output().contains("host: "),
        "a bad file is no failure of the function:\n{}",
        up.process.output()
    );
}

#[test]
fn a_row_that_is_wrong_leaves_the_others_alone() {
    let up = up_with_small_limits();
    let at = "2024-06-01T00:00:00Z";
    let wrong = [
        (
            "row_too_long",
            format!("{at},long,flood,1,{}", "x".repeat(3_000)),
        ),
        (
            "unknown_label",
            format!("{at},label,flood,maybe,a row with an unknown label"),
        ),
        ("empty_text", format!("{at},empty,flood,1,  ")),
        (
            "impossible_time",
            "1066-10-14T00:00:00Z,time,flood,1,a row from another age".to_owned(),
        ),
        (
            "wrong_type",
            "yesterday,type,flood,1,a row with no time".to_owned(),
        ),
        (
            "duplicate_id",
            format!("{at},s1-0,flood,1,a row with the id of another"),
        ),
    ];
    let lines: Vec<&str> = wrong.iter().map(|(_, line)| line.as_str()).collect();
    let file = format!("{}{}\n", rows::csv(1, 120), lines.join("\n"));
    let digest = up.upload("mixed.csv", &file);
    let (entry, records) = refused(&up, digest);
    assert_eq!(
        (
            entry["outcome"].as_str(),
            entry["upload"]["accepted"].as_u64()
        ),
        (Some("ingested"), Some(120)),
        "{entry}"
    );
    let found: Vec<(&str, u64)> = records
        .iter()
        .map(|record| {
            (
                record["reason"].as_str().unwrap(),
                record["line"].as_u64().unwrap(),
            )
        })
        .collect();
    let expected: Vec<(&str, u64)> = wrong
        .iter()
        .enumerate()
        .map(|(index, (reason, _))| (*reason, 122 + index as u64))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_file_of_nothing_but_unknown_labels_is_refused() {
    let up = up_with_small_limits();
    let csv = rows::csv(1, 150)
        .replace(",0,", ",yes,")
        .replace(",1,", ",no,");
    let digest = up.upload("labels.csv", csv);
    let (entry, records) = refused(&up, digest);
    assert_eq!(entry["outcome"], "refused", "{entry}");
    let text = format!("{entry} {records:?}");
    assert!(text.contains("unknown_label"), "{text}");
}
