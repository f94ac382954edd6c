//! This module is everything that a run left behind, before anything is made of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    AcceptBacklog, EndedProcess, Generator, GooseCounts, ProcessAccount, Run, ServerAccount,
    Traffic, UsageLooks,
};
use crate::plan::Plan;
use crate::record::fault::FaultStamps;
use crate::record::generator::ShardAccount;
use crate::record::histogram::SparseHistogram;
use crate::record::recording::Recording;
use crate::record::trial::TrialRecord;

/// Examples kept in the result, over all threads.
pub(super) const EXAMPLES_MAX: usize = 200;

/// What is there at the end of each interval.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Gauges {
    /// Open sockets.
    pub open: Vec<u64>,
    /// Messages that had been intended and had no end yet.
    pub in_flight: Vec<u64>,
}

/// Everything a run left behind.
#[derive(Serialize, Deserialize)]
pub(crate) struct Facts {
    pub plan: Plan,
    pub run: Run,
    pub recording: Recording,
    /// Of a load in several processes: what each used, and how late it was, by interval.
    pub parts: Vec<(ShardAccount, BTreeMap<u32, SparseHistogram>)>,
    pub peak_open: u64,
    pub goose: GooseCounts,
    /// One per planned fault, in the order of the plan.
    pub stamps: Vec<FaultStamps>,
    /// One per trial, in the order of the plan.
    pub trials: Vec<TrialRecord>,
    pub generator: Generator,
    pub server: Option<ServerAccount>,
    pub ended_processes: Vec<EndedProcess>,
    pub gauges: Gauges,
    /// What the processes of the run used.
    pub processes: Vec<ProcessAccount>,
    /// The same over time, this process among them.
    pub usage: Vec<UsageLooks>,
    pub accept_backlog: Option<AcceptBacklog>,
    pub traffic: Option<Traffic>,
    /// End of the drain, microseconds since load start.
    pub end_us: u64,
}
