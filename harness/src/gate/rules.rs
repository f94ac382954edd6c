//! This module holds by which rules two sides are compared.
//!
//! **Units:** ratios (0.05 is 5 %); levels are shares of gates; waits are microseconds.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::metric::{Metric, Part};
use super::statistics::Spread;
use crate::stage::Stage;

/// Fewest runs of a side: two have no spread worth the name.
pub(crate) const RUNS_MIN: usize = 3;
/// Most runs of a side.
pub(crate) const RUNS_MAX: usize = 10_000;

/// How the runs of two sides are brought together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pairing {
    /// Run *i* of one side belongs to run *i* of the other.
    InOrder,
    /// As `InOrder` where the runs took turns: each of one side lay right beside one of the other. Else each side by itself.
    ByTime,
}

/// The rules of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Rules {
    /// The metric that decides.
    pub primary: Metric,
    /// Further metrics that may fail a gate, together more rarely than the primary one.
    pub others: Vec<Metric>,
    /// A change of a smaller share is none.
    pub relative_floor: f64,
    /// A difference in latency below this is none; other metrics have floors of their own.
    pub latency_floor_us: f64,
    /// Of the intervals that are shown.
    pub confidence: f64,
    /// How often the primary metric may fail a gate although nothing changed.
    pub level: f64,
    /// How often the others may, all together.
    pub others_level: f64,
    /// Waits that somebody who knows the server named, in place of those of the plan.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub known_waits_us: BTreeMap<Stage, u64>,
    /// Noise that was learnt elsewhere, in place of that of the base side.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub noise: BTreeMap<Metric, Spread>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            primary: Metric::latency(Stage::Complete, Part::P50),
            others: Self::usual(),
            relative_floor: 0.05,
            latency_floor_us: 25.0,
            confidence: 0.95,
            level: 0.01,
            others_level: 0.005,
            known_waits_us: BTreeMap::new(),
            noise: BTreeMap::new(),
        }
    }
}

impl Rules {
    /// The metrics that are judged where nobody names others. Few: each makes the others harder to fail.
    pub(crate) fn usual() -> Vec<Metric> {
        vec![
            Metric::latency(Stage::Complete, Part::P50),
            Metric::latency(Stage::Complete, Part::P99),
            Metric::latency(Stage::TaskQueued, Part::P50),
            Metric::latency(Stage::SessionReady, Part::P50),
            Metric::latency(Stage::Token, Part::P50),
            Metric::RelativeCpu,
            Metric::ServerMemory,
        ]
    }

    /// A difference below this is of no consequence.
    pub(super) fn floor(&self, metric: &Metric) -> f64 {
        match metric {
            Metric::Latency { .. } => self.latency_floor_us,
            Metric::ServerCpu
            | Metric::RelativeCpu
            | Metric::ServerMemory
            | Metric::Recovery { .. }
            | Metric::BacklogDrain { .. } => metric.floor(),
        }
    }
}
