//! This module holds a run to what it must satisfy, one check a file.
//!
//! **In:** a [`RunResult`], as saved. **Out:** [`CheckResult`]s and [`ExpectationResult`]s; the
//! verdict counts them. Nothing here reads facts that the result does not hold, so an old run can
//! be judged again.
//!
//! [`RunResult`]: super::RunResult
//! [`CheckResult`]: super::CheckResult
//! [`ExpectationResult`]: super::ExpectationResult

pub(super) mod delivery;
pub(super) mod expectation;
mod finding;
pub(super) mod generator;
mod lack;
pub(super) mod machine;
pub(super) mod observation;
pub(super) mod outside;
mod server;
pub(super) mod trial;
pub(super) mod validity;
pub(super) mod wording;
pub(super) mod work;

use super::RunResult;
use crate::known::Known;
use crate::scenario::expectation::Quantity;

/// The known failures that break a bound on this.
fn known(result: &RunResult, what: Quantity) -> Vec<Known> {
    match what {
        Quantity::Delivery { outcome } => delivery::known(result, outcome),
        Quantity::Server { count } => count.about().known.to_vec(),
        Quantity::Latency { .. }
        | Quantity::Impact
        | Quantity::Detect
        | Quantity::Recovery
        | Quantity::BacklogDrain
        | Quantity::Closes { .. }
        | Quantity::CutSessions
        | Quantity::FailedClients
        | Quantity::PeakOpen => Vec::new(),
    }
}
