//! `function.json`, with the schedules, routes and blob paths in it: served for something, or refused with a reason.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use sluice::functions::HOST_JSON;
use sluice_functions_host::{FunctionStatus, NCrontab, Profile, check_function_json};

fuzz_target!(|json: &[u8]| {
    let settings = BTreeMap::from([("SCHEDULE".to_owned(), "0 0 3 * * 1".to_owned())]);
    let host_json = HOST_JSON.as_bytes();
    for profile in [Profile::Flex, Profile::Other] {
        let said = check_function_json("function", json, host_json, &settings, profile);
        match said {
            Ok(FunctionStatus::Http { route, .. }) => assert!(route.starts_with("/api")),
            Ok(FunctionStatus::Blob { path }) => assert!(!path.is_empty()),
            Ok(FunctionStatus::Timer { schedule }) => {
                // Otherwise it is an interval, written with colons or as a number of days.
                let is_interval = schedule.contains(':') || schedule.trim().parse::<u32>().is_ok();
                assert!(
                    is_interval || NCrontab::parse(&schedule).is_ok(),
                    "{schedule}"
                );
            }
            Ok(_) => {}
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
});
