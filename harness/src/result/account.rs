//! This module is what the harness says of itself, and what the servers of the run say of themselves.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::busy::BusySpan;
use super::measured::Summary;

/// The harness about itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Generator {
    pub cpu_seconds: f64,
    /// Largest anonymous memory seen.
    pub rss_peak_bytes: u64,
    pub fds_peak: u64,
    pub planned_sends: u64,
    /// Planned sends never made because their client had no socket.
    #[serde(default)]
    pub unsent_without_socket: u64,
    /// Sends put on a socket at least once.
    pub actual_sends: u64,
    /// Lateness without the intervals in which the machine itself paused; the run's `lateness` is with them.
    pub lateness_net: Option<Summary>,
    /// Share of a core each lane used at most, over any 5 s, and when those ended.
    pub lane_busy_ratio_max: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane_busy_at_us: Option<u64>,
    pub lanes: u16,
    /// Threads of the load that did not end by themselves, one sentence each; what they had not settled is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given_up: Vec<String>,
    /// Pauses of the whole machine: a thread that only sleeps woke late by more than 5 ms.
    pub pauses: Vec<Pause>,
    /// Pauses that did not fit into the list.
    pub pauses_dropped: u64,
    pub pause_total_us: u64,
    pub pause_max_us: u64,
    /// When the longest began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_max_at_us: Option<u64>,
    /// Largest step of wall − monotonic time within a second, and when it was seen.
    pub clock_step_us: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_step_at_us: Option<u64>,
    /// Processors that the harness may use, or its quota of them where that is less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_cores: Option<f64>,
    /// Highest share of them that was in use over any 5 s, by whomever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_busy_ratio_max: Option<f64>,
    /// Stretches in which at least 90 % was, second after second.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub busy: Vec<BusySpan>,
    /// Stretches that did not fit into the list.
    #[serde(default)]
    pub busy_dropped: u64,
    /// p99 of lateness from which the run is invalid: the line in its chart.
    #[serde(default)]
    pub lateness_limit_us: Option<u64>,
    pub frames_received: u64,
    pub frames_unstamped: u64,
    pub values_saturated: u64,
    pub examples_dropped: u64,
    pub saturated: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Pause {
    pub at_us: u64,
    pub length_us: u64,
}

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
