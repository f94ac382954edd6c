//! This module checks that the harness itself was good enough to be believed.
//!
//! **In:** the harness's own lateness, load, clocks and fault stamps. **Out:** one check per way in
//! which the numbers could be wrong; any that breaks makes the run invalid.
//!
//! The harness's error must be small against what it judges: its lateness p99 stays below a tenth
//! of the tightest latency the scenario expects ([`LATENESS_FALLBACK_US`] where there is none).
//! Pauses of the whole machine are told apart and left out of lateness: bins in which a thread that
//! only sleeps woke late as well.

use super::super::{CheckGroup, CheckResult, FaultResult, FaultStamps, Pause, RunResult};
use super::{Texts, check};
use crate::format;
use crate::plan::Link;
use crate::scenario::expectation::Quantity;

/// Name of the check that names what crashed.
const PROCESSES: &str = "processes of the run";

/// Bound on lateness p99 where the scenario expects no latency.
const LATENESS_FALLBACK_US: u64 = 5_000;
/// Fewer sends than this do not support a p99 that decides anything.
const SENDS_MIN: u64 = 1_000;
/// Share of the plan that must have been sent.
const SENT_RATIO_MIN: f64 = 0.995;
/// Share of a core a lane may use over 5 s.
const LANE_BUSY_RATIO_MAX: f64 = 0.8;
/// Largest step of the wall clock against the monotonic one.
const CLOCK_STEP_MAX_US: u64 = 1_000;
/// A fault may come this much later than planned, pauses of the machine left out.
const FAULT_DELAY_MAX_US: u64 = 50_000;
/// Shorter pauses are ordinary on a shared machine, whatever the limits.
const PAUSE_BOUND_MIN_US: u64 = 250_000;
/// Share of frames that may lack a kernel stamp (those that came with the `101`).
const UNSTAMPED_RATIO_MAX: f64 = 0.05;

/// All validity checks.
pub(in super::super) fn checks(result: &RunResult) -> Vec<CheckResult> {
    let mut checks = Vec::new();
    if has_processes(result) {
        checks.push(processes(result));
    }
    checks.extend([
        planned_sends(result),
        lateness(result),
        lane_busy(result),
        machine_pauses(result),
        receive_stamps(result),
        clock_step(result),
        ledger_adds_up(result),
    ]);
    if !result.faults.is_empty() || !result.conditions.is_empty() {
        checks.push(faults_confirmed(result));
        checks.push(faults_on_time(result));
    }
    checks
}

/// Something was started for the run.
fn has_processes(result: &RunResult) -> bool {
    let environment = &result.plan.environment;
    let edge = environment.toxiproxy.is_none() && environment.proxies.contains(&Link::Edge);
    environment.target.is_none() || edge
}

/// First of all, because it explains what else broke.
fn processes(result: &RunResult) -> CheckResult {
    let ended: Vec<String> = result
        .ended_processes
        .iter()
        .map(|process| {
            let seen = format::duration(process.seen_us);
            format!("{} ended by itself, seen at {seen}", process.what)
        })
        .collect();
    let finding = if ended.is_empty() {
        "what was started for the run was there to its end".to_owned()
    } else {
        ended.join("; ")
    };
    valid(
        PROCESSES,
        ended.is_empty(),
        format!("{} gone", ended.len()),
        "none".to_owned(),
        &finding,
    )
}

fn valid(name: &str, held: bool, observed: String, bound: String, finding: &str) -> CheckResult {
    let text = Texts {
        observed,
        bound,
        finding: finding.to_owned(),
    };
    check(CheckGroup::Validity, name, held, text)
}

fn planned_sends(result: &RunResult) -> CheckResult {
    let generator = &result.generator;
    // A client that had no socket could not send: that is the service's doing, in the ledger.
    let possible = generator
        .planned_sends
        .saturating_sub(generator.unsent_without_socket);
    let ratio = ratio(generator.actual_sends, possible);
    valid(
        "planned messages sent",
        ratio >= SENT_RATIO_MIN || ended_early(result),
        format!(
            "{} of {}",
            format::count(generator.actual_sends),
            format::count(possible)
        ),
        "≥ 99.5 %".to_owned(),
        "of those whose client had a socket: the offered load was the planned load",
    )
}

/// Stopped before its plan was through, by whom ever.
fn ended_early(result: &RunResult) -> bool {
    result.run.interrupted || result.run.aborted.is_some()
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        1.0
    } else {
        part as f64 / whole as f64
    }
}

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

fn lateness(result: &RunResult) -> CheckResult {
    let bound_us = lateness_bound_us(result);
    let bound = format!("< {}", format::duration(bound_us));
    let name = "dispatch lateness p99";
    let Some(net) = &result.generator.lateness_net else {
        return valid(name, true, "–".to_owned(), bound, "nothing was sent");
    };
    let held = net.p99_us < bound_us || net.count < SENDS_MIN;
    let finding = if net.count < SENDS_MIN {
        "too few sends for a p99 to decide; shown only"
    } else {
        "socket ready to write: the harness's own delay, pauses of the machine left out"
    };
    valid(name, held, format::duration(net.p99_us), bound, finding)
}

fn lane_busy(result: &RunResult) -> CheckResult {
    let busy = result.generator.lane_busy_ratio_max;
    valid(
        "busiest lane",
        busy <= LANE_BUSY_RATIO_MAX,
        format::percent(busy),
        format!("≤ {} over 5 s", format::percent(LANE_BUSY_RATIO_MAX)),
        "a session thread with room to spare",
    )
}

fn receive_stamps(result: &RunResult) -> CheckResult {
    let generator = &result.generator;
    let unstamped = ratio(generator.frames_unstamped, generator.frames_received.max(1));
    let bound_us = lateness_bound_us(result);
    let lag_us = result.receive_lag.map_or(u64::MAX, |lag| lag.p99_us);
    valid(
        "receive stamps by the kernel",
        unstamped <= UNSTAMPED_RATIO_MAX || lag_us < bound_us,
        format!("{} without", format::percent(unstamped)),
        format!("≤ {}", format::percent(UNSTAMPED_RATIO_MAX)),
        "answers are dated when they arrived, not when the harness got round to them",
    )
}

fn clock_step(result: &RunResult) -> CheckResult {
    let step_us = result.generator.clock_step_us;
    valid(
        "clock step",
        step_us <= CLOCK_STEP_MAX_US,
        format::duration(step_us),
        format!("≤ {}", format::duration(CLOCK_STEP_MAX_US)),
        "the wall clock, by which the kernel stamps, ran evenly",
    )
}

fn ledger_adds_up(result: &RunResult) -> CheckResult {
    let delivery = &result.delivery;
    let sum = delivery.completed
        + delivery.refused
        + delivery.unanswered
        + delivery.lost
        + delivery.pending;
    valid(
        "ledger adds up",
        sum == delivery.sent && delivery.sent == result.generator.planned_sends,
        format!(
            "{} of {}",
            format::count(sum),
            format::count(result.generator.planned_sends)
        ),
        "all".to_owned(),
        "planned = sent = completed + refused + unanswered + lost + pending",
    )
}

fn faults_confirmed(result: &RunResult) -> CheckResult {
    let events = result.faults.iter();
    let events = events.map(|fault| (&fault.name, &fault.stamps));
    let conditions = result.conditions.iter();
    let conditions = conditions.map(|condition| (&condition.name, &condition.stamps));
    let all: Vec<(&String, &FaultStamps)> = events.chain(conditions).collect();
    let confirmed =
        |stamps: &FaultStamps| stamps.confirmed_us.is_some() && stamps.heal_confirmed_us.is_some();
    let missing = all.iter().find(|(_, stamps)| !confirmed(stamps));
    let finding = missing.map_or(
        "each fault was met, and its end, by a probe".to_owned(),
        |(name, stamps)| {
            let problem = stamps.problem.as_deref().unwrap_or("the run ended first");
            format!("{name}: {problem}")
        },
    );
    let count = all.iter().filter(|(_, stamps)| confirmed(stamps)).count();
    valid(
        "faults confirmed",
        missing.is_none() || ended_early(result),
        format!("{count} of {}", all.len()),
        "all".to_owned(),
        &finding,
    )
}

fn faults_on_time(result: &RunResult) -> CheckResult {
    let delay = |fault: &FaultResult| {
        let injected_us = fault.stamps.injected_us?;
        let paused_us = paused_between(result, fault.planned_us, injected_us);
        Some(
            injected_us
                .abs_diff(fault.planned_us)
                .saturating_sub(paused_us),
        )
    };
    let worst_us = result.faults.iter().filter_map(delay).max().unwrap_or(0);
    valid(
        "faults on time",
        worst_us <= FAULT_DELAY_MAX_US,
        format::duration(worst_us),
        format!("≤ {}", format::duration(FAULT_DELAY_MAX_US)),
        "in force when planned, pauses of the machine left out",
    )
}

/// How long the machine paused between two moments.
fn paused_between(result: &RunResult, from_us: u64, to_us: u64) -> u64 {
    let overlap = |pause: &Pause| {
        let end_us = (pause.at_us + pause.length_us).min(to_us);
        end_us.saturating_sub(pause.at_us.max(from_us))
    };
    result.generator.pauses.iter().map(overlap).sum()
}

/// A pause longer than the tightest limit could have broken it by itself.
fn machine_pauses(result: &RunResult) -> CheckResult {
    let bound_us = lateness_bound_us(result)
        .saturating_mul(10)
        .max(PAUSE_BOUND_MIN_US);
    let longest_us = result.generator.pause_max_us;
    valid(
        "longest pause of the machine",
        longest_us <= bound_us,
        format::duration(longest_us),
        format!("≤ {}", format::duration(bound_us)),
        "no pause of the machine, or of the harness, could have broken a limit by itself",
    )
}
