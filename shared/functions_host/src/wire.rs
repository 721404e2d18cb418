//! Constants of the wire contract that only a host needs. The shared ones are in `azure_functions::wire`.

use http::HeaderName;

/// The host whose behaviour is reproduced.
pub(crate) const HOST_VERSION: &str = "4.1037.0.0";
/// What the host appends to `User-Agent`.
pub(crate) const USER_AGENT: &str = "Azure-Functions-Host/4.1037.0.0";
/// Sent by the proxying mode only.
pub(crate) const MS_INVOCATION_ID: HeaderName = HeaderName::from_static("x-ms-invocation-id");
/// Event Grid's kind of delivery.
pub(crate) const EVENT_TYPE: HeaderName = HeaderName::from_static("aeg-event-type");
/// The prefix of a function's id inside the host.
pub(crate) const FUNCTION_ID_PREFIX: &str = "Host.Functions.";
