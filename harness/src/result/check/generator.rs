//! This module checks that the harness itself was quick and even enough to time a server.
//!
//! **In:** lateness, lanes, clocks, receive stamps and pauses. **Out:** one check for each; any that breaks makes the
//! run invalid.
//!
//! The harness's error must be small against what it judges: its lateness p99 stays below a tenth
//! of the tightest latency the scenario expects ([`LATENESS_FALLBACK_US`] where there is none).
//! Pauses of the whole machine are told apart and left out of lateness: bins in which a thread that
//! only sleeps woke late as well. Where both are told, both are named ([`lateness_text`]).

use super::super::{CheckResult, RunResult, Summary};
use super::finding::{Words, paused_between, ratio, valid};
use crate::format;
use crate::scenario::expectation::Quantity;

/// Bound on lateness p99 where the scenario expects no latency.
const LATENESS_FALLBACK_US: u64 = 5_000;
/// Fewer sends than this do not support a p99 that decides anything.
const SENDS_MIN: u64 = 1_000;
/// Share of a core a lane may use over 5 s.
const LANE_BUSY_RATIO_MAX: f64 = 0.8;
/// Largest step of the wall clock against the monotonic one.
const CLOCK_STEP_MAX_US: u64 = 1_000;
/// Shorter pauses are ordinary on a shared machine, whatever the limits.
const PAUSE_BOUND_MIN_US: u64 = 250_000;
/// Share of frames that may lack a kernel stamp (those that came with the `101`).
const UNSTAMPED_RATIO_MAX: f64 = 0.05;

/// A tenth of the tightest latency expected.
pub(in super::super) fn lateness_bound_us(result: &RunResult) -> u64 {
    let latencies = result
        .plan
        .expect
        .iter()
        .filter(|expect| matches!(expect.what, Quantity::Latency { .. }));
    let bounds = latencies.map(|expect| crate::units::rounded(expect.bound.value / 10.0));
    bounds.min().unwrap_or(LATENESS_FALLBACK_US).max(1)
}

/// p99 of lateness as it is judged; where pauses of the machine were left out for that, also with them.
pub(crate) fn lateness_text(result: &RunResult) -> String {
    let p99 = |of: &Summary| format::duration(of.p99_us);
    match (&result.generator.lateness_net, &result.lateness) {
        (Some(net), Some(all)) if p99(net) != p99(all) => {
            format!(
                "late p99 {} ({} with pauses of the machine)",
                p99(net),
                p99(all)
            )
        }
        (Some(net), _) => format!("late p99 {}", p99(net)),
        (None, Some(all)) => format!("late p99 {} with pauses of the machine", p99(all)),
        (None, None) => "nothing was sent".to_owned(),
    }
}

pub(super) fn lateness(result: &RunResult) -> CheckResult {
    let bound_us = lateness_bound_us(result);
    let net = result.generator.lateness_net.as_ref();
    let few = net.is_none_or(|net| net.count < SENDS_MIN);
    let shard = late_shard(result, bound_us);
    let held = shard.is_none() && (few || net.is_none_or(|net| net.p99_us < bound_us));
    let worst = worst_moment_us(result).map_or_else(String::new, |us| {
        format!("; at worst at {}", format::duration(us))
    });
    let held_words = match net {
        None => "nothing was sent",
        Some(_) if few => "too few sends for a p99 to decide; shown only",
        Some(_) => "socket ready to write: the harness's own delay, pauses of the machine left out",
    };
    let observed = net.map(|net| net.p99_us);
    let bound = format!("< {}", format::duration(bound_us));
    let (who, late_us) = match shard {
        Some((number, late_us)) => (format!("shard {number} of the load"), Some(late_us)),
        None => ("the harness itself".to_owned(), observed),
    };
    let broke = format!(
        "{who} was late (p99 {} where {} is the limit{worst})",
        format::duration_or_none(late_us),
        format::duration(bound_us)
    );
    valid(
        "dispatch lateness p99",
        held,
        format::duration_or_none(observed),
        bound,
        Words {
            held: held_words,
            broke,
        },
    )
}

/// Of several processes of the load the one that was latest, and by how much, where that is past the bound: among the
/// sends of the others it may not be seen.
fn late_shard(result: &RunResult, bound_us: u64) -> Option<(u16, u64)> {
    let shards = result.generator.shards.iter();
    let each = shards.filter_map(|shard| Some((shard.number, shard.lateness_net.as_ref()?)));
    let late = each.filter(|(_, net)| net.count >= SENDS_MIN && net.p99_us >= bound_us);
    late.map(|(number, net)| (number, net.p99_us))
        .max_by_key(|(_, late_us)| *late_us)
}

/// When the harness was latest, pauses of the machine left out: start of that step.
fn worst_moment_us(result: &RunResult) -> Option<u64> {
    let (step_us, steps) = (result.series.step_us, &result.series.lateness_max_us);
    let moments = (0_u64..).map(|step| step * step_us);
    let late = moments
        .zip(steps)
        .filter_map(|(at_us, most_us)| Some((at_us, (*most_us)?)));
    let calm = late.filter(|(at_us, _)| paused_between(result, *at_us, at_us + step_us) == 0);
    calm.max_by_key(|(_, most_us)| *most_us)
        .map(|(at_us, _)| at_us)
}

/// First among the harness's own, because it explains what else broke.
pub(super) fn given_up(result: &RunResult) -> CheckResult {
    let given_up = &result.generator.given_up;
    valid(
        "threads of the load",
        given_up.is_empty(),
        format!("{} given up", given_up.len()),
        "none".to_owned(),
        Words {
            held: "every thread of the load ended by itself",
            broke: given_up.join("; "),
        },
    )
}

/// What several processes of the load counted, each for itself, against the result that was put together of them.
pub(super) fn parts_add_up(result: &RunResult) -> CheckResult {
    let generator = &result.generator;
    let shards = &generator.shards;
    let sends: Option<u64> = shards.iter().map(|shard| shard.actual_sends).sum();
    let frames: Option<u64> = shards.iter().map(|shard| shard.frames_received).sum();
    let whole = (generator.actual_sends, generator.frames_received);
    // A result that lacks the counts can be held against nothing.
    let parts = sends.zip(frames).unwrap_or(whole);
    let told = |(sends, frames): (u64, u64)| {
        let (sends, frames) = (format::count(sends), format::count(frames));
        format!("{sends} sends, {frames} frames")
    };
    valid(
        "parts of the load",
        parts == whole,
        told(whole),
        told(parts),
        Words {
            held: "what the processes of the load counted is in this result, once",
            broke: format!(
                "the processes of the load counted {}, and this result holds {}",
                told(parts),
                told(whole)
            ),
        },
    )
}

pub(super) fn lane_busy(result: &RunResult) -> CheckResult {
    let busy = result.generator.lane_busy_ratio_max;
    let at = moment(result.generator.lane_busy_at_us, "in the 5 s up to");
    valid(
        "busiest lane",
        busy <= LANE_BUSY_RATIO_MAX,
        format::percent(busy),
        format!("≤ {} over 5 s", format::percent(LANE_BUSY_RATIO_MAX)),
        Words {
            held: "a session thread with room to spare",
            broke: format!(
                "a session thread was {} busy{at} (what it timed may have waited for it)",
                format::percent(busy)
            ),
        },
    )
}

/// ` at 7.00 s`, where it is known.
fn moment(at_us: Option<u64>, word: &str) -> String {
    at_us.map_or_else(String::new, |us| {
        format!(" {word} {}", format::duration(us))
    })
}

pub(super) fn receive_stamps(result: &RunResult) -> CheckResult {
    let generator = &result.generator;
    let unstamped = ratio(generator.frames_unstamped, generator.frames_received.max(1));
    let bound_us = lateness_bound_us(result);
    let lag_us = result.receive_lag.map_or(u64::MAX, |lag| lag.p99_us);
    let lag = result.receive_lag.map_or_else(String::new, |lag| {
        format!(
            ", up to {} (p99) after they came",
            format::duration(lag.p99_us)
        )
    });
    valid(
        "receive stamps by the kernel",
        unstamped <= UNSTAMPED_RATIO_MAX || lag_us < bound_us,
        format!("{} without", format::percent(unstamped)),
        format!("≤ {}", format::percent(UNSTAMPED_RATIO_MAX)),
        Words {
            held: "answers are dated when they arrived, not when the harness got round to them",
            broke: format!(
                "{} of {} frames had no kernel stamp and are dated when they were read{lag}",
                format::count(generator.frames_unstamped),
                format::count(generator.frames_received)
            ),
        },
    )
}

pub(super) fn clock_step(result: &RunResult) -> CheckResult {
    let step_us = result.generator.clock_step_us;
    let at = moment(result.generator.clock_step_at_us, "at");
    valid(
        "clock step",
        step_us <= CLOCK_STEP_MAX_US,
        format::duration(step_us),
        format!("≤ {}", format::duration(CLOCK_STEP_MAX_US)),
        Words {
            held: "the wall clock, by which the kernel stamps, ran evenly",
            broke: format!(
                "the wall clock stepped by {}{at}, and the kernel dates answers by it",
                format::duration(step_us)
            ),
        },
    )
}

/// A pause longer than the tightest limit could have broken it by itself.
pub(super) fn machine_pauses(result: &RunResult) -> CheckResult {
    let bound_us = lateness_bound_us(result)
        .saturating_mul(10)
        .max(PAUSE_BOUND_MIN_US);
    let longest_us = result.generator.pause_max_us;
    let mut listed = result.generator.pauses.iter();
    let listed = listed.find(|pause| pause.length_us == longest_us);
    let at_us = result.generator.pause_max_at_us;
    let at = moment(at_us.or(listed.map(|pause| pause.at_us)), "at");
    valid(
        "longest pause of the machine",
        longest_us <= bound_us,
        format::duration(longest_us),
        format!("≤ {}", format::duration(bound_us)),
        Words {
            held: "no pause of the machine, or of the harness, could have broken a limit by itself",
            broke: format!(
                "a pause of {}{at} (of the machine or of the harness) is long enough to break a limit by itself",
                format::duration(longest_us)
            ),
        },
    )
}
