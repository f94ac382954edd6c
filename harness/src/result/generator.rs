//! This module is what the harness measured of itself, with what the recording knows of it.
//!
//! **In:** [`Facts`]. **Out:** the result's [`Generator`]: of all processes of the load together, and each by itself.

use std::collections::BTreeMap;

use super::Generator;
use super::facts::{EXAMPLES_MAX, Facts};
use super::windows::Tally;
use crate::plan::Plan;
use crate::record::generator::{Pause, ShardAccount};
use crate::record::histogram::SparseHistogram;

/// What the harness measured of itself, with what the recording knows.
pub(super) fn generator(facts: &Facts, whole: &Tally) -> Generator {
    let Facts {
        plan,
        recording,
        generator,
        ..
    } = facts;
    // Of a part on another machine the pauses are not known: none is taken for one of its own.
    let pauses_of = |account: &ShardAccount| match account.host {
        None => generator.pauses.as_slice(),
        Some(_) => &[],
    };
    let shards: Vec<ShardAccount> = facts
        .parts
        .iter()
        .map(|(account, lateness)| ShardAccount {
            lateness_net: net_lateness(plan, lateness, pauses_of(account)).summary(),
            ..account.clone()
        })
        .collect();
    Generator {
        cpu_seconds: generator.cpu_seconds + shards.iter().map(|of| of.cpu_seconds).sum::<f64>(),
        rss_peak_bytes: generator.rss_peak_bytes
            + shards.iter().map(|of| of.rss_peak_bytes).sum::<u64>(),
        fds_peak: shards
            .iter()
            .map(|of| of.fds_peak)
            .fold(generator.fds_peak, u64::max),
        planned_sends: recording.planned_sends,
        unsent_without_socket: recording.unsent_without_socket,
        actual_sends: recording.dispatch_delay.count(),
        lateness_net: net_lateness(plan, &recording.lateness, &generator.pauses).summary(),
        frames_received: recording.frames_received,
        frames_unstamped: recording.frames_unstamped,
        frames_of_others: Some(recording.frames_of_others).filter(|count| *count > 0),
        values_saturated: whole.response.iter().map(SparseHistogram::saturated).sum(),
        examples_dropped: recording.examples_dropped
            + recording.examples.len().saturating_sub(EXAMPLES_MAX) as u64,
        shards,
        ..generator.clone()
    }
}

/// Lateness without the intervals in which the machine paused; with them, where hardly any is left.
fn net_lateness(
    plan: &Plan,
    lateness: &BTreeMap<u32, SparseHistogram>,
    pauses: &[Pause],
) -> SparseHistogram {
    let (mut all, mut net) = (SparseHistogram::default(), SparseHistogram::default());
    for (&interval, part) in lateness {
        let from_us = u64::from(interval) * plan.interval_us;
        let to_us = from_us + plan.interval_us;
        let paused = pauses
            .iter()
            .any(|pause| pause.at_us < to_us && from_us < pause.at_us + pause.length_us);
        all.merge(part);
        if !paused {
            net.merge(part);
        }
    }
    if net.count() * 2 >= all.count() {
        net
    } else {
        all
    }
}
