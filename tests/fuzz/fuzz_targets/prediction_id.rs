//! Ids of predictions: printed as they were read, and each names one place in the log.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_registry::{PredictionId, RequestId, paths};

fuzz_target!(|text: &str| {
    if let Ok(id) = text.parse::<RequestId>() {
        assert_eq!(id.to_string(), id.to_string().to_lowercase());
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    if let Ok(id) = text.parse::<PredictionId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(!paths::prediction_log(&id).is_empty());
    }
});
