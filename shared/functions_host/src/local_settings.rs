//! `local.settings.json`: the app settings of an app on a developer's machine, as the Azure Functions Core Tools keep them.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::error::HostError;
use crate::host_json::at;
use crate::json_file;

/// The file's name in the app root.
const FILE_NAME: &str = "local.settings.json";

/// The settings under `Values`; none when there is no such file.
///
/// # Errors
/// [`HostError::Folder`] when the file cannot be read, [`HostError::Configuration`] when it is encrypted, is not JSON or has a
/// value that is not a text, a number or a truth value.
pub fn read_local_settings(app_root: &Path) -> Result<BTreeMap<String, String>, HostError> {
    let path = app_root.join(FILE_NAME);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(HostError::folder(path)(error)),
    };
    parse(&bytes).map_err(|reason| HostError::Configuration { path, reason })
}

fn parse(bytes: &[u8]) -> Result<BTreeMap<String, String>, String> {
    let root = json_file::parse(bytes)?;
    if at(&root, "IsEncrypted") == &Value::Bool(true) {
        return Err("it is encrypted: decrypt it with func settings decrypt".to_owned());
    }
    let values = match at(&root, "Values") {
        Value::Null => return Ok(BTreeMap::new()),
        Value::Object(values) => values,
        _ => return Err("Values must be an object of names and texts".to_owned()),
    };
    let setting = |(name, value): (&String, &Value)| match value {
        Value::String(text) => Ok((name.clone(), text.clone())),
        Value::Number(_) | Value::Bool(_) => Ok((name.clone(), value.to_string())),
        _ => Err(format!("the setting {name} must be a text")),
    };
    values.iter().map(setting).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_texts() {
        let settings = parse(
            br#"{"IsEncrypted":false, /* as the Core Tools */ "Values":{"A":"b","N":1,"T":true}}"#,
        );
        let wanted = [("A", "b"), ("N", "1"), ("T", "true")];
        assert_eq!(
            settings.unwrap(),
            wanted
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into()
        );
        assert!(parse(br#"{"Host":{}}"#).unwrap().is_empty());
    }

    #[test]
    fn what_cannot_be_used_is_said() {
        for (text, words) in [
            ("{", "not JSON"),
            (r#"{"IsEncrypted":true,"Values":{}}"#, "encrypted"),
            (r#"{"Values":[]}"#, "Values must be"),
            (r#"{"Values":{"A":{}}}"#, "the setting A"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
