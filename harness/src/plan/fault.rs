//! This module holds what goes wrong in a run, fully resolved.
//!
//! **In:** nothing; it is data that `timeline` makes of a checked scenario. **Out:** kinds with their numbers, and
//! when they act.
//!
//! **Units:** `*_us` are microseconds; `at_us` counts from load start.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scenario::fault::{FaultKind, Streams};

/// One fault of the timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PlannedFault {
    /// Unique in the plan: given, or `<link or part>-<kind>`, numbered where that repeats.
    pub name: String,
    pub at_us: u64,
    /// 0 for what acts at one moment.
    pub for_us: u64,
    pub kind: FaultKind,
    /// The bytes it acts on, where it acts on bytes.
    #[serde(default = "downstream", skip_serializing_if = "is_downstream")]
    pub streams: Streams,
    /// Share of the connections it affects: above 0, at most 1.
    #[serde(default = "every_one", skip_serializing_if = "is_every_one")]
    pub toxicity_ratio: f64,
    /// It lasts to the end of the load: a property of the network that the run is about, not an
    /// event with a window and a recovery.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub condition: bool,
    /// Line of the scenario file, from 1.
    pub line: u32,
}

const fn downstream() -> Streams {
    Streams::Downstream
}

const fn every_one() -> f64 {
    1.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_downstream(streams: &Streams) -> bool {
    *streams == Streams::Downstream
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_every_one(ratio: &f64) -> bool {
    *ratio >= 1.0
}

/// When what is carried is damaged on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    Never,
    /// In the windows of faults.
    InFaults,
    /// All the time: by a condition.
    Always,
}

impl Damage {
    /// What the faults of a plan do.
    pub(crate) fn of(faults: &[PlannedFault]) -> Self {
        let mut damaging = faults.iter().filter(|fault| fault.kind.damages());
        match damaging.clone().any(|fault| fault.condition) {
            true => Self::Always,
            false if damaging.next().is_some() => Self::InFaults,
            false => Self::Never,
        }
    }
}
