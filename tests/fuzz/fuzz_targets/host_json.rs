//! `host.json`: read or refused with a reason, and read the same with a byte order mark.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use sluice_functions_host::check_host_json;

fuzz_target!(|json: &[u8]| {
    let settings = BTreeMap::from([(
        "AzureFunctionsJobHost__customHandler__description__arguments__1".to_owned(),
        "--verbose".to_owned(),
    )]);
    let said = |json| check_host_json(json, &settings).map_err(|error| error.to_string());
    let plain = said(json);
    if !json.starts_with(b"\xef\xbb\xbf") {
        assert_eq!(plain, said(&[b"\xef\xbb\xbf", json].concat()));
    }
});
