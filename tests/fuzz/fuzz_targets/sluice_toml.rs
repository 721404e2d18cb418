//! `sluice.toml`: a configuration, or one line that says what is wrong.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use sluice::config::ModelConfig;
use sluice_functions_host::NCrontab;

fuzz_target!(|text: &str| {
    match ModelConfig::parse(text, Path::new("sluice.toml")) {
        Ok(config) => {
            assert!(NCrontab::parse(&config.schedules.retrain).is_ok());
            assert!(config.schema.label_names().len() >= 2);
            assert!(config.checks.validate().is_ok());
        }
        Err(error) => {
            let said = error.to_string();
            assert!(said.starts_with("sluice.toml:"), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    }
});
