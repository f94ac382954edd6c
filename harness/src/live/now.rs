//! This module takes a picture of the run as it is now.
//!
//! **In:** counters, the last second, fault events. **Out:** [`Now`] and [`FaultNow`].

use std::sync::atomic::{AtomicU64, Ordering};

use super::expected::Standing;
use super::history::{History, Rates};
use crate::fault::{FaultEvent, FaultMoment};
use crate::plan::Plan;
use crate::record::counters::Counters;
use crate::record::histogram::SparseHistogram;
use crate::stage::Stage;

/// The run, now.
#[derive(Clone, Debug, Default)]
pub(super) struct Now {
    pub at_us: u64,
    pub phase: Phase,
    pub open: u64,
    /// Clients the plan wants at this moment.
    pub wanted: u64,
    pub reconnecting: u64,
    pub failed: u64,
    pub rates: Rates,
    pub totals: Totals,
    /// Sent and without a final answer.
    pub waiting: u64,
    /// Age of the oldest of them.
    pub oldest_us: Option<u64>,
    pub p50_us: Option<u64>,
    pub p99_us: Option<u64>,
    /// `complete` of the latest look alone, for the time lane.
    pub latest: SparseHistogram,
    /// How it stands with what the scenario expects; filled in by who keeps count of it.
    pub expected: Vec<Standing>,
    pub machine: MachineNow,
    pub lateness_p99_us: Option<u64>,
    /// Of the busiest lane, 0..=1.
    pub busy_ratio: f64,
    /// Sockets cut, by label, most first; nothing that did not occur.
    pub cut: Vec<(String, u64)>,
    /// Errors and broken promises, by label; nothing that did not occur.
    pub errors: Vec<(&'static str, u64)>,
}

/// Messages since load start, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub sent: u64,
    pub completed: u64,
    pub refused: u64,
    pub unanswered: u64,
    pub lost: u64,
}

impl Totals {
    fn of(counters: &Counters) -> Self {
        // The ends first: what is intended meanwhile would be missing.
        let (completed, refused) = (read(&counters.completed), read(&counters.refused));
        let (unanswered, lost) = (read(&counters.unanswered), read(&counters.lost));
        Self {
            sent: read(&counters.sent),
            completed,
            refused,
            unanswered,
            lost,
        }
    }

    /// Those that have an end, and not the one they should have.
    pub(super) const fn failed(self) -> u64 {
        self.refused + self.unanswered + self.lost
    }

    const fn waiting(self) -> u64 {
        self.sent.saturating_sub(self.completed + self.failed())
    }
}

/// What is used, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct MachineNow {
    /// Processors in use by the server of the run, and its memory.
    pub server: Option<(f64, u64)>,
    /// Processors in use by this process; `None` where others drive the load.
    pub own_cores: Option<f64>,
    /// The share of the machine that is left, and its processors.
    pub idle: Option<(f64, f64)>,
}

impl MachineNow {
    fn take(plan: &Plan, counters: &Counters, own_cores: f64) -> Self {
        let is_alone = counters.lane_busy_permille.len() <= usize::from(plan.load.lanes.max(1));
        let machine = counters.used.machine().filter(|(_, cores)| *cores > 0.0);
        Self {
            server: counters.used.server(),
            own_cores: is_alone.then_some(own_cores),
            idle: machine.map(|(busy_ratio, cores)| (1.0 - busy_ratio, cores)),
        }
    }
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl Now {
    pub(super) fn take(plan: &Plan, counters: &Counters, history: &History, at_us: u64) -> Self {
        let complete = history.stage(Stage::Complete);
        let lateness = history.lateness();
        let some = |of: &SparseHistogram, quantile| (!of.is_empty()).then(|| of.value_at(quantile));
        let (rates, totals) = (history.rates(), Totals::of(counters));
        let oldest = counters.oldest_us.iter().map(read).min();
        let busiest = counters.lane_busy_permille.iter().map(read).max();
        let waiting = totals.waiting();
        Self {
            at_us,
            phase: phase(plan, at_us),
            open: read(&counters.open),
            wanted: wanted(plan, at_us),
            reconnecting: read(&counters.reconnecting),
            failed: read(&counters.clients_failed),
            rates,
            totals,
            waiting,
            oldest_us: oldest
                // Lanes refresh it a little later than the counts.
                .filter(|&us| us != u64::MAX && waiting > 0)
                .map(|us| at_us.saturating_sub(us)),
            p50_us: some(&complete, 0.5),
            p99_us: some(&complete, 0.99),
            latest: history.latest(Stage::Complete).cloned().unwrap_or_default(),
            expected: Vec::new(),
            machine: MachineNow::take(plan, counters, rates.own_cores),
            lateness_p99_us: some(&lateness, 0.99),
            busy_ratio: busiest.unwrap_or(0) as f64 / 1000.0,
            cut: cut(counters),
            errors: errors(counters),
        }
    }
}

fn cut(counters: &Counters) -> Vec<(String, u64)> {
    let cut = counters.cut().into_iter();
    let mut cut: Vec<(String, u64)> = cut.map(|(code, count)| (code.to_string(), count)).collect();
    cut.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    cut
}

fn errors(counters: &Counters) -> Vec<(&'static str, u64)> {
    let all = [
        ("lost", &counters.lost),
        ("duplicated", &counters.duplicated),
        ("out of order", &counters.out_of_order),
        ("unexpected", &counters.unexpected),
        ("unheard", &counters.unheard),
        ("refused", &counters.refused),
        ("unanswered", &counters.unanswered),
        ("unavailable", &counters.unavailable),
    ];
    let all = all
        .into_iter()
        .map(|(label, counter)| (label, read(counter)));
    all.filter(|&(_, count)| count > 0).collect()
}

/// What the load is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    #[default]
    Ramp,
    RampDown,
    Hold,
    /// The time after the load, in which answers may still come.
    Drain,
}

impl Phase {
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Ramp => "ramp",
            Self::RampDown => "ramp down",
            Self::Hold => "hold",
            Self::Drain => "drain",
        }
    }
}

/// What the load is doing at a moment.
pub(super) fn phase(plan: &Plan, at_us: u64) -> Phase {
    let mut stages = plan.load.stages.iter();
    let stage = stages.find(|stage| at_us < stage.start_us + stage.length_us);
    match stage {
        Some(stage) if stage.to > stage.from => Phase::Ramp,
        Some(stage) if stage.to < stage.from => Phase::RampDown,
        Some(_) => Phase::Hold,
        None => Phase::Drain,
    }
}

fn wanted(plan: &Plan, at_us: u64) -> u64 {
    let mut stages = plan.load.stages.iter();
    let stage = stages.find(|stage| at_us < stage.start_us + stage.length_us);
    stage.map_or(0, |stage| {
        let inside = at_us.saturating_sub(stage.start_us);
        let (from, to) = (u64::from(stage.from), u64::from(stage.to));
        let part = |change: u64| change * inside / stage.length_us.max(1);
        if to >= from {
            from + part(to - from)
        } else {
            from - part(from - to)
        }
    })
}

/// One fault, as far as it got.
#[derive(Clone, Debug, Default)]
pub(super) struct FaultNow {
    pub injected_us: Option<u64>,
    pub confirmed_us: Option<u64>,
    pub healed_us: Option<u64>,
    pub heal_confirmed_us: Option<u64>,
    pub problem: Option<String>,
}

impl FaultNow {
    pub(super) fn hear(&mut self, event: &FaultEvent) {
        let at_us = Some(event.at_us);
        match &event.moment {
            FaultMoment::Injected => self.injected_us = at_us,
            FaultMoment::Confirmed => self.confirmed_us = at_us,
            FaultMoment::Healed => self.healed_us = at_us,
            FaultMoment::HealConfirmed => self.heal_confirmed_us = at_us,
            FaultMoment::Problem(text) => self.problem = Some(text.clone()),
            FaultMoment::Injecting
            | FaultMoment::Healing
            | FaultMoment::ReadinessRed
            | FaultMoment::ReadinessGreen => {}
        }
    }

    /// Injected and not yet known to be over.
    pub(super) const fn in_force(&self) -> bool {
        self.injected_us.is_some() && self.heal_confirmed_us.is_none()
    }

    /// When it was last heard of.
    pub(super) fn latest_us(&self) -> Option<u64> {
        let steps = [
            self.heal_confirmed_us,
            self.healed_us,
            self.confirmed_us,
            self.injected_us,
        ];
        steps.into_iter().flatten().max()
    }
}
