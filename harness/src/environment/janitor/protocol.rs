//! This module is what the harness and its janitor say to each other: one JSON text per line.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::manifest::HeldProxies;
use crate::environment::process::ProcessId;

/// Longest request or reply: a spawn with its environment is a few kilobytes.
pub(crate) const LINE_BYTES_MAX: u64 = 1 << 20;
/// Marks every process of a run, for `harness recover`.
pub(crate) const MARK: &str = "HARNESS_RUN";
/// What the harness asks.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    /// The first one: whose janitor this is.
    Begin {
        run_id: String,
        harness: ProcessId,
        leases: PathBuf,
    },
    Spawn(SpawnSpec),
    /// About to create and use proxies on a Toxiproxy that is not ours.
    Proxies(HeldProxies),
    /// The orderly end: everything goes, then the janitor does.
    Clean,
}

/// A process to start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SpawnSpec {
    /// `redis`, `server`.
    pub what: String,
    pub program: PathBuf,
    pub args: Vec<String>,
    /// Where secrets go: an argument list can be read by every user of the machine.
    pub env: Vec<(String, String)>,
    /// Standard output and error are appended to it.
    pub log: PathBuf,
}

/// What the janitor answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    Begun { directory: PathBuf },
    Spawned(ProcessId),
    Noted,
    Cleaned { problems: Vec<String> },
    Failed { reason: String },
}
