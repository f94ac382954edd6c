//! This module looks up what was seen of a quantity in a part of a run.
//!
//! **In:** a [`RunResult`] and an expectation. **Out:** an [`Observation`]: the value, over how many samples, and
//! where there is none, why ([`Lack`]).

use super::super::{FaultResult, RunResult, Summary, Window};
use super::lack::Lack;
use super::server;
use crate::scenario::expectation::{Expectation, Outcome, Quantity, Statistic, TimeKind, When};
use crate::stage::Stage;
use crate::units::Unit;

/// What was seen of one quantity.
pub(super) struct Observation {
    /// `None`: there is none, or [`Self::beyond_us`] says more.
    pub value: Option<f64>,
    /// Set when the event had not come within this time.
    pub beyond_us: Option<u64>,
    /// What was timed or looked at, whether that is enough or not.
    pub samples: u64,
    pub unit: Unit,
    /// Why there is no value.
    pub lack: Option<Lack>,
    /// It is found to this step only, in microseconds.
    pub step_us: Option<u64>,
}

impl Observation {
    fn count(value: u64, samples: u64, unit: Unit) -> Self {
        Self {
            value: Some(value as f64),
            samples,
            ..Self::nothing(unit)
        }
    }

    fn nothing(unit: Unit) -> Self {
        Self {
            value: None,
            beyond_us: None,
            samples: 0,
            unit,
            lack: None,
            step_us: None,
        }
    }

    fn lacking(unit: Unit, lack: Lack) -> Self {
        Self {
            lack: Some(lack),
            ..Self::nothing(unit)
        }
    }
}

pub(super) fn observe(result: &RunResult, expectation: &Expectation) -> Observation {
    let window = result.window(&expectation.when);
    match expectation.what {
        Quantity::Latency {
            stage,
            statistic,
            time,
        } => latency(window, stage, statistic, time),
        Quantity::Delivery { outcome } => {
            let of_copies = outcome == Outcome::Unheard;
            let seen = in_part(window, Unit::Messages, |window| {
                let of = window.delivery;
                (of.of(outcome), if of_copies { of.copies } else { of.sent })
            });
            // What comes unasked for comes without messages too.
            let vacuous = outcome != Outcome::Unexpected && expectation.bound.holds(0.0);
            if seen.value == Some(0.0) && seen.samples == 0 && vacuous {
                let lack = if of_copies {
                    Lack::Copies
                } else {
                    Lack::Messages
                };
                return Observation::lacking(Unit::Messages, lack);
            }
            seen
        }
        Quantity::Closes { code } => in_part(window, Unit::Sockets, |window| {
            let planned = window.closes_planned.get(&code).unwrap_or(&0);
            let cut = window.closes_cut.get(&code).unwrap_or(&0);
            let violation = window.closes_violation.get(&code).unwrap_or(&0);
            (planned + cut + violation, result.clients.opened)
        }),
        Quantity::CutSessions => in_part(window, Unit::Sockets, |window| {
            (window.closes_cut.values().sum(), result.clients.opened)
        }),
        Quantity::FailedClients => in_part(window, Unit::Clients, |window| {
            (window.clients_failed, result.clients.planned)
        }),
        Quantity::PeakOpen => {
            let clients = &result.clients;
            Observation::count(clients.peak_open, clients.opened, Unit::Sockets)
        }
        Quantity::Server { count } => match server::seen(result, count) {
            Ok(seen) => Observation {
                value: Some(seen),
                samples: 1,
                ..Observation::nothing(count.about().unit)
            },
            Err(lack) => Observation::lacking(count.about().unit, lack),
        },
        Quantity::Impact => worst_fault(result, &expectation.when, |fault| {
            Some((fault.impact_us, fault.planned_for_us))
        }),
        Quantity::Detect => worst_fault(result, &expectation.when, |fault| {
            let detected = (fault.detect_us, fault.planned_for_us);
            fault.stamps.readiness_watched.then_some(detected)
        }),
        Quantity::Recovery => Observation {
            step_us: Some(result.plan.interval_us),
            ..worst_fault(result, &expectation.when, |fault| {
                Some((fault.recovery_us, fault.horizon_us))
            })
        },
        Quantity::BacklogDrain => worst_fault(result, &expectation.when, |fault| {
            Some((fault.backlog_drain_us, fault.horizon_us))
        }),
    }
}

/// A count and what it was counted among, in a part of the run that there was.
fn in_part(
    window: Option<&Window>,
    unit: Unit,
    count: impl Fn(&Window) -> (u64, u64),
) -> Observation {
    window.map_or(Observation::lacking(unit, Lack::Part), |window| {
        let (value, among) = count(window);
        Observation::count(value, among, unit)
    })
}

fn latency(
    window: Option<&Window>,
    stage: Stage,
    statistic: Statistic,
    time: TimeKind,
) -> Observation {
    let unit = Unit::Microseconds;
    let Some(window) = window else {
        return Observation::lacking(unit, Lack::Part);
    };
    let by_stage = match time {
        TimeKind::Response => &window.latency,
        TimeKind::Service => &window.service,
    };
    let numbers = by_stage.get(stage.name());
    let seen = numbers.map_or(0, |numbers| numbers.count);
    let carried = numbers.filter(|_| seen >= statistic.needs());
    Observation {
        value: carried.map(|numbers| statistic_of(numbers, statistic)),
        samples: seen,
        lack: carried
            .is_none()
            .then_some(Lack::Samples { seen, statistic }),
        ..Observation::nothing(unit)
    }
}

/// That number of a distribution, in microseconds.
pub(crate) fn statistic_of(numbers: &Summary, statistic: Statistic) -> f64 {
    match statistic {
        Statistic::Mean => numbers.mean_us,
        Statistic::P50 => numbers.p50_us as f64,
        Statistic::P90 => numbers.p90_us as f64,
        Statistic::P95 => numbers.p95_us as f64,
        Statistic::P99 => numbers.p99_us as f64,
        Statistic::P999 => numbers.p999_us as f64,
        Statistic::Max => numbers.max_us as f64,
    }
}

/// The worst of the faults that the expectation is about. `seen` is when it came after and how long that was looked
/// for; `None` where the target has no readiness.
fn worst_fault(
    result: &RunResult,
    when: &When,
    seen: impl Fn(&FaultResult) -> Option<(Option<u64>, u64)>,
) -> Observation {
    let concerned = |fault: &&FaultResult| match when {
        When::During { fault: name } => fault.name == *name,
        When::WholeRun | When::OutsideFaults | When::Ramp => true,
        When::Stage { .. } => false,
    };
    let mut worst = Observation::lacking(Unit::Microseconds, Lack::Fault);
    for fault in result.faults.iter().filter(concerned) {
        let Some((value, horizon_us)) = seen(fault) else {
            worst.lack = worst.lack.map(|_| Lack::Readiness);
            continue;
        };
        if fault.stamps.heal_confirmed_us.is_none() {
            continue;
        }
        worst.samples += 1;
        worst.lack = None;
        match value {
            None => worst.beyond_us = worst.beyond_us.max(Some(horizon_us)),
            Some(us) => worst.value = Some(worst.value.unwrap_or(0.0).max(us as f64)),
        }
    }
    worst
}
