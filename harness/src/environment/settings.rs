//! This module holds what the command line says about the environment.

use std::path::PathBuf;

/// What the command line says about the environment, beside the plan.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Unique on this machine; part of every name given to something outside.
    pub run_id: String,
    /// Directory of the run; logs go to `logs/` below it.
    pub out: PathBuf,
    /// `--server PATH`.
    pub server_binary: Option<PathBuf>,
    /// `--allow-host HOST`, as given.
    pub allow_hosts: Vec<String>,
    /// `--allow-faults`.
    pub allow_faults: bool,
    /// Hears what somebody who waits for the start should know, a line at a time.
    pub say: fn(&str),
}
