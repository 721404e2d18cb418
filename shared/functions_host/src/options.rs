//! What a host is started with.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SystemClock};

/// Everything a [`Host`](crate::Host) needs. The crate itself reads no environment variable.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// The staged folder: `host.json`, the executable, one folder per function.
    pub app_root: PathBuf,
    /// The app settings. They resolve `%NAME%` and are part of the handler's environment.
    pub settings: BTreeMap<String, String>,
    /// The environment that the handler inherits, under the settings: usually this process's own.
    pub environment: Vec<(OsString, OsString)>,
    /// The folder that holds one folder per container. A new file in one of them is a blob event.
    pub data_root: PathBuf,
    /// The host's own state: timer status, blob queue and receipts, keys, poison records. Made when absent.
    pub state_root: PathBuf,
    /// The port for callers on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Whether callers need a key.
    pub keys: KeyPolicy,
    /// Which plan's rules the app is held to.
    pub profile: Profile,
    /// Whether one handler process serves all functions.
    pub instances: Instances,
    /// How old the host is.
    pub generation: HostGeneration,
    /// How the length of an envelope is told.
    pub envelope_framing: EnvelopeFraming,
    /// How long a proxied exchange may stand still, with nothing sent in either direction, before it is cut off.
    pub proxying_idle_limit: Duration,
    /// Whether timers fire by themselves. [`RunningHost::invoke_timer`](crate::RunningHost::invoke_timer) works anyway.
    pub start_timers: bool,
    /// How often the containers are looked at for new files.
    pub blob_poll_interval: Duration,
    /// The clock of timers and retry delays.
    pub clock: Arc<dyn Clock>,
}

impl HostOptions {
    /// The usual host for an app: a free port, no keys, Flex rules, one handler, timers on, the machine's clock, nothing inherited.
    #[must_use]
    pub fn new(
        app_root: impl Into<PathBuf>,
        data_root: impl Into<PathBuf>,
        state_root: impl Into<PathBuf>,
    ) -> Self {
        Self {
            app_root: app_root.into(),
            settings: BTreeMap::new(),
            environment: Vec::new(),
            data_root: data_root.into(),
            state_root: state_root.into(),
            port: 0,
            keys: KeyPolicy::Off,
            profile: Profile::Flex,
            instances: Instances::One,
            generation: HostGeneration::Current,
            envelope_framing: EnvelopeFraming::Chunked,
            proxying_idle_limit: Duration::from_secs(240),
            start_timers: true,
            blob_poll_interval: Duration::from_millis(500),
            clock: Arc::new(SystemClock),
        }
    }
}

/// Whether callers need a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPolicy {
    /// Every route is open, as under Core Tools.
    Off,
    /// As in Azure: the level of each function's `authLevel`.
    Required,
}

/// Which plan's rules the app is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Flex Consumption: a blob trigger must have the source `EventGrid`.
    Flex,
    /// Any other plan.
    Other,
}

/// How many handler processes serve the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instances {
    /// One for everything, as on one instance of most plans.
    One,
    /// One for each scaling group, as on Flex Consumption: all HTTP functions, all blob functions, every timer by itself.
    PerScalingGroup,
}

/// Which host of Azure is reproduced, by its age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostGeneration {
    /// One of mid-2025 or later.
    Current,
    /// One that ignores `enableProxyingHttpRequest` and what came with it: `customHandler.port`, `customHandler.http` and
    /// `configurationProfile`.
    BeforeProxying,
}

/// How the length of an envelope is told to the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvelopeFraming {
    /// `Transfer-Encoding: chunked`, as the host in Azure.
    Chunked,
    /// `Content-Length`, as Core Tools.
    ContentLength,
}
