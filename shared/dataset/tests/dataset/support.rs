//! One dataset and the few lines that ingest an upload into it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use sluice_dataset::{
    Checks, Ingest, IngestedUpload, KnownRows, Outcome, PartReader, Refusal, RefusedRow, StoredRow,
    TakenRows,
};
use sluice_registry::{Column, ColumnType, Label, Role, Schema, SplitRule};
use tempfile::TempDir;

pub(crate) const HEADER: &str = "created_at,tweet_id,event,label,text\n";

/// The columns of tweets: time, id, slice, label, text, and a number that need not be there.
pub(crate) fn schema() -> Schema {
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
}

/// A dataset with its limits and the rows it knows.
pub(crate) struct Dataset {
    pub(crate) schema: Schema,
    pub(crate) checks: Checks,
    pub(crate) known: KnownRows,
    pub(crate) directory: TempDir,
    pub(crate) observed: Vec<String>,
}

impl Dataset {
    pub(crate) fn new() -> Self {
        Self::with(Checks::default())
    }

    pub(crate) fn with(checks: Checks) -> Self {
        Self {
            schema: schema(),
            checks,
            known: KnownRows::new(),
            directory: tempfile::tempdir().unwrap(),
            observed: Vec::new(),
        }
    }

    pub(crate) fn ingest(&mut self, name: &str, bytes: &[u8]) -> IngestedUpload {
        let split = SplitRule {
            seed: 1,
            calibration: 0.2,
            test: 0.3,
        };
        let ingest = Ingest {
            schema: &self.schema,
            checks: &self.checks,
            split: &split,
            now: "2024-05-01T00:00:00Z".parse::<Timestamp>().unwrap(),
            directory: self.directory.path(),
        };
        let observed = &mut self.observed;
        ingest
            .run(name, bytes, &mut self.known, &mut |row| {
                observed.push(row.text.to_owned())
            })
            .unwrap()
    }

    /// Ingests an upload that is not refused as a whole.
    pub(crate) fn take(&mut self, name: &str, bytes: &[u8]) -> (TakenRows, IngestedUpload) {
        let upload = self.ingest(name, bytes);
        match upload.outcome.clone() {
            Outcome::Taken(taken) => (taken, upload),
            Outcome::Refused(refusal) => panic!("{refusal}"),
        }
    }

    /// Ingests an upload that is refused as a whole, and checks that it leaves nothing behind.
    pub(crate) fn refusal(&mut self, name: &str, bytes: &[u8]) -> Refusal {
        let known = self.known.len();
        let upload = self.ingest(name, bytes);
        assert_eq!(upload.size_bytes, bytes.len() as u64);
        assert_eq!(upload.digest, sluice_registry::Digest::of(bytes));
        assert_eq!(self.known.len(), known, "known rows of a refused upload");
        let parts: Vec<_> = fs::read_dir(self.directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "refused.jsonl")
            .collect();
        assert_eq!(parts, [""; 0], "files of a refused upload");
        match upload.outcome {
            Outcome::Refused(refusal) => refusal,
            Outcome::Taken(taken) => panic!("{taken:?}"),
        }
    }

    /// The only refused row of a CSV upload with this body.
    pub(crate) fn refused_row(&mut self, rows: &str) -> RefusedRow {
        let (_, upload) = self.take("rows.csv", format!("{HEADER}{rows}").as_bytes());
        let mut refused = refused_rows(&upload);
        assert_eq!(refused.len(), 1, "{refused:?}");
        refused.remove(0)
    }
}

pub(crate) fn refused_rows(upload: &IngestedUpload) -> Vec<RefusedRow> {
    let Some(path) = &upload.quarantine else {
        return Vec::new();
    };
    let lines = fs::read_to_string(path).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

pub(crate) fn stored_rows(taken: &TakenRows) -> Vec<StoredRow> {
    let open = |part: &sluice_dataset::LocalPart| {
        PartReader::open(File::open(&part.path).unwrap(), &schema()).unwrap()
    };
    taken
        .parts
        .iter()
        .flat_map(open)
        .collect::<Result<_, _>>()
        .unwrap()
}

/// A row of a CSV upload with the id `id`.
pub(crate) fn row(id: u64, label: &str, text: &str) -> String {
    format!("2012-10-28T00:00:0{}Z,{id},sandy,{label},{text}\n", id % 10)
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn counts(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
    pairs
        .iter()
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect()
}
