//! This module is the account of a comparison: all that `gate.json` holds and a report says.
//!
//! **Units:** `*_ratio` are shares: 0.1 is 10 % more. Values of rows are in the unit of their metric.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::facts::{Counts, HostClass, PlanPrint, RunEnd};
use super::metric::{Metric, MetricUnit};
use super::rules::Rules;
use super::statistics::Design;
use crate::exit::Exit;

/// Version of the format of `gate.json`.
pub(crate) const SCHEMA: &str = "harness.gate/1";

/// Two sides held against each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Decision {
    /// [`SCHEMA`].
    pub schema: String,
    pub outcome: Outcome,
    /// Exit code of `harness gate`.
    pub exit_code: u8,
    /// The answer in one or two sentences.
    pub sentence: String,
    pub title: String,
    /// Path of the scenario, as it was given.
    pub scenario: String,
    pub base: Side,
    pub new: Side,
    /// Absent where the comparison was refused.
    pub design: Option<Design>,
    /// The primary metric, the judged ones, then all others that both sides have.
    pub rows: Vec<Row>,
    /// Smallest change of the primary metric that would be found in 95 of 100 gates of this size, judged by the noise of the
    /// base alone: known before the new side ran.
    pub smallest_before_ratio: Option<f64>,
    /// Why it was refused, with what to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<Told>,
    /// What a reader should know besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    pub rules: Rules,
}

/// A fact and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Told {
    pub fact: String,
    pub hint: String,
}

/// How a gate ends; each has its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// Not slower by more than the limit (0).
    Pass,
    /// A new run missed an expectation of its own (10).
    Threshold,
    /// Slower than the base (11).
    Slower,
    /// Not enough to tell (12).
    Inconclusive,
    /// Not to be compared at all (12).
    Refused,
    /// A run of either side is invalid (13).
    Invalid,
    /// A new run broke a promise (14).
    Incorrect,
}

impl Outcome {
    pub(crate) const fn exit(self) -> Exit {
        match self {
            Self::Pass => Exit::Pass,
            Self::Threshold => Exit::Threshold,
            Self::Slower => Exit::Regression,
            Self::Inconclusive | Self::Refused => Exit::Inconclusive,
            Self::Invalid => Exit::Invalid,
            Self::Incorrect => Exit::Incorrect,
        }
    }
}

/// One side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Side {
    /// `main`, a folder, `base`.
    pub name: String,
    pub runs: Vec<RunNote>,
    /// Of the first run; the others are like it, or the comparison was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostClass>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanPrint>,
    /// Sums over the runs.
    pub counts: Counts,
    /// Percentiles of `complete` over the runs, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub band: Vec<BandPoint>,
}

/// A run of a side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct RunNote {
    pub id: String,
    pub started_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    pub end: RunEnd,
}

/// One percentile over the runs of a side.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct BandPoint {
    pub quantile_ratio: f64,
    pub lowest_us: f64,
    pub median_us: f64,
    pub highest_us: f64,
}

/// What a metric is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    Primary,
    /// May fail the gate, after Holm.
    Judged,
    /// Fails nothing.
    Shown,
}

/// What became of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Word {
    Slower,
    Faster,
    Same,
    CannotTell,
}

/// One metric of both sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Row {
    pub metric: Metric,
    pub unit: MetricUnit,
    pub role: Role,
    pub word: Word,
    /// Surely not slower by more than the limit.
    pub within: bool,
    /// One value a run, whole; in order of pairs where there are pairs.
    pub base: Vec<f64>,
    pub new: Vec<f64>,
    pub base_median: Option<f64>,
    pub new_median: Option<f64>,
    /// The planned wait in both, and the medians without it: what is judged.
    pub wait: Option<f64>,
    pub base_own_median: Option<f64>,
    pub new_own_median: Option<f64>,
    /// New over base, less 1, of the own time: 0.1 is 10 % more.
    pub change_ratio: Option<f64>,
    pub low_ratio: Option<f64>,
    pub high_ratio: Option<f64>,
    /// The change of each pair.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pair_ratios: Vec<f64>,
    /// How often as much more would be seen by chance; of judged metrics after Holm.
    pub p_more: Option<f64>,
    pub p_less: Option<f64>,
    /// The larger of both floors, as a share of the base.
    pub limit_ratio: Option<f64>,
    /// What two sides of one kind differ by in 95 of 100 gates of this size.
    pub noise_ratio: Option<f64>,
    /// The smallest change that would be found in 95 of 100 such gates, after what was seen.
    pub smallest_ratio: Option<f64>,
    /// Why it cannot be told, or was judged in another way than asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Line of the scenario on which it is expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}
