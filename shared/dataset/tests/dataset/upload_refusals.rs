//! Each reason to refuse a whole upload by its name; nothing of such an upload is taken.

use sluice_dataset::{Checks, UploadFault};

use crate::support::{Dataset, HEADER, gzip, row};

fn fault(name: &str, bytes: &[u8]) -> UploadFault {
    Dataset::new().refusal(name, bytes).reason
}

fn good_rows(count: u64) -> String {
    let rows: String = (0..count)
        .map(|id| {
            row(
                id,
                "1",
                &format!("message number {id} {}", id * 7919 % 1000),
            )
        })
        .collect();
    format!("{HEADER}{rows}")
}

#[test]
fn empty() {
    for bytes in [&b""[..], b" \r\n\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"] {
        assert_eq!(fault("rows.csv", bytes), UploadFault::Empty, "{bytes:?}");
    }
    assert_eq!(fault("rows.csv.gz", &gzip(b"")), UploadFault::Empty);
}

#[test]
fn no_rows() {
    assert_eq!(fault("rows.csv", HEADER.as_bytes()), UploadFault::NoRows);
    assert_eq!(
        fault("rows.csv", HEADER.trim_end().as_bytes()),
        UploadFault::NoRows
    );
}

#[test]
fn binary() {
    let noise: Vec<u8> = (0..200_000u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    assert_eq!(fault("rows.csv", &noise), UploadFault::Binary);
    let latin: Vec<u8> = noise.iter().map(|byte| byte | 0x80).collect();
    assert_eq!(fault("rows.csv", &latin), UploadFault::Binary);
    assert_eq!(
        fault("rows.csv", b"\x7fELF\x02\x01\x01\0\0\0"),
        UploadFault::Binary
    );
    let refusal = Dataset::new().refusal("rows.csv", b"PK\x03\x04\x14\0");
    assert!(refusal.detail.contains("Excel"), "{refusal}");
}

#[test]
fn wrong_encoding() {
    let utf16: Vec<u8> = "\u{feff}created_at,label"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(fault("rows.csv", &utf16), UploadFault::WrongEncoding);
}

#[test]
fn truncated_gzip_wherever_it_ends() {
    let packed = gzip(good_rows(50).as_bytes());
    for end in 2..packed.len() {
        assert_eq!(
            fault("rows.csv.gz", &packed[..end]),
            UploadFault::TruncatedGzip,
            "{end} of {}",
            packed.len()
        );
    }
}

#[test]
fn truncated_gzip_after_many_good_rows_takes_none_of_them() {
    let packed = gzip(good_rows(20_000).as_bytes());
    let mut dataset = Dataset::new();
    assert_eq!(
        dataset
            .refusal("rows.csv.gz", &packed[..packed.len() - 9])
            .reason,
        UploadFault::TruncatedGzip
    );
    assert_eq!(
        dataset.observed.len(),
        20_000,
        "they were seen before the end was missed"
    );
    assert_eq!(dataset.take("rows.csv.gz", &packed).0.accepted, 20_000);
}

#[test]
fn corrupt_gzip() {
    let packed = gzip(good_rows(50).as_bytes());
    let mut wrong_checksum = packed.clone();
    let at = packed.len() - 6;
    wrong_checksum[at] ^= 1;
    assert_eq!(
        fault("rows.csv.gz", &wrong_checksum),
        UploadFault::CorruptGzip
    );
    assert_eq!(
        fault(
            "rows.csv.gz",
            &[packed, b"some more bytes".to_vec()].concat()
        ),
        UploadFault::CorruptGzip
    );
}

#[test]
fn nested_gzip() {
    assert_eq!(
        fault("rows.csv.gz", &gzip(&gzip(good_rows(5).as_bytes()))),
        UploadFault::NestedGzip
    );
}

#[test]
fn gzip_bomb_by_ratio() {
    let bomb = gzip(format!("{HEADER}{}", " ".repeat(20_000_000)).as_bytes());
    assert!(bomb.len() < 30_000);
    assert_eq!(fault("rows.csv.gz", &bomb), UploadFault::GzipBomb);
}

#[test]
fn gzip_bomb_by_size() {
    let checks = Checks {
        max_decompressed_bytes: 100_000,
        ..Checks::default()
    };
    let mut dataset = Dataset::with(checks);
    assert_eq!(
        dataset
            .refusal("rows.csv.gz", &gzip(good_rows(2_000).as_bytes()))
            .reason,
        UploadFault::GzipBomb
    );
    assert_eq!(
        dataset
            .take("rows.csv.gz", &gzip(good_rows(1_000).as_bytes()))
            .0
            .accepted,
        1_000
    );
}

#[test]
fn missing_label_column() {
    let refusal = Dataset::new().refusal(
        "rows.csv",
        b"created_at,tweet_id,event,text\n2012-10-28,1,a,b\n",
    );
    assert_eq!(refusal.reason, UploadFault::MissingColumn);
    assert_eq!(
        refusal.detail,
        r#"there is no column "label"; the file has "created_at", "tweet_id", "event", "text""#
    );
}

#[test]
fn repeated_column() {
    let upload = format!("{},text\n2012-10-28,1,a,1,b,c\n", HEADER.trim_end());
    assert_eq!(
        fault("rows.csv", upload.as_bytes()),
        UploadFault::RepeatedColumn
    );
}

#[test]
fn not_json_lines() {
    assert_eq!(
        fault("rows.json", b"[\n{\"text\": \"a\", \"label\": 1}\n]"),
        UploadFault::NotJsonLines
    );
}

#[test]
fn too_many_refused() {
    let wrong: String = (0..200)
        .map(|id| row(1_000 + id, "7", &format!("unknown {id}")))
        .collect();
    let mut dataset = Dataset::new();
    let refusal = dataset.refusal("rows.csv", format!("{}{wrong}", good_rows(199)).as_bytes());
    assert_eq!(refusal.reason, UploadFault::TooManyRefused);
    assert!(
        refusal
            .detail
            .starts_with("200 of 399 rows are wrong, most often unknown_label"),
        "{refusal}"
    );
    let (taken, upload) = dataset.take("rows.csv", format!("{}{wrong}", good_rows(200)).as_bytes());
    assert_eq!((taken.accepted, upload.refused), (200, 200));
}

#[test]
fn few_rows_are_never_too_many() {
    let wrong: String = (0..50).map(|id| row(1_000 + id, "7", "unknown")).collect();
    let mut dataset = Dataset::new();
    let (taken, _) = dataset.take("rows.csv", format!("{}{wrong}", good_rows(1)).as_bytes());
    assert_eq!(taken.accepted, 1);
}

#[test]
fn a_failing_read_is_an_error_and_leaves_no_trace() {
    /// Fails once at its end; read again, it only ends.
    struct Failing<'a>(&'a [u8], bool);
    impl std::io::Read for Failing<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            match self.0.read(buffer)? {
                0 if !std::mem::replace(&mut self.1, true) => {
                    Err(std::io::Error::other("the network is gone"))
                }
                read => Ok(read),
            }
        }
    }
    let mut dataset = Dataset::new();
    // Packed it is longer than the beginning that is looked at for the format.
    let rows = good_rows(30_000);
    assert!(gzip(rows.as_bytes()).len() > 100_000);
    for bytes in [rows.as_bytes().to_vec(), gzip(rows.as_bytes())] {
        let split = sluice_registry::SplitRule {
            seed: 1,
            calibration: 0.1,
            test: 0.1,
        };
        let ingest = sluice_dataset::Ingest {
            schema: &dataset.schema,
            checks: &dataset.checks,
            split: &split,
            now: "2024-05-01T00:00:00Z".parse().unwrap(),
            directory: dataset.directory.path(),
        };
        let result = ingest.run(
            "rows",
            Failing(&bytes[..bytes.len() - 1], false),
            &mut dataset.known,
            &mut |_| {},
        );
        assert!(
            matches!(result, Err(sluice_dataset::DatasetError::Input(_))),
            "{result:?}"
        );
        assert!(dataset.known.is_empty());
    }
}
