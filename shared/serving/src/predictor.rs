//! The online side of the loop: follows the release pointer, answers, and logs every answer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use sluice_inference::{Runtime, RuntimeError, SessionOptions};
use sluice_registry::{
    ChallengerMode, Clock, InstanceId, PredictionId, Registry, RequestIds, Serving, paths,
    write_line,
};
use sluice_storage::{Container, Store};
use sluice_telemetry::{Event, chain};
use tokio::sync::{OnceCell, watch};
use tokio::task::JoinHandle;

use crate::append_log::{AppendLog, BatchOptions};
use crate::counters::Counters;
use crate::loaded::{LoadedModel, LoadedRelease};
use crate::prediction::{Prediction, log_lines};
use crate::{PredictConfig, ServingError};

/// How long a request waits for the model when the process has just started.
const START_WAIT: Duration = Duration::from_secs(20);

/// Finds and loads ONNX Runtime; called once, on a blocking thread, when there is a model to load.
pub type RuntimeLoader = Arc<dyn Fn() -> Result<Runtime, RuntimeError> + Send + Sync>;

/// What answers at present.
#[derive(Debug)]
enum State {
    /// The first look at the pointer is not finished.
    Starting,
    /// Nothing was released yet.
    NoRelease,
    /// Ready.
    Serving(Box<LoadedRelease>),
    /// There is a release, and it cannot be loaded.
    Failed(String),
}

/// Answers prediction requests with the released model.
pub struct Predictor {
    pub(crate) registry: Registry,
    pub(crate) config: PredictConfig,
    pub(crate) clock: Clock,
    pub(crate) log: AppendLog,
    pub(crate) instance: InstanceId,
    ids: RequestIds,
    counters: Counters,
    load_runtime: RuntimeLoader,
    runtime: OnceCell<Runtime>,
    state: ArcSwap<State>,
    started: watch::Sender<bool>,
    /// What the last look found. Held during a look: one at a time.
    seen: tokio::sync::Mutex<Option<Serving>>,
    follower: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Predictor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Predictor")
            .field("instance", &self.instance)
            .field("state", &self.state.load())
            .finish_non_exhaustive()
    }
}

impl Predictor {
    /// Makes a predictor that answers nothing yet: call [`Predictor::follow`], or [`Predictor::refresh`] by hand.
    #[must_use]
    pub fn new(
        registry: Registry,
        store: Arc<dyn Store>,
        config: PredictConfig,
        clock: Clock,
        load_runtime: RuntimeLoader,
    ) -> Arc<Self> {
        let options = BatchOptions {
            interval: Duration::from_millis(config.log_interval_ms),
            ..BatchOptions::default()
        };
        let instance = InstanceId::random();
        Arc::new(Self {
            registry,
            config,
            clock,
            log: AppendLog::start(store, Container::Predictions, options),
            instance,
            ids: RequestIds::new(instance),
            counters: Counters::default(),
            load_runtime,
            runtime: OnceCell::new(),
            state: ArcSwap::from_pointee(State::Starting),
            started: watch::Sender::new(false),
            seen: tokio::sync::Mutex::default(),
            follower: Mutex::default(),
        })
    }

    /// Follows the release pointer in the background until [`Predictor::close`].
    pub fn follow(self: &Arc<Self>) {
        let predictor = self.clone();
        let follower = tokio::spawn(async move {
            loop {
                if let Err(error) = predictor.refresh().await {
                    Event::ModelLoadFailed {
                        error: &chain(&error),
                    }
                    .emit();
                }
                predictor.write_counts().await;
                tokio::time::sleep(Duration::from_secs(predictor.config.poll_seconds)).await;
            }
        });
        *self.follower.lock().unwrap_or_else(PoisonError::into_inner) = Some(follower);
    }

    /// Looks at the release pointer once and swaps when it has moved. Requests that run keep the model they started with.
    ///
    /// # Errors
    /// The pointer cannot be read or the model cannot be loaded: what answered before goes on.
    pub async fn refresh(&self) -> Result<(), ServingError> {
        let refreshed = self.load_newest().await;
        if let Err(error) = &refreshed
            && !matches!(**self.state.load(), State::Serving(_))
        {
            self.state.store(Arc::new(State::Failed(chain(error))));
        }
        self.started.send_replace(true);
        refreshed
    }

    async fn load_newest(&self) -> Result<(), ServingError> {
        let mut seen = self.seen.lock().await;
        let Some(serving) = self.registry.releases().poll(seen.as_ref()).await? else {
            if seen.is_none() {
                self.state.store(Arc::new(State::NoRelease));
            }
            return Ok(());
        };

        let begun = Instant::now();
        let runtime = self.runtime().await?;
        let before = self.state.load_full();
        let before = if let State::Serving(loaded) = &*before {
            Some(&**loaded)
        } else {
            None
        };
        let options = SessionOptions {
            sessions: self.sessions(),
            threads: 1,
        };
        let loaded =
            LoadedRelease::load(&self.registry, runtime, serving.clone(), before, options).await?;
        let (release, model) = (loaded.serving.release.number, loaded.champion.model.clone());
        self.state.store(Arc::new(State::Serving(Box::new(loaded))));
        // Only now: a model that could not be loaded is tried again at the next look.
        *seen = Some(serving);
        Event::ModelLoaded {
            release,
            version: model.version,
            digest: &model.digest.short(),
            took: begun.elapsed(),
        }
        .emit();
        Ok(())
    }

    fn sessions(&self) -> usize {
        match self.config.sessions {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            sessions => sessions,
        }
    }

    async fn runtime(&self) -> Result<&Runtime, ServingError> {
        self.runtime
            .get_or_try_init(|| async {
                let load = self.load_runtime.clone();
                tokio::task::spawn_blocking(move || load())
                    .await
                    .map_err(|error| {
                        ServingError::NotLoadable(format!(
                            "loading ONNX Runtime was interrupted: {error}"
                        ))
                    })?
                    .map_err(ServingError::from)
            })
            .await
    }

    /// Predicts every input and logs it. The inputs are within the limits of the configuration: the caller checked.
    ///
    /// # Errors
    /// Nothing is released or loadable, inference fails, or the log is full.
    pub async fn predict(&self, inputs: Vec<String>) -> Result<Prediction, ServingError> {
        let state = self.ready_state().await?;
        let State::Serving(loaded) = &*state else {
            return Err(ServingError::NoChampion);
        };
        let at = self.clock.now();
        let id = self.ids.next(at);
        let inputs: Arc<[String]> = inputs.into();

        let (model, variant) = loaded.variant_for(&id);
        let begun = Instant::now();
        let scores = model.predict(&inputs).await?;
        let latency = begun.elapsed();
        let prediction = Prediction::new(
            id,
            at,
            model,
            variant,
            loaded.serving.release.number,
            scores,
            latency,
        );

        let path = paths::prediction_log(&id.input(0));
        let mut lines = log_lines(&prediction, &inputs, self.config.log_inputs);
        if let Some((shadow, ChallengerMode::Shadow, weight)) = &loaded.challenger
            && share_of(&id) < *weight
        {
            lines.extend(self.shadow_lines(shadow, &prediction, &inputs).await);
        }
        self.log.push(&path, &lines).await?;
        Ok(prediction)
    }

    /// What a shadow challenger would have said: for the log only, and no reason for a request to fail.
    async fn shadow_lines(
        &self,
        shadow: &Arc<LoadedModel>,
        answered: &Prediction,
        inputs: &Arc<[String]>,
    ) -> Vec<u8> {
        let begun = Instant::now();
        match shadow.predict(inputs).await {
            Ok(scores) => {
                let (id, at, release) = (answered.id, answered.at, answered.release);
                let prediction =
                    Prediction::new(id, at, shadow, "shadow", release, scores, begun.elapsed());
                log_lines(&prediction, inputs, self.config.log_inputs)
            }
            Err(error) => {
                tracing::warn!(
                    error = chain(&error),
                    "the shadow challenger could not predict"
                );
                Vec::new()
            }
        }
    }

    /// The state, after waiting for the first look at the pointer when the process has just started.
    async fn ready_state(&self) -> Result<Arc<State>, ServingError> {
        let state = self.state.load_full();
        let state = if matches!(*state, State::Starting) {
            let mut started = self.started.subscribe();
            let waited =
                tokio::time::timeout(START_WAIT, started.wait_for(|started| *started)).await;
            if !matches!(waited, Ok(Ok(_))) {
                return Err(ServingError::Loading);
            }
            self.state.load_full()
        } else {
            state
        };
        match &*state {
            State::Starting => Err(ServingError::Loading),
            State::NoRelease => Err(ServingError::NoChampion),
            State::Failed(error) => Err(ServingError::NotLoadable(error.clone())),
            State::Serving(_) => Ok(state),
        }
    }

    /// The labels of the model that answers, when there is one.
    pub async fn labels(&self) -> Result<Arc<[String]>, ServingError> {
        let state = self.ready_state().await?;
        let State::Serving(loaded) = &*state else {
            return Err(ServingError::NoChampion);
        };
        Ok(loaded.champion.labels.clone())
    }

    /// Counts a request by the status of its answer: for the monitor's error rate.
    pub fn count(&self, status: u16) {
        self.counters.count(status);
    }

    /// Waits until the predictions so far are in the log. Says whether they are.
    pub async fn flush(&self) -> bool {
        self.log.flush().await
    }

    async fn write_counts(&self) {
        let Some(counts) = self.counters.take(self.clock.now()) else {
            return;
        };
        let path = paths::request_log(self.instance, counts.at);
        let mut line = Vec::new();
        write_line(&mut line, &counts);
        if let Err(error) = self.log.push(&path, &line).await {
            tracing::warn!(%error, "the request counts could not be logged");
        }
    }

    /// Writes what is buffered and stops following. Says whether the whole log is durable.
    pub async fn close(&self) -> bool {
        let follower = self
            .follower
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(follower) = follower {
            follower.abort();
        }
        self.write_counts().await;
        self.log.close().await
    }
}

impl LoadedRelease {
    /// Who answers a request: the canary takes its share, the same for every retry with the same id.
    fn variant_for(&self, id: &sluice_registry::RequestId) -> (&Arc<LoadedModel>, &'static str) {
        match &self.challenger {
            Some((model, ChallengerMode::Canary, weight)) if share_of(id) < *weight => {
                (model, "canary")
            }
            _ => (&self.champion, "champion"),
        }
    }
}

/// A number from 0 to 1, spread evenly over request ids.
fn share_of(id: &sluice_registry::RequestId) -> f64 {
    let hash = sluice_registry::content_hash(&id.to_string());
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

/// Reads an id as callers may write it: a prediction's id, or a request's id when it had one input.
pub(crate) fn parse_id(text: &str) -> Result<PredictionId, ServingError> {
    let unknown = |reason: String| ServingError::UnknownPrediction {
        id: text.chars().take(80).collect(),
        reason,
    };
    if text.contains('.') {
        return text
            .parse()
            .map_err(|error: sluice_registry::InvalidPredictionId| unknown(error.to_string()));
    }
    let request: sluice_registry::RequestId = text
        .parse()
        .map_err(|error: sluice_registry::InvalidPredictionId| unknown(error.to_string()))?;
    Ok(request.input(0))
}
