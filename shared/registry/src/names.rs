//! The names that paths are made of.

use crate::RegistryError;

const SIMPLE: &str = "1 to 63 lower-case letters, digits and hyphens";

fn is_simple(value: &str) -> bool {
    (1..=63).contains(&value.len())
        && value
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn check(what: &'static str, value: &str) -> Result<(), RegistryError> {
    if is_simple(value) {
        return Ok(());
    }
    Err(RegistryError::InvalidName {
        what,
        value: value.to_owned(),
        expected: SIMPLE,
    })
}

/// Checks a dataset's name: `[a-z0-9-]{1,63}`.
///
/// # Errors
/// `InvalidName`.
pub fn check_dataset_name(name: &str) -> Result<(), RegistryError> {
    check("dataset", name)
}

/// Checks a model's name: `[a-z0-9-]{1,63}`.
///
/// # Errors
/// `InvalidName`.
pub fn check_model_name(name: &str) -> Result<(), RegistryError> {
    check("model", name)
}

/// Checks a run's id: `[a-z0-9-]{1,63}`.
///
/// # Errors
/// `InvalidName`.
pub fn check_run_id(id: &str) -> Result<(), RegistryError> {
    check("run", id)
}

/// Checks the name of a writer of audit lines: `[a-z0-9-]{1,63}`.
///
/// # Errors
/// `InvalidName`.
pub fn check_writer_name(name: &str) -> Result<(), RegistryError> {
    check("writer", name)
}
