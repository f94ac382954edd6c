//! This module is what the servers of the run say of themselves.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The target's own account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ServerAccount {
    pub cpu_seconds: Option<f64>,
    pub rss_peak_bytes: Option<u64>,
    /// Its Prometheus counters at the end minus the start: sample name with labels → value.
    pub counters: BTreeMap<String, f64>,
    /// Most sockets it had open at any sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_peak: Option<u64>,
    /// Most entries that waited in its task queue at any look, one a second: `chat_queue_depth`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_depth_peak: Option<u64>,
    /// Most sockets it opened between two samples, one recorder interval apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connects_peak: Option<u64>,
    /// Tokens that it did not know, or not any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_refused: Option<u64>,
    /// Conversations that it still held when the sockets of the run were gone: more than before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversations_left: Option<u64>,
    /// By how much its resident memory was larger in the last quarter of the load than in the second, on average.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_growth_bytes: Option<u64>,
}

/// What the processes of a kind used during the load.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ProcessAccount {
    pub what: ProcessKind,
    /// Processors in use, from the end of the ramp to the end of the load.
    pub cpu_cores: f64,
    /// The same over the busiest 5 s of the whole run.
    pub cpu_cores_peak: f64,
    /// Processors that it may use: those it may run on, or the quota of its control groups where that is less; of Redis, which
    /// answers on one thread, at most one. `None`: not known.
    pub cpu_cores_limit: Option<f64>,
    pub rss_peak_bytes: u64,
    /// Memory that it may use: that of the machine, or the limit of its control groups where that is less; absent: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_limit_bytes: Option<u64>,
    pub files_peak: u64,
    /// Files that it may open; `None`: without limit, or not known.
    pub files_limit: Option<u64>,
}

/// Whose account it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProcessKind {
    /// All instances of the server together.
    Server,
    Redis,
    /// The fault proxies of the edge link together.
    Edge,
}

/// A process that ended by itself, or could not go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct EndedProcess {
    /// In words: `the reference server`, `Redis`.
    pub what: String,
    /// When it was first seen to be so: up to a second after it began.
    pub seen_us: u64,
    /// What it could not do any more; absent: it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fact: Option<String>,
}
