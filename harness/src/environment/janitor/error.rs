//! This module names what goes wrong with the janitor and with its manifests, with a hint each.

use std::io;
use std::path::PathBuf;

use miette::Diagnostic;

/// Why the janitor, or a manifest of it, cannot be used.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum JanitorError {
    #[error("standard input is not the harness's socket; `harness janitor` is started by a run")]
    NoSocket(#[source] io::Error),
    #[error("the janitor's runtime could not start: {0}")]
    Runtime(#[source] io::Error),
    #[error("the janitor process did not start: {reason}")]
    NotStarted { reason: String },
    #[error("{what} could not be started: {reason}")]
    Spawn { what: &'static str, reason: String },
    #[error("lease {}: {reason}: left alone", path.display())]
    #[diagnostic(help("{HINT_OF_LEASES}"))]
    Manifest { path: PathBuf, reason: String },
    #[error("the folder of the leases, {}: {reason}", path.display())]
    #[diagnostic(help("{HINT_OF_LEASES}"))]
    Folder { path: PathBuf, reason: String },
    #[error("there is no place for leases: this user has no home")]
    #[diagnostic(help("{HINT_OF_LEASES}"))]
    NoFolder,
}

const HINT_OF_LEASES: &str = "what stands in a lease is obeyed: keep them where nobody else may write, \
    in a folder of your own that XDG_STATE_HOME names";
