//! This module is what the harness says of itself, and of the machine meanwhile.
//!
//! **In:** what the monitor, the sampler and the recorder saw. **Out:** a [`Generator`]: facts of the result, judged
//! elsewhere.
//!
//! **Units:** microseconds since load start, or microseconds; seconds of processor time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::histogram::Summary;

/// The harness about itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Generator {
    pub cpu_seconds: f64,
    /// Largest anonymous memory seen.
    pub rss_peak_bytes: u64,
    /// Memory that it may use: that of the machine, or the limit of its control groups where that is less; absent: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_limit_bytes: Option<u64>,
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
    /// Processes that drove the load, each a part of its clients; empty: this one alone did. What stands beside them is
    /// of all together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shards: Vec<ShardAccount>,
    /// How far apart their starts were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_spread: Option<StartSpread>,
    /// What due messages waited for, to be sent together; absent: each was sent at its moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tick_us: Option<u64>,
    /// How often the threads of sessions slept and were woken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wakes: Option<u64>,
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
    /// Of those received, what was about messages of others who share a conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames_of_others: Option<u64>,
    pub values_saturated: u64,
    pub examples_dropped: u64,
    pub saturated: bool,
}

/// What one of several processes used that drove a load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ShardAccount {
    /// From 1.
    pub number: u16,
    /// Most of its clients at once.
    pub clients: u32,
    /// Where it was, if it came from another machine or job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// How far its clock may have been from that of the run: as much earlier or later its load may have begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_error_us: Option<u64>,
    /// When it began, by its own clock, after the agreed moment; negative: before. Absent: it drove nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_us: Option<i64>,
    /// How long its machine stood still when it was to begin; absent: it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_pause_us: Option<u64>,
    pub cpu_seconds: f64,
    pub rss_peak_bytes: u64,
    pub fds_peak: u64,
    /// By its own count, as the two after it: the result is held against their sum. Absent in results that do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual_sends: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames_received: Option<u64>,
    /// Lateness of its sends without the intervals in which the machine paused; absent: it sent nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lateness_net: Option<Summary>,
}

/// How long after the first the processes of a load began, each by its own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct StartSpread {
    /// Of those whose machine did not stand still at that moment.
    pub count: u32,
    pub p95_us: u64,
    pub max_us: u64,
    /// Those whose machine did, and the most of them all.
    pub paused: u32,
    pub max_with_paused_us: u64,
    /// Clocks may be so much further apart; 0: all had one.
    pub clock_error_us: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Pause {
    pub at_us: u64,
    pub length_us: u64,
}

/// Seconds on end in each of which at least 90 % of the processors, or of the quota, was in use.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct BusySpan {
    pub from_us: u64,
    pub to_us: u64,
    /// On average.
    pub busy_ratio: f64,
    /// Processor time of the harness meanwhile.
    pub harness_cpu_seconds: f64,
    /// Of the server that was started for the run; `None`: of the target nothing is known.
    pub server_cpu_seconds: Option<f64>,
    /// Of what else was started for the run: Redis, the proxies of the edge link.
    pub helpers_cpu_seconds: f64,
    /// Of everything else, a target of somebody else's on this machine included.
    pub other_cpu_seconds: f64,
}
