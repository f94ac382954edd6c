//! This module is what a run measured: clients, latencies, messages, faults, windows, and the same over time.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::heat::Heat;
use super::usage::UsageLine;
use crate::record::delivery::Delivery;
use crate::record::fault::FaultStamps;
use crate::record::histogram::Summary;
use crate::record::subject::Subject;
use crate::scenario::expectation::Statistic;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Clients {
    pub planned: u64,
    pub peak_open: u64,
    /// Sockets that reached `connected`, reconnects included.
    pub opened: u64,
    /// Clients that gave up.
    pub failed: u64,
    /// Clients that gave up at a time no fault touched.
    pub failed_outside_faults: u64,
    /// Sockets cut by the server or the network.
    pub cut: u64,
    pub tokens_ok: u64,
    pub tokens_failed: u64,
    pub reconnect_attempts: u64,
    pub connects_failed: u64,
    /// Requests over HTTP that were sent once more, on a new connection: the server closed a kept one as they went
    /// out. goose counts both.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub requests_repeated: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct StageLatency {
    /// Reply − intended send.
    pub response: Option<Summary>,
    /// Reply − actual send.
    pub service: Option<Summary>,
}

/// One fault, with its stamps and what followed from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct FaultResult {
    pub name: String,
    /// What was done, in words: `redis: down for 5 s`.
    pub what: String,
    pub planned_us: u64,
    pub planned_for_us: u64,
    pub stamps: FaultStamps,
    pub confirmed: bool,
    /// Injection → first refused, failed or out-of-tolerance answer; one that was slow counts from the moment it
    /// had been awaited for `tolerance_us`. `None`: never.
    pub impact_us: Option<u64>,
    /// Injection → `/readyz` red. `None`: never (`stamps.readiness_watched`), or not watched.
    pub detect_us: Option<u64>,
    /// Confirmed heal → in tolerance again. `None` when it had not by the end of the run.
    pub recovery_us: Option<u64>,
    /// The moment recovered, from load start.
    pub recovered_at_us: Option<u64>,
    /// Both are found to this step, the recorder's interval: less reads `< 250 ms`.
    #[serde(default)]
    pub recovery_step_us: u64,
    /// How long it was watched after the confirmed heal: the horizon of `recovery_us`.
    pub horizon_us: u64,
    /// Confirmed heal → the last message the fault touched was settled.
    pub backlog_drain_us: Option<u64>,
    /// Tolerance used for `recovery_us`: p99 of `complete`, microseconds.
    pub tolerance_us: u64,
    /// Messages this fault touched.
    pub delivery: Delivery,
    /// Slow, refused, unanswered or lost answers, as a share of a day's budget at 99.9 %.
    pub budget_burned_ratio: f64,
    /// Sockets cut between injection and recovery.
    pub cut: u64,
}

/// A fault that lasted to the end of the load: a property of the network the run took place in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ConditionResult {
    pub name: String,
    /// What was done, in words.
    pub what: String,
    pub planned_us: u64,
    pub stamps: FaultStamps,
    pub confirmed: bool,
}

/// A stretch of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Window {
    /// `ramp`, `baseline`, `redis-down`, `recovery of redis-down`, `after redis-down`, …
    pub name: String,
    pub kind: WindowKind,
    /// Place of the fault in `faults`, for its window and its recovery.
    pub fault: Option<usize>,
    pub from_us: u64,
    pub to_us: u64,
    pub delivery: Delivery,
    /// By stage name; response times of what was intended in this window.
    pub latency: BTreeMap<String, Summary>,
    /// Service times: `token` (refused and failed requests included) in every window, the other
    /// stages in the view of the whole run only.
    pub service: BTreeMap<String, Summary>,
    /// Sockets that ended in this window, by close code; planned ones apart.
    pub closes_cut: BTreeMap<u16, u64>,
    pub closes_planned: BTreeMap<u16, u64>,
    /// Closed by the client, because what came breaks the protocol (1002, 1007) or a limit of the harness (1009).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub closes_violation: BTreeMap<u16, u64>,
    pub tokens_ok: u64,
    pub tokens_failed: u64,
    /// Clients that gave up in this window.
    pub clients_failed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WindowKind {
    Ramp,
    Baseline,
    Fault,
    Recovery,
    After,
    View,
}

/// The run over time. All vectors of one step have the same length; bin *i* covers
/// `i*step_us .. (i+1)*step_us` of *intended* time (closes, opens and gauges: of real time).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Series {
    /// 250 ms, more for long runs.
    pub step_us: u64,
    /// `complete`; `None` where fewer answers than the percentile needs.
    pub complete_p50_us: Vec<Option<u64>>,
    pub complete_p99_us: Vec<Option<u64>>,
    pub complete_max_us: Vec<Option<u64>>,
    pub complete_count: Vec<u64>,
    pub lateness_p50_us: Vec<Option<u64>>,
    pub lateness_p99_us: Vec<Option<u64>>,
    pub lateness_max_us: Vec<Option<u64>>,
    /// Sampled at the end of the bin.
    pub open: Vec<u64>,
    /// Messages that had been intended and had no end yet, sampled at the end of the bin; results of older versions have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_flight: Vec<u64>,
    /// Attempts to come back after an abnormal close; empty where there was none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reconnects: Vec<u64>,
    /// What they would be if every client that was cut came back evenly within the first backoff.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reconnects_ideal: Vec<f64>,
    /// Step of the ones below: 1 s, more for long runs.
    pub second_us: u64,
    pub complete_p999_us: Vec<Option<u64>>,
    /// Lines that need longer steps than those above, and statistics that only the scenario asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Line>,
    pub per_second: Vec<Second>,
    /// What the processes of the run used, in the steps of `per_second`; results of older versions have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub usage: Vec<UsageLine>,
    /// How many answers took how long, over time; absent: nothing was completed, or an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heat: Option<Heat>,
}

/// A line over steps of its own: the shortest in which enough values support its statistic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Line {
    pub of: Lined,
    pub statistic: Statistic,
    /// A multiple of the step of the series.
    pub step_us: u64,
    pub values_us: Vec<Option<u64>>,
}

/// What a [`Line`] shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Lined {
    /// Response time of `complete`, by intended send.
    Complete,
    Lateness,
}

/// One row of the per-second table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Second {
    pub at_us: u64,
    pub open: u64,
    pub opened: u64,
    pub reconnect_attempts: u64,
    pub tokens_ok: u64,
    pub tokens_failed: u64,
    pub delivery: Delivery,
    /// Response time of `complete`, by intended send.
    pub complete: Option<Summary>,
    pub closes_cut: BTreeMap<u16, u64>,
    pub closes_planned: BTreeMap<u16, u64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub closes_violation: BTreeMap<u16, u64>,
    pub errors: BTreeMap<String, u64>,
}

/// A percentile curve: ascending shares with the value they do not exceed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Distribution {
    /// `outside faults`, `whole run`, `during redis-down`.
    pub name: String,
    pub count: u64,
    pub points: Vec<DistributionPoint>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct DistributionPoint {
    pub quantile_ratio: f64,
    pub value_us: u64,
}

/// A message worth showing: what `record::recording::MessageExample` says, with the fault's name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Example {
    pub client: u32,
    pub client_message_id: String,
    /// Which of the client's messages, from 0, as the steps of its session name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<u32>,
    pub conversation: String,
    pub what: String,
    pub intended_us: u64,
    pub sent_us: Option<u64>,
    pub queued_us: Option<u64>,
    pub ended_us: Option<u64>,
    pub fault: Option<String>,
    /// What its client did and heard: every step about the message, a few around each, and how many were left out;
    /// kept for the first few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub session: Vec<SessionStep>,
}

impl Example {
    pub(crate) fn is_of(&self, subject: Subject) -> bool {
        Subject::of(&self.what) == Some(subject)
    }
}

/// A step of a client's session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SessionStep {
    pub at_us: u64,
    /// `-> message 3`, `<- close 1011`. No text of a message, no secret.
    pub text: String,
}
