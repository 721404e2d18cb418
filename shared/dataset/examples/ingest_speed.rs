//! Measures the ingest of a large CSV file: speed on one core and peak memory.
//!
//! `cargo run --release -p sluice-dataset --example ingest_speed -- [megabytes] [keep|refuse] [gzip]`
//!
//! The file is made in the temporary directory by repeating the rows of `../shared/data/crisislex_t6_masked.csv.gz` with
//! new ids; with `refuse` each text also gets a number of its own, so that no row is a repeat. One thread does everything.
#![expect(clippy::print_stdout, reason = "a program that prints its result")]

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use sluice_dataset::{
    Checks, Format, Ingest, KnownRows, Outcome, RepeatedContent, RowReader, UploadWriter,
};
use sluice_registry::{Column, ColumnType, Label, Role, Schema, SplitRule};

const TWEETS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../shared/data/crisislex_t6_masked.csv.gz"
);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    let megabytes: u64 = arguments
        .iter()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(1_000);
    if !Path::new(TWEETS).exists() {
        println!("skipped: ../shared is absent");
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let mut checks = Checks {
        repeated_content: RepeatedContent::Keep,
        ..Checks::default()
    };
    let path = directory.path().join("upload");
    let file = BufWriter::new(File::create(&path)?);
    let unique = has("refuse");
    let rows = if has("gzip") {
        let mut gzip = GzEncoder::new(file, Compression::fast());
        let rows = make_upload(&mut gzip, megabytes * 1_000_000, unique, &checks)?;
        gzip.finish()?.flush()?;
        rows
    } else {
        make_upload(file, megabytes * 1_000_000, unique, &checks)?
    };
    if unique {
        checks.repeated_content = RepeatedContent::Refuse;
    }
    let size = fs::metadata(&path)?.len();
    println!(
        "upload: {rows} rows, {:.0} MB; memory before {:.0} MB",
        size as f64 / 1e6,
        memory_mb("VmRSS:")?
    );

    let schema = schema();
    let split = SplitRule {
        seed: 1,
        calibration: 0.1,
        test: 0.1,
    };
    let ingest = Ingest {
        schema: &schema,
        checks: &checks,
        split: &split,
        now: Timestamp::now(),
        directory: directory.path(),
    };
    let mut known = KnownRows::new();
    let (started, cpu) = (Instant::now(), cpu_seconds()?);
    let upload = ingest.run("upload.csv", File::open(&path)?, &mut known, &mut |_| {})?;
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds()? - cpu);

    let Outcome::Taken(taken) = upload.outcome else {
        return Err(format!("{:?}", upload.outcome).into());
    };
    let stored: u64 = taken.parts.iter().map(|part| part.part.size_bytes).sum();
    println!(
        "ingest: {} accepted, {} refused {:?}",
        taken.accepted, upload.refused, upload.refused_by_reason
    );
    println!(
        "parts:  {}, {:.0} MB",
        taken.parts.len(),
        stored as f64 / 1e6
    );
    let speed = |seconds| size as f64 / 1e6 / seconds;
    println!(
        "speed:  {seconds:.2} s, {:.1} MB/s of the upload",
        speed(seconds)
    );
    println!(
        "        {cpu:.2} s on the processor, {:.1} MB/s",
        speed(cpu)
    );
    println!(
        "memory: peak {:.0} MB, of it known rows {:.0} MB",
        memory_mb("VmHWM:")?,
        known.memory_bytes() as f64 / 1e6
    );

    let started = Instant::now();
    let mut again = KnownRows::new();
    for part in &taken.parts {
        again.load_part(File::open(&part.path)?, &schema)?;
    }
    println!(
        "known rows loaded from the parts again in {:.2} s",
        started.elapsed().as_secs_f64()
    );
    let started = Instant::now();
    let mut characters = 0;
    for part in &taken.parts {
        for row in sluice_dataset::PartReader::open(File::open(&part.path)?, &schema)? {
            characters += row?.row.text.len();
        }
    }
    println!(
        "rows read back in {:.2} s ({:.0} MB of text)",
        started.elapsed().as_secs_f64(),
        characters as f64 / 1e6
    );
    Ok(())
}

/// Writes the tweets again and again, each time with new ids, until the file is large enough.
fn make_upload(
    output: impl Write,
    bytes: u64,
    unique: bool,
    checks: &Checks,
) -> Result<u64, Box<dyn Error>> {
    let schema = schema();
    let tweets = GzDecoder::new(File::open(TWEETS)?);
    let rows = RowReader::open(
        "tweets.csv",
        tweets,
        &schema,
        checks,
        Timestamp::now(),
        &std::env::temp_dir(),
    )?;
    let mut rows: Vec<_> = rows.filter_map(Result::ok).map(|row| row.row).collect();
    let texts: Vec<String> = rows.iter().map(|row| row.text.clone()).collect();
    let mut writer = UploadWriter::new(output, Format::Csv, &schema)?;
    let mut id = 262_342_930_549_850_112_u64;
    let mut written = 0;
    let mut size = 0;
    loop {
        for (row, text) in rows.iter_mut().zip(&texts) {
            id += 7;
            row.id = Some(id.to_string());
            if unique {
                row.text = format!("{text} {written}");
            }
            writer.write(row)?;
            written += 1;
            // The other columns and the separators, with a quote here and there, are about 81 bytes.
            size += 81 + row.text.len() as u64;
            if size >= bytes {
                writer.finish()?.flush()?;
                return Ok(written);
            }
        }
    }
}

fn schema() -> Schema {
    let column = |name: &str, kind, role| Column {
        name: name.to_owned(),
        kind,
        role: Some(role),
        required: true,
    };
    Schema {
        columns: vec![
            column("created_at", ColumnType::Timestamp, Role::Time),
            column("tweet_id", ColumnType::Text, Role::Id),
            column("event", ColumnType::Category, Role::Slice),
            column("label", ColumnType::Category, Role::Label),
            column("text", ColumnType::Text, Role::Input),
        ],
        labels: vec![
            Label {
                name: "other".to_owned(),
                aliases: vec!["0".to_owned()],
            },
            Label {
                name: "disaster".to_owned(),
                aliases: vec!["1".to_owned()],
            },
        ],
        positive_label: Some("disaster".to_owned()),
    }
}

/// A line of `/proc/self/status`, in megabytes.
fn memory_mb(key: &str) -> Result<f64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .ok_or("no such line")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<f64>()? * 1024.0 / 1e6)
}

/// The time that this thread ran, without what other processes took from it.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let nanoseconds = fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(nanoseconds
        .split(' ')
        .next()
        .unwrap_or_default()
        .parse::<f64>()?
        / 1e9)
}
