//! The library and the stored model that the tests share.

use std::path::PathBuf;

use sluice_inference::{
    LibrarySearch, Runtime, RuntimeError, SessionOptions, TELEMETRY_VARIABLE, TextClassifier,
};

/// A model of format 1 as the trainer wrote it: 1,024 columns, three labels, temperature 1.5. Its numbers are random.
/// Models that are stored somewhere look like this: it must load and answer the same for ever.
pub(crate) const MODEL: &[u8] = include_bytes!("../fixtures/text_v1.onnx");

pub(crate) fn search() -> LibrarySearch {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    LibrarySearch {
        ort_dylib_path: variable("ORT_DYLIB_PATH"),
        cache_dir: variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache"))),
        ..LibrarySearch::default()
    }
}

pub(crate) fn try_runtime() -> Result<Runtime, RuntimeError> {
    Runtime::load(&search(), std::env::var(TELEMETRY_VARIABLE).ok().as_deref())
}

pub(crate) fn runtime() -> Runtime {
    try_runtime().unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn classifier(sessions: usize) -> TextClassifier {
    let options = SessionOptions {
        threads: 1,
        sessions,
    };
    TextClassifier::load(&runtime(), MODEL, options).unwrap()
}
