//! This module is the account of a run as a whole: all that `result.json` holds.
//!
//! Its fields are not grouped by `serde(flatten)`: what flattens is read into a buffer first, and an error about a field
//! would then lose its line and column.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::abort::Abort;
use super::acceptance::Acceptance;
use super::account::{EndedProcess, ProcessAccount, ServerAccount};
use super::failure::FailureCount;
use super::judged::{CheckResult, ExpectationResult, Verdict};
use super::measured::{
    Clients, ConditionResult, Distribution, Example, FaultResult, Series, StageLatency, Window,
    WindowKind,
};
use super::network::{AcceptBacklog, Traffic};
use crate::plan::Plan;
use crate::record::delivery::Delivery;
use crate::record::generator::Generator;
use crate::record::histogram::Summary;
use crate::record::trial::TrialRecord;
use crate::record::users::GooseCounts;
use crate::scenario::expectation::When;

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
    /// What the processes that were started for the run used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<ProcessAccount>,
    /// Absent: the target does not listen on this machine, or the kernel does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept_backlog: Option<AcceptBacklog>,
    /// Absent: the load was too short to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
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

impl RunResult {
    /// The window of a part of the run; `None` where there was no such part.
    pub(crate) fn window(&self, when: &When) -> Option<&Window> {
        if *when == When::Ramp {
            let mut windows = self.windows.iter();
            return windows.find(|window| window.kind == WindowKind::Ramp);
        }
        let name = when.text();
        self.views.iter().find(|view| view.name == name)
    }

    /// The percentile curve of a part of the run; `None` where nothing was completed in it.
    pub(crate) fn distribution(&self, when: &When) -> Option<&Distribution> {
        let name = when.text();
        let mut all = self.distributions.iter();
        all.find(|of| of.name == name && !of.points.is_empty())
    }
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
    /// As the processor calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
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
