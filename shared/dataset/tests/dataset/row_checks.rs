//! Each check of a row by its name: the row is refused with line and reason, the others are taken.

use sluice_dataset::{Checks, RepeatedContent, RowFault};

use crate::support::{Dataset, HEADER, counts, refused_rows, row};

/// A good row, the bad one on line 3, another good row: the bad one's fault, column and detail.
fn fault(bad: &[u8]) -> (RowFault, Option<String>, String) {
    fault_with(Checks::default(), bad)
}

fn fault_with(checks: Checks, bad: &[u8]) -> (RowFault, Option<String>, String) {
    let upload = [
        HEADER.as_bytes(),
        row(1, "0", "good").as_bytes(),
        bad,
        b"\n",
        row(2, "1", "also good").as_bytes(),
    ]
    .concat();
    let mut dataset = Dataset::with(checks);
    let (taken, upload) = dataset.take("rows.csv", &upload);
    assert_eq!((taken.accepted, upload.refused), (2, 1));
    assert_eq!(dataset.observed, ["good", "also good"]);
    let refused = refused_rows(&upload).remove(0);
    assert_eq!((refused.line, refused.file.as_str()), (3, "rows.csv"));
    assert_eq!(
        upload.refused_by_reason,
        counts(&[(refused.reason.as_str(), 1)])
    );
    (refused.reason, refused.column, refused.detail)
}

fn assert_fault(bad: &str, reason: RowFault, column: &str) {
    let (found, found_column, detail) = fault(bad.as_bytes());
    assert_eq!(
        (found, found_column.as_deref()),
        (reason, Some(column)),
        "{bad}: {detail}"
    );
}

#[test]
fn missing_column() {
    assert_fault("2012-10-28,9,sandy,,text", RowFault::MissingColumn, "label");
    assert_fault(
        "2012-10-28, ,sandy,1,text",
        RowFault::MissingColumn,
        "tweet_id",
    );
    assert_fault("2012-10-28,9,sandy,1", RowFault::MissingColumn, "text");
    assert_fault(",9,sandy,1,text", RowFault::MissingColumn, "created_at");
}

#[test]
fn wrong_type() {
    assert_fault(
        "yesterday,9,sandy,1,text",
        RowFault::WrongType,
        "created_at",
    );
    let (_, _, detail) = fault(b"yesterday,9,sandy,1,text");
    assert_eq!(
        detail,
        r#""yesterday" is not a time (RFC 3339, or seconds or milliseconds since 1970)"#
    );
}

#[test]
fn wrong_type_of_a_number_and_a_boolean() {
    let header = "created_at,tweet_id,event,label,text,retweets,score,verified\n";
    for (values, column) in [
        ("1.5,1,true", "retweets"),
        ("1,NaN,true", "score"),
        ("1,1,maybe", "verified"),
    ] {
        let upload = format!("{header}2012-10-28,1,sandy,1,text,{values}\n");
        let mut dataset = Dataset::new();
        let (_, upload) = dataset.take("rows.csv", upload.as_bytes());
        let refused = refused_rows(&upload).remove(0);
        assert_eq!(
            (refused.reason, refused.column.as_deref()),
            (RowFault::WrongType, Some(column))
        );
    }
    let upload = format!(
        "{header}2012-10-28,1,sandy,1,text,12.0, 1e3 ,TRUE\n2012-10-28,2,sandy,1,no values,,,\n"
    );
    assert_eq!(
        Dataset::new()
            .take("rows.csv", upload.as_bytes())
            .0
            .accepted,
        2
    );
}

#[test]
fn empty_text() {
    assert_fault("2012-10-28,9,sandy,1,", RowFault::EmptyText, "text");
    assert_fault(
        "2012-10-28,9,sandy,1, \u{a0}\t",
        RowFault::EmptyText,
        "text",
    );
}

#[test]
fn text_too_long() {
    let checks = Checks {
        max_text_chars: 10,
        ..Checks::default()
    };
    let (reason, column, _) = fault_with(checks.clone(), b"2012-10-28,9,sandy,1,elevenchars");
    assert_eq!(
        (reason, column.as_deref()),
        (RowFault::TextTooLong, Some("text"))
    );
    let mut dataset = Dataset::with(checks);
    let upload = format!("{HEADER}{}", row(1, "1", "zehnßßßßßß"));
    assert_eq!(
        dataset.take("rows.csv", upload.as_bytes()).0.accepted,
        1,
        "characters, not bytes"
    );
}

#[test]
fn unknown_label() {
    assert_fault("2012-10-28,9,sandy,2,text", RowFault::UnknownLabel, "label");
    let (_, _, detail) = fault(b"2012-10-28,9,sandy,Disaster,text");
    assert_eq!(
        detail,
        r#""Disaster" is no label; the labels are "other", "disaster""#
    );
}

#[test]
fn impossible_time() {
    assert_fault(
        "1989-12-31T23:59:59Z,9,sandy,1,text",
        RowFault::ImpossibleTime,
        "created_at",
    );
    assert_fault(
        "2024-05-02T00:00:01Z,9,sandy,1,text",
        RowFault::ImpossibleTime,
        "created_at",
    );
    assert_fault(
        "9007199254740993000,9,sandy,1,text",
        RowFault::ImpossibleTime,
        "created_at",
    );
    let at_the_ends =
        format!("{HEADER}1990-01-01T00:00:00Z,1,a,1,first\n2024-05-02T00:00:00Z,2,a,1,last\n");
    let mut dataset = Dataset::new();
    let (taken, _) = dataset.take("rows.csv", at_the_ends.as_bytes());
    let (earliest, latest) = taken.time_range.unwrap();
    assert_eq!(
        (earliest.to_string(), latest.to_string()),
        (
            "1990-01-01T00:00:00Z".to_owned(),
            "2024-05-02T00:00:00Z".to_owned()
        )
    );
}

#[test]
fn duplicate_id() {
    assert_fault(
        "2012-10-28,1,sandy,1,another text",
        RowFault::DuplicateId,
        "tweet_id",
    );
}

#[test]
fn duplicate_content() {
    assert_fault(
        "2012-10-28,9,sandy,0,  GOOD ",
        RowFault::DuplicateContent,
        "text",
    );
}

#[test]
fn contradicting_label() {
    assert_fault(
        "2012-10-28,9,sandy,1,Good",
        RowFault::ContradictingLabel,
        "label",
    );
    let keep = Checks {
        repeated_content: RepeatedContent::Keep,
        ..Checks::default()
    };
    let (reason, _, detail) = fault_with(keep, b"2012-10-28,9,sandy,1,Good");
    assert_eq!(reason, RowFault::ContradictingLabel);
    assert_eq!(
        detail,
        r#"the same text is there already with the label "other", not "disaster""#
    );
}

#[test]
fn row_too_long() {
    let long = format!("2012-10-28,9,sandy,1,\"{}\"", "x".repeat(2_000));
    let (reason, column, _) = fault_with(
        Checks {
            max_row_bytes: 1_000,
            ..Checks::default()
        },
        long.as_bytes(),
    );
    assert_eq!((reason, column), (RowFault::RowTooLong, None));
}

#[test]
fn a_row_over_ten_megabytes() {
    let long = format!("2012-10-28,9,sandy,1,{}", "x".repeat(10_000_001));
    assert_eq!(fault(long.as_bytes()).0, RowFault::RowTooLong);
}

#[test]
fn invalid_utf8() {
    let (reason, column, _) = fault(b"2012-10-28,9,sandy,1,caf\xe9");
    assert_eq!(
        (reason, column.as_deref()),
        (RowFault::InvalidUtf8, Some("text"))
    );
    // A character cut by a comma is whole again when the fields are put together; it is no text all the same.
    assert_eq!(
        fault(b"2012-10-28,9,sandy\xc3,\xa9,text").0,
        RowFault::InvalidUtf8
    );
}

#[test]
fn malformed() {
    assert_eq!(
        fault(b"2012-10-28,9,sandy,1,one, two").0,
        RowFault::Malformed
    );
    assert_eq!(
        Dataset::new()
            .refused_row(&format!(
                "{}2012-10-28,9,sandy,1,\"open\n",
                row(1, "0", "good")
            ))
            .reason,
        RowFault::Malformed
    );
}

#[test]
fn a_nul_character_in_a_late_row_is_one_rows_fault() {
    let filler: String = (0..2_000)
        .map(|id| row(id, "0", &format!("text number {id}")))
        .collect();
    let upload = [
        HEADER.as_bytes(),
        filler.as_bytes(),
        b"2012-10-28,9999,sandy,1,a\0b\n",
    ]
    .concat();
    let mut dataset = Dataset::new();
    let (taken, upload) = dataset.take("rows.csv", &upload);
    assert_eq!(taken.accepted, 2_000);
    assert_eq!(refused_rows(&upload)[0].reason, RowFault::Malformed);
}

#[test]
fn a_repeat_is_kept_when_the_configuration_says_so() {
    let checks = Checks {
        repeated_content: RepeatedContent::Keep,
        ..Checks::default()
    };
    let upload = format!(
        "{HEADER}{}{}{}",
        row(1, "0", "same"),
        row(2, "0", "Same"),
        row(2, "0", "other")
    );
    let (taken, upload) = Dataset::with(checks).take("rows.csv", upload.as_bytes());
    assert_eq!(taken.accepted, 2);
    assert_eq!(upload.refused_by_reason, counts(&[("duplicate_id", 1)]));
}

#[test]
fn rows_of_earlier_uploads_are_known_also_after_loading_them_from_the_parts() {
    let mut dataset = Dataset::new();
    let first = format!("{HEADER}{}{}", row(1, "0", "first"), row(2, "1", "second"));
    let (taken, _) = dataset.take("first.csv", first.as_bytes());
    let second = format!(
        "{HEADER}{}{}{}{}",
        row(1, "0", "new text"),
        row(3, "1", "SECOND"),
        row(4, "1", "first"),
        row(5, "1", "new")
    );
    let expected = counts(&[
        ("duplicate_id", 1),
        ("duplicate_content", 1),
        ("contradicting_label", 1),
    ]);

    let mut reloaded = Dataset::new();
    for part in &taken.parts {
        reloaded
            .known
            .load_part(std::fs::File::open(&part.path).unwrap(), &reloaded.schema)
            .unwrap();
    }
    for dataset in [&mut dataset, &mut reloaded] {
        let (taken, upload) = dataset.take("second.csv", second.as_bytes());
        assert_eq!((taken.accepted, &upload.refused_by_reason), (1, &expected));
    }
}

#[test]
fn the_same_upload_again_gives_no_rows_and_no_parts() {
    let mut dataset = Dataset::new();
    let upload: String = (0..300)
        .map(|id| row(id, "1", &format!("text {id}")))
        .collect();
    let upload = format!("{HEADER}{upload}");
    assert_eq!(dataset.take("rows.csv", upload.as_bytes()).0.accepted, 300);
    let (taken, again) = dataset.take("rows.csv", upload.as_bytes());
    assert_eq!(
        (taken.accepted, taken.parts.len(), again.refused),
        (0, 0, 300),
        "repeats do not make a wrong file"
    );
}

#[test]
fn without_an_id_column_the_content_is_the_identity() {
    let mut dataset = Dataset::new();
    dataset
        .schema
        .columns
        .retain(|column| column.name == "text" || column.name == "label");
    let (taken, upload) = dataset.take("rows.csv", b"label,text\n0,one\n0,One\n1,two\n");
    assert_eq!(taken.accepted, 2);
    assert_eq!(
        upload.refused_by_reason,
        counts(&[("duplicate_content", 1)])
    );
}

#[test]
fn a_refused_row_is_shown_as_it_was_cut_at_2000_characters() {
    let bad = "2012-10-28T00:00:00Z,9,sandy,9,\"a \"\"quoted\"\"\ntext\"\r\n";
    assert_eq!(Dataset::new().refused_row(bad).row, bad.trim_end());
    let long = format!("2012-10-28,9,sandy,9,{}\n", "ü".repeat(5_000));
    let refused = Dataset::new().refused_row(&long);
    assert_eq!(refused.row, long.chars().take(2_000).collect::<String>());
    assert_eq!(refused.line, 2);
}
