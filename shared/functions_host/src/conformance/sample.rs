//! What is sent to each function: the user's own samples, or made-up invocations in the shape of its trigger.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::app::App;
use crate::envelope::{
    BlobFacts, HttpFacts, Metadata, blob_envelope, http_envelope, timer_envelope,
};
use crate::error::HostError;
use crate::function::{BlobTrigger, Function, HttpTrigger, Trigger};
use crate::timer::ScheduleStatus;

/// Stands for every parameter of a route or a blob's path; also a number, so that most constraints take it.
const PLACEHOLDER: &str = "1";

/// The samples that the user gave, by function.
#[derive(Debug, Default)]
pub(super) struct Samples {
    good: BTreeMap<String, Value>,
    bad: BTreeMap<String, Value>,
}

/// A request to an HTTP function.
#[derive(Clone, Debug)]
pub(super) struct HttpSample {
    pub(super) method: Method,
    /// With the prefix and maybe a query.
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
}

/// A request as a sample file holds it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct HttpFile {
    method: Option<String>,
    path: Option<String>,
    headers: BTreeMap<String, String>,
    body: Option<Value>,
}

impl Samples {
    pub(super) fn read(app: &App) -> Result<Self, HostError> {
        let mut samples = Self::default();
        let Some(folder) = &app.samples else {
            return Ok(samples);
        };
        std::fs::read_dir(folder).map_err(HostError::folder(folder))?;
        for function in &app.functions {
            let name = function.name.to_string();
            if let Some(value) = read(&folder.join(format!("{name}.json")), function)? {
                samples.good.insert(name.clone(), value);
            }
            if let Some(value) = read(&folder.join(format!("{name}.bad.json")), function)? {
                samples.bad.insert(name, value);
            }
        }
        Ok(samples)
    }

    /// What is sent to a function that is not HTTP.
    pub(super) fn envelope(&self, function: &Function) -> Bytes {
        match self.good.get(&*function.name) {
            Some(value) => value.to_string().into(),
            None => made_up(function),
        }
    }

    /// What can never be right for a function that is not HTTP.
    pub(super) fn bad_envelope(&self, function: &Function) -> Option<Bytes> {
        Some(self.bad.get(&*function.name)?.to_string().into())
    }

    /// What is sent to an HTTP function.
    pub(super) fn request(&self, app: &App, function: &Function, http: &HttpTrigger) -> HttpSample {
        request(self.good.get(&*function.name), app, http)
    }

    /// What can never be right for an HTTP function: the user's sample, else a body that is no JSON.
    pub(super) fn bad_request(
        &self,
        app: &App,
        function: &Function,
        http: &HttpTrigger,
    ) -> HttpSample {
        match self.bad.get(&*function.name) {
            bad @ Some(_) => request(bad, app, http),
            None => HttpSample {
                body: Bytes::from_static(b"{\"\x00 no JSON"),
                ..self.request(app, function, http)
            },
        }
    }
}

/// The request that a sample file describes; what it leaves out is made up.
fn request(value: Option<&Value>, app: &App, http: &HttpTrigger) -> HttpSample {
    let file: HttpFile = value
        .and_then(|value| serde_json::from_value(value.clone()).ok())
        .unwrap_or_default();
    let first = http.methods.as_ref().and_then(|methods| methods.first());
    let method = file.method.or_else(|| first.cloned());
    let method = method.and_then(|method| method.to_uppercase().parse().ok());
    let mut headers: Vec<(String, String)> = file.headers.into_iter().collect();
    let names_type = |(name, _): &(String, String)| name.eq_ignore_ascii_case("content-type");
    if !headers.iter().any(names_type) {
        headers.push(("content-type".into(), "application/json".into()));
    }
    HttpSample {
        method: method.unwrap_or(Method::POST),
        path: file
            .path
            .unwrap_or_else(|| fill(&http.route.path(&app.config.route_prefix))),
        headers,
        body: match file.body {
            None => Bytes::from_static(b"{}"),
            Some(Value::String(text)) => text.into(),
            Some(value) => value.to_string().into(),
        },
    }
}

/// Reads one sample; `None` when there is none.
fn read(path: &Path, function: &Function) -> Result<Option<Value>, HostError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(HostError::folder(path)(error)),
    };
    let wrong = |reason: String| HostError::Configuration {
        path: path.to_owned(),
        reason,
    };
    let value: Value = serde_json::from_slice(&bytes)
        .map_err(|error| wrong(format!("the sample is not JSON: {error}")))?;
    if function.http().is_some() {
        serde_json::from_value::<HttpFile>(value.clone()).map_err(|error| {
            wrong(format!(
                "the sample of an HTTP function has method, path, headers and body: {error}"
            ))
        })?;
    } else if !value["Data"].is_object() {
        return Err(wrong(
            "the sample must be an envelope: {\"Data\": {…}, \"Metadata\": {…}}".to_owned(),
        ));
    }
    Ok(Some(value))
}

/// An invocation in the shape of the function's trigger.
fn made_up(function: &Function) -> Bytes {
    let now = Timestamp::now();
    let metadata = Metadata::new(&function.name, now);
    match &function.trigger {
        Trigger::Timer(timer) => {
            let status = ScheduleStatus {
                last: None,
                next: Some(now),
                last_updated: None,
            };
            timer_envelope(
                &timer.binding,
                timer.schedule.adjusts_for_dst(),
                timer.use_monitor.then_some(&status),
                false,
                metadata,
            )
        }
        Trigger::Blob(blob) => made_up_blob(blob, now, metadata),
        // Requests are made from a sample; this one is only for completeness.
        Trigger::Http(http) => json!({ "Data": { &http.binding: {} }, "Metadata": {} })
            .to_string()
            .into(),
    }
}

fn made_up_blob(blob: &BlobTrigger, now: Timestamp, metadata: Metadata) -> Bytes {
    let container = blob.pattern.container().to_owned();
    let path = fill(blob.pattern.text());
    let name = path
        .strip_prefix(&container)
        .unwrap_or(&path)
        .trim_start_matches('/')
        .to_owned();
    let facts = BlobFacts {
        parameters: blob.pattern.parameters(&name).unwrap_or_default(),
        container,
        name,
        size_bytes: 0,
        modified: now,
    };
    // Nothing can fail: there is no content to read.
    blob_envelope(&blob.binding, &facts, std::io::empty(), metadata).unwrap_or_default()
}

/// A request in the envelope of an HTTP trigger that is not forwarded.
pub(super) fn enveloped(http: &HttpTrigger, function: &Function, sample: &HttpSample) -> Bytes {
    let mut headers = HeaderMap::new();
    for (name, value) in &sample.headers {
        if let (Ok(name), Ok(value)) = (
            HeaderName::try_from(name.as_str()),
            HeaderValue::try_from(value.as_str()),
        ) {
            headers.append(name, value);
        }
    }
    let facts = HttpFacts {
        method: &sample.method,
        url: format!("http://localhost{}", sample.path),
        query: Vec::new(),
        headers: &headers,
        parameters: Vec::new(),
        body: Some(&sample.body),
    };
    http_envelope(
        &http.binding,
        &facts,
        Metadata::new(&function.name, Timestamp::now()),
    )
}

/// A template with the placeholder for each `{parameter}`.
fn fill(template: &str) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        filled.push_str(PLACEHOLDER);
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn parameters_are_filled_in() {
        assert_eq!(fill("/api/items/{id:int}/x"), "/api/items/1/x");
        assert_eq!(fill("incoming/{dataset}/{name}"), "incoming/1/1");
        assert_eq!(fill("plain"), "plain");
    }
}
