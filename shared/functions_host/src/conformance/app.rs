//! The app under check, read as the host reads it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::ConformanceOptions;
use crate::error::HostError;
use crate::function::Function;
use crate::handler::Launch;
use crate::host_json::{FILE_NAME, HostConfig};
use crate::index::{FunctionReport, FunctionStatus, Index};
use crate::options::{HostGeneration, Profile};
use crate::settings::Settings;

/// What is known before anything is started.
#[derive(Debug)]
pub(super) struct App {
    pub(super) app_root: PathBuf,
    pub(super) config: HostConfig,
    pub(super) functions: Vec<Arc<Function>>,
    pub(super) reports: Vec<FunctionReport>,
    pub(super) launch: Launch,
    pub(super) settings: Settings,
    pub(super) environment: Vec<(OsString, OsString)>,
    pub(super) samples: Option<PathBuf>,
    pub(super) patience: Duration,
    pub(super) largest_envelope: usize,
}

impl App {
    pub(super) fn read(options: ConformanceOptions) -> Result<Self, HostError> {
        let app_root = options
            .app_root
            .canonicalize()
            .map_err(HostError::folder(&options.app_root))?;
        let settings = Settings::new(&options.settings, &options.environment);
        let config = HostConfig::load(&app_root, &settings, HostGeneration::Current)?;
        let index = Index::read(&app_root, &config, &settings, Profile::Flex)?;
        if index.functions.is_empty() {
            return Err(HostError::Configuration {
                path: app_root.join(FILE_NAME),
                reason: nothing_to_drive(&index.reports),
            });
        }
        let own: BTreeMap<String, String> = options.settings;
        let own = own
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        Ok(Self {
            launch: Launch::new(&app_root, &config.handler, &settings)?,
            environment: options.environment.into_iter().chain(own).collect(),
            functions: index.functions,
            reports: index.reports,
            samples: options.samples,
            patience: options.patience,
            largest_envelope: options.largest_envelope,
            app_root,
            config,
            settings,
        })
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.functions.iter().map(|f| f.name.to_string()).collect()
    }

    /// The functions that always get envelopes.
    pub(super) fn events(&self) -> impl Iterator<Item = &Arc<Function>> {
        self.functions.iter().filter(|f| f.http().is_none())
    }

    /// The functions that answer HTTP.
    pub(super) fn https(&self) -> impl Iterator<Item = &Arc<Function>> {
        self.functions.iter().filter(|f| f.http().is_some())
    }

    /// Whether raw requests of this function reach the handler.
    pub(super) fn is_forwarded(&self, function: &Function) -> bool {
        function.is_forwardable()
            && (self.config.handler.forwarding || self.config.handler.proxying)
    }
}

fn nothing_to_drive(reports: &[FunctionReport]) -> String {
    let mut reason = "no function can be served".to_owned();
    for report in reports {
        if let FunctionStatus::Rejected { reason: why } = &report.status {
            reason.push_str(&format!("; {}: {why}", report.name));
        }
    }
    reason
}
