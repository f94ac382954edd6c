//! This module is what the gate keeps of a run: a few kilobytes of numbers, and what tells whether it may be compared.
//!
//! **In:** a run result. **Out:** [`RunFacts`], also as a baseline holds them on disk. **Units:** as in [`super::metric`].

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::metric::{self, Metric};
use super::wait::{self, Waits};
use crate::plan::{self, EnvironmentPlan, Plan};
use crate::result::{DistributionPoint, Host, RunResult, Status};
use crate::scenario::expectation::{Quantity, When};

/// One run, as far as the gate is concerned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct RunFacts {
    /// `r-` and eight hexadecimal digits.
    pub id: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    pub scenario: String,
    pub title: String,
    pub harness_version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    pub plan: PlanPrint,
    pub host: HostClass,
    pub end: RunEnd,
    pub values: BTreeMap<Metric, f64>,
    pub counts: Counts,
    #[serde(default)]
    pub waits: Waits,
    /// Percentile curve of `complete`, outside faults.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub curve: Vec<DistributionPoint>,
    /// Lines of the scenario that expect something of a stage, by the name of the metric and by that of the stage.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lines: BTreeMap<String, u32>,
}

/// What must be the same for two runs to have been asked the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PlanPrint {
    /// SHA-256 of load, faults, trials and seed.
    pub load: String,
    /// SHA-256 of how server and Redis were started; `None`: they were there already.
    pub environment: Option<String>,
    /// The whole plan's, for people: it changes with a limit that is expected, which changes no measurement.
    pub whole: String,
}

impl PlanPrint {
    /// The print of a plan; `whole` is its hash as the run has it.
    pub(crate) fn of(plan: &Plan, whole: &str) -> Self {
        let mut bare = plan.clone();
        bare.title.clear();
        bare.question.clear();
        bare.expect.clear();
        bare.abort_when.clear();
        bare.environment = nowhere();
        // What it comes to counts, however it is written.
        bare.load.pacing = match plan::tick_us(plan) {
            Some(_) => plan::Pacing::Tick,
            None => plan::Pacing::default(),
        };
        let load = plan::hash(&bare);
        bare.environment = plan.environment.clone();
        let managed = plan.environment.target.is_none();
        Self {
            environment: managed.then(|| plan::hash(&bare)),
            load,
            whole: whole.to_owned(),
        }
    }
}

/// An environment that says nothing, the same for every plan.
fn nowhere() -> EnvironmentPlan {
    EnvironmentPlan {
        target: None,
        resolve: Vec::new(),
        via: None,
        tls: plan::TlsPlan::default(),
        server: plan::ServerPlan {
            instances: 1,
            exact: false,
            cpus: None,
            defects: Vec::new(),
            settings: BTreeMap::new(),
        },
        redis: plan::RedisPlan::None,
        proxies: Vec::new(),
        links: BTreeMap::new(),
        edge_processes: None,
        toxiproxy: None,
        users: plan::UsersPlan {
            prefix: String::new(),
            password: None,
            file: None,
            columns: Vec::new(),
        },
        dialect: None,
    }
}

/// Machines whose figures may be held against each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct HostClass {
    pub cores: u32,
    pub memory_gib: u64,
    /// `Linux 6.18`: what comes after is a matter of patches.
    pub kernel: String,
    /// As the processor calls itself; results of older versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
}

impl HostClass {
    pub(crate) fn of(host: &Host) -> Self {
        let release = |text: &str| -> String {
            let numbers = text.split('.').take(2).collect::<Vec<_>>();
            numbers.join(".")
        };
        Self {
            cores: host.cores,
            // A machine keeps some of its memory to itself: 15.6 are 16.
            memory_gib: (host.memory_bytes + (1 << 29)) >> 30,
            kernel: release(&host.kernel),
            cpu: host.cpu.clone(),
        }
    }

    /// One machine may stand in for the other. A processor that is not named is not held against anybody.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let named = self.cpu.as_ref().zip(other.cpu.as_ref());
        (self.cores, self.memory_gib, &self.kernel)
            == (other.cores, other.memory_gib, &other.kernel)
            && named.is_none_or(|(one, other)| one == other)
    }
}

impl std::fmt::Display for HostClass {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (cores, memory, kernel) = (self.cores, self.memory_gib, &self.kernel);
        write!(to, "{cores} cores, {memory} GiB, {kernel}")?;
        self.cpu
            .as_ref()
            .map_or(Ok(()), |cpu| write!(to, ", {cpu}"))
    }
}

/// How the run itself ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct RunEnd {
    pub exit_code: u8,
    pub status: Ended,
    /// In one sentence.
    pub sentence: String,
    /// The rule that ended it early, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aborted: Option<String>,
}

/// A run's own verdict, as far as the gate tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ended {
    Pass,
    Fail,
    Invalid,
    Inconclusive,
    Interrupted,
}

/// What was counted: shown, and judged by each run itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Counts {
    pub sent: u64,
    pub completed: u64,
    pub refused: u64,
    pub unanswered: u64,
    pub lost: u64,
    pub duplicated: u64,
    pub out_of_order: u64,
    pub cut: u64,
    pub failed_clients: u64,
}

impl RunFacts {
    /// What the gate keeps of a run.
    pub(crate) fn of(result: &RunResult) -> Self {
        let run = &result.run;
        let mut end = RunEnd {
            exit_code: result.exit_code,
            status: ended(result.verdict.status),
            sentence: result.verdict.sentence.clone(),
            aborted: run.aborted.clone(),
        };
        if run.interrupted {
            end.status = Ended::Interrupted;
        }
        Self {
            id: run.id.clone(),
            started_at: run.started_at.clone(),
            scenario: run.scenario.clone(),
            title: run.title.clone(),
            harness_version: run.harness_version.clone(),
            commit: run.commit.clone(),
            plan: PlanPrint::of(&result.plan, &run.plan_hash),
            host: HostClass::of(&run.host),
            end,
            values: metric::values(result),
            counts: counts(result),
            waits: wait::planned(&result.plan),
            curve: curve(result),
            lines: lines(&result.plan),
        }
    }
}

const fn ended(status: Status) -> Ended {
    match status {
        Status::Pass => Ended::Pass,
        Status::Fail => Ended::Fail,
        Status::Invalid => Ended::Invalid,
        Status::Inconclusive => Ended::Inconclusive,
        Status::Interrupted => Ended::Interrupted,
    }
}

fn counts(result: &RunResult) -> Counts {
    let (delivery, clients) = (&result.delivery, &result.clients);
    Counts {
        sent: delivery.sent,
        completed: delivery.completed,
        refused: delivery.refused,
        unanswered: delivery.unanswered,
        lost: delivery.lost,
        duplicated: delivery.duplicated,
        out_of_order: delivery.out_of_order,
        cut: clients.cut,
        failed_clients: clients.failed,
    }
}

/// Of the same part of the run as the latencies.
fn curve(result: &RunResult) -> Vec<DistributionPoint> {
    let calm = result.distribution(&When::OutsideFaults);
    let found = calm.or_else(|| result.distribution(&When::WholeRun));
    found.map_or_else(Vec::new, |curve| curve.points.clone())
}

/// Where the scenario expects something of a metric: the line that a reader of a failure wants to see.
fn lines(plan: &Plan) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    for expectation in plan.expect.iter().filter(|one| one.line > 0) {
        if let Quantity::Latency {
            stage, statistic, ..
        } = expectation.what
        {
            let name = format!("{} {}", stage.name(), statistic.name());
            for name in [name, stage.name().to_owned()] {
                found.entry(name).or_insert(expectation.line);
            }
        }
    }
    found
}
