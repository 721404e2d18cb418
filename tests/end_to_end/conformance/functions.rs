//! Functions as `function.json` declares them.

use serde_json::{Value, json};

pub(crate) fn http(route: &str, level: &str) -> Value {
    json!({ "bindings": [
        { "type": "httpTrigger", "direction": "in", "name": "req", "authLevel": level, "route": route },
        { "type": "http", "direction": "out", "name": "res" },
    ] })
}

pub(crate) fn timer(schedule: &str) -> Value {
    json!({ "bindings": [{ "type": "timerTrigger", "direction": "in", "name": "timer", "schedule": schedule }] })
}

pub(crate) fn blob(path: &str) -> Value {
    json!({ "bindings": [{ "type": "blobTrigger", "direction": "in", "name": "blob", "path": path, "source": "EventGrid" }] })
}

/// Adds a binding to a function.
pub(crate) fn with_binding(mut function: Value, binding: Value) -> Value {
    function["bindings"].as_array_mut().unwrap().push(binding);
    function
}

pub(crate) fn queue_output(name: &str) -> Value {
    json!({ "type": "queue", "direction": "out", "name": name })
}
