//! This module tells a run in lines, for logs: that it started and ended, one every 5 s and one per fault stamp.
//!
//! **In:** what is seen now, and fault events. **Out:** the time of day (UTC), seconds since load start, and `key=value` without
//! control characters.

use std::time::{Duration, UNIX_EPOCH};

use super::now::{FaultNow, Now, Phase};
use crate::clock::RunClock;
use crate::fault::{FaultEvent, FaultMoment};
use crate::format;
use crate::plan::Plan;

/// Time between two lines.
const EVERY_US: u64 = 5_000_000;

/// When the next line is due.
#[derive(Debug)]
pub(super) struct Lines {
    clock: RunClock,
    due_us: u64,
}

/// `1.61s`, `61ms`: in one piece, for whoever splits at spaces.
fn short(us: Option<u64>) -> String {
    us.map_or_else(
        || "-".to_owned(),
        |us| format::duration(us).replace(format::NBSP, ""),
    )
}

impl Lines {
    pub(super) fn new(clock: RunClock) -> Self {
        Self {
            clock,
            due_us: EVERY_US,
        }
    }

    /// `2026-11-29T18:41:15Z`, at a moment of the run.
    fn stamp(&self, at_us: u64) -> String {
        let since = Duration::from_nanos(self.clock.wall_ns_at(at_us));
        humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string()
    }

    /// The load is about to begin.
    pub(super) fn started(&self, plan: &Plan, run_id: &str) -> String {
        format!(
            "{} 0.0s started run={run_id} scenario=\"{}\" clients={} load={} drain={}\n",
            self.stamp(0),
            format::harmless(&plan.title),
            plan.load.clients,
            short(Some(plan.load.load_us())),
            short(Some(plan.load.drain_us)),
        )
    }

    /// The load is over; the verdict is not known yet.
    pub(super) fn finished(&self, now: &Now) -> String {
        let of = now.totals;
        format!(
            "{} {}s finished sent={} done={} refused={} unanswered={} lost={} wait={}\n",
            self.stamp(now.at_us),
            format::rough_stamp(now.at_us),
            of.sent,
            of.completed,
            of.refused,
            of.unanswered,
            of.lost,
            now.waiting,
        )
    }

    /// The line of a fault stamp.
    pub(super) fn event(&self, plan: &Plan, event: &FaultEvent) -> Option<String> {
        let line = fault_line(plan, event)?;
        Some(format!("{} {line}", self.stamp(event.at_us)))
    }

    /// The line, when one is due.
    pub(super) fn look(&mut self, now: &Now, faults: &[FaultNow]) -> Option<String> {
        if now.at_us < self.due_us {
            return None;
        }
        self.due_us = (now.at_us / EVERY_US + 1) * EVERY_US;
        let in_force = faults.iter().filter(|fault| fault.in_force()).count();
        // In the drain the plan wants nobody any more.
        let wanted = if now.phase == Phase::Drain {
            String::new()
        } else {
            format!("/{}", now.wanted)
        };
        let mut line = format!(
            "{} {}s {} open={}{wanted} sent={}/s done={}/s p50={} p99={} wait={} oldest={} faults={in_force}",
            self.stamp(now.at_us),
            format::rough_stamp(now.at_us),
            now.phase.text().replace(' ', "-"),
            now.open,
            now.rates.sent,
            now.rates.completed,
            short(now.p50_us),
            short(now.p99_us),
            now.waiting,
            short(now.oldest_us),
        );
        for (label, count) in &now.errors {
            format::append(
                &mut line,
                format_args!(" {}={count}", label.replace(' ', "-")),
            );
        }
        for (code, count) in &now.cut {
            format::append(&mut line, format_args!(" cut-{code}={count}"));
        }
        line.push('\n');
        Some(line)
    }
}

/// The line of a fault stamp; `None` for moments that are only steps to the next.
fn fault_line(plan: &Plan, event: &FaultEvent) -> Option<String> {
    let fault = plan.faults.get(event.fault)?;
    let (begins_us, ends_us) = (fault.at_us, fault.at_us + fault.for_us);
    let (word, since) = match &event.moment {
        FaultMoment::Injected => ("injected".to_owned(), Some(begins_us)),
        FaultMoment::Confirmed => ("confirmed".to_owned(), Some(begins_us)),
        FaultMoment::Healed => ("healed".to_owned(), Some(ends_us)),
        FaultMoment::HealConfirmed => ("heal-confirmed".to_owned(), Some(ends_us)),
        FaultMoment::ReadinessRed => ("readiness-red".to_owned(), Some(begins_us)),
        FaultMoment::ReadinessGreen => ("readiness-green".to_owned(), Some(ends_us)),
        FaultMoment::Problem(text) => (format!("problem=\"{}\"", format::harmless(text)), None),
        FaultMoment::Injecting | FaultMoment::Healing => return None,
    };
    let delay = since.map_or_else(String::new, |since_us| {
        format!(
            " delay={}",
            short(Some(event.at_us.saturating_sub(since_us)))
        )
    });
    Some(format!(
        "{}s fault={} {word}{delay}\n",
        format::rough_stamp(event.at_us),
        format::harmless(&fault.name)
    ))
}
