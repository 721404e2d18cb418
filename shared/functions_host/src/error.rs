//! What can go wrong with the host itself, named for what the caller can do about it.

use std::io;
use std::path::PathBuf;

use crate::event::{InvocationFailure, StopReason};

/// A failure of the host.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The app's own configuration must be corrected.
    #[error("{}: {reason}", path.display())]
    Configuration {
        /// The file with the mistake.
        path: PathBuf,
        /// What is wrong and what is expected.
        reason: String,
    },
    /// The handler's executable is not there or may not be run.
    #[error("the handler {} {reason}", path.display())]
    Executable {
        /// The executable that `host.json` names.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A folder or file of the host cannot be read or written.
    #[error("cannot use {}", path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The port for callers is taken or forbidden.
    #[error("cannot listen on 127.0.0.1:{port}: free the port or choose another")]
    Listen {
        /// The port asked for; 0 means any.
        port: u16,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// No loaded function has this name.
    #[error("no loaded function is called {name:?}")]
    UnknownFunction {
        /// The name as given.
        name: String,
    },
    /// The function has another trigger than the call needs.
    #[error("{name:?} cannot be run this way: it has no {expected} trigger")]
    WrongTrigger {
        /// The function.
        name: String,
        /// The trigger that the call needs.
        expected: &'static str,
    },
    /// The invocation ran and failed.
    #[error("{name:?} failed: {reason}")]
    Invocation {
        /// The function.
        name: String,
        /// Why.
        reason: InvocationFailure,
    },
    /// The host is not running any more.
    #[error("the host has stopped: {0}")]
    Stopped(StopReason),
}

impl HostError {
    pub(crate) fn folder(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Folder { path, source }
    }
}
