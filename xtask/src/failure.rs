//! This module names what can go wrong, with a hint for the person at the keyboard.

use std::path::PathBuf;

use thiserror::Error;

/// A command that did not succeed.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error("{step} failed with {status}")]
    Step { step: String, status: String },
    #[error("could not start `{program}`: {source}")]
    Start {
        program: String,
        source: std::io::Error,
    },
    #[error("redis-server is needed and not installed, and {why}")]
    NoRedis { why: String, command: String },
    #[error("{path}: {source}")]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path}: {what}")]
    Result { path: PathBuf, what: String },
}

impl Failure {
    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::NoRedis { command, .. } => Some(format!(
                "run `{command}`, or point REDIS_SERVER at a redis-server or valkey-server binary"
            )),
            Self::Step { .. } | Self::Start { .. } | Self::File { .. } | Self::Result { .. } => {
                None
            }
        }
    }
}
