//! This module checks that the harness itself was good enough to be believed.
//!
//! **In:** the harness's own lateness, load, clocks and fault stamps. **Out:** one check per way in
//! which the numbers could be wrong; any that breaks makes the run invalid.
//!
//! The harness's error must be small against what it judges: its lateness p99 stays below a tenth
//! of the tightest latency the scenario expects (a fixed bound where there is none: `generator`).
//! Pauses of the whole machine are told apart and left out of lateness: bins in which a thread that
//! only sleeps woke late as well.

use super::super::{CheckGroup, CheckResult, CheckStatus, FaultResult, RunResult};
use super::finding::{Words, paused_between, ratio, valid};
use super::generator::{
    clock_step, given_up, lane_busy, lateness, machine_pauses, parts_add_up, receive_stamps,
};
use super::machine::machine_busy;
use crate::format;
use crate::plan::{Link, Mechanism, ProcessAction};
use crate::record::fault::FaultStamps;

/// Share of the plan that must have been sent.
const SENT_RATIO_MIN: f64 = 0.995;
/// A fault may come this much later than planned, pauses of the machine left out.
const FAULT_DELAY_MAX_US: u64 = 50_000;

/// All validity checks.
pub(in super::super) fn checks(result: &RunResult) -> Vec<CheckResult> {
    let mut checks = Vec::new();
    if has_processes(result) {
        checks.push(processes(result));
    }
    if !result.generator.given_up.is_empty() {
        checks.push(given_up(result));
    }
    if !result.generator.shards.is_empty() {
        checks.push(parts_add_up(result));
    }
    checks.extend([
        planned_sends(result),
        lateness(result),
        lane_busy(result),
        machine_busy(result),
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

/// All that made the run invalid is that the generator, or the machine it runs on, did not keep up.
pub(crate) fn is_of_generator(result: &RunResult) -> bool {
    let broke = |check: &CheckResult| check.status == CheckStatus::Broke;
    let own = [
        planned_sends(result),
        lateness(result),
        lane_busy(result),
        machine_busy(result),
        machine_pauses(result),
    ];
    let own = own.iter().filter(|check| broke(check)).count();
    own > 0 && own == checks(result).iter().filter(|check| broke(check)).count()
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
            let fact = process.fact.as_deref().unwrap_or("ended by itself");
            format!("{} {fact}, seen at {seen}", process.what)
        })
        .collect();
    valid(
        "processes of the run",
        ended.is_empty(),
        format!("{} gone", ended.len()),
        "none".to_owned(),
        Words {
            held: "what was started for the run was there to its end",
            broke: ended.join("; "),
        },
    )
}

/// Those that a client with a socket could have sent; without one it could not: that is the service's doing, and
/// stands in the ledger.
fn possible_sends(result: &RunResult) -> u64 {
    let generator = &result.generator;
    generator
        .planned_sends
        .saturating_sub(generator.unsent_without_socket)
}

fn planned_sends(result: &RunResult) -> CheckResult {
    let generator = &result.generator;
    let (planned, possible) = (generator.planned_sends, possible_sends(result));
    let (sent, count) = (generator.actual_sends, format::count);
    // Of a plan with something to send, nothing sent is no load at all, whosever doing it is.
    let nothing = planned > 0 && possible == 0;
    let held = if nothing {
        result.run.interrupted
    } else {
        ratio(sent, possible) >= SENT_RATIO_MIN || ended_early(result)
    };
    let broke = if nothing {
        format!(
            "none of {} planned messages could be sent, for no client had a socket",
            count(planned)
        )
    } else {
        format!(
            "only {} of the {} messages were sent whose clients had a socket (the offered load was not the planned one)",
            count(sent),
            count(possible)
        )
    };
    let held_words = match (planned, sent) {
        (0, _) => "the plan has nothing to send",
        (_, 0) => "the run ended before anything was sent",
        _ => "of those whose client had a socket: the offered load was the planned load",
    };
    let of_plan = if planned == possible {
        String::new()
    } else {
        format!(" ({} planned)", count(planned))
    };
    let observed = format!("{} of {}{of_plan}", count(sent), count(possible));
    valid(
        "planned messages sent",
        held,
        observed,
        "≥ 99.5 %".to_owned(),
        Words {
            held: held_words,
            broke,
        },
    )
}

/// Share of the plan that was sent; where clients had no socket, also of what could be.
pub(crate) fn sent_text(result: &RunResult) -> String {
    let generator = &result.generator;
    let share = |whole: u64| format::percent_of_plan(generator.actual_sends, whole);
    let of_plan = format!("{} of the plan sent", share(generator.planned_sends));
    match possible_sends(result) {
        _ if generator.unsent_without_socket == 0 => of_plan,
        0 => format!("{of_plan} (no client had a socket)"),
        possible => format!("{of_plan} ({} of what had a socket)", share(possible)),
    }
}

/// Stopped before its plan was through, by whom ever.
fn ended_early(result: &RunResult) -> bool {
    result.run.interrupted || result.run.aborted.is_some()
}

fn ledger_adds_up(result: &RunResult) -> CheckResult {
    let delivery = &result.delivery;
    let sum = delivery.ended();
    let planned = result.generator.planned_sends;
    let observed = format!("{} of {}", format::count(sum), format::count(planned));
    valid(
        "ledger adds up",
        sum == delivery.sent && delivery.sent == planned,
        observed,
        "all".to_owned(),
        Words {
            held: "planned = sent = completed + refused + unanswered + lost + pending",
            broke: format!(
                "{} messages were planned, {} stand in the ledger and {} have an end (the harness miscounted)",
                format::count(planned),
                format::count(delivery.sent),
                format::count(sum)
            ),
        },
    )
}

/// All that is invalid is that faults never took hold: what did not happen has broken nothing.
pub(in super::super) fn is_harmless(result: &RunResult) -> bool {
    let events = result.faults.iter().map(|fault| &fault.stamps);
    let mut all = events.chain(result.conditions.iter().map(|of| &of.stamps));
    let broke = |check: &&CheckResult| {
        check.group == CheckGroup::Validity && check.status == CheckStatus::Broke
    };
    let unconfirmed = faults_confirmed(result).status == CheckStatus::Broke;
    // One that was begun and whose end no probe has seen may still act, met or not.
    all.all(|stamps| stamps.injecting_us.is_none() || stamps.heal_confirmed_us.is_some())
        && result.checks.iter().filter(broke).count() == usize::from(unconfirmed)
}

fn faults_confirmed(result: &RunResult) -> CheckResult {
    let events = result.faults.iter();
    let events = events.map(|fault| (&fault.name, fault.planned_us, &fault.stamps));
    let conditions = result.conditions.iter();
    let conditions = conditions.map(|of| (&of.name, of.planned_us, &of.stamps));
    let all: Vec<(&String, u64, &FaultStamps)> = events.chain(conditions).collect();
    let confirmed =
        |stamps: &FaultStamps| stamps.confirmed_us.is_some() && stamps.heal_confirmed_us.is_some();
    let count = all
        .iter()
        .filter(|(_, _, stamps)| confirmed(stamps))
        .count();
    let missing = all.iter().find(|(_, _, stamps)| !confirmed(stamps));
    let broke = missing.map_or_else(String::new, |(name, planned_us, stamps)| {
        let what = match stamps.confirmed_us {
            None => (*name).clone(),
            Some(_) => format!("the end of {name}"),
        };
        let problem = stamps.problem.as_deref().unwrap_or("the run ended first");
        let more = match all.len() - count {
            1 => String::new(),
            several => format!(", and {} more were not", several - 1),
        };
        let planned = format::duration(*planned_us);
        format!("{what} (planned at {planned}) was not confirmed: {problem}{more}")
    });
    let held_words = match missing {
        None => "each fault was met, and its end, by a probe",
        Some(_) => "the run ended before every fault had begun and ended",
    };
    valid(
        "faults confirmed",
        missing.is_none() || ended_early(result),
        format!("{count} of {}", all.len()),
        "all".to_owned(),
        Words {
            held: held_words,
            broke,
        },
    )
}

fn faults_on_time(result: &RunResult) -> CheckResult {
    let delay = |(place, fault): (usize, &'_ FaultResult)| {
        let planned = result.plan.faults.get(place)?;
        // A process that is told to end takes as long as it has files to close, and a proxy that resets its connections
        // as long as it has such: that is no delay of the harness.
        let injected_us = match planned.kind.mechanism() {
            Mechanism::Process(ProcessAction::Kill | ProcessAction::Restart)
            | Mechanism::ResetNow { .. } => fault.stamps.injecting_us?,
            Mechanism::Process(ProcessAction::Pause)
            | Mechanism::Disable
            | Mechanism::Toxic(..)
            | Mechanism::FlushTokens => fault.stamps.injected_us?,
        };
        let paused_us = paused_between(result, fault.planned_us, injected_us);
        let off_us = injected_us.abs_diff(fault.planned_us);
        Some(off_us.saturating_sub(paused_us))
    };
    let delays = result.faults.iter().enumerate();
    let delays = delays.filter_map(|(place, fault)| Some((delay((place, fault))?, fault)));
    let worst = delays.max_by_key(|(delay_us, _)| *delay_us);
    let worst_us = worst.map_or(0, |(delay_us, _)| delay_us);
    let broke = worst.map_or_else(String::new, |(delay_us, fault)| {
        format!(
            "{} (planned at {}) came {} off its time",
            fault.name,
            format::duration(fault.planned_us),
            format::duration(delay_us)
        )
    });
    valid(
        "faults on time",
        worst_us <= FAULT_DELAY_MAX_US,
        format::duration(worst_us),
        format!("≤ {}", format::duration(FAULT_DELAY_MAX_US)),
        Words {
            held: "in force when planned, pauses of the machine left out",
            broke,
        },
    )
}
