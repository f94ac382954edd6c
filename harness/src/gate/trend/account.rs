//! This module is the account of a history: all that `trend.json` holds and a page shows.
//!
//! **Units:** values are in the unit of their metric, planned waits left out; `*_ratio` are shares: 0.1 is 10 % more.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::gate::comparison::Outcome;
use crate::gate::facts::HostClass;
use crate::gate::metric::{Metric, MetricUnit};

/// Version of the format of `trend.json`.
pub(crate) const SCHEMA: &str = "harness.trend/1";

/// What a history shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Trend {
    /// [`SCHEMA`].
    pub schema: String,
    /// The longest first.
    pub series: Vec<Series>,
    /// What a reader should know besides: files that could not be read, points that were left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Measurements that may be held against each other: one load, one way to start the server, one kind of machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Series {
    pub title: String,
    /// Path of the scenario, as it was given.
    pub scenario: String,
    pub host: HostClass,
    /// SHA-256 of load, faults, trials and seed.
    pub load: String,
    /// In order of time.
    pub points: Vec<Point>,
    /// Those that a gate judges first.
    pub metrics: Vec<MetricTrend>,
}

/// One baseline, or one side of a gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Point {
    /// When its first run began, RFC 3339, UTC.
    pub at: String,
    /// The baseline's name, or that of the side.
    pub name: String,
    pub file: String,
    pub kind: PointKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    pub runs: usize,
    /// How the gate ended; of a baseline nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// Where a point is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PointKind {
    Baseline,
    GateBase,
    GateNew,
}

/// One metric through the points of a series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct MetricTrend {
    pub metric: Metric,
    pub unit: MetricUnit,
    /// A gate judges it where nobody asks for others.
    pub judged: bool,
    /// The planned wait that is left out of all values.
    pub wait: Option<f64>,
    /// The median over the runs of each point; of a point without the metric nothing.
    pub values: Vec<Option<f64>>,
    /// In order of time.
    pub changes: Vec<Change>,
}

/// A metric left its level, and stayed away from it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Change {
    /// Number of the first point of the new level, from 0.
    pub point: usize,
    /// Medians of the points from the last change to this one, and from this one to the next.
    pub before: f64,
    pub after: f64,
    /// `after` over `before`, less 1.
    pub change_ratio: f64,
    /// How often chance alone shows as much.
    pub p: f64,
}
