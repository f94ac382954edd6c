//! This module is the narrow waist: one serializable account of a run.
//!
//! **In:** facts, summarised once. **Out:** `result.json`, from which every report, check and
//! comparison is made. Renderers format what stands here and compute nothing.
//!
//! **Units:** `*_us` are microseconds; `at_us`, `from_us`, `to_us` count from load start; a
//! `*_ratio` is 0..=1. `None` means *not measured* or *never*, as the field says.

mod abort;
mod acceptance;
mod account;
mod check;
mod example;
pub(crate) mod facts;
mod failure;
mod generator;
mod heat;
mod intervals;
mod judged;
mod line;
mod measured;
mod network;
mod plausible;
mod recovery;
mod run;
mod series;
pub(crate) mod store;
pub(crate) mod summarize;
#[cfg(test)]
mod tests;
mod usage;
pub(crate) mod verdict;
mod windows;

pub(crate) use crate::record::delivery::Delivery;
pub(crate) use crate::record::generator::{BusySpan, Generator, Pause};
pub(crate) use crate::record::histogram::Summary;
pub(crate) use crate::record::users::GooseCounts;
pub(crate) use abort::Abort;
pub(crate) use acceptance::{Acceptance, AcceptanceBin};
pub(crate) use account::{EndedProcess, ProcessAccount, ProcessKind, ServerAccount};
pub(crate) use check::generator::lateness_text;
pub(crate) use check::machine::told as machine_text;
pub(crate) use check::observation::statistic_of;
pub(crate) use check::validity::{is_of_generator, sent_text};
pub(crate) use check::wording::{bound_text, limit_text, observed_text};
pub(crate) use facts::Gauges;
pub(crate) use heat::{Heat, HeatStep};
pub(crate) use judged::{CheckGroup, CheckResult, CheckStatus, ExpectationResult, Status, Verdict};
pub(crate) use measured::{
    Clients, ConditionResult, Distribution, DistributionPoint, Example, FaultResult, Line, Lined,
    Second, Series, SessionStep, StageLatency, Window, WindowKind,
};
pub(crate) use network::{AcceptBacklog, Traffic};
pub(crate) use run::{Host, Run, RunResult, SCHEMA};
#[cfg(test)]
pub(crate) use tests::plan as example_plan;
pub(crate) use usage::{Consumer, UsageLine, UsageLook, UsageLooks};
