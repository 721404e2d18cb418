//! Checks of an app's files without starting a host: the same readers, the same sentences.

use std::collections::BTreeMap;

use crate::error::HostError;
use crate::function::{Function, Surroundings};
use crate::host_json::{self, HostConfig};
use crate::index::{FunctionStatus, status};
use crate::options::{HostGeneration, Profile};
use crate::settings::Settings;

/// Reads the bytes of a `host.json` as a host would, with the app settings that may override its properties.
///
/// # Errors
/// [`HostError::Configuration`]: the property and what is expected there.
pub fn check_host_json(json: &[u8], settings: &BTreeMap<String, String>) -> Result<(), HostError> {
    read_host_json(json, &Settings::new(settings, &[])).map(|_| ())
}

/// Reads the bytes of the `function.json` of the function `name` as a host would, beside the app's `host.json` and its
/// settings, and says what it would be served for. Does not look whether it conflicts with other functions.
///
/// # Errors
/// [`HostError::Configuration`]: which of the two files to correct, and how.
pub fn check_function_json(
    name: &str,
    json: &[u8],
    host_json: &[u8],
    settings: &BTreeMap<String, String>,
    profile: Profile,
) -> Result<FunctionStatus, HostError> {
    let settings = Settings::new(settings, &[]);
    let config = read_host_json(host_json, &settings)?;
    let around = Surroundings {
        settings: &settings,
        bundle: config.bundle.as_ref(),
        profile,
        retry: config.retry.as_ref(),
    };
    match Function::parse(name, json, &around) {
        Ok(function) if function.disabled => Ok(FunctionStatus::Disabled),
        Ok(function) => Ok(status(&function, &config)),
        Err(reason) => Err(HostError::Configuration {
            path: [name, "function.json"].iter().collect(),
            reason,
        }),
    }
}

fn read_host_json(json: &[u8], settings: &Settings) -> Result<HostConfig, HostError> {
    HostConfig::parse(json, settings, HostGeneration::Current).map_err(|reason| {
        HostError::Configuration {
            path: host_json::FILE_NAME.into(),
            reason,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST_JSON: &str =
        r#"{"version": "2.0", "customHandler": {"description": {"defaultExecutablePath": "app"}}}"#;

    fn checked(name: &str, json: &str) -> Result<FunctionStatus, String> {
        let settings = BTreeMap::from([("WHEN".to_owned(), "0 0 3 * * 1".to_owned())]);
        check_function_json(
            name,
            json.as_bytes(),
            HOST_JSON.as_bytes(),
            &settings,
            Profile::Flex,
        )
        .map_err(|error| error.to_string())
    }

    #[test]
    fn a_right_function_is_told_with_its_settings_resolved() {
        let timer = r#"{"bindings": [{"type": "timerTrigger", "name": "t", "direction": "in", "schedule": "%WHEN%"}]}"#;
        let schedule = "0 0 3 * * 1".to_owned();
        assert_eq!(
            checked("nightly", timer),
            Ok(FunctionStatus::Timer { schedule })
        );
    }

    #[test]
    fn a_wrong_file_is_named_with_its_mistake() {
        let error = checked("nightly", "{}").unwrap_err();
        assert!(
            error.contains("function.json: at least one binding"),
            "{error}"
        );
        let error = check_host_json(b"{}", &BTreeMap::new()).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("host.json: the property \"version\""),
            "{error}"
        );
        assert!(check_host_json(HOST_JSON.as_bytes(), &BTreeMap::new()).is_ok());
    }
}
