//! Uploads of CSV: every row is taken or refused with a reason, and always the same ones.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_fuzz::upload;

fuzz_target!(|bytes: &[u8]| upload::check("rows.csv", bytes));
