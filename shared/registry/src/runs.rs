//! Training runs: recorded once, one at a time for each model.

use futures::TryStreamExt as _;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sluice_storage::{Container, ETag, StorageError};

use crate::document::{self, Created, Stored, create, encode};
use crate::error::Result;
use crate::evidence::run_state;
use crate::names::{check_model_name, check_run_id};
use crate::paths::DocumentPath;
use crate::registry::Registry;
use crate::{RegistryError, Run, RunState};

/// The run documents of a registry.
#[derive(Clone, Copy, Debug)]
pub struct Runs<'a> {
    pub(crate) registry: &'a Registry,
}

/// What became of the wish to start a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Begin {
    /// The run is recorded and nothing else runs: submit it.
    Begun(Run),
    /// This run or another one of the same model is going. In state `created` it waits to be submitted: its starter
    /// may have died, and submitting under the run's id twice is submitting once.
    AlreadyRunning(Run),
    /// This very run has ended before.
    AlreadyDone(Run),
}

/// `{run}.json` with the states it went through, so that no state can miss its audit line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RunDocument {
    #[serde(flatten)]
    pub(crate) run: Run,
    /// The states before the present one, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) history: Vec<RunState>,
}

/// `{model}/active.json`: the run that holds the model's single place. It carries the whole run, so that writing this
/// document is the one commit point: who finds the run's own document missing writes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Active {
    run: Run,
    /// After this the run counts as lost.
    deadline: Timestamp,
}

impl Runs<'_> {
    /// Records a run that does not exist yet; an existing run of that id is returned as it is.
    ///
    /// # Errors
    /// `InvalidName`, `Inconsistent`, `ReadOnly`, `Storage`.
    pub async fn create(&self, run: Run) -> Result<Run> {
        check_run_id(&run.id)?;
        check_model_name(&run.model)?;
        self.registry.auditor()?;
        if run.state != RunState::Created {
            return Err(RegistryError::inconsistent(
                format!("run {}", run.id),
                "a new run is in state created",
            ));
        }
        let document = RunDocument {
            run,
            history: Vec::new(),
        };
        let bytes = encode(&format!("run {}", document.run.id), &document)?;
        let path = run_path(&document.run.id);
        match create(&**self.registry.store(), &path, &bytes).await? {
            Created::New => {
                self.registry.recorded(&path, &bytes).await?;
                Ok(document.run)
            }
            Created::Same => Ok(document.run),
            Created::Different => Ok(self.stored(&document.run.id).await?.document.run),
        }
    }

    /// Writes a run's new state if the run is still at `etag`. The same state again is a success.
    ///
    /// # Errors
    /// `LostRace`, `IllegalTransition`, `Inconsistent` when more than the state changed, `NotFound`, `ReadOnly`,
    /// `Storage`.
    pub async fn update(&self, run: &Run, etag: &ETag) -> Result<ETag> {
        let stored = self.stored(&run.id).await?;
        if stored.etag != *etag {
            return Err(RegistryError::LostRace {
                what: format!("run {}", run.id),
            });
        }
        self.write_state(stored, run).await
    }

    /// Brings a run into `state`, whoever else writes. The same state again is a success.
    ///
    /// # Errors
    /// `IllegalTransition`, `NotFound`, `ReadOnly`, `Storage`.
    pub async fn advance(&self, id: &str, state: RunState) -> Result<Run> {
        loop {
            let stored = self.stored(id).await?;
            let run = Run {
                state: state.clone(),
                ..stored.document.run.clone()
            };
            match self.write_state(stored, &run).await {
                Ok(_) => return Ok(run),
                // At every turn somebody else got further, and states only go forward: this ends.
                Err(error) if error.is_lost_race() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A run and its version, for [`Runs::update`].
    ///
    /// # Errors
    /// `InvalidName`, `Unreadable`, `Storage`.
    pub async fn get(&self, id: &str) -> Result<Option<(Run, ETag)>> {
        Ok(self
            .find(id)
            .await?
            .map(|stored| (stored.document.run, stored.etag)))
    }

    /// Every run, oldest first.
    ///
    /// # Errors
    /// `Unreadable`, `Storage`.
    pub async fn list(&self) -> Result<Vec<Run>> {
        let mut ids = Vec::new();
        let mut list = self.registry.store().list(Container::Runs, "").await?;
        while let Some(info) = list.try_next().await? {
            if let Some(DocumentPath::Run { run }) =
                DocumentPath::parse(Container::Runs, &info.name)
            {
                ids.push(run);
            }
        }
        let mut runs = Vec::new();
        for id in ids {
            runs.extend(self.find(&id).await?.map(|stored| stored.document.run));
        }
        runs.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(runs)
    }

    /// The run of a model that is going.
    ///
    /// # Errors
    /// `InvalidName`, `Unreadable`, `ReadOnly` (when the run's own document must be written), `Storage`.
    pub async fn active(&self, model: &str) -> Result<Option<Run>> {
        check_model_name(model)?;
        let Some(active) = self.holder(model).await? else {
            return Ok(None);
        };
        let run = self.document_of(&active.document).await?;
        Ok((!run.state.is_final()).then_some(run))
    }

    /// Records a run and takes the model's single place for it, or says why not. A place whose deadline has passed is
    /// taken over: the run that held it fails first, so it cannot succeed afterwards.
    ///
    /// # Errors
    /// `InvalidName`, `Inconsistent`, `ReadOnly`, `Storage`.
    pub async fn begin(&self, run: Run, deadline: Timestamp) -> Result<Begin> {
        check_run_id(&run.id)?;
        check_model_name(&run.model)?;
        self.registry.auditor()?;
        let path = DocumentPath::ActiveRun {
            model: run.model.clone(),
        };
        let (container, name) = (path.container(), path.to_string());
        let store = self.registry.store();
        let wanted = encode(
            &format!("run {}", run.id),
            &Active {
                run: run.clone(),
                deadline,
            },
        )?;
        loop {
            if let Some(existing) = self.find(&run.id).await?
                && existing.document.run.state.is_final()
            {
                return Ok(Begin::AlreadyDone(existing.document.run));
            }
            let written = match self.holder(&run.model).await? {
                None => store.create(container, &name, wanted.clone()).await,
                Some(active) => {
                    let holder = self.document_of(&active.document).await?;
                    if !holder.state.is_final() {
                        if self.registry.now() < active.document.deadline {
                            return Ok(Begin::AlreadyRunning(holder));
                        }
                        self.fail_lost(&holder, active.document.deadline).await?;
                        if holder.id == run.id {
                            continue;
                        }
                    }
                    store
                        .replace(container, &name, wanted.clone(), &active.etag)
                        .await
                }
            };
            match written {
                Ok(_) => {
                    let run = self.create(run).await?;
                    return Ok(match run.state {
                        RunState::Created => Begin::Begun(run),
                        RunState::Submitted { .. } => Begin::AlreadyRunning(run),
                        RunState::Succeeded { .. } | RunState::Failed { .. } => {
                            Begin::AlreadyDone(run)
                        }
                    });
                }
                Err(StorageError::AlreadyExists { .. } | StorageError::Conflict { .. }) => {}
                // The place is never given up by deleting it, so it was deleted by hand: look again.
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn fail_lost(&self, run: &Run, deadline: Timestamp) -> Result<()> {
        let reason = format!("it did not end before its deadline, {deadline:.0}");
        match self
            .advance(
                &run.id,
                RunState::Failed {
                    reason,
                    at: self.registry.now(),
                },
            )
            .await
        {
            // It ended in the last moment.
            Ok(_) | Err(RegistryError::IllegalTransition { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The run's own document, written now when its starter died before.
    async fn document_of(&self, active: &Active) -> Result<Run> {
        match self.find(&active.run.id).await? {
            Some(stored) => Ok(stored.document.run),
            None => self.create(active.run.clone()).await,
        }
    }

    async fn holder(&self, model: &str) -> Result<Option<Stored<Active>>> {
        let path = DocumentPath::ActiveRun {
            model: model.to_owned(),
        };
        document::read(&**self.registry.store(), &path, "active run").await
    }

    async fn find(&self, id: &str) -> Result<Option<Stored<RunDocument>>> {
        check_run_id(id)?;
        document::read(&**self.registry.store(), &run_path(id), "run").await
    }

    async fn stored(&self, id: &str) -> Result<Stored<RunDocument>> {
        self.find(id).await?.ok_or_else(|| RegistryError::NotFound {
            what: "run",
            name: id.to_owned(),
        })
    }

    async fn write_state(&self, stored: Stored<RunDocument>, run: &Run) -> Result<ETag> {
        self.registry.auditor()?;
        let RunDocument {
            run: before,
            mut history,
        } = stored.document;
        if before == *run {
            return Ok(stored.etag);
        }
        if (Run {
            state: before.state.clone(),
            ..run.clone()
        }) != before
        {
            return Err(RegistryError::inconsistent(
                format!("run {}", run.id),
                "only its state may change",
            ));
        }
        if !before.state.may_become(&run.state) {
            return Err(RegistryError::transition(
                &run.id,
                &before.state,
                &run.state,
            ));
        }
        history.push(before.state);
        let document = RunDocument {
            run: run.clone(),
            history,
        };
        let bytes = encode(&format!("run {}", run.id), &document)?;
        let path = run_path(&run.id);
        let written = self
            .registry
            .store()
            .replace(
                path.container(),
                &path.to_string(),
                bytes.clone(),
                &stored.etag,
            )
            .await;
        let etag = match written {
            Ok(etag) => etag,
            Err(StorageError::Conflict { .. }) => {
                return Err(RegistryError::LostRace {
                    what: format!("run {}", run.id),
                });
            }
            Err(error) => return Err(error.into()),
        };
        self.registry
            .record_events(&path, &bytes, vec![run_state(&document, &run.state)])
            .await?;
        Ok(etag)
    }
}

fn run_path(id: &str) -> DocumentPath {
    DocumentPath::Run { run: id.to_owned() }
}
