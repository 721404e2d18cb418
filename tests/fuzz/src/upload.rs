//! One upload, ingested as the product does it, and what must hold whatever its bytes are.

use std::fs::{self, File};
use std::io::{self, Read};
use std::sync::LazyLock;

use jiff::Timestamp;
use sluice_dataset::{
    Checks, Ingest, IngestedUpload, KnownRows, Outcome, PartReader, RefusedRow, RowReadError,
    RowReader, UploadFault,
};
use sluice_registry::{Column, ColumnType, Label, Role, Schema, SplitRule};
use tempfile::TempDir;

const NOW: Timestamp = Timestamp::constant(1_790_000_000, 0);

const SPLIT: SplitRule = SplitRule {
    seed: 1,
    calibration: 0.2,
    test: 0.3,
};

/// Every role and every type of a column.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let column = |name: &str, kind, role: Option<Role>| Column {
        name: name.to_owned(),
        kind,
        required: role.is_some(),
        role,
    };
    let label = |name: &str, alias: &str| Label {
        name: name.to_owned(),
        aliases: vec![alias.to_owned()],
    };
    Schema {
        columns: vec![
            column("created_at", ColumnType::Timestamp, Some(Role::Time)),
            column("tweet_id", ColumnType::Text, Some(Role::Id)),
            column("event", ColumnType::Category, Some(Role::Slice)),
            column("label", ColumnType::Category, Some(Role::Label)),
            column("text", ColumnType::Text, Some(Role::Input)),
            column("retweets", ColumnType::Integer, None),
            column("score", ColumnType::Float, None),
            column("verified", ColumnType::Boolean, None),
        ],
        labels: vec![label("other", "0"), label("disaster", "1")],
        positive_label: None,
    }
});

/// Limits so low that a few kilobytes reach them.
fn checks() -> Checks {
    Checks {
        max_row_bytes: 1_000,
        max_text_chars: 200,
        max_decompressed_bytes: 2 << 20,
        ..Checks::default()
    }
}

/// Reads the upload in every way that the product does, and compares what they say.
pub fn check(name: &str, bytes: &[u8]) {
    let mut known = KnownRows::new();
    let first = Pass::run(name, bytes, &mut known);
    first.check_counts();
    compare_with_row_reader(name, bytes, &first);

    // The bytes come in small pieces: a row that is cut anywhere is still the same row.
    let pieces = Pass::run(name, InPieces(bytes), &mut KnownRows::new());
    assert_eq!(first.summary(), pieces.summary());

    // The same upload again: every row is there already, and nothing else has changed.
    if let Outcome::Taken(taken) = &first.upload.outcome {
        assert_eq!(known.len() as u64, taken.accepted);
        let again = Pass::run(name, bytes, &mut known);
        let Outcome::Taken(nothing) = &again.upload.outcome else {
            panic!("taken once, refused the second time: {:?}", again.upload);
        };
        assert_eq!(nothing.accepted, 0);
        assert_eq!(again.upload.refused, taken.accepted + first.upload.refused);
    } else {
        assert_eq!(known.len(), 0, "a refused upload leaves rows behind");
    }
}

/// What a plain upload and the same in gzip have in common.
pub fn rows_of(name: &str, bytes: &[u8]) -> impl PartialEq + std::fmt::Debug + use<> {
    let pass = Pass::run(name, bytes, &mut KnownRows::new());
    let rows = pass.stored.clone();
    (rows, pass.upload.refused_by_reason, pass.refusal)
}

struct Pass {
    upload: IngestedUpload,
    refusal: Option<UploadFault>,
    observed: u64,
    stored: Vec<String>,
    quarantined: Vec<RefusedRow>,
}

impl Pass {
    fn run(name: &str, input: impl Read, known: &mut KnownRows) -> Self {
        let directory = directory();
        let checks = checks();
        let ingest = Ingest {
            schema: &SCHEMA,
            checks: &checks,
            split: &SPLIT,
            now: NOW,
            directory: directory.path(),
        };
        let mut observed = 0;
        let upload = ingest
            .run(name, input, known, &mut |_| observed += 1)
            .expect("an upload is never an error");
        let (stored, refusal) = match &upload.outcome {
            Outcome::Taken(taken) => (stored_rows(&taken.parts), None),
            Outcome::Refused(refusal) => (Vec::new(), Some(refusal.reason)),
        };
        let quarantined = upload.quarantine.as_ref().map(|path| {
            let text = fs::read_to_string(path).expect("the refused rows are UTF-8");
            let row = |line| serde_json::from_str(line).expect("a refused row is JSON");
            text.lines().map(row).collect()
        });
        Self {
            refusal,
            observed,
            stored,
            quarantined: quarantined.unwrap_or_default(),
            upload,
        }
    }

    fn check_counts(&self) {
        let upload = &self.upload;
        assert_eq!(upload.refused, self.quarantined.len() as u64);
        assert_eq!(
            upload.refused,
            upload.refused_by_reason.values().sum::<u64>()
        );
        if let Outcome::Taken(taken) = &upload.outcome {
            let splits = &taken.split_counts;
            assert_eq!(taken.accepted, self.observed);
            assert_eq!(taken.accepted, self.stored.len() as u64);
            assert_eq!(taken.accepted, taken.class_counts.values().sum::<u64>());
            assert_eq!(
                taken.accepted,
                splits.train + splits.calibration + splits.test
            );
        }
    }

    fn summary(&self) -> impl PartialEq + std::fmt::Debug + '_ {
        let upload = &self.upload;
        (
            (upload.digest, upload.size_bytes, upload.format),
            (&upload.refused_by_reason, self.refusal),
            (&self.stored, &self.quarantined),
        )
    }
}

/// The reader of files that are not taken must see the rows that the ingest saw.
fn compare_with_row_reader(name: &str, bytes: &[u8], ingested: &Pass) {
    let directory = directory();
    let (mut rows, mut fault) = (0, None);
    match RowReader::open(name, bytes, &SCHEMA, &checks(), NOW, directory.path()) {
        Err(error) => fault = Some(error),
        Ok(reader) => {
            for row in reader {
                match row {
                    Ok(_) | Err(RowReadError::Row(_)) => rows += 1,
                    Err(error) => fault = Some(error),
                }
            }
        }
    }
    match (&ingested.upload.outcome, fault) {
        (Outcome::Taken(taken), None) => assert_eq!(rows, taken.accepted + ingested.upload.refused),
        // Only the ingest judges the file as a whole.
        (Outcome::Refused(refusal), None) => assert!(
            matches!(
                refusal.reason,
                UploadFault::NoRows | UploadFault::TooManyRefused
            ),
            "{refusal}"
        ),
        (Outcome::Refused(refusal), Some(RowReadError::Upload(other))) => {
            assert_eq!(*refusal, other)
        }
        (outcome, fault) => panic!("the ingest says {outcome:?}, the reader {fault:?}"),
    }
}

fn stored_rows(parts: &[sluice_dataset::LocalPart]) -> Vec<String> {
    let read = |part: &sluice_dataset::LocalPart| {
        let file = File::open(&part.path).expect("a part is a file");
        let reader = PartReader::open(file, &SCHEMA).expect("a part can be read");
        reader.map(|row| format!("{:?}", row.expect("a row of a part can be read")))
    };
    parts.iter().flat_map(read).collect()
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory can be made")
}

/// Gives 1 to 7 bytes at a time.
struct InPieces<'a>(&'a [u8]);

impl Read for InPieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = (self.0.len() % 7 + 1).min(self.0.len()).min(buffer.len());
        let (now, later) = self.0.split_at(piece);
        buffer[..piece].copy_from_slice(now);
        self.0 = later;
        Ok(piece)
    }
}
