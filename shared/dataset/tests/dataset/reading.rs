//! Reading back: parts, uploads, and uploads of our own.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use jiff::Timestamp;
use sluice_dataset::{
    Checks, DatasetError, Format, PartReader, Row, RowFault, RowReadError, RowReader, UploadFault,
    UploadWriter,
};
use sluice_registry::{ColumnType, Digest};

use crate::support::{Dataset, HEADER, counts, gzip, row, schema, stored_rows};

fn read(name: &str, bytes: &[u8]) -> Vec<Result<(u64, Row), RowReadError>> {
    let directory = tempfile::tempdir().unwrap();
    let now = "2024-05-01T00:00:00Z".parse().unwrap();
    let reader = RowReader::open(
        name,
        bytes,
        &schema(),
        &Checks::default(),
        now,
        directory.path(),
    );
    reader
        .unwrap()
        .map(|row| row.map(|row| (row.line, row.row)))
        .collect()
}

#[test]
fn what_is_taken_is_counted_named_by_its_digest_and_read_back() {
    let mut dataset = Dataset::new();
    let upload = format!(
        "{HEADER}{}{}{}",
        row(1, "1", "Fire"),
        row(2, "0", "no fire"),
        row(3, "disaster", "Flood")
    );
    let (taken, upload) = dataset.take("rows.csv", upload.as_bytes());
    assert_eq!(taken.class_counts, counts(&[("disaster", 2), ("other", 1)]));
    let splits = taken.split_counts;
    assert_eq!(splits.train + splits.calibration + splits.test, 3);
    assert_eq!(upload.quarantine, None);

    let part = &taken.parts[0];
    let bytes = fs::read(&part.path).unwrap();
    assert_eq!(part.part.digest, Digest::of(&bytes));
    assert_eq!(
        part.path.file_name().unwrap().to_str().unwrap(),
        format!("{}.parquet", part.part.digest.hex())
    );
    assert_eq!(
        (part.part.rows, part.part.size_bytes, part.part.upload),
        (3, bytes.len() as u64, upload.digest)
    );

    let rows: Vec<_> = PartReader::open(Bytes::from(bytes), &schema())
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(rows, stored_rows(&taken));
    assert_eq!(rows[2].content_hash, sluice_registry::content_hash("flood"));
    assert_eq!(
        rows[2].row,
        Row {
            id: Some("3".to_owned()),
            time: Some("2012-10-28T00:00:03Z".parse().unwrap()),
            slice: Some("sandy".to_owned()),
            label: 1,
            text: "Flood".to_owned(),
        }
    );
}

#[test]
fn a_part_of_another_schema_or_a_damaged_one_is_an_error() {
    let upload = format!("{HEADER}{}", row(1, "1", "Fire"));
    let mut dataset = Dataset::new();
    let (taken, _) = dataset.take("rows.csv", upload.as_bytes());
    let bytes = Bytes::from(fs::read(&taken.parts[0].path).unwrap());

    let mut renamed = schema();
    renamed.columns[4].name = "message".to_owned();
    assert!(matches!(
        PartReader::open(bytes.clone(), &renamed),
        Err(DatasetError::Part { .. })
    ));
    let mut relabelled = schema();
    relabelled.labels.remove(1);
    let error = PartReader::open(bytes.clone(), &relabelled)
        .unwrap()
        .next()
        .unwrap()
        .unwrap_err();
    assert!(error.to_string().contains("disaster"), "{error}");
    assert!(matches!(
        PartReader::open(bytes.slice(..100), &schema()),
        Err(DatasetError::Part { .. })
    ));
}

#[test]
fn a_file_is_read_with_its_faults_and_without_looking_for_repeats() {
    let upload = format!(
        "{HEADER}{}{}{}",
        row(1, "1", "Fire"),
        row(2, "7", "x"),
        row(1, "0", "Fire")
    );
    let rows = read("rows.csv.gz", &gzip(upload.as_bytes()));
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0].as_ref().unwrap().0, 2);
    assert!(
        matches!(&rows[1], Err(RowReadError::Row(row)) if (row.line, row.reason) == (3, RowFault::UnknownLabel))
    );
    assert_eq!(rows[2].as_ref().unwrap().1.label, 0);
}

#[test]
fn a_file_that_ends_too_early_gives_its_rows_and_then_one_error() {
    let upload: String = (0..5_000)
        .map(|id| row(id, "1", &format!("text {id}")))
        .collect();
    let packed = gzip(format!("{HEADER}{upload}").as_bytes());
    let rows = read("rows.csv.gz", &packed[..packed.len() / 2]);
    assert!(rows.len() > 100);
    assert!(rows[..rows.len() - 1].iter().all(Result::is_ok));
    assert!(
        matches!(rows.last(), Some(Err(RowReadError::Upload(refusal))) if refusal.reason == UploadFault::TruncatedGzip)
    );
}

#[test]
fn uploads_of_our_own_are_taken_as_they_were_written() {
    let rows: Vec<Row> = (0..20u32)
        .map(|i| Row {
            id: Some(format!("id \"{i}\"")),
            time: Some(Timestamp::from_microsecond(1_351_382_403_396_001 + i64::from(i)).unwrap()),
            slice: Some("a, b".to_owned()),
            label: i % 2,
            text: format!("text, \"{i}\"\n\u{1F600} zweite Zeile"),
        })
        .collect();
    for format in [Format::Csv, Format::JsonLines] {
        let mut writer = UploadWriter::new(Vec::new(), format, &schema()).unwrap();
        for row in &rows {
            writer.write(row).unwrap();
        }
        let bytes = writer.finish().unwrap();
        let mut dataset = Dataset::new();
        let (taken, upload) = dataset.take("rows", &bytes);
        assert_eq!(upload.format, Some(format));
        assert_eq!(
            stored_rows(&taken)
                .into_iter()
                .map(|row| row.row)
                .collect::<Vec<_>>(),
            rows
        );
    }
}

#[test]
fn an_upload_that_nobody_could_take_is_not_written() {
    assert!(matches!(
        UploadWriter::new(Vec::new(), Format::Parquet, &schema()),
        Err(DatasetError::Schema(_))
    ));
    let mut required = schema();
    required.columns[5].required = true;
    assert!(matches!(
        UploadWriter::new(Vec::new(), Format::Csv, &required),
        Err(DatasetError::Schema(_))
    ));
    let mut writer = UploadWriter::new(Vec::new(), Format::Csv, &schema()).unwrap();
    let row = Row {
        id: None,
        time: None,
        slice: None,
        label: 2,
        text: "a".to_owned(),
    };
    assert!(matches!(writer.write(&row), Err(DatasetError::Schema(_))));
}

#[test]
fn an_integer_id_is_one_identity_in_every_spelling() {
    let mut dataset = Dataset::new();
    dataset.schema.columns[1].kind = ColumnType::Integer;
    let rows = "2012-10-28,7,a,1,one\n2012-10-28, 7 ,a,1,two\n2012-10-28,7.0,a,1,three\n";
    let (taken, upload) = dataset.take("rows.csv", format!("{HEADER}{rows}").as_bytes());
    assert_eq!(
        (taken.accepted, upload.refused_by_reason),
        (1, counts(&[("duplicate_id", 2)]))
    );
    let part = fs::File::open(&taken.parts[0].path).unwrap();
    let stored = PartReader::open(part, &dataset.schema)
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    assert_eq!(stored.row.id.as_deref(), Some("7"));
}

#[test]
fn real_tweets_go_in_and_come_back() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data/crisislex_t6_masked.csv.gz");
    let Ok(bytes) = fs::read(path) else {
        println!("skipped: ../shared is absent");
        return;
    };
    let mut dataset = Dataset::new();
    let (taken, upload) = dataset.take("crisislex_t6_masked.csv.gz", &bytes);
    assert_eq!(taken.accepted + upload.refused, 60_078);
    let reasons: Vec<_> = upload
        .refused_by_reason
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(reasons, ["contradicting_label", "duplicate_content"]);
    assert_eq!(stored_rows(&taken).len() as u64, taken.accepted);
    let share = taken.split_counts.test as f64 / taken.accepted as f64;
    assert!((share - 0.3).abs() < 0.01, "{share}");
}
