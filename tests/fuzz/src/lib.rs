//! What the fuzz targets share: a bounded heap, the product behind its router, and the checks of an upload.

pub mod answer;
pub mod product;
pub mod upload;

use std::alloc::System;
use std::panic;

use cap::Cap;

/// No input of a few kilobytes may make the product hold more heap than this.
const LARGEST_HEAP_BYTES: usize = 256 << 20;

/// Counts what is asked for and not only what is touched: a reservation of gigabytes is found without touching them.
#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, LARGEST_HEAP_BYTES);

/// What Parquet may take: a page says how large it is unpacked, up to 2 GiB, and the library reserves that before it looks.
/// What is not touched costs nothing but address space.
const LARGEST_PARQUET_HEAP_BYTES: usize = (2 << 30) + LARGEST_HEAP_BYTES;

/// Raises the limit of the heap for a target that reads Parquet.
pub fn allow_one_parquet_page() {
    HEAP.set_limit(LARGEST_PARQUET_HEAP_BYTES)
        .expect("it is more than before");
}

/// Lets a panic of somebody else's library pass as far as the product catches it.
///
/// Otherwise every panic ends the process, also one that is caught. The Parquet library panics on damaged files; the
/// product catches that and refuses the upload. A panic in the product's own code, or one that nobody catches, still
/// ends the process.
pub fn allow_caught_panics_of_libraries() {
    let abort = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let of_a_library = panic.location().is_some_and(|location| {
            let file = location.file();
            file.contains("/registry/src/") || file.starts_with("/rustc/")
        });
        if !of_a_library {
            abort(panic);
        }
    }));
}
