//! This module says which client is there when, and as what.
//!
//! **In:** the stages and the mix of a load. **Out:** [`Visit`]s: stays of clients, by start. A
//! client whose stage profile falls and rises again has several. Pure.
//!
//! **Units:** microseconds since load start.

use super::{Behavior, LoadPlan};

/// One stay of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Visit {
    /// Place in the order of starts, from 0: names the stay's random streams and conversation.
    pub number: u32,
    /// Its place among the stays of its process, in the same order: the same number where there is one process.
    pub place: u32,
    /// Which client, from 0: decides its account and its behaviour.
    pub client: u32,
    /// When its session should begin.
    pub start_us: u64,
    /// No send is intended from here on.
    pub end_us: u64,
    pub behavior: Behavior,
}

/// All stays of a load, in the order in which they begin.
///
/// Client *i* comes when the profile reaches *i* + 1 and leaves when it falls to *i*, so clients
/// leave in reverse order. Whoever is left leaves at the end of the load.
pub(crate) fn visits(load: &LoadPlan) -> Vec<Visit> {
    let behaviors = behaviors(load);
    let mut out: Vec<Visit> = Vec::new();
    // Stays that have not ended, by client: the last is the first to leave.
    let mut present: Vec<usize> = Vec::new();
    let mut move_to = |target: u32, start_us: u64, length_us: u64| {
        let from = u32::try_from(present.len()).unwrap_or(u32::MAX);
        let share = |part: u32| {
            let whole = u128::from(from.abs_diff(target).max(1));
            let passed = u128::from(length_us) * u128::from(part) / whole;
            start_us + u64::try_from(passed).unwrap_or(u64::MAX)
        };
        for client in from..target {
            let behavior = behaviors.get(client as usize).copied();
            let number = u32::try_from(out.len()).unwrap_or(u32::MAX);
            present.push(out.len());
            out.push(Visit {
                number,
                place: number,
                client,
                start_us: share(client + 1 - from),
                end_us: u64::MAX,
                behavior: behavior.unwrap_or(Behavior::Chatter),
            });
        }
        for client in (target..from).rev() {
            if let Some(visit) = present.pop().and_then(|place| out.get_mut(place)) {
                visit.end_us = share(from - client);
            }
        }
    };
    for stage in &load.stages {
        move_to(stage.from, stage.start_us, 0);
        move_to(stage.to, stage.start_us, stage.length_us);
    }
    let load_us = load.load_us();
    for visit in &mut out {
        visit.end_us = visit.end_us.min(load_us);
    }
    out
}

/// The behaviour of each client: every share spread evenly over the client numbers.
fn behaviors(load: &LoadPlan) -> Vec<Behavior> {
    let total: u64 = load.mix.iter().map(|share| u64::from(share.clients)).sum();
    let mut given = vec![0_u64; load.mix.len()];
    (1..=total)
        .filter_map(|clients| {
            // Whoever lags most behind its share of the clients so far; the earlier where equal.
            let lag = |place: usize, given: u64| {
                let due = u128::from(load.mix[place].clients) * u128::from(clients);
                due.cast_signed() - (u128::from(given) * u128::from(total)).cast_signed()
            };
            let place = (0..given.len()).rev().max_by_key(|&i| lag(i, given[i]))?;
            given[place] += 1;
            Some(load.mix[place].behavior)
        })
        .collect()
}

#[cfg(test)]
mod tests;
