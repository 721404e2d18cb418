//! Uploads in gzip: as they are, and the same rows as the plain file when the bytes are packed first.

#![no_main]

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use sluice_fuzz::upload::{self, rows_of};

fuzz_target!(|bytes: &[u8]| {
    if bytes.starts_with(b"\x1f\x8b") {
        upload::check("rows.csv.gz", bytes);
        return;
    }
    // Two members, as `cat a.gz b.gz` makes them.
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let packed = [pack(first), pack(second)].concat();
    assert_eq!(rows_of("rows.csv", bytes), rows_of("rows.csv", &packed));
});

fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes bytes");
    encoder.finish().expect("memory takes bytes")
}
