//! This module holds a stretch in which the machine was full.
//!
//! **In:** what the monitor and the sampler saw. **Out:** facts of the result; they are judged in
//! `check/machine.rs`.
//!
//! **Units:** microseconds since load start; seconds of processor time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
