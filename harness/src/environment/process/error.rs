//! This module names what a process of the run does that it should not.

use std::path::PathBuf;
use std::time::Duration;

use miette::Diagnostic;

/// What a process did instead.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum ProcessError {
    #[error("{what} ended before it was ready; its log {} {tail}", log.display())]
    Ended {
        what: &'static str,
        log: PathBuf,
        tail: String,
    },
    #[error("{what} was not ready after {waited:?}; last answer: {last}")]
    NotReady {
        what: &'static str,
        waited: Duration,
        last: String,
    },
    /// It did not do what a signal told it.
    #[error("{what} (pid {pid}): {reason}")]
    Control {
        what: &'static str,
        pid: i32,
        reason: String,
    },
}
