//! A pool of ONNX Runtime sessions of one model.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use ort::ep;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

use crate::Runtime;
use crate::error::{InferenceError, one_line};

/// How much of the machine a model may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionOptions {
    /// Threads that work on one call inside ONNX Runtime. For small models 1 is the fastest.
    pub threads: usize,
    /// Calls that run at the same time; each session holds its own copy of the weights.
    pub sessions: usize,
}

impl Default for SessionOptions {
    /// One thread, one session.
    fn default() -> Self {
        Self {
            threads: 1,
            sessions: 1,
        }
    }
}

/// Sessions of one model. `ort` lets one thread at a time run a session, so each is behind a lock of its own.
#[derive(Debug)]
pub(crate) struct SessionPool {
    sessions: Vec<Mutex<Session>>,
    next: AtomicUsize,
}

impl SessionPool {
    /// Creates every session now, so that a model which cannot run is refused when it is loaded.
    pub(crate) fn load(
        runtime: &Runtime,
        model: &[u8],
        options: SessionOptions,
    ) -> Result<Self, InferenceError> {
        for (field, value) in [("threads", options.threads), ("sessions", options.sessions)] {
            if value == 0 {
                return Err(InferenceError::Options { field });
            }
        }
        let refuse = |error: ort::Error| InferenceError::Model {
            bytes: model.len(),
            reason: one_line(error.message()),
        };
        let mut builder = builder(runtime, options.threads).map_err(refuse)?;
        let session = |_| {
            builder
                .commit_from_memory(model)
                .map(Mutex::new)
                .map_err(refuse)
        };
        Ok(Self {
            sessions: (0..options.sessions)
                .map(session)
                .collect::<Result<_, _>>()?,
            next: AtomicUsize::new(0),
        })
    }

    /// A session that nobody uses; waits for one when all are in use.
    pub(crate) fn take(&self) -> MutexGuard<'_, Session> {
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let from_start =
            |offset: usize| &self.sessions[start.wrapping_add(offset) % self.sessions.len()];
        for offset in 0..self.sessions.len() {
            match from_start(offset).try_lock() {
                Ok(session) => return session,
                // A panic in another thread leaves no half-made state: a session keeps none between runs.
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        from_start(0).lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// No memory arena and no memory pattern: the tensors are small and their sizes change with every call, so both only
/// keep memory. Basic optimisations only: the graph is written as it should run, and a cold start does not wait.
fn builder(runtime: &Runtime, threads: usize) -> Result<SessionBuilder, ort::Error> {
    let builder = Session::builder(runtime.environment())?
        .with_execution_providers([ep::CPU::default().with_arena_allocator(false).build()])?
        .with_memory_pattern(false)?
        .with_optimization_level(GraphOptimizationLevel::Level1)?
        .with_intra_threads(threads)?
        .with_inter_threads(1)?;
    Ok(builder)
}
