//! One upload, from its bytes to parts, counts and refused rows.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use jiff::Timestamp;
use sluice_registry::{Digest, Schema, Split, SplitCounts, SplitRule};

use crate::Result;
use crate::body::{Body, Stop};
use crate::check::{CheckedRow, RowChecker};
use crate::checks::{Checks, RepeatedContent};
use crate::digesting::Digesting;
use crate::error::DatasetError;
use crate::format::Format;
use crate::known::KnownRows;
use crate::outcome::{IngestedUpload, Outcome, RowView, TakenRows};
use crate::part_writer::{FinishedPart, PartLimits, PartWriter};
use crate::quarantine::{Quarantine, RefusedRow};
use crate::refusal::{Refusal, RowFault, UploadFault};
use crate::source::{self, Fault, RawRow, Step};
use crate::split::split_of;

/// What every upload of a dataset has in common.
#[derive(Clone, Copy, Debug)]
pub struct Ingest<'a> {
    /// The columns and labels.
    pub schema: &'a Schema,
    /// The limits.
    pub checks: &'a Checks,
    /// How rows are split; only for counting, parts do not depend on it.
    pub split: &'a SplitRule,
    /// The current time, for the latest plausible time of a row.
    pub now: Timestamp,
    /// An empty directory for the parts and the file of refused rows. The caller removes it.
    pub directory: &'a Path,
}

impl Ingest<'_> {
    /// Reads an upload once, at constant memory beside `known`: digest, format, checks, parts.
    ///
    /// `name` is the upload's, for the refused rows and for a format that its content leaves open. Accepted rows join
    /// `known` and are shown to `observe`, in order, as they come; when the upload is refused at its end, `known`
    /// forgets them again, and so must the caller.
    ///
    /// Blocks: async callers use `spawn_blocking`, with [`crate::StreamReader`] as `input`.
    ///
    /// # Errors
    /// [`DatasetError::Input`] and [`DatasetError::Output`] when reading or writing fails, [`DatasetError::Schema`];
    /// never because of what is in the upload. After an error nothing is left in `known`.
    pub fn run(
        &self,
        name: &str,
        input: impl Read,
        known: &mut KnownRows,
        observe: &mut dyn FnMut(&RowView<'_>),
    ) -> Result<IngestedUpload> {
        self.run_within(PartLimits::default(), name, input, known, observe)
    }

    pub(crate) fn run_within(
        &self,
        limits: PartLimits,
        name: &str,
        input: impl Read,
        known: &mut KnownRows,
        observe: &mut dyn FnMut(&RowView<'_>),
    ) -> Result<IngestedUpload> {
        known.roll_back();
        let mut input = Digesting::new(input);
        let mut pass = Pass::new(self, limits, name)?;
        let read = pass.read(&mut input, known, observe);
        let refusal = match read.and_then(|()| pass.judge()) {
            Ok(()) => None,
            Err(Stop::Refused(refusal)) => Some(refusal),
            Err(Stop::Failed(error)) => {
                known.roll_back();
                return Err(error);
            }
        };
        let finished = input.drain().map_err(DatasetError::Input).and_then(|()| {
            let (_, digest, size_bytes) = input.finish();
            pass.finish(digest, size_bytes, refusal)
        });
        match &finished {
            Ok(IngestedUpload {
                outcome: Outcome::Taken(_),
                ..
            }) => known.commit(),
            _ => known.roll_back(),
        }
        finished
    }
}

/// The state of reading one upload.
struct Pass<'a> {
    ingest: &'a Ingest<'a>,
    name: &'a str,
    checker: RowChecker,
    parts: PartWriter<'a>,
    quarantine: Quarantine<'a>,
    format: Option<Format>,
    rows: u64,
    refused: BTreeMap<RowFault, u64>,
    classes: Vec<u64>,
    splits: SplitCounts,
    micros: Option<(i64, i64)>,
}

impl<'a> Pass<'a> {
    fn new(ingest: &'a Ingest<'a>, limits: PartLimits, name: &'a str) -> Result<Self> {
        Ok(Self {
            ingest,
            name,
            checker: RowChecker::new(ingest.schema, ingest.checks, ingest.now)?,
            parts: PartWriter::new(ingest.schema, ingest.directory, limits),
            quarantine: Quarantine::new(ingest.directory),
            format: None,
            rows: 0,
            refused: BTreeMap::new(),
            classes: vec![0; ingest.schema.labels.len()],
            splits: SplitCounts::default(),
            micros: None,
        })
    }

    fn read(
        &mut self,
        input: impl Read,
        known: &mut KnownRows,
        observe: &mut dyn FnMut(&RowView<'_>),
    ) -> Result<(), Stop> {
        let Ingest {
            schema,
            checks,
            directory,
            ..
        } = *self.ingest;
        let body = Body::open(input, self.name, checks)?;
        self.format = Some(body.format);
        let mut source = source::open(body, schema, checks, directory)?;
        let mut row = RawRow::default();
        loop {
            let step = source.next(&mut row)?;
            let fault = match step {
                Step::End => return Ok(()),
                Step::Fault(fault) => Some(fault),
                Step::Row => self.take(&mut row, known, observe)?,
            };
            self.rows += 1;
            if let Some(fault) = fault {
                *self.refused.entry(fault.reason).or_default() += 1;
                self.quarantine
                    .write(&RefusedRow::new(self.name, &row, fault, schema))?;
            }
        }
    }

    /// Takes a row, or says why not.
    fn take(
        &mut self,
        row: &mut RawRow,
        known: &mut KnownRows,
        observe: &mut dyn FnMut(&RowView<'_>),
    ) -> Result<Option<Fault>> {
        let row = match self.checker.check(row) {
            Ok(row) => row,
            Err(fault) => return Ok(Some(fault)),
        };
        if let Some(fault) = repeat(&row, known, self.ingest) {
            return Ok(Some(fault));
        }
        self.parts.write(&row)?;
        known.add_pending(row.id_hash, row.content_hash, row.label);

        let split = split_of(row.content_hash, self.ingest.split);
        match split {
            Split::Train => self.splits.train += 1,
            Split::Calibration => self.splits.calibration += 1,
            Split::Test => self.splits.test += 1,
        }
        self.classes[row.label as usize] += 1;
        let micros = row.micros();
        if let Some(micros) = micros {
            let (earliest, latest) = self.micros.unwrap_or((micros, micros));
            self.micros = Some((earliest.min(micros), latest.max(micros)));
        }
        let time = micros.and_then(|micros| Timestamp::from_microsecond(micros).ok());
        observe(&RowView {
            text: row.input(),
            label: row.label,
            time,
            slice: row.slice(),
            split,
        });
        Ok(None)
    }

    /// Looks at the upload as a whole.
    fn judge(&self) -> Result<(), Stop> {
        if self.rows == 0 {
            return Err(Stop::refused(UploadFault::NoRows, "the file has no rows"));
        }
        let wrong: u64 = self
            .refused
            .iter()
            .filter(|(reason, _)| !reason.is_repeat())
            .map(|(_, count)| count)
            .sum();
        let most = self.ingest.checks.max_refused_share;
        if self.rows < Checks::MIN_ROWS_FOR_SHARE || wrong as f64 <= most * self.rows as f64 {
            return Ok(());
        }
        let commonest = self
            .refused
            .iter()
            .filter(|(reason, _)| !reason.is_repeat())
            .max_by_key(|(_, count)| **count);
        let commonest = commonest.map_or("", |(reason, _)| reason.as_str());
        let detail = format!(
            "{wrong} of {} rows are wrong, most often {commonest}: is it the right file? (max_refused_share is {most})",
            self.rows
        );
        Err(Stop::refused(UploadFault::TooManyRefused, detail))
    }

    fn finish(
        self,
        digest: Digest,
        size_bytes: u64,
        refusal: Option<Refusal>,
    ) -> Result<IngestedUpload> {
        let outcome = match refusal {
            Some(refusal) => Outcome::Refused(refusal),
            None => {
                let parts: Vec<_> = self
                    .parts
                    .finish()?
                    .into_iter()
                    .map(|part: FinishedPart| part.of_upload(digest))
                    .collect();
                let time = |micros| Timestamp::from_microsecond(micros).ok();
                Outcome::Taken(TakenRows {
                    accepted: self.classes.iter().sum(),
                    parts,
                    class_counts: self
                        .ingest
                        .schema
                        .label_names()
                        .into_iter()
                        .zip(self.classes)
                        .collect(),
                    split_counts: self.splits,
                    time_range: self
                        .micros
                        .and_then(|(earliest, latest)| time(earliest).zip(time(latest))),
                })
            }
        };
        Ok(IngestedUpload {
            digest,
            size_bytes,
            format: self.format,
            refused: self.refused.values().sum(),
            refused_by_reason: self
                .refused
                .iter()
                .map(|(reason, count)| (reason.as_str().to_owned(), *count))
                .collect(),
            quarantine: self.quarantine.finish()?,
            outcome,
        })
    }
}

/// Why a row that is right by itself cannot join the known ones.
fn repeat(row: &CheckedRow<'_>, known: &KnownRows, ingest: &Ingest<'_>) -> Option<Fault> {
    let fault = |reason, role, detail| {
        let column = ingest
            .schema
            .columns
            .iter()
            .position(|column| column.role == Some(role));
        Some(Fault {
            reason,
            column,
            detail,
        })
    };
    use sluice_registry::Role;
    if row.id_hash.is_some_and(|id| known.has_id(id)) {
        let detail = "a row with this id is there already".to_owned();
        return fault(RowFault::DuplicateId, Role::Id, detail);
    }
    let earlier = known.label_of(row.content_hash)?;
    if earlier != row.label {
        let name = |label: u32| {
            ingest
                .schema
                .labels
                .get(label as usize)
                .map_or("", |label| &label.name)
        };
        let detail = format!(
            "the same text is there already with the label {:?}, not {:?}",
            name(earlier),
            name(row.label)
        );
        return fault(RowFault::ContradictingLabel, Role::Label, detail);
    }
    if ingest.checks.repeated_content == RepeatedContent::Refuse {
        let detail = "the same text is there already, with the same label".to_owned();
        return fault(RowFault::DuplicateContent, Role::Input, detail);
    }
    None
}

#[cfg(test)]
mod tests {
    use std::fs;

    use sluice_registry::{Column, ColumnType, Label, Role};

    use super::*;

    fn schema() -> Schema {
        let column = |name: &str, role| Column {
            name: name.to_owned(),
            kind: ColumnType::Text,
            role: Some(role),
            required: true,
        };
        let label = |name: &str| Label {
            name: name.to_owned(),
            aliases: Vec::new(),
        };
        Schema {
            columns: vec![column("label", Role::Label), column("text", Role::Input)],
            labels: vec![label("a"), label("b")],
            positive_label: None,
        }
    }

    fn ingest(limits: PartLimits, rows: usize) -> (TakenRows, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let schema = schema();
        let checks = Checks::default();
        let split = SplitRule {
            seed: 1,
            calibration: 0.1,
            test: 0.1,
        };
        let ingest = Ingest {
            schema: &schema,
            checks: &checks,
            split: &split,
            now: Timestamp::UNIX_EPOCH,
            directory: directory.path(),
        };
        let lines: String = (0..rows)
            .map(|row| format!("{},text number {row}\n", ["a", "b"][row % 2]))
            .collect();
        let upload = format!("label,text\n{lines}");
        let mut known = KnownRows::new();
        let upload = ingest
            .run_within(limits, "rows", upload.as_bytes(), &mut known, &mut |_| {})
            .unwrap();
        match upload.outcome {
            Outcome::Taken(taken) => (taken, directory),
            Outcome::Refused(refusal) => panic!("{refusal}"),
        }
    }

    #[test]
    fn parts_end_at_their_limits_and_hold_every_row_once() {
        let rows_limited = PartLimits {
            part_rows: 1_000,
            batch_rows: 300,
            ..PartLimits::default()
        };
        let (taken, _directory) = ingest(rows_limited, 2_500);
        let rows: Vec<_> = taken.parts.iter().map(|part| part.part.rows).collect();
        assert_eq!(rows, [1_000, 1_000, 500]);

        let bytes_limited = PartLimits {
            part_bytes: 20_000,
            group_bytes: 5_000,
            batch_rows: 100,
            ..PartLimits::default()
        };
        let (taken, directory) = ingest(bytes_limited, 5_000);
        assert!(taken.parts.len() > 2, "{:?}", taken.parts);
        assert!(taken.parts.iter().all(|part| part.part.size_bytes < 30_000));
        let mut texts = std::collections::BTreeSet::new();
        for part in &taken.parts {
            let file = fs::File::open(&part.path).unwrap();
            for row in crate::PartReader::open(file, &schema()).unwrap() {
                assert!(texts.insert(row.unwrap().row.text));
            }
        }
        assert_eq!(texts.len(), 5_000);
        let files = fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(files, taken.parts.len());
    }

    #[test]
    fn two_passes_give_the_same_parts() {
        let limits = PartLimits {
            part_rows: 700,
            batch_rows: 128,
            ..PartLimits::default()
        };
        let digests = || -> Vec<_> {
            let (taken, _directory) = ingest(limits, 2_000);
            taken.parts.iter().map(|part| part.part.digest).collect()
        };
        assert_eq!(digests(), digests());
    }
}
