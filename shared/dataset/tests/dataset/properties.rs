//! What holds for all uploads: the rows decide, not their format, their file or their order.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use parquet::arrow::ArrowWriter;
use proptest::prelude::*;
use sluice_dataset::{Checks, RepeatedContent, split_of};
use sluice_registry::{Split, SplitRule};

use crate::support::{Dataset, gzip, stored_rows};

#[derive(Clone, Debug)]
struct Tweet {
    micros: i64,
    id: u16,
    event: String,
    label: bool,
    text: String,
    retweets: Option<i64>,
    score: Option<f64>,
    verified: Option<bool>,
}

fn tweet() -> impl Strategy<Value = Tweet> {
    (
        631_152_000_000_000..1_700_000_000_000_000i64,
        any::<u16>(),
        "[a-z]{1,4}",
        any::<bool>(),
        "[a-zA-Z ,\"\n\u{e4}\u{1F600}]{0,12}",
        proptest::option::of(any::<i64>()),
        // serde_json reads most decimal fractions one bit off; eighths have no such doubt.
        proptest::option::of(any::<i32>().prop_map(|eighths| f64::from(eighths) / 8.0)),
        proptest::option::of(any::<bool>()),
    )
        .prop_map(
            |(micros, id, event, label, text, retweets, score, verified)| Tweet {
                micros,
                id,
                event,
                label,
                text,
                retweets,
                score,
                verified,
            },
        )
}

fn label(tweet: &Tweet) -> &'static str {
    if tweet.label { "1" } else { "other" }
}

fn time(tweet: &Tweet) -> String {
    jiff::Timestamp::from_microsecond(tweet.micros)
        .unwrap()
        .to_string()
}

fn as_csv(tweets: &[Tweet]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer
        .write_record([
            "tweet_id",
            "created_at",
            "event",
            "label",
            "text",
            "retweets",
            "score",
            "verified",
        ])
        .unwrap();
    for tweet in tweets {
        let optional = |value: Option<String>| value.unwrap_or_default();
        let record = [
            tweet.id.to_string(),
            time(tweet),
            tweet.event.clone(),
            label(tweet).to_owned(),
            tweet.text.clone(),
            optional(tweet.retweets.map(|value| value.to_string())),
            optional(tweet.score.map(|value| value.to_string())),
            optional(tweet.verified.map(|value| value.to_string())),
        ];
        writer.write_record(record).unwrap();
    }
    writer.into_inner().unwrap()
}

fn as_json_lines(tweets: &[Tweet]) -> Vec<u8> {
    let line = |tweet: &Tweet| {
        let object = serde_json::json!({
            "created_at": tweet.micros, "tweet_id": tweet.id, "event": tweet.event, "label": label(tweet), "text": tweet.text,
            "retweets": tweet.retweets, "score": tweet.score, "verified": tweet.verified,
        });
        format!("{object}\n")
    };
    tweets.iter().map(line).collect::<String>().into_bytes()
}

fn as_parquet(tweets: &[Tweet]) -> Vec<u8> {
    let texts = |text: fn(&Tweet) -> String| {
        Arc::new(
            tweets
                .iter()
                .map(|tweet| Some(text(tweet)))
                .collect::<StringArray>(),
        )
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "created_at",
            Arc::new(
                tweets
                    .iter()
                    .map(|tweet| Some(tweet.micros))
                    .collect::<TimestampMicrosecondArray>(),
            ),
        ),
        (
            "tweet_id",
            Arc::new(
                tweets
                    .iter()
                    .map(|tweet| i64::from(tweet.id))
                    .collect::<Int64Array>(),
            ),
        ),
        ("event", texts(|tweet| tweet.event.clone())),
        ("label", texts(|tweet| label(tweet).to_owned())),
        ("text", texts(|tweet| tweet.text.clone())),
        (
            "retweets",
            Arc::new(
                tweets
                    .iter()
                    .map(|tweet| tweet.retweets)
                    .collect::<Int64Array>(),
            ),
        ),
        (
            "score",
            Arc::new(
                tweets
                    .iter()
                    .map(|tweet| tweet.score)
                    .collect::<Float64Array>(),
            ),
        ),
        (
            "verified",
            Arc::new(
                tweets
                    .iter()
                    .map(|tweet| tweet.verified)
                    .collect::<BooleanArray>(),
            ),
        ),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// Each text's side of the split, from what is stored.
fn sides(dataset: &mut Dataset, uploads: &[Vec<u8>]) -> BTreeMap<String, Split> {
    let rule = SplitRule {
        seed: 1,
        calibration: 0.2,
        test: 0.3,
    };
    let mut sides = BTreeMap::new();
    for upload in uploads {
        let (taken, _) = dataset.take("rows", upload);
        for stored in stored_rows(&taken) {
            let side = split_of(stored.content_hash, &rule);
            let text = sluice_registry::normalise(&stored.row.text).into_owned();
            assert_eq!(
                *sides.entry(text).or_insert(side),
                side,
                "a repeat is on another side"
            );
        }
    }
    sides
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_same_rows_are_the_same_parts_in_every_format(tweets in prop::collection::vec(tweet(), 1..60)) {
        let csv = as_csv(&tweets);
        let uploads = [csv.clone(), gzip(&csv), as_json_lines(&tweets), as_parquet(&tweets)];
        let results = uploads.map(|upload| {
            let mut dataset = Dataset::new();
            let (taken, upload) = dataset.take("rows", &upload);
            let parts: Vec<_> = taken.parts.iter().map(|part| part.part.digest).collect();
            (parts, taken.class_counts, taken.split_counts, taken.time_range, upload.refused)
        });
        for result in &results[1..] {
            prop_assert_eq!(result, &results[0]);
        }
    }

    #[test]
    fn the_order_of_uploads_changes_no_side(tweets in prop::collection::vec(tweet(), 2..60), cut in 0.0..1.0f64) {
        let checks = Checks { repeated_content: RepeatedContent::Keep, ..Checks::default() };
        let cut = ((tweets.len() - 1) as f64 * cut) as usize + 1;
        let (first, second) = tweets.split_at(cut.min(tweets.len() - 1));
        let (first, second) = (as_csv(first), as_json_lines(second));
        let forwards = sides(&mut Dataset::with(checks.clone()), &[first.clone(), second.clone()]);
        let backwards = sides(&mut Dataset::with(checks), &[second, first]);
        for (text, side) in forwards {
            prop_assert_eq!(backwards.get(&text).copied().unwrap_or(side), side);
        }
    }

    #[test]
    fn every_row_is_taken_or_refused(tweets in prop::collection::vec(tweet(), 1..60)) {
        let mut dataset = Dataset::new();
        let (taken, upload) = dataset.take("rows", &as_csv(&tweets));
        prop_assert_eq!(taken.accepted + upload.refused, tweets.len() as u64);
        prop_assert_eq!(taken.accepted, stored_rows(&taken).len() as u64);
        prop_assert_eq!(taken.accepted, dataset.observed.len() as u64);
        prop_assert_eq!(taken.class_counts.values().sum::<u64>(), taken.accepted);
        prop_assert_eq!(upload.refused_by_reason.values().sum::<u64>(), upload.refused);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), start in 0..6usize) {
        let starts: [&[u8]; 6] = [b"", b"label,text\n", b"{\"text\": ", b"PAR1", b"\x1f\x8b\x08\0", b"created_at,tweet_id,event,label,text\n"];
        Dataset::new().ingest("rows.csv", &[starts[start], &bytes].concat());
    }

    #[test]
    fn no_damage_panics(at in any::<prop::sample::Index>(), value: u8, cut in any::<prop::sample::Index>(), kind in 0..4usize) {
        let tweets: Vec<_> = (0..30u16).map(|id| Tweet {
            micros: 1_351_382_403_396_000, id, event: "sandy".to_owned(), label: id % 2 == 0, text: format!("text {id}"),
            retweets: Some(3), score: None, verified: Some(true),
        }).collect();
        let mut bytes = match kind {
            0 => as_csv(&tweets),
            1 => as_json_lines(&tweets),
            2 => gzip(&as_csv(&tweets)),
            _ => as_parquet(&tweets),
        };
        let at = at.index(bytes.len());
        bytes[at] = value;
        Dataset::new().ingest("rows", &bytes);
        bytes.truncate(cut.index(bytes.len()));
        Dataset::new().ingest("rows", &bytes);
    }
}
