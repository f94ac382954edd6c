//! This module names what the gate compares, and takes it out of a run.
//!
//! **In:** one run result. **Out:** one number for each [`Metric`] that the run carries. **Units:** microseconds (latency,
//! processor time per message), bytes per client, shares.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::format;
use crate::result::{RunResult, Window, statistic_of};
use crate::scenario::expectation::{Statistic, When};
use crate::stage::Stage;
use crate::units::rounded;

/// What is compared. More of it is worse.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub(crate) enum Metric {
    /// Response time, outside faults: `complete p99`.
    Latency { stage: Stage, part: Part },
    /// Processor time of the server per answered message: `server cpu`.
    ServerCpu,
    /// Processor time of the server per processor time of the generator: `relative cpu`. Both ran on one machine at one time, and the
    /// generator does the same for every server: that the machine was faster or busier falls out.
    RelativeCpu,
    /// Largest resident memory of the server per open client: `server memory`.
    ServerMemory,
    /// Confirmed heal of a fault until answers were in tolerance: `recovery redis-down`.
    Recovery { fault: String },
    /// Confirmed heal of a fault until what it touched was settled: `backlog drain redis-down`.
    BacklogDrain { fault: String },
}

/// The percentiles that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    P50,
    P90,
    P99,
}

impl Part {
    pub(crate) const ALL: [Self; 3] = [Self::P50, Self::P90, Self::P99];

    pub(crate) const fn statistic(self) -> Statistic {
        match self {
            Self::P50 => Statistic::P50,
            Self::P90 => Statistic::P90,
            Self::P99 => Statistic::P99,
        }
    }
}

/// The unit of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MetricUnit {
    Microseconds,
    Bytes,
    Ratio,
}

impl MetricUnit {
    /// A difference that can be written.
    pub(crate) const fn least(self) -> f64 {
        match self {
            Self::Microseconds | Self::Bytes => 1.0,
            Self::Ratio => 0.001,
        }
    }

    /// A value as people read it.
    pub(crate) fn text(self, value: f64) -> String {
        match self {
            Self::Microseconds => format::duration_f64(value),
            Self::Bytes => format::bytes(rounded(value)),
            Self::Ratio => format!("{value:.3}"),
        }
    }
}

const SERVER_CPU: &str = "server cpu";
const RELATIVE_CPU: &str = "relative cpu";
const SERVER_MEMORY: &str = "server memory";
const RECOVERY: &str = "recovery ";
const BACKLOG_DRAIN: &str = "backlog drain ";
/// Every run is in the steps of its recorder, which cannot tell less apart.
const RECOVERY_STEP_US: f64 = 250_000.0;
/// The kernel counts processor time in steps of 10 ms.
const CPU_STEP_US: f64 = 10_000.0;
/// What such steps come to over a run of some seconds of processor time, as a share.
const RELATIVE_STEP: f64 = 0.005;

impl Metric {
    pub(crate) const fn latency(stage: Stage, part: Part) -> Self {
        Self::Latency { stage, part }
    }

    /// The stage that it times, if it is one.
    pub(crate) const fn stage(&self) -> Option<Stage> {
        match self {
            Self::Latency { stage, .. } => Some(*stage),
            Self::ServerCpu
            | Self::RelativeCpu
            | Self::ServerMemory
            | Self::Recovery { .. }
            | Self::BacklogDrain { .. } => None,
        }
    }

    pub(crate) const fn unit(&self) -> MetricUnit {
        match self {
            Self::Latency { .. }
            | Self::ServerCpu
            | Self::Recovery { .. }
            | Self::BacklogDrain { .. } => MetricUnit::Microseconds,
            Self::ServerMemory => MetricUnit::Bytes,
            Self::RelativeCpu => MetricUnit::Ratio,
        }
    }

    /// What is spent rather than waited for: it is `more` and `less`, not `slower` and `faster`.
    pub(crate) const fn is_cost(&self) -> bool {
        match self {
            Self::ServerCpu | Self::RelativeCpu | Self::ServerMemory => true,
            Self::Latency { .. } | Self::Recovery { .. } | Self::BacklogDrain { .. } => false,
        }
    }

    /// A difference below this is of no consequence, whatever its share.
    pub(crate) const fn floor(&self) -> f64 {
        match self {
            Self::Latency { .. } => 25.0,
            Self::ServerCpu => 1.0,
            Self::RelativeCpu => 0.01,
            Self::ServerMemory => 1_024.0,
            Self::Recovery { .. } | Self::BacklogDrain { .. } => RECOVERY_STEP_US,
        }
    }

    /// The step of the scale on which a value of a run with so many `messages` was measured.
    pub(crate) fn step(&self, value: f64, messages: u64) -> f64 {
        match self {
            // Buckets of the histogram: 2048 to an octave's end, never less than a microsecond.
            Self::Latency { .. } => 2.0_f64.powf(value.max(1.0).log2().floor() - 10.0).max(1.0),
            Self::ServerCpu => CPU_STEP_US / messages.max(1) as f64,
            Self::RelativeCpu => value * RELATIVE_STEP,
            Self::ServerMemory => 1.0,
            Self::Recovery { .. } | Self::BacklogDrain { .. } => RECOVERY_STEP_US,
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latency { stage, part } => {
                write!(to, "{} {}", stage.name(), part.statistic().name())
            }
            Self::ServerCpu => to.write_str(SERVER_CPU),
            Self::RelativeCpu => to.write_str(RELATIVE_CPU),
            Self::ServerMemory => to.write_str(SERVER_MEMORY),
            Self::Recovery { fault } => write!(to, "{RECOVERY}{fault}"),
            Self::BacklogDrain { fault } => write!(to, "{BACKLOG_DRAIN}{fault}"),
        }
    }
}

/// A name that is no metric's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a stage and p50, p90 or p99 (\"complete p99\"), \"server cpu\", \"relative cpu\", \"server memory\", \"recovery FAULT\" or \"backlog drain FAULT\", found \"{0}\""
)]
pub(crate) struct NoMetric(String);

impl FromStr for Metric {
    type Err = NoMetric;

    fn from_str(text: &str) -> Result<Self, NoMetric> {
        let named = |name: &str| Some(name.trim().to_owned()).filter(|name| !name.is_empty());
        if text == SERVER_CPU {
            return Ok(Self::ServerCpu);
        }
        if text == RELATIVE_CPU {
            return Ok(Self::RelativeCpu);
        }
        if text == SERVER_MEMORY {
            return Ok(Self::ServerMemory);
        }
        let no_metric = || NoMetric(text.chars().take(80).collect());
        if let Some(fault) = text.strip_prefix(RECOVERY) {
            let fault = named(fault).ok_or_else(no_metric)?;
            return Ok(Self::Recovery { fault });
        }
        if let Some(fault) = text.strip_prefix(BACKLOG_DRAIN) {
            let fault = named(fault).ok_or_else(no_metric)?;
            return Ok(Self::BacklogDrain { fault });
        }
        let (stage, part) = text.split_once(' ').ok_or_else(no_metric)?;
        let stage = Stage::from_name(stage).ok_or_else(no_metric)?;
        let mut parts = Part::ALL.into_iter();
        let part = parts.find(|one| one.statistic().name() == part.trim());
        Ok(Self::latency(stage, part.ok_or_else(no_metric)?))
    }
}

impl TryFrom<String> for Metric {
    type Error = NoMetric;

    fn try_from(text: String) -> Result<Self, NoMetric> {
        text.parse()
    }
}

impl From<Metric> for String {
    fn from(metric: Metric) -> Self {
        metric.to_string()
    }
}

/// The part of the run whose latencies are compared: what no fault touched.
pub(super) fn calm(result: &RunResult) -> Option<&Window> {
    result
        .window(&When::OutsideFaults)
        .or_else(|| result.window(&When::WholeRun))
}

/// Every metric that the run carries: percentiles with too few samples are left out, and what is no positive number.
pub(super) fn values(result: &RunResult) -> BTreeMap<Metric, f64> {
    let mut found = BTreeMap::new();
    for stage in Stage::ALL {
        let numbers = calm(result).and_then(|window| window.latency.get(stage.name()));
        for part in Part::ALL {
            let statistic = part.statistic();
            if let Some(numbers) = numbers.filter(|numbers| numbers.count >= statistic.needs()) {
                let value = statistic_of(numbers, statistic);
                found.insert(Metric::latency(stage, part), value);
            }
        }
    }
    if let Some(server) = &result.server {
        let per_message = result.delivery.completed as f64;
        let cpu = server.cpu_seconds.map(|cpu| cpu * 1e6 / per_message);
        found.extend(cpu.map(|cpu| (Metric::ServerCpu, cpu)));
        let relative = server
            .cpu_seconds
            .map(|cpu| cpu / result.generator.cpu_seconds);
        found.extend(relative.map(|relative| (Metric::RelativeCpu, relative)));
        let per_client = result.clients.peak_open as f64;
        let memory = server.rss_peak_bytes.map(|bytes| bytes as f64 / per_client);
        found.extend(memory.map(|memory| (Metric::ServerMemory, memory)));
    }
    for fault in &result.faults {
        let name = || fault.name.clone();
        let recovery = fault.recovery_us.map(|us| us.max(fault.recovery_step_us));
        let recovery = recovery.map(|us| (Metric::Recovery { fault: name() }, us as f64));
        let drain = fault.backlog_drain_us;
        let drain = drain.map(|us| (Metric::BacklogDrain { fault: name() }, us as f64));
        found.extend(recovery.into_iter().chain(drain));
    }
    // A thousandth of the unit, a millionth of a share: what more digits say is not measured, and is not read back to the
    // last of them.
    for (metric, value) in &mut found {
        let digits = match metric.unit() {
            MetricUnit::Microseconds | MetricUnit::Bytes => 1e3,
            MetricUnit::Ratio => 1e6,
        };
        *value = (*value * digits).round() / digits;
    }
    found.retain(|_, value| value.is_finite() && *value > 0.0);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back() {
        let latencies = Stage::ALL
            .into_iter()
            .flat_map(|stage| Part::ALL.map(|part| Metric::latency(stage, part)));
        let fault = || "redis-down".to_owned();
        let others = [
            Metric::ServerCpu,
            Metric::RelativeCpu,
            Metric::ServerMemory,
            Metric::Recovery { fault: fault() },
            Metric::BacklogDrain { fault: fault() },
        ];
        for metric in latencies.chain(others) {
            assert_eq!(metric.to_string().parse(), Ok(metric));
        }
    }

    #[test]
    fn what_is_no_metric_is_said_to_be_none() {
        for text in [
            "",
            "complete",
            "complete p42",
            "nothing p99",
            "recovery ",
            "server gpu",
        ] {
            assert!(text.parse::<Metric>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_step_is_that_of_the_histogram() {
        let step = |us| Metric::latency(Stage::Complete, Part::P50).step(us, 1);
        assert!((step(100.0) - 1.0).abs() < 1e-9);
        assert!((step(2_047.0) - 1.0).abs() < 1e-9);
        assert!((step(2_048.0) - 2.0).abs() < 1e-9);
        assert!((step(33_000.0) - 32.0).abs() < 1e-9);
    }
}
