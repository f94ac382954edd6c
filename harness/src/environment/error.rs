//! This module names everything that can keep an environment from starting.
//!
//! Each part has its own errors, which say what happened and what the user can do about it.

use miette::Diagnostic;

use super::endpoint::EndpointError;
use super::janitor::JanitorError;
use super::machine::{MachineError, OutError, ProgramError};
use super::preflight::PreflightError;
use super::process::ProcessError;
use super::proxy::ProxyError;
use super::redis::RedisError;
use super::secret::SecretError;
use super::target::TargetError;

/// Why the environment did not start. The process exits with 3 for all of them except
/// [`EnvironmentError::Cancelled`], which is an interruption (130), and [`EnvironmentError::Out`]
/// (5).
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum EnvironmentError {
    /// The caller's cancellation arrived while something was being started.
    #[error("interrupted while the environment was starting; what had been started is stopped")]
    Cancelled,
    #[error(transparent)]
    #[diagnostic(transparent)]
    Out(#[from] OutError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Machine(#[from] MachineError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Program(#[from] ProgramError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Endpoint(#[from] EndpointError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Preflight(#[from] PreflightError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Janitor(#[from] JanitorError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Process(#[from] ProcessError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Redis(#[from] RedisError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Proxy(#[from] ProxyError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Target(#[from] TargetError),
}

impl EnvironmentError {
    /// What the user can do about it, in one line.
    pub(crate) fn hint(&self) -> Option<String> {
        self.help().map(|hint| hint.to_string())
    }
}
