//! The metadata entries of a model file, as one JSON object: refused with a reason, or read and written without a change.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use sluice_inference::metadata::TextMetadata;

fuzz_target!(|json: &[u8]| {
    let Ok(entries) = serde_json::from_slice::<BTreeMap<String, String>>(json) else {
        return;
    };
    let Ok(metadata) = TextMetadata::from_entries(|key| entries.get(key).cloned()) else {
        return;
    };
    assert!(metadata.features.is_valid());
    let written: BTreeMap<_, _> = metadata
        .to_entries()
        .expect("what was read can be written")
        .into_iter()
        .collect();
    let read = TextMetadata::from_entries(|key| written.get(key).cloned());
    assert_eq!(read.as_ref(), Ok(&metadata));
});
