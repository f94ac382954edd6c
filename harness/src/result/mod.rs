//! This module is the narrow waist: one serializable account of a run.
//!
//! **In:** facts, summarised once. **Out:** `result.json`, from which every report, check and
//! comparison is made. Renderers format what stands here and compute nothing.
//!
//! **Units:** `*_us` are microseconds; `at_us`, `from_us`, `to_us` count from load start; a
//! `*_ratio` is 0..=1. `None` means *not measured* or *never*, as the field says.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::known::Known;
use crate::plan::Plan;
use crate::record::fault::FaultStamps;
use crate::record::trial::TrialRecord;
use crate::scenario::expectation::{Expectation, Statistic};

mod abort;
mod acceptance;
mod busy;
mod check;
mod example;
mod failure;
mod line;
mod plausible;
mod recovery;
mod series;
pub(crate) mod store;
pub(crate) mod summarize;
#[cfg(test)]
mod tests;
pub(crate) mod verdict;
mod windows;

pub(crate) use abort::Abort;
pub(crate) use acceptance::{Acceptance, AcceptanceBin};
pub(crate) use busy::BusySpan;
pub(crate) use check::generator::lateness_text;
pub(crate) use check::machine::told as machine_text;
pub(crate) use check::validity::sent_text;
pub(crate) use check::wording::{bound_text, limit_text, observed_text};
pub(crate) use failure::FailureCount;
#[cfg(test)]
pub(crate) use tests::plan as example_plan;

/// Version of the format. A change that an old reader would misread raises it.
pub(crate) const SCHEMA: &str = "harness.run/1";

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct RunResult {
    /// [`SCHEMA`].
    pub schema: String,
    pub run: Run,
    pub verdict: Verdict,
    /// Exit code of `harness run`.
    pub exit_code: u8,
    pub clients: Clients,
    /// By stage name, whole run.
    pub latency: BTreeMap<String, StageLatency>,
    /// Intended → actual send.
    pub dispatch_delay: Option<Summary>,
    /// Socket ready → write: the harness's own part of the delay, pauses of the machine included;
    /// `generator.lateness_net` is without them.
    pub lateness: Option<Summary>,
    /// Kernel receive stamp → read by the harness.
    pub receive_lag: Option<Summary>,
    pub goose: GooseCounts,
    /// Whole run.
    pub delivery: Delivery,
    /// Sockets that ended, by close code.
    pub closes: BTreeMap<u16, u64>,
    /// What went wrong for clients, by label, whole run.
    pub errors: BTreeMap<String, u64>,
    /// The same by who caused it, most first, with what came with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<FailureCount>,
    pub faults: Vec<FaultResult>,
    /// Faults that were in force all the time, without a window of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<ConditionResult>,
    /// What came of each trial of the plan, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trials: Vec<TrialRecord>,
    /// One curve for every trial of token ages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acceptance: Vec<Acceptance>,
    pub expectations: Vec<ExpectationResult>,
    /// What every run is held to, expected or not.
    pub checks: Vec<CheckResult>,
    /// Ramp, baseline, each fault, recovery, after: in order of time. They do not overlap and add
    /// up to the whole run.
    pub windows: Vec<Window>,
    /// Windows that overlap the others: `whole run`, `outside faults`, `during NAME` of each fault
    /// (injection until recovered).
    pub views: Vec<Window>,
    pub generator: Generator,
    /// The target's own account, where it can be read.
    pub server: Option<ServerAccount>,
    /// Processes that were started for the run and ended before it, although no fault ended them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended_processes: Vec<EndedProcess>,
    pub series: Series,
    /// Percentile curves of `complete`.
    pub distributions: Vec<Distribution>,
    /// Messages worth showing.
    pub examples: Vec<Example>,
    /// The slowest answer and the first socket that was cut, where there are such.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stories: Vec<Example>,
    pub plan: Plan,
}

/// Which run this is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Run {
    /// `r-` and eight hexadecimal digits.
    pub id: String,
    pub scenario: String,
    pub title: String,
    pub question: String,
    pub seed: u64,
    /// SHA-256 of the plan, hexadecimal.
    pub plan_hash: String,
    /// Version and, where known, commit of the harness.
    pub harness_version: String,
    pub commit: Option<String>,
    /// Start of the load, RFC 3339, UTC.
    pub started_at: String,
    /// Load and drain, microseconds.
    pub duration_us: u64,
    pub interrupted: bool,
    /// The `[[abort_when]]` rule that ended it early, in words.
    #[serde(default)]
    pub aborted: Option<String>,
    /// The same as facts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort: Option<Abort>,
    /// The command that repeats this run.
    pub command: String,
    pub host: Host,
}

/// Where it ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Host {
    /// What the machine calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub cores: u32,
    pub memory_bytes: u64,
    pub kernel: String,
    pub file_limit: u64,
    /// 1, 5, 15 min, before the run.
    pub load_average: [f64; 3],
    /// `redis-server` and target, as far as they say.
    pub redis_version: Option<String>,
    pub target: String,
    pub target_version: Option<String>,
    /// How the links ran: `redis: embedded fault proxy`, `edge: direct`.
    pub links: Vec<String>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Verdict {
    pub status: Status,
    /// One or two sentences a manager can repeat: what broke, by how much, against which limit.
    pub sentence: String,
    /// What else applies, in the same form ("42 lost").
    pub also: Vec<String>,
    /// Whether the numbers can be trusted, in one sentence.
    pub trust: String,
    /// Finding per line, for the "what broke" and "what held" cards.
    pub broke: Vec<String>,
    pub held: Vec<String>,
    /// Seen in a run that is not valid, by what may have caused it: not to be trusted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untrusted: Vec<String>,
    /// What could not be judged, and what to change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Pass,
    Fail,
    Invalid,
    Inconclusive,
    Interrupted,
}

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

/// A latency distribution in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Summary {
    pub count: u64,
    pub min_us: u64,
    pub mean_us: f64,
    pub p50_us: u64,
    pub p90_us: u64,
    pub p95_us: u64,
    pub p99_us: u64,
    pub p999_us: u64,
    pub max_us: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct StageLatency {
    /// Reply − intended send.
    pub response: Option<Summary>,
    /// Reply − actual send.
    pub service: Option<Summary>,
}

/// What became of every message; `sent` is the sum of the next five.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Delivery {
    pub sent: u64,
    pub completed: u64,
    pub refused: u64,
    pub unanswered: u64,
    pub lost: u64,
    pub pending: u64,
    pub duplicated: u64,
    pub out_of_order: u64,
    pub unexpected: u64,
    pub late: u64,
    /// Attempts put on a socket, retries included.
    pub attempts: u64,
}

/// goose's own metrics, to be held against ours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct GooseCounts {
    pub users: u64,
    /// By request name: ok and failed.
    pub requests: BTreeMap<String, GooseRequest>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct GooseRequest {
    pub ok: u64,
    pub failed: u64,
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

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ExpectationResult {
    pub expectation: Expectation,
    /// `complete p99`, as a reader wants it.
    pub name: String,
    /// `outside faults`, `during redis-down`, …
    pub when: String,
    pub status: CheckStatus,
    /// In the unit of the bound; `None` without samples, or censored.
    pub observed: Option<f64>,
    /// What the observation is: decides how it is printed.
    pub unit: Unit,
    /// Set when the event had not come by the end of the run: observed is more than this.
    pub beyond_us: Option<u64>,
    /// What was timed (a latency), sent (messages), opened (sockets), planned (clients) or healed (faults) where it
    /// was looked for, whether that is enough or not.
    pub samples: u64,
    /// Set for what is found to this step only: less of it reads `< 250 ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_us: Option<u64>,
    /// Observed ÷ limit, where that means something.
    pub used_ratio: Option<f64>,
    /// A sentence on the finding, for the second line of its row.
    pub finding: String,
    /// The known failures that break it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<Known>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct CheckResult {
    /// `ledger adds up`, `harness lateness`, `every fault confirmed`, …
    pub name: String,
    pub group: CheckGroup,
    pub status: CheckStatus,
    /// What was observed and the bound, as text with units.
    pub observed: String,
    pub bound: String,
    pub finding: String,
    /// The known failures that it looks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<Known>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CheckGroup {
    /// Broken: the service did something wrong (exit 14).
    Correctness,
    /// Broken: the service did not do the work that any run is about (exit 10).
    Service,
    /// Broken: the numbers cannot be trusted (exit 13).
    Validity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CheckStatus {
    Held,
    Broke,
    Inconclusive,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    Microseconds,
    Messages,
    Sockets,
    Clients,
    Tokens,
    Conversations,
    Kibibytes,
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

/// A step of a client's session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SessionStep {
    pub at_us: u64,
    /// `-> message 3`, `<- close 1011`. No text of a message, no secret.
    pub text: String,
}
