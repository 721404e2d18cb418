//! `host.json`: what the app asks of its host.
//!
//! Every property can be overridden by an app setting `AzureFunctionsJobHost__a__b`.

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::error::HostError;
use crate::json_file;
use crate::options::HostGeneration;
use crate::retry::RetryPolicy;
use crate::settings::Settings;
use crate::timespan;

/// The file's name in the app root.
pub(crate) const FILE_NAME: &str = "host.json";

const OVERRIDE_PREFIX: &str = "AzureFunctionsJobHost__";
const DEFAULT_FUNCTION_TIMEOUT: Duration = Duration::from_secs(30 * 60);
const DEFAULT_INITIALIZATION_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_POISON_THRESHOLD: u32 = 5;
/// The real host takes 8 for each core; a laptop has other work.
const DEFAULT_BLOB_PARALLELISM: usize = 2;

/// The parts of `host.json` that this host heeds.
#[derive(Clone, Debug)]
pub(crate) struct HostConfig {
    /// `None` is unbounded.
    pub(crate) function_timeout: Option<Duration>,
    pub(crate) route_prefix: String,
    pub(crate) bundle: Option<Bundle>,
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) blob_parallelism: usize,
    pub(crate) blob_poison_threshold: u32,
    pub(crate) handler: HandlerConfig,
}

/// The extension bundle, which brings every trigger but http and timer.
#[derive(Clone, Debug)]
pub(crate) struct Bundle {
    pub(crate) id: String,
    pub(crate) version: String,
}

/// The section `customHandler`.
#[derive(Clone, Debug)]
pub(crate) struct HandlerConfig {
    pub(crate) executable: String,
    pub(crate) worker_path: Option<String>,
    pub(crate) arguments: Vec<String>,
    pub(crate) worker_arguments: Vec<String>,
    pub(crate) working_directory: Option<String>,
    pub(crate) worker_directory: Option<String>,
    pub(crate) stderr_for_errors_only: bool,
    pub(crate) forwarding: bool,
    pub(crate) proxying: bool,
    pub(crate) initialization_timeout: Duration,
    pub(crate) port: Option<u16>,
    pub(crate) has_http_routes: bool,
}

impl HostConfig {
    /// Reads `host.json` of the app folder and lays the settings over it.
    ///
    /// Errors: `Configuration` with the property and what is expected; `Folder` when the file cannot be read.
    pub(crate) fn load(
        app_root: &Path,
        settings: &Settings,
        generation: HostGeneration,
    ) -> Result<Self, HostError> {
        let path = app_root.join(FILE_NAME);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(HostError::Configuration {
                    path,
                    reason: "the file is missing: stage the app first".to_owned(),
                });
            }
            Err(error) => return Err(HostError::folder(path)(error)),
        };
        Self::parse(&bytes, settings, generation)
            .map_err(|reason| HostError::Configuration { path, reason })
    }

    /// Errors: a sentence that names the property and what is expected.
    pub(crate) fn parse(
        bytes: &[u8],
        settings: &Settings,
        generation: HostGeneration,
    ) -> Result<Self, String> {
        let mut root = json_file::parse(bytes)?;
        if !root.is_object() {
            return Err("it must hold a JSON object".to_owned());
        }
        if at(&root, "version") != &json!("2.0") {
            return Err("the property \"version\" must be \"2.0\"".to_owned());
        }
        for (path, value) in settings.under(OVERRIDE_PREFIX) {
            set(&mut root, &path.replace(':', "__"), value);
        }
        if generation == HostGeneration::BeforeProxying {
            forget_proxying(&mut root);
        }
        apply_profile(&mut root)?;

        let bundle = match at(&root, "extensionBundle") {
            Value::Null => None,
            bundle => Some(Bundle {
                id: text(bundle, "id")?.ok_or("extensionBundle has no id")?,
                version: text(bundle, "version")?.ok_or("extensionBundle has no version")?,
            }),
        };
        let http = at(at(&root, "extensions"), "http");
        let blobs = at(at(&root, "extensions"), "blobs");
        Ok(Self {
            function_timeout: function_timeout(&root)?,
            route_prefix: text(http, "routePrefix")?
                .unwrap_or_else(|| "api".to_owned())
                .trim_matches('/')
                .to_owned(),
            bundle,
            retry: RetryPolicy::parse(at(&root, "retry"))?,
            blob_parallelism: number(blobs, "maxDegreeOfParallelism")?
                .map_or(DEFAULT_BLOB_PARALLELISM, |n| n.clamp(1, 64) as usize),
            blob_poison_threshold: number(blobs, "poisonBlobThreshold")?
                .map_or(DEFAULT_POISON_THRESHOLD, |n| n.max(1)),
            handler: HandlerConfig::parse(at(&root, "customHandler"))?,
        })
    }
}

impl HandlerConfig {
    fn parse(section: &Value) -> Result<Self, String> {
        let description = at(section, "description");
        if description.is_null() {
            return Err(
                "customHandler.description is missing: this host runs custom handlers only"
                    .to_owned(),
            );
        }
        let executable = text(description, "defaultExecutablePath")?
            .filter(|path| !path.trim().is_empty())
            .ok_or("customHandler.description.defaultExecutablePath cannot be empty")?;
        let filled =
            |name| Ok::<_, String>(text(description, name)?.filter(|text| !text.is_empty()));
        let timeout = match text(section, "initializationTimeout")? {
            None => DEFAULT_INITIALIZATION_TIMEOUT,
            Some(text) => timespan::parse(&text).ok_or_else(|| {
                format!("customHandler.initializationTimeout {text:?} is no time span hh:mm:ss")
            })?,
        };
        Ok(Self {
            executable,
            worker_path: filled("defaultWorkerPath")?,
            arguments: texts(description, "arguments")?,
            worker_arguments: texts(description, "workerArguments")?,
            working_directory: filled("workingDirectory")?,
            worker_directory: filled("workerDirectory")?,
            stderr_for_errors_only: flag(description, "useStdErrorStreamForErrorsOnly", true)?,
            forwarding: flag(section, "enableForwardingHttpRequest", false)?,
            proxying: flag(section, "enableProxyingHttpRequest", false)?,
            initialization_timeout: timeout,
            port: number(section, "port")?
                .map(|port| {
                    u16::try_from(port).map_err(|_| format!("customHandler.port {port} is no port"))
                })
                .transpose()?
                .filter(|port| *port != 0),
            has_http_routes: at(at(section, "http"), "routes")
                .as_array()
                .is_some_and(|routes| !routes.is_empty()),
        })
    }
}

fn function_timeout(root: &Value) -> Result<Option<Duration>, String> {
    match text(root, "functionTimeout")?.as_deref() {
        None => Ok(Some(DEFAULT_FUNCTION_TIMEOUT)),
        Some("-1") => Ok(None),
        Some(value) => timespan::parse(value)
            .filter(|timeout| *timeout >= Duration::from_secs(1))
            .map(Some)
            .ok_or_else(|| {
                format!("functionTimeout {value:?} must be a time span of at least 00:00:01, or -1")
            }),
    }
}

/// Drops what came with the proxying mode: an older host ignores properties that it does not know.
fn forget_proxying(root: &mut Value) {
    remove(root, "configurationProfile");
    if let Some(handler) = at_mut(root, "customHandler") {
        for name in ["enableProxyingHttpRequest", "port", "http"] {
            remove(handler, name);
        }
    }
}

fn remove(value: &mut Value, name: &str) {
    if let Some(members) = value.as_object_mut() {
        members.retain(|key, _| !key.eq_ignore_ascii_case(name));
    }
}

fn at_mut<'a>(value: &'a mut Value, name: &str) -> Option<&'a mut Value> {
    let mut members = value.as_object_mut()?.iter_mut();
    members
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// The profiles of `configurationProfile`, which are presets of other properties.
fn apply_profile(root: &mut Value) -> Result<(), String> {
    match text(root, "configurationProfile")?.as_deref() {
        None | Some("" | "default" | "mcp-custom-handler") => {}
        Some("web-app-custom-handler") => {
            set_json(
                root,
                &["customHandler", "enableProxyingHttpRequest"],
                json!(true),
            );
            set_json(root, &["extensions", "http", "routePrefix"], json!(""));
            set_json(
                root,
                &["customHandler", "http", "routes"],
                json!([{ "route": "{*route}" }]),
            );
        }
        Some(other) => return Err(format!("configurationProfile {other:?} is not known")),
    }
    Ok(())
}

fn set(root: &mut Value, path: &str, text: &str) {
    let path: Vec<&str> = path.split("__").filter(|part| !part.is_empty()).collect();
    if !path.is_empty() {
        set_json(root, &path, Value::String(text.to_owned()));
    }
}

fn set_json(target: &mut Value, path: &[&str], value: Value) {
    let Some((name, rest)) = path.split_first() else {
        *target = value;
        return;
    };
    if let (Value::Array(items), Ok(index)) = (&mut *target, name.parse::<usize>()) {
        if let Some(item) = items.get_mut(index) {
            set_json(item, rest, value);
        } else {
            items.push(Value::Null);
            if let Some(item) = items.last_mut() {
                set_json(item, rest, value);
            }
        }
        return;
    }
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    if let Some(members) = target.as_object_mut() {
        let key = members
            .keys()
            .find(|key| key.eq_ignore_ascii_case(name))
            .cloned()
            .unwrap_or_else(|| (*name).to_owned());
        set_json(members.entry(key).or_insert(Value::Null), rest, value);
    }
}

/// A member whatever its case; `null` when absent.
pub(crate) fn at<'a>(value: &'a Value, name: &str) -> &'a Value {
    value
        .as_object()
        .and_then(|members| {
            members.get(name).or_else(|| {
                members
                    .iter()
                    .find(|(key, _)| key.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value)
            })
        })
        .unwrap_or(&Value::Null)
}

/// A text member. Numbers and truth values count as their text, as in .NET configuration.
pub(crate) fn text(value: &Value, name: &str) -> Result<Option<String>, String> {
    match at(value, name) {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Bool(flag) => Ok(Some(flag.to_string())),
        _ => Err(format!("{name} must be a text")),
    }
}

/// A truth value, also as text.
pub(crate) fn flag(value: &Value, name: &str, default: bool) -> Result<bool, String> {
    match text(value, name)? {
        None => Ok(default),
        Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        Some(text) => Err(format!("{name} must be true or false, not {text:?}")),
    }
}

fn number(value: &Value, name: &str) -> Result<Option<u32>, String> {
    text(value, name)?
        .map(|text| {
            text.parse()
                .map_err(|_| format!("{name} must be a whole number, not {text:?}"))
        })
        .transpose()
}

/// A list of texts; as a setting, a text that holds a JSON list.
fn texts(value: &Value, name: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("{name} must be a list of texts");
    match at(value, name) {
        Value::Null => Ok(Vec::new()),
        Value::String(text) if text.is_empty() => Ok(Vec::new()),
        Value::String(text) => serde_json::from_str(text).map_err(|_| wrong()),
        list => serde_json::from_value(list.clone()).map_err(|_| wrong()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const MINIMAL: &str =
        r#"{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":"handler"}}}"#;

    fn parse(text: &str, settings: &[(&str, &str)]) -> Result<HostConfig, String> {
        let settings: BTreeMap<String, String> = settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let settings = Settings::new(&settings, &[]);
        HostConfig::parse(text.as_bytes(), &settings, HostGeneration::Current)
    }

    #[test]
    fn the_defaults_are_the_hosts() {
        let config = parse(MINIMAL, &[]).unwrap();
        assert_eq!(config.function_timeout, Some(Duration::from_secs(1_800)));
        assert_eq!(config.route_prefix, "api");
        assert_eq!(
            config.handler.initialization_timeout,
            Duration::from_secs(30)
        );
        assert!(
            config.handler.stderr_for_errors_only
                && !config.handler.forwarding
                && !config.handler.proxying
        );
        assert_eq!(config.blob_poison_threshold, 5);
    }

    #[test]
    fn settings_override_any_property_and_may_hold_a_json_list() {
        let config = parse(
            MINIMAL,
            &[
                (
                    "AzureFunctionsJobHost__customHandler__enableForwardingHttpRequest",
                    "true",
                ),
                (
                    "AzureFunctionsJobHost__customHandler__description__arguments",
                    "[\"a\",\"b\"]",
                ),
                ("AzureFunctionsJobHost__functionTimeout", "-1"),
                ("AzureFunctionsJobHost__extensions__http__routePrefix", ""),
            ],
        )
        .unwrap();
        assert!(config.handler.forwarding);
        assert_eq!(config.handler.arguments, ["a", "b"]);
        assert_eq!(config.function_timeout, None);
        assert_eq!(config.route_prefix, "");
    }

    #[test]
    fn an_older_host_ignores_what_came_with_proxying() {
        let text = MINIMAL.replace(
            r#""customHandler":{"#,
            r#""configurationProfile":"x","customHandler":{"EnableProxyingHttpRequest":true,"port":1,"http":{"routes":[{}]},"#,
        );
        let settings = Settings::default();
        let old = HostConfig::parse(text.as_bytes(), &settings, HostGeneration::BeforeProxying);
        let old = old.unwrap().handler;
        assert!(!old.proxying && old.port.is_none() && !old.has_http_routes);
        assert!(parse(&text, &[]).is_err());
    }

    #[test]
    fn refuses_with_the_property_in_the_sentence() {
        for (text, word) in [
            ("{", "not JSON"),
            ("[]", "object"),
            ("{}", "version"),
            (r#"{"version":"1.0"}"#, "version"),
            (r#"{"version":"2.0"}"#, "customHandler.description"),
            (
                r#"{"version":"2.0","customHandler":{"description":{}}}"#,
                "defaultExecutablePath",
            ),
            (
                &MINIMAL.replace("\"2.0\"", "\"2.0\",\"functionTimeout\":\"00:00:00\""),
                "functionTimeout",
            ),
            (
                &MINIMAL.replace("\"2.0\"", "\"2.0\",\"configurationProfile\":\"x\""),
                "configurationProfile",
            ),
            (
                &MINIMAL.replace(
                    "\"2.0\"",
                    "\"2.0\",\"retry\":{\"strategy\":\"x\",\"maxRetryCount\":1}",
                ),
                "strategy",
            ),
        ] {
            let reason = parse(text, &[]).unwrap_err();
            assert!(reason.contains(word), "{text}: {reason}");
        }
    }
}
