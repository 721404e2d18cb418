//! A function as its `function.json` declares it.

use std::sync::Arc;

use serde_json::Value;

use crate::blob::PathPattern;
use crate::front::RouteTemplate;
use crate::host_json::{Bundle, at, flag, text};
use crate::json_file;
use crate::options::Profile;
use crate::retry::RetryPolicy;
use crate::settings::Settings;
use crate::timer::Schedule;

/// A function that can be served.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) name: Arc<str>,
    pub(crate) trigger: Trigger,
    pub(crate) outputs: Vec<Output>,
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) disabled: bool,
}

/// What starts an invocation.
#[derive(Clone, Debug)]
pub(crate) enum Trigger {
    Http(HttpTrigger),
    Timer(TimerTrigger),
    Blob(BlobTrigger),
}

#[derive(Clone, Debug)]
pub(crate) struct HttpTrigger {
    pub(crate) binding: String,
    /// In upper case; `None` is every method.
    pub(crate) methods: Option<Vec<String>>,
    pub(crate) auth_level: AuthLevel,
    /// Without the prefix.
    pub(crate) route: RouteTemplate,
}

#[derive(Clone, Debug)]
pub(crate) struct TimerTrigger {
    pub(crate) binding: String,
    pub(crate) schedule: Schedule,
    pub(crate) run_on_startup: bool,
    pub(crate) use_monitor: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct BlobTrigger {
    pub(crate) binding: String,
    pub(crate) pattern: PathPattern,
}

/// An output binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) name: String,
    pub(crate) is_http: bool,
    /// `dataType` is `binary`: strings pass untouched.
    pub(crate) is_binary: bool,
}

/// Whose key a caller needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthLevel {
    /// None.
    Anonymous,
    /// The function's, the host's or the master key.
    Function,
    /// The master key.
    Admin,
}

impl Function {
    pub(crate) fn http(&self) -> Option<&HttpTrigger> {
        match &self.trigger {
            Trigger::Http(http) => Some(http),
            _ => None,
        }
    }

    /// Whether the raw request may be passed on: one HTTP trigger and one HTTP output, nothing else.
    pub(crate) fn is_forwardable(&self) -> bool {
        self.http().is_some() && matches!(self.outputs.as_slice(), [output] if output.is_http)
    }
}

/// What the reading of one `function.json` depends on.
pub(crate) struct Surroundings<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) bundle: Option<&'a Bundle>,
    pub(crate) profile: Profile,
    /// The policy of `host.json`, for functions without their own.
    pub(crate) retry: Option<&'a RetryPolicy>,
}

impl Function {
    /// Reads one function.
    ///
    /// Errors: one sentence on what to correct.
    pub(crate) fn parse(
        name: &str,
        json: &[u8],
        around: &Surroundings<'_>,
    ) -> Result<Self, String> {
        check_function_name(name)?;
        let root = json_file::parse(json).map_err(|reason| format!("function.json: {reason}"))?;
        let declared = at(&root, "bindings")
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        if declared.is_empty() {
            return Err("at least one binding must be declared".to_owned());
        }
        let bindings = declared
            .iter()
            .map(|binding| Binding::parse(binding, around.settings))
            .collect::<Result<Vec<_>, _>>()?;
        check_bindings(&bindings)?;
        let triggers: Vec<&Binding> = bindings
            .iter()
            .filter(|binding| binding.is_trigger())
            .collect();
        let [trigger] = triggers.as_slice() else {
            return Err(format!(
                "exactly one trigger must be declared, {} are",
                triggers.len()
            ));
        };
        let trigger = Trigger::parse(name, trigger, around)?;
        Ok(Self {
            name: name.into(),
            outputs: outputs(&bindings, around.bundle)?,
            trigger,
            retry: RetryPolicy::parse(at(&root, "retry"))?.or_else(|| around.retry.cloned()),
            disabled: flag(&root, "disabled", false)?
                || around
                    .settings
                    .get(&format!("AzureWebJobs.{name}.Disabled"))
                    .is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1"),
        })
    }
}

/// A binding with its `%NAME%` references resolved.
struct Binding {
    json: Value,
    name: String,
    kind: String,
    is_output: bool,
}

impl Binding {
    fn parse(binding: &Value, settings: &Settings) -> Result<Self, String> {
        let mut json = binding.clone();
        let members = json
            .as_object_mut()
            .ok_or("every binding must be a JSON object")?;
        for value in members.values_mut() {
            if let Value::String(text) = value {
                *text = settings.resolve(text)?;
            }
        }
        let name = text(&json, "name")?.unwrap_or_default();
        let kind = text(&json, "type")?
            .filter(|kind| !kind.is_empty())
            .ok_or_else(|| format!("the binding {name:?} has no type"))?;
        let direction = text(&json, "direction")?.unwrap_or_default();
        let is_output = match direction.to_ascii_lowercase().as_str() {
            "in" => false,
            "out" => true,
            "inout" => {
                return Err(format!(
                    "the binding {name:?} has the direction inout, which a custom handler cannot have"
                ));
            }
            _ => {
                return Err(format!(
                    "the binding {name:?} must have the direction in or out, not {direction:?}"
                ));
            }
        };
        if !is_binding_name(&name) {
            return Err(format!(
                "the binding name {name:?} is invalid: a letter, then letters and digits, at most 128; no underscore, no hyphen; or $return"
            ));
        }
        Ok(Self {
            json,
            name,
            kind,
            is_output,
        })
    }

    fn is_trigger(&self) -> bool {
        self.kind.to_ascii_lowercase().ends_with("trigger")
    }
}

fn check_function_name(name: &str) -> Result<(), String> {
    let mut characters = name.chars();
    let well_formed = characters.next().is_some_and(|c| c.is_ascii_alphabetic())
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        && name.len() <= 128;
    if !well_formed {
        return Err(
            "the function's name is invalid: a letter, then letters, digits, _ and -, at most 128"
                .to_owned(),
        );
    }
    if name.eq_ignore_ascii_case("host") {
        return Err("a function cannot be called host".to_owned());
    }
    Ok(())
}

fn is_binding_name(name: &str) -> bool {
    let mut characters = name.chars();
    name == "$return"
        || (characters.next().is_some_and(|c| c.is_ascii_alphabetic())
            && characters.all(|c| c.is_ascii_alphanumeric())
            && name.len() <= 128)
}

fn check_bindings(bindings: &[Binding]) -> Result<(), String> {
    for (index, binding) in bindings.iter().enumerate() {
        if bindings[..index]
            .iter()
            .any(|earlier| earlier.name.eq_ignore_ascii_case(&binding.name))
        {
            return Err(format!("two bindings are called {:?}", binding.name));
        }
        if binding.is_trigger() && binding.is_output {
            return Err(format!(
                "the trigger {:?} must have the direction in",
                binding.name
            ));
        }
        if !binding.is_trigger() && !binding.is_output {
            return Err(format!(
                "the input binding {:?} of type {} is not supported by the local host: let the handler read the value itself",
                binding.name, binding.kind
            ));
        }
    }
    Ok(())
}

fn outputs(bindings: &[Binding], bundle: Option<&Bundle>) -> Result<Vec<Output>, String> {
    bindings
        .iter()
        .filter(|binding| binding.is_output)
        .map(|binding| {
            let is_http = binding.kind.eq_ignore_ascii_case("http");
            if !is_http {
                need_bundle(&binding.kind, bundle)?;
            }
            Ok(Output {
                name: binding.name.clone(),
                is_http,
                is_binary: text(&binding.json, "dataType")?
                    .is_some_and(|kind| kind.eq_ignore_ascii_case("binary")),
            })
        })
        .collect()
}

fn need_bundle(kind: &str, bundle: Option<&Bundle>) -> Result<(), String> {
    match bundle {
        Some(_) => Ok(()),
        None => Err(format!(
            "the binding type {kind} is not registered: add the extensionBundle Microsoft.Azure.Functions.ExtensionBundle, version [4.*, 5.0.0), to host.json"
        )),
    }
}

impl Trigger {
    fn parse(function: &str, binding: &Binding, around: &Surroundings<'_>) -> Result<Self, String> {
        let json = &binding.json;
        match binding.kind.to_ascii_lowercase().as_str() {
            "httptrigger" => HttpTrigger::parse(function, &binding.name, json).map(Self::Http),
            "timertrigger" => TimerTrigger::parse(&binding.name, json).map(Self::Timer),
            "blobtrigger" => {
                need_bundle(&binding.kind, around.bundle)?;
                BlobTrigger::parse(&binding.name, json, around.profile).map(Self::Blob)
            }
            _ => {
                need_bundle(&binding.kind, around.bundle)?;
                Err(format!(
                    "the local host has no {}: it knows httpTrigger, timerTrigger and blobTrigger",
                    binding.kind
                ))
            }
        }
    }
}

impl HttpTrigger {
    fn parse(function: &str, binding: &str, json: &Value) -> Result<Self, String> {
        let route = text(json, "route")?
            .filter(|route| !route.trim().is_empty())
            .unwrap_or_else(|| function.to_owned());
        let route = route.trim_matches('/');
        if route.to_ascii_lowercase().starts_with("admin")
            || route.to_ascii_lowercase().starts_with("runtime")
        {
            return Err(format!(
                "the route {route:?} conflicts with one of the host's own"
            ));
        }
        let auth_level = match text(json, "authLevel")?
            .unwrap_or_else(|| "function".to_owned())
            .to_ascii_lowercase()
            .as_str()
        {
            "anonymous" => AuthLevel::Anonymous,
            "function" => AuthLevel::Function,
            "admin" => AuthLevel::Admin,
            other => {
                return Err(format!(
                    "authLevel {other:?} must be anonymous, function or admin"
                ));
            }
        };
        let methods = match at(json, "methods") {
            Value::Null => None,
            Value::Array(methods) => Some(
                methods
                    .iter()
                    .map(|method| {
                        method
                            .as_str()
                            .map(str::to_ascii_uppercase)
                            .ok_or("methods must be a list of texts")
                    })
                    .collect::<Result<Vec<_>, _>>()?,
            )
            .filter(|methods| !methods.is_empty()),
            _ => return Err("methods must be a list of texts".to_owned()),
        };
        Ok(Self {
            binding: binding.to_owned(),
            methods,
            auth_level,
            route: RouteTemplate::parse(route)?,
        })
    }

    pub(crate) fn allows(&self, method: &http::Method) -> bool {
        self.methods
            .as_ref()
            .is_none_or(|methods| methods.iter().any(|allowed| allowed == method.as_str()))
    }
}

impl TimerTrigger {
    fn parse(binding: &str, json: &Value) -> Result<Self, String> {
        let schedule = text(json, "schedule")?.ok_or("the timer trigger has no schedule")?;
        Ok(Self {
            binding: binding.to_owned(),
            schedule: Schedule::parse(&schedule)?,
            run_on_startup: flag(json, "runOnStartup", false)?,
            use_monitor: flag(json, "useMonitor", true)?,
        })
    }
}

impl BlobTrigger {
    fn parse(binding: &str, json: &Value, profile: Profile) -> Result<Self, String> {
        let source = text(json, "source")?.unwrap_or_default();
        if profile == Profile::Flex && !source.eq_ignore_ascii_case("EventGrid") {
            return Err(
                "a blob trigger needs \"source\": \"EventGrid\" on Flex Consumption".to_owned(),
            );
        }
        let path = text(json, "path")?.ok_or("the blob trigger has no path")?;
        Ok(Self {
            binding: binding.to_owned(),
            pattern: PathPattern::parse(&path)?,
        })
    }
}
