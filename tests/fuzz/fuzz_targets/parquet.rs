//! Uploads of Parquet: every row is taken or refused with a reason, and a damaged file is refused as a whole.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_fuzz::{allow_caught_panics_of_libraries, allow_one_parquet_page, upload};

fuzz_target!(
    init: {
        allow_caught_panics_of_libraries();
        allow_one_parquet_page();
    },
    |bytes: &[u8]| upload::check("rows.parquet", bytes)
);
