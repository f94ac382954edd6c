//! This module starts what a run needs, says where it is, and stops it again.
//!
//! **In:** the plan and the command line's [`Settings`]. **Out:** an [`Environment`]: a target that
//! answers, links through a fault proxy where the plan wants them, and the means to break them
//! ([`FaultAccess`]).
//!
//! Started in order (janitor, Redis, fault proxy, server), stopped in reverse. Every process is the
//! child of the janitor, which outlives a killed harness just long enough to end them; see
//! [`janitor`].
//!
//! **Units:** seconds of processor time, bytes of memory.

mod error;
mod secret;
mod target;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

use crate::plan::{Link, Plan};

pub(crate) use error::EnvironmentError;
pub(crate) use secret::Secret;
pub(crate) use target::TargetInfo;

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
}

/// What was counted before anything was started.
#[derive(Clone, Debug)]
pub(crate) struct Preflight {
    /// One line per thing counted: `files: 9,356 needed, 20,000 allowed`.
    pub lines: Vec<String>,
}

/// A running environment.
#[derive(Debug)]
pub(crate) struct Environment {
    target: TargetInfo,
    links_text: Vec<String>,
    redis_version: Option<String>,
    access: FaultAccess,
}

/// Everything the fault driver needs; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct FaultAccess {
    links: BTreeMap<Link, SocketAddr>,
}

/// What the children of the run use, from `/proc`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ProcessSample {
    /// `None` for a target that was not started by this run, or has ended.
    pub server: Option<ProcessUse>,
    pub redis: Option<ProcessUse>,
}

/// One process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ProcessUse {
    pub cpu_seconds: f64,
    /// Anonymous memory.
    pub rss_bytes: u64,
}

/// Counts files, ports and memory, and finds the binaries; starts nothing.
pub(crate) async fn preflight(
    _plan: &Plan,
    _settings: &Settings,
) -> Result<Preflight, EnvironmentError> {
    Err(EnvironmentError::Cancelled)
}

impl Environment {
    /// Starts or attaches everything the plan asks for. What was started is stopped again when a
    /// later part fails or `cancel` fires.
    pub(crate) async fn start(
        _plan: &Plan,
        _settings: &Settings,
        _cancel: &CancellationToken,
    ) -> Result<Self, EnvironmentError> {
        Err(EnvironmentError::Cancelled)
    }

    /// Where the target is.
    pub(crate) fn target(&self) -> TargetInfo {
        self.target.clone()
    }

    /// How each link runs: `redis-tokens: 127.0.0.1:20011 -> 127.0.0.1:20010, embedded fault proxy`.
    pub(crate) fn links_text(&self) -> Vec<String> {
        self.links_text.clone()
    }

    /// As Redis tells it; `None` where the target manages its own.
    pub(crate) fn redis_version(&self) -> Option<String> {
        self.redis_version.clone()
    }

    /// As the target's `/health/ws/` tells it.
    pub(crate) async fn target_version(&self) -> Option<String> {
        None
    }

    /// What the fault driver needs.
    pub(crate) fn fault_access(&self) -> FaultAccess {
        self.access.clone()
    }

    /// Processor time and memory of what was started.
    pub(crate) async fn sample(&self) -> ProcessSample {
        ProcessSample::default()
    }

    /// The target's Prometheus samples now: name with labels to value. `None` where it has none.
    pub(crate) async fn server_metrics(&self) -> Option<BTreeMap<String, f64>> {
        None
    }

    /// Stops everything in reverse; returns what went wrong on the way, one sentence each.
    pub(crate) async fn stop(self) -> Vec<String> {
        Vec::new()
    }
}
