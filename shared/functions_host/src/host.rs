//! Starts a host and holds it.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use azure_functions::wire::MAX_REQUEST_BODY_BYTES;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::blob::{self, Queue, Watcher};
use crate::client::HandlerClient;
use crate::error::HostError;
use crate::event::{EventSink, HostEvent, StopReason};
use crate::front::{self, Keys, Routes};
use crate::function::{Function, Trigger};
use crate::handler::{Handlers, Instance, InstanceSetup, Launch};
use crate::host_json::{FILE_NAME, HostConfig};
use crate::index::{FunctionReport, Index};
use crate::lock::try_lock;
use crate::options::{HostOptions, Instances, KeyPolicy};
use crate::runtime::Runtime;
use crate::settings::Settings;
use crate::timer;

/// The setting that changes the largest request body.
const BODY_LIMIT_SETTING: &str = "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT";

/// The local Functions host.
#[derive(Clone, Copy, Debug)]
pub struct Host;

impl Host {
    /// Reads the app, listens for callers and starts the handler, the timers and the blob events.
    ///
    /// It returns when callers can connect; their requests wait until the handler is ready, see [`RunningHost::ready`].
    /// It must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// [`HostError::Configuration`] and [`HostError::Executable`] for what the app must correct, [`HostError::Listen`] for
    /// the port, [`HostError::Folder`] for a folder that cannot be used. A function that is wrong by itself is no error:
    /// the others are served, and [`RunningHost::functions`] has the reason.
    pub async fn start(
        options: HostOptions,
        events: impl EventSink,
    ) -> Result<RunningHost, HostError> {
        let sink: Arc<dyn EventSink> = Arc::new(events);
        let prepared = {
            let options = options.clone();
            tokio::task::spawn_blocking(move || Prepared::new(&options)).await
        };
        let broken = |error| HostError::folder(&options.app_root)(std::io::Error::other(error));
        let prepared = prepared.map_err(broken)??;
        let Prepared {
            app_root,
            settings,
            config,
            index,
            keys,
            queue,
            watcher,
            launch,
            largest_body,
            blob_lock,
        } = prepared;
        for event in index.events {
            sink.event(event);
        }
        let listen = |source| HostError::Listen {
            port: options.port,
            source,
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))
            .await
            .map_err(listen)?;
        let url = format!("http://{}", listener.local_addr().map_err(listen)?);

        let stop = watch::Sender::new(None);
        let setup = |group: &str, launch: Launch| InstanceSetup {
            name: group.into(),
            launch,
            environment: environment(&options, group),
            settings: settings.clone(),
            app_root: app_root.clone().into_os_string(),
            fixed_port: config.handler.port,
            initialization_timeout: config.handler.initialization_timeout,
            function_timeout: config.function_timeout,
            stderr_for_errors_only: config.handler.stderr_for_errors_only,
            clock: options.clock.clone(),
            sink: sink.clone(),
            stop_host: stop.clone(),
        };
        let handlers = match launch {
            None => Handlers::default(),
            Some(launch) => Handlers::start(&index.functions, options.instances, |group| {
                Instance::start(setup(group, launch.clone()))
            })
            .map_err(|source| HostError::Listen {
                port: config.handler.port.unwrap_or_default(),
                source,
            })?,
        };
        let runtime = Arc::new(Runtime {
            routes: Routes::new(&config.route_prefix, &index.functions),
            functions: index.functions,
            config,
            keys,
            largest_body,
            handlers,
            client: HandlerClient::new(),
            queue,
            url: url.clone(),
            started: Instant::now(),
            sink,
            stop,
            options,
        });
        runtime.emit(HostEvent::Listening { url });
        let tasks = start_tasks(&runtime, listener, watcher, blob_lock);
        let (over, outcome) = watch::channel(None);
        tokio::spawn(end(runtime.clone(), tasks, over));
        Ok(RunningHost {
            runtime,
            reports: index.reports,
            outcome,
        })
    }
}

/// What is read from disk before anything starts.
struct Prepared {
    app_root: PathBuf,
    settings: Settings,
    config: HostConfig,
    index: Index,
    keys: Option<Keys>,
    queue: Queue,
    watcher: Watcher,
    /// `None` when no function is served: then the handler is not started.
    launch: Option<Launch>,
    largest_body: u64,
    /// `None` when another host on this state folder has it.
    blob_lock: Option<File>,
}

impl Prepared {
    fn new(options: &HostOptions) -> Result<Self, HostError> {
        let app_root = options
            .app_root
            .canonicalize()
            .map_err(HostError::folder(&options.app_root))?;
        let settings = Settings::new(&options.settings, &options.environment);
        let config = HostConfig::load(&app_root, &settings, options.generation)?;
        if config.handler.port.is_some() && options.instances == Instances::PerScalingGroup {
            return Err(HostError::Configuration {
                path: app_root.join(FILE_NAME),
                reason: "customHandler.port cannot be fixed when every scaling group has a handler of its own"
                    .to_owned(),
            });
        }
        let index = Index::read(&app_root, &config, &settings, options.profile)?;
        let state = &options.state_root;
        std::fs::create_dir_all(state.join("timers")).map_err(HostError::folder(state))?;
        let names = index.functions.iter().map(|function| &*function.name);
        let keys = match options.keys {
            KeyPolicy::Off => None,
            KeyPolicy::Required => {
                Some(Keys::open(state, names).map_err(HostError::folder(state.join("keys.json")))?)
            }
        };
        if options.instances == Instances::PerScalingGroup {
            make_temporary_folders(state, &index.functions)?;
        }
        let triggers = index
            .functions
            .iter()
            .filter_map(|function| match &function.trigger {
                Trigger::Blob(blob) => Some((function.name.clone(), blob.pattern.container())),
                _ => None,
            });
        let launch = if index.functions.is_empty() {
            None
        } else {
            Some(Launch::new(&app_root, &config.handler, &settings)?)
        };
        let queue = Queue::open(state).map_err(HostError::folder(state))?;
        let largest_body = settings
            .get(BODY_LIMIT_SETTING)
            .and_then(|limit| limit.parse().ok());
        Ok(Self {
            blob_lock: try_lock(state.join("blobs/host.lock")).map_err(HostError::folder(state))?,
            queue,
            watcher: Watcher::open(&options.data_root, state, triggers)
                .map_err(HostError::folder(state))?,
            largest_body: largest_body.unwrap_or(MAX_REQUEST_BODY_BYTES as u64),
            launch,
            app_root,
            settings,
            config,
            keys,
            index,
        })
    }
}

/// What a handler process inherits: the environment, the settings over it, and, when groups run apart, a folder for
/// temporary files of its own.
fn environment(options: &HostOptions, group: &str) -> Vec<(OsString, OsString)> {
    let own = options
        .settings
        .iter()
        .map(|(name, value)| (name.into(), value.into()));
    let mut environment: Vec<(OsString, OsString)> =
        options.environment.iter().cloned().chain(own).collect();
    if options.instances == Instances::PerScalingGroup {
        environment.push((
            "TMPDIR".into(),
            temporary_folder(&options.state_root, group).into_os_string(),
        ));
    }
    environment
}

fn temporary_folder(state_root: &Path, group: &str) -> PathBuf {
    let state_root = std::path::absolute(state_root).unwrap_or_else(|_| state_root.to_owned());
    state_root
        .join("instances")
        .join(group.replace(':', "-"))
        .join("tmp")
}

fn make_temporary_folders(state_root: &Path, functions: &[Arc<Function>]) -> Result<(), HostError> {
    let timers = functions
        .iter()
        .map(|function| format!("function:{}", function.name));
    for group in ["http".to_owned(), "blob".to_owned()]
        .into_iter()
        .chain(timers)
    {
        let folder = temporary_folder(state_root, &group);
        std::fs::create_dir_all(&folder).map_err(HostError::folder(folder))?;
    }
    Ok(())
}

/// Everything that runs until the host stops, except the handlers.
fn start_tasks(
    runtime: &Arc<Runtime>,
    listener: TcpListener,
    watcher: Watcher,
    blob_lock: Option<File>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(front::serve(runtime.clone(), listener));
    let has_blobs = runtime
        .functions
        .iter()
        .any(|function| matches!(function.trigger, Trigger::Blob(_)));
    if has_blobs && blob_lock.is_none() {
        runtime.emit(HostEvent::BlobsHeldElsewhere);
    }
    if let Some(lock) = blob_lock.filter(|_| has_blobs) {
        tasks.spawn(watch_blobs(runtime.clone(), watcher, lock));
        for _ in 0..runtime.config.blob_parallelism {
            tasks.spawn(blob::run_executor(runtime.clone()));
        }
    }
    if runtime.options.start_timers {
        for function in &runtime.functions {
            if let Trigger::Timer(timer) = &function.trigger {
                tasks.spawn(timer::run(runtime.clone(), function.clone(), timer.clone()));
            }
        }
    }
    tasks
}

/// The lock is given back when this ends.
async fn watch_blobs(runtime: Arc<Runtime>, mut watcher: Watcher, _lock: File) {
    loop {
        let (shared, now) = (runtime.clone(), runtime.options.clock.now());
        let looked = tokio::task::spawn_blocking(move || {
            let events = watcher.look(&shared.queue, now);
            (watcher, events)
        });
        let Ok((back, events)) = looked.await else {
            return;
        };
        watcher = back;
        for event in events {
            runtime.emit(event);
        }
        tokio::time::sleep(runtime.options.blob_poll_interval).await;
    }
}

/// Waits for a reason to stop, then ends the tasks, kills the handlers and says so.
async fn end(
    runtime: Arc<Runtime>,
    mut tasks: JoinSet<()>,
    over: watch::Sender<Option<StopReason>>,
) {
    let mut stop = runtime.stop.subscribe();
    let reason = match stop.wait_for(Option::is_some).await {
        Ok(reason) => reason.clone().unwrap_or(StopReason::Requested),
        Err(_) => StopReason::Requested,
    };
    // First the tasks: what they have in hand stays on disk as it is, unjudged.
    tasks.shutdown().await;
    runtime.handlers.stop().await;
    runtime.emit(HostEvent::Stopped {
        reason: reason.clone(),
    });
    over.send_replace(Some(reason));
}

/// A host that was started. Dropping it stops it in the background; [`RunningHost::stop`] also waits.
pub struct RunningHost {
    runtime: Arc<Runtime>,
    reports: Vec<FunctionReport>,
    outcome: watch::Receiver<Option<StopReason>>,
}

impl RunningHost {
    /// Where callers connect, for instance `http://127.0.0.1:7071`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.runtime.url
    }

    /// The process id of the handler; `None` while there is none. With several handler processes, that of the first group.
    #[must_use]
    pub fn handler_pid(&self) -> Option<u32> {
        self.runtime
            .handlers
            .iter()
            .find_map(|instance| instance.pid())
    }

    /// The process id of the handler that serves a function.
    #[must_use]
    pub fn handler_pid_of(&self, function: &str) -> Option<u32> {
        let function = self.runtime.function(function)?;
        self.runtime.handlers.of(function)?.pid()
    }

    /// Every folder with a `function.json`, and what became of it.
    #[must_use]
    pub fn functions(&self) -> &[FunctionReport] {
        &self.reports
    }

    /// The access keys; `None` when callers need none.
    #[must_use]
    pub fn keys(&self) -> Option<&Keys> {
        self.runtime.keys.as_ref()
    }

    /// Waits until every handler process answers.
    ///
    /// # Errors
    /// [`HostError::Stopped`] when the host gave up before.
    pub async fn ready(&self) -> Result<(), HostError> {
        for instance in self.runtime.handlers.iter() {
            if instance.ready().await.is_err() {
                return Err(HostError::Stopped(self.wait().await));
            }
        }
        Ok(())
    }

    /// Runs a timer function now and waits for its end, with the retries of its policy. Its schedule is not changed.
    ///
    /// # Errors
    /// [`HostError::UnknownFunction`], [`HostError::WrongTrigger`], and [`HostError::Invocation`] when it failed.
    pub async fn invoke_timer(&self, name: &str) -> Result<(), HostError> {
        let function = self
            .runtime
            .function(name)
            .ok_or_else(|| HostError::UnknownFunction {
                name: name.to_owned(),
            })?;
        let Trigger::Timer(timer) = &function.trigger else {
            return Err(HostError::WrongTrigger {
                name: name.to_owned(),
                expected: "timer",
            });
        };
        timer::run_once(&self.runtime, function, timer)
            .await
            .map_err(|reason| HostError::Invocation {
                name: name.to_owned(),
                reason,
            })
    }

    /// Stops the host: SIGKILL to the handler, without a word before it. Returns when everything has ended.
    pub async fn stop(&self) {
        self.runtime.stop(StopReason::Requested);
        self.wait().await;
    }

    /// Waits until the host has stopped, and says why.
    pub async fn wait(&self) -> StopReason {
        let mut outcome = self.outcome.clone();
        match outcome.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or(StopReason::Requested),
            Err(_) => StopReason::Requested,
        }
    }
}

impl Drop for RunningHost {
    fn drop(&mut self) {
        self.runtime.stop(StopReason::Requested);
    }
}

impl fmt::Debug for RunningHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningHost")
            .field("url", &self.url())
            .field("handler_pid", &self.handler_pid())
            .finish_non_exhaustive()
    }
}
