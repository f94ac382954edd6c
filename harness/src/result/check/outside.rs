//! This module adds up what happened while no fault explains it.
//!
//! **In:** the view outside faults, and the seconds of the run. **Out:** the ledger and the cuts of that time.
//!
//! A fault reaches until the service has recovered from it. One from which it never recovers would excuse
//! everything that follows: so from [`GRACE_US`] after the confirmed heal what happens counts again.
//!
//! **Units:** microseconds since load start, or microseconds.

use std::collections::BTreeMap;

use super::super::failure::{GRACE_US, excused_until_us};
use super::super::{Delivery, RunResult, Second};
use crate::plan::Arrival;
use crate::scenario::expectation::When;

/// Seconds after a heal that no recovery followed, apart from those of other faults.
fn stuck(result: &RunResult) -> impl Iterator<Item = &Second> {
    let from_us = result.faults.iter().filter_map(excused_until_us).min();
    let in_fault = |at_us: u64| {
        result.faults.iter().any(|fault| {
            let from_us = fault.stamps.injecting_us.unwrap_or(u64::MAX);
            let to_us = fault.stamps.heal_confirmed_us.unwrap_or(u64::MAX);
            (from_us..to_us.saturating_add(GRACE_US)).contains(&at_us)
        })
    };
    let seconds = result.series.per_second.iter();
    seconds.filter(move |second| {
        from_us.is_some_and(|from_us| second.at_us >= from_us) && !in_fault(second.at_us)
    })
}

/// The ledger of that time.
pub(super) fn delivery(result: &RunResult) -> Delivery {
    let all = result.window(&When::OutsideFaults);
    let mut all = all.map_or(result.delivery, |view| view.delivery);
    for second in stuck(result) {
        all.merge(second.delivery);
    }
    all
}

/// Sockets that the server or the network ended in that time, by code.
pub(super) fn cut(result: &RunResult) -> BTreeMap<u16, u64> {
    let all = result.window(&When::OutsideFaults);
    let mut all = all.map_or_else(BTreeMap::new, |view| view.closes_cut.clone());
    for (code, count) in stuck(result).flat_map(|second| &second.closes_cut) {
        *all.entry(*code).or_insert(0) += count;
    }
    all
}

/// How many messages an unanswered one stands for: in a closed loop those that its client would have sent while it
/// waited, as fast as it was otherwise; 1 where sends keep to a schedule.
pub(super) fn weight(result: &RunResult, due: u64) -> u64 {
    let load = &result.plan.load;
    if load.message.arrival != Arrival::Closed || due == 0 {
        return 1;
    }
    let time_us = load.load_us().saturating_mul(u64::from(load.clients));
    let cycle_us = (time_us / due).max(1);
    (load.drain_us / cycle_us).max(1)
}
