//! The formats: what each may look like, and how its faults are told.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int32Array, ListArray, RecordBatch,
    StringArray, TimestampSecondArray, UInt64Array,
};
use parquet::arrow::ArrowWriter;
use sluice_dataset::{Checks, Format, RowFault, UploadFault};

use crate::support::{Dataset, HEADER, gzip, refused_rows, row, stored_rows};

fn parquet_of(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

fn parquet_rows() -> Vec<(&'static str, ArrayRef)> {
    vec![
        (
            "text",
            Arc::new(StringArray::from(vec![
                Some("one"),
                Some("two"),
                None,
                Some("four"),
            ])),
        ),
        ("label", Arc::new(Int32Array::from(vec![1, 0, 1, 5]))),
        (
            "tweet_id",
            Arc::new(UInt64Array::from(vec![u64::MAX, 2, 3, 4])),
        ),
        ("event", Arc::new(StringArray::from(vec!["sandy"; 4]))),
        (
            "created_at",
            Arc::new(TimestampSecondArray::from(vec![1_351_382_403; 4])),
        ),
        (
            "not in the schema",
            Arc::new(BooleanArray::from(vec![true; 4])),
        ),
    ]
}

#[test]
fn csv_with_byte_order_mark_crlf_other_column_order_and_unknown_columns() {
    let upload = "\u{feff}text,\"label\", tweet_id ,event,created_at,extra\r\n\"Grüße, \"\"Welt\"\"\",disaster,7,sandy,1351382403,x\r\n";
    let mut dataset = Dataset::new();
    let (taken, upload) = dataset.take("rows.csv", upload.as_bytes());
    assert_eq!((taken.accepted, upload.format), (1, Some(Format::Csv)));
    let row = &stored_rows(&taken)[0].row;
    assert_eq!(row.text, "Grüße, \"Welt\"");
    assert_eq!(
        (row.id.as_deref(), row.slice.as_deref(), row.label),
        (Some("7"), Some("sandy"), 1)
    );
    assert_eq!(row.time.unwrap().to_string(), "2012-10-28T00:00:03Z");
}

#[test]
fn semicolons_and_tabs_are_recognised_by_the_header() {
    for delimiter in [';', '\t'] {
        let upload =
            format!("{HEADER}{}", row(1, "1", "text")).replace(',', &delimiter.to_string());
        assert_eq!(
            Dataset::new()
                .take("rows.csv", upload.as_bytes())
                .0
                .accepted,
            1,
            "{delimiter:?}"
        );
    }
}

#[test]
fn gzip_of_several_members_is_one_file() {
    let upload = [
        gzip(HEADER.as_bytes()),
        gzip(row(1, "1", "a").as_bytes()),
        gzip(row(2, "1", "b").as_bytes()),
    ]
    .concat();
    assert_eq!(Dataset::new().take("rows", &upload).0.accepted, 2);
}

#[test]
fn json_lines_take_numbers_and_escapes_and_tell_lines() {
    let lines = r#"
{"created_at": 1351382403396, "tweet_id": 18446744073709551615, "event": "sandy", "label": 1, "text": "a\u00fc\n\"b\"", "extra": {"a": [1]}}
{"created_at": "2012-10-28 00:00:03", "tweet_id": "b", "event": null, "label": "other", "text": "c"}
{"created_at": "2012-10-28 00:00:03", "tweet_id": "c", "event": "sandy", "label": 1.0, "text": 12, "retweets": 3, "verified": false}

not json
{"tweet_id": "d", "text": ["a"], "label": 1, "event": "e", "created_at": 1351382403}
{"tweet_id": "e", "tweet_id": "f"}
{"tweet_id": "e"} {"tweet_id": "f"}
[1]"#;
    let mut dataset = Dataset::new();
    let (taken, upload) = dataset.take("rows.jsonl", lines.as_bytes());
    assert_eq!(upload.format, Some(Format::JsonLines));
    let rows = stored_rows(&taken);
    assert_eq!(rows[0].row.text, "aü\n\"b\"");
    assert_eq!(rows[0].row.id.as_deref(), Some("18446744073709551615"));
    assert_eq!((rows[1].row.text.as_str(), rows[1].row.label), ("12", 1));
    let refused: Vec<_> = refused_rows(&upload)
        .into_iter()
        .map(|row| (row.line, row.reason))
        .collect();
    use RowFault::{Malformed, MissingColumn, WrongType};
    assert_eq!(
        refused,
        [
            (3, MissingColumn),
            (6, Malformed),
            (7, WrongType),
            (8, Malformed),
            (9, Malformed),
            (10, Malformed)
        ]
    );
}

#[test]
fn json_lines_with_a_line_that_is_too_long_or_not_utf8() {
    let mut dataset = Dataset::new();
    dataset.checks.max_row_bytes = 1_000;
    let good =
        r#"{"created_at": 1351382403, "tweet_id": 1, "event": "e", "label": 1, "text": "a"}"#;
    let long = format!("{{\"text\": \"{}\"}}", "x".repeat(100_000));
    let upload = [
        b"{\"text\": \"\xff\"}\n",
        long.as_bytes(),
        b"\r\n",
        good.as_bytes(),
    ]
    .concat();
    let (taken, upload) = dataset.take("rows", &upload);
    assert_eq!(taken.accepted, 1);
    let refused: Vec<_> = refused_rows(&upload)
        .into_iter()
        .map(|row| (row.line, row.reason))
        .collect();
    assert_eq!(
        refused,
        [(1, RowFault::InvalidUtf8), (2, RowFault::RowTooLong)]
    );
}

#[test]
fn parquet_rows_are_numbered_and_shown_as_json() {
    for bytes in [
        parquet_of(parquet_rows()),
        gzip(&parquet_of(parquet_rows())),
    ] {
        let mut dataset = Dataset::new();
        let (taken, upload) = dataset.take("rows.parquet", &bytes);
        assert_eq!(upload.format, Some(Format::Parquet));
        let rows = stored_rows(&taken);
        let ids: Vec<_> = rows
            .iter()
            .map(|row| row.row.id.as_deref().unwrap())
            .collect();
        assert_eq!(ids, ["18446744073709551615", "2"]);
        assert_eq!(
            rows[0].row.time.unwrap().to_string(),
            "2012-10-28T00:00:03Z"
        );
        let refused = refused_rows(&upload);
        let reasons: Vec<_> = refused.iter().map(|row| (row.line, row.reason)).collect();
        assert_eq!(
            reasons,
            [(3, RowFault::MissingColumn), (4, RowFault::UnknownLabel)]
        );
        assert!(
            refused[1].row.contains(r#""text":"four""#),
            "{}",
            refused[1].row
        );
    }
}

#[test]
fn parquet_types_that_fit_are_taken_and_others_are_a_rows_fault() {
    let mut columns = parquet_rows();
    columns[1].1 = Arc::new(Float64Array::from(vec![1.0, 0.0, 1.0, 1.5]));
    columns[4].1 = Arc::new(Date32Array::from(vec![15_641; 4]));
    let mut dataset = Dataset::new();
    let (taken, _) = dataset.take("rows.parquet", &parquet_of(columns));
    assert_eq!(
        stored_rows(&taken)[0].row.time.unwrap().to_string(),
        "2012-10-28T00:00:00Z"
    );

    let mut columns = parquet_rows();
    let list = ListArray::from_iter_primitive::<arrow_array::types::Int32Type, _, _>(vec![
        Some(
            vec![Some(1)]
        );
        4
    ]);
    columns[0].1 = Arc::new(list);
    let mut dataset = Dataset::new();
    let (taken, upload) = dataset.take("rows.parquet", &parquet_of(columns));
    assert_eq!(taken.accepted, 0);
    assert_eq!(refused_rows(&upload)[0].reason, RowFault::WrongType);
}

#[test]
fn a_parquet_file_that_repeats_long_texts_is_held_to_the_limit_of_its_texts() {
    let rows = 3_000;
    let repeated = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text; rows])) };
    let columns = vec![
        ("text", repeated(&"x".repeat(20_000))),
        ("label", repeated("1")),
        ("tweet_id", repeated("1")),
        ("event", repeated("sandy")),
        ("created_at", repeated("2012-10-28T00:00:00Z")),
    ];
    let upload = parquet_of(columns);
    // The dictionary keeps each text once: so the file says of itself.
    assert!(upload.len() < 50_000, "{}", upload.len());
    let mut dataset = Dataset::with(Checks {
        max_decompressed_bytes: 1_000_000,
        ..Checks::default()
    });
    let refusal = dataset.refusal("rows.parquet", &upload);
    assert_eq!(refusal.reason, UploadFault::GzipBomb);
    assert!(refusal.detail.contains("1000000 bytes"), "{refusal}");
}

#[test]
fn parquet_without_the_label_column_or_without_rows_or_damaged_is_refused() {
    let without_label = parquet_of(
        parquet_rows()
            .into_iter()
            .filter(|(name, _)| *name != "label")
            .collect(),
    );
    assert_eq!(
        Dataset::new().refusal("a.parquet", &without_label).reason,
        UploadFault::MissingColumn
    );
    let no_rows = parquet_of(
        parquet_rows()
            .into_iter()
            .map(|(name, array)| (name, array.slice(0, 0)))
            .collect(),
    );
    assert_eq!(
        Dataset::new().refusal("a.parquet", &no_rows).reason,
        UploadFault::NoRows
    );
    let good = parquet_of(parquet_rows());
    for end in [4, 100, good.len() - 1] {
        assert_eq!(
            Dataset::new().refusal("a.parquet", &good[..end]).reason,
            UploadFault::CorruptParquet
        );
    }
    assert_eq!(
        Dataset::new().refusal("a.parquet", b"PAREaaaaPARE").reason,
        UploadFault::Encrypted
    );
    let encrypted_footer = [&good[..good.len() - 4], b"PARE"].concat();
    assert_eq!(
        Dataset::new()
            .refusal("a.parquet", &encrypted_footer)
            .reason,
        UploadFault::Encrypted
    );
}

#[test]
fn parquet_that_unpacks_to_too_much_is_refused() {
    let mut dataset = Dataset::new();
    dataset.checks.max_decompressed_bytes = 100;
    assert_eq!(
        dataset
            .refusal("a.parquet", &parquet_of(parquet_rows()))
            .reason,
        UploadFault::GzipBomb
    );
}
