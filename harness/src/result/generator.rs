//! This module is what the harness measured of itself, with what the recording knows of it.
//!
//! **In:** [`Facts`]. **Out:** the result's [`Generator`]: of all processes of the load together, and each by itself.

use std::collections::BTreeMap;

use super::Generator;
use super::facts::{EXAMPLES_MAX, Facts};
use super::windows::Tally;
use crate::plan::Plan;
use crate::record::generator::{Pause, ShardAccount, StartSpread};
use crate::record::histogram::SparseHistogram;

/// What the harness measured of itself, with what the recording knows.
pub(super) fn generator(facts: &Facts, whole: &Tally) -> Generator {
    let Facts {
        plan,
        recording,
        generator,
        ..
    } = facts;
    let shards: Vec<ShardAccount> = facts
        .parts
        .iter()
        .map(|(account, lateness)| ShardAccount {
            // A part on another machine comes with it: pauses of that are not known.
            lateness_net: account
                .lateness_net
                .or_else(|| net_lateness(plan, lateness, &generator.pauses).summary()),
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
        start_spread: start_spread(&shards),
        shards,
        ..generator.clone()
    }
}

/// `None`: there are not two that began.
fn start_spread(shards: &[ShardAccount]) -> Option<StartSpread> {
    let begun = shards
        .iter()
        .filter_map(|shard| Some((shard.start_us?, shard.start_pause_us.is_some())));
    let begun: Vec<(i64, bool)> = begun.collect();
    let first = begun.iter().map(|(start_us, _)| *start_us).min()?;
    let after = |start_us: i64| start_us.abs_diff(first);
    let calm = begun.iter().filter(|(_, paused)| !paused);
    let mut calm: Vec<u64> = calm.map(|(start_us, _)| after(*start_us)).collect();
    calm.sort_unstable();
    // The smallest that 95 % do not exceed.
    let rank = (calm.len() * 95).div_ceil(100).max(1);
    let clocks = shards.iter().filter_map(|shard| shard.clock_error_us);
    (begun.len() > 1).then(|| StartSpread {
        count: u32::try_from(calm.len()).unwrap_or(u32::MAX),
        p95_us: calm.get(rank - 1).copied().unwrap_or(0),
        max_us: calm.last().copied().unwrap_or(0),
        paused: u32::try_from(begun.len() - calm.len()).unwrap_or(u32::MAX),
        max_with_paused_us: begun
            .iter()
            .map(|(start_us, _)| after(*start_us))
            .max()
            .unwrap_or(0),
        clock_error_us: clocks.max().unwrap_or(0),
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_held_against_the_first_and_those_of_a_machine_that_stood_still_told_apart() {
        let shard = |start_us: i64, start_pause_us| ShardAccount {
            start_us: Some(start_us),
            start_pause_us,
            clock_error_us: Some(700),
            ..ShardAccount::default()
        };
        let mut shards: Vec<ShardAccount> =
            (0..20).map(|late| shard(late * 10 - 50, None)).collect();
        shards.push(shard(9_950, Some(9_000)));
        shards.push(ShardAccount::default());
        let spread = start_spread(&shards).unwrap();
        let expected = StartSpread {
            count: 20,
            p95_us: 180,
            max_us: 190,
            paused: 1,
            max_with_paused_us: 10_000,
            clock_error_us: 700,
        };
        assert_eq!(spread, expected);
        assert_eq!(start_spread(&shards[..1]), None);
    }
}
