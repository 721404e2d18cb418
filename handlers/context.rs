//! What the functions and commands work with: made once from settings and configuration.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use once_cell::sync::OnceCell;
use sluice_inference::{LibrarySearch, Runtime, RuntimeError};
use sluice_lifecycle::{Lifecycle, LocalTrainer, LoopConfig, Trainer};
use sluice_registry::{AuditStream, Clock, CodeVersion, Digest, Registry};
use sluice_serving::{Predictor, RuntimeLoader};
use sluice_storage::{DirectoryStore, Store};

use crate::config::{ModelConfig, Settings, StorageSetting};

/// One process's view of the loop.
#[derive(Debug)]
pub struct Context {
    /// Where it runs.
    pub settings: Settings,
    /// What the model is.
    pub config: ModelConfig,
    /// The blobs.
    pub store: Arc<dyn Store>,
    /// What time it is.
    pub clock: Clock,
    /// The verbs.
    pub lifecycle: Lifecycle,
    /// The online side.
    pub predictor: Arc<Predictor>,
    /// From every accepted spelling of a label to its name.
    pub label_names: HashMap<String, String>,
}

impl Context {
    /// Puts everything together over the store of the settings. `writer` names this process's audit stream.
    ///
    /// # Errors
    /// The store cannot be opened.
    pub fn open(
        settings: Settings,
        config: ModelConfig,
        writer: &str,
    ) -> anyhow::Result<Arc<Self>> {
        let StorageSetting::Directory(root) = &settings.storage;
        let store = DirectoryStore::open(root)
            .with_context(|| format!("the folder {} cannot be used", root.display()))?;
        let trainer = local_trainer(&settings)?;
        Self::assemble(
            settings,
            config,
            Arc::new(store),
            Clock::default(),
            Arc::new(trainer),
            writer,
        )
    }

    /// Puts everything together over a given store, clock and trainer.
    ///
    /// # Errors
    /// The writer's name is not one.
    pub fn assemble(
        settings: Settings,
        config: ModelConfig,
        store: Arc<dyn Store>,
        clock: Clock,
        trainer: Arc<dyn Trainer>,
        writer: &str,
    ) -> anyhow::Result<Arc<Self>> {
        let audit = AuditStream::open(store.clone(), writer)?;
        let registry = Registry::new(store.clone())
            .with_clock(clock.clone())
            .with_audit(audit);
        let lifecycle = Lifecycle::new(
            store.clone(),
            registry.clone(),
            loop_config(&config),
            clock.clone(),
            trainer,
        );
        let predictor = Predictor::new(
            registry,
            store.clone(),
            config.predict.clone(),
            clock.clone(),
            runtime_loader(&settings),
        );
        let names = config.schema.label_names();
        let label_names = config
            .schema
            .label_index()
            .into_iter()
            .map(|(spelling, index)| (spelling, names[index].clone()))
            .collect();
        Ok(Arc::new(Self {
            settings,
            config,
            store,
            clock,
            lifecycle,
            predictor,
            label_names,
        }))
    }

    /// Who acts: as given, or the user of this machine.
    #[must_use]
    pub fn actor(&self, given: Option<String>) -> String {
        given
            .or_else(|| self.settings.user.clone())
            .unwrap_or_else(|| "unknown".to_owned())
    }

    /// ONNX Runtime, loaded on a thread where that blocks nobody.
    ///
    /// # Errors
    /// It is nowhere, or cannot be loaded.
    pub async fn runtime(&self) -> anyhow::Result<Runtime> {
        let load = runtime_loader(&self.settings);
        Ok(tokio::task::spawn_blocking(move || load()).await??)
    }
}

fn loop_config(config: &ModelConfig) -> LoopConfig {
    LoopConfig {
        model: config.name.clone(),
        dataset: config.dataset.clone(),
        schema: config.schema.clone(),
        split: config.split.clone(),
        checks: config.checks.clone(),
        training: config.training.clone(),
        gate: config.gate.clone(),
        retrain: config.retrain.clone(),
        monitor: config.monitor.clone(),
    }
}

/// Where ONNX Runtime is looked for, in the documented order.
#[must_use]
pub fn library_search(settings: &Settings) -> LibrarySearch {
    LibrarySearch {
        setting: settings.onnxruntime.clone(),
        ort_dylib_path: settings.ort_dylib_path.clone(),
        executable_dir: std::env::current_exe()
            .ok()
            .and_then(|executable| executable.parent().map(Path::to_owned)),
        cache_dir: settings.cache_dir.clone(),
    }
}

fn runtime_loader(settings: &Settings) -> RuntimeLoader {
    let search = library_search(settings);
    let telemetry = settings.ort_disable_telemetry.clone();
    Arc::new(move || -> Result<Runtime, RuntimeError> {
        Runtime::load(&search, telemetry.as_deref())
    })
}

/// Training runs as processes of this executable, over the same storage and configuration.
fn local_trainer(settings: &Settings) -> anyhow::Result<LocalTrainer> {
    let StorageSetting::Directory(root) = &settings.storage;
    let absolute = |path: &Path| {
        std::path::absolute(path)
            .with_context(|| format!("{} has no absolute path", path.display()))
    };
    let root = absolute(root)?;
    let environment = BTreeMap::from([
        (
            "SLUICE_STORAGE".to_owned(),
            StorageSetting::Directory(root.clone()).to_value(),
        ),
        (
            "SLUICE_CONFIG".to_owned(),
            absolute(&settings.config_file)?.display().to_string(),
        ),
    ]);
    Ok(LocalTrainer {
        executable: std::env::current_exe().context("this executable cannot be found")?,
        environment,
        logs: root
            .parent()
            .map_or_else(|| PathBuf::from("."), Path::to_owned)
            .join("logs"),
    })
}

/// The code that runs: worked out when first asked for, since it reads the whole executable.
#[must_use]
pub fn code_version() -> CodeVersion {
    static DIGEST: OnceCell<Digest> = OnceCell::new();
    let read = || {
        std::env::current_exe()
            .and_then(std::fs::read)
            .map(|bytes| Digest::of(&bytes))
    };
    CodeVersion {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        // An executable that was replaced while it runs cannot be read any more: the digest of nothing says so.
        digest: *DIGEST.get_or_init(|| read().unwrap_or_else(|_| Digest::of(&[]))),
        commit: option_env!("SLUICE_COMMIT").map(str::to_owned),
    }
}
