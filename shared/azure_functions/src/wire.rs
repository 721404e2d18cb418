//! Every name of the wire contract, in one place: environment variables, headers, envelope members.
//!
//! The host keeps them the same way, in `HttpWorkerConstants.cs` and `ScriptConstants.cs` of
//! `Azure/azure-functions-host`.

use std::net::Ipv4Addr;

use http::HeaderName;

/// The variable that names the port on which the handler must listen.
pub const PORT_VARIABLE: &str = "FUNCTIONS_CUSTOMHANDLER_PORT";
/// The older name of [`PORT_VARIABLE`]; the host sets both to the same value.
pub const LEGACY_PORT_VARIABLE: &str = "FUNCTIONS_HTTPWORKER_PORT";
/// The variable that identifies this start of the handler: a GUID, new at each start.
pub const WORKER_ID_VARIABLE: &str = "FUNCTIONS_CUSTOMHANDLER_WORKER_ID";
/// The older name of [`WORKER_ID_VARIABLE`]; the host sets both to the same value.
pub const LEGACY_WORKER_ID_VARIABLE: &str = "FUNCTIONS_HTTPWORKER_ID";
/// The variable that names the folder of `host.json`.
pub const APP_ROOT_VARIABLE: &str = "FUNCTIONS_APP_ROOT_PATH";

/// The address at which the host looks for the handler. It is IPv4: a handler bound to `::1` is never ready.
pub const LISTEN_ADDRESS: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// The path of the host's readiness and health probe (`GET`). Any answer counts as ready.
pub const PROBE_PATH: &str = "/";

/// The header that carries the invocation's id. Attempts of one invocation share it.
pub const INVOCATION_ID: HeaderName = HeaderName::from_static("x-azure-functions-invocationid");
/// The header that carries the host's version, for instance `4.1037.0.0`.
pub const HOST_VERSION: HeaderName = HeaderName::from_static("x-azure-functions-hostversion");
/// The header that carries a caller's key. The host checks it; a handler must never log it.
pub const FUNCTIONS_KEY: HeaderName = HeaderName::from_static("x-functions-key");
/// The W3C trace context header, present when the host traces the invocation.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Member of a request envelope: the input bindings by name.
pub const DATA: &str = "Data";
/// Member of a request envelope: what the host knows about the trigger.
pub const METADATA: &str = "Metadata";
/// Member of an answer: values for the declared output bindings, by name.
pub const OUTPUTS: &str = "Outputs";
/// Member of an answer: lines for the invocation's log, shown only when the invocation succeeds.
pub const LOGS: &str = "Logs";
/// Member of an answer: the value of the output binding `$return`.
pub const RETURN_VALUE: &str = "ReturnValue";
/// The usual name of an HTTP function's output binding.
pub const HTTP_OUTPUT: &str = "res";

/// Metadata member: method name, time and a GUID, of every invocation.
pub const SYS: &str = "sys";
/// Metadata member: which attempt this is. Present only when the function has a retry policy.
pub const RETRY_CONTEXT: &str = "RetryContext";
/// Metadata member of a blob trigger: the blob's percent-encoded address.
pub const BLOB_URI: &str = "Uri";
/// Metadata member of a blob trigger: the blob's properties.
pub const BLOB_PROPERTIES: &str = "Properties";
/// Metadata member of a blob trigger: the user's metadata of the blob.
pub const BLOB_METADATA: &str = "Metadata";
/// Metadata member `container/name`. Today's host drops it, as it drops every key that ends in `trigger`.
pub const BLOB_TRIGGER: &str = "BlobTrigger";

/// The most that the host accepts as a request body: 100 MiB, in bytes.
pub const MAX_REQUEST_BODY_BYTES: usize = 104_857_600;
