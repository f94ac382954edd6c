//! This module holds a run to what its scenario expects.
//!
//! **In:** `[[expect]]` entries and the windows, faults and counts of the result. **Out:** per entry:
//! observed, limit, how much of the limit was used, and a sentence.
//!
//! Zero samples make an expectation inconclusive; an event that had not come by the end of the run
//! (no recovery, say) is *beyond* the horizon, never the horizon itself.

use super::super::{CheckStatus, ExpectationResult, FaultResult, RunResult, Summary, Unit, Window};
use super::delivery::{count_of, name_of};
use super::{known, server};
use crate::format;
use crate::scenario::expectation::{Comparison, Expectation, Quantity, Statistic, TimeKind, When};
use crate::stage::Stage;

/// Largest share of the limit that is told apart.
const USED_RATIO_MAX: f64 = 1_000.0;

/// What was seen of one quantity.
struct Observation {
    /// `None`: no samples.
    value: Option<f64>,
    /// Set when the event had not come within this time.
    beyond_us: Option<u64>,
    samples: u64,
    unit: Unit,
}

impl Observation {
    fn count(value: u64, unit: Unit) -> Self {
        Self {
            value: Some(value as f64),
            beyond_us: None,
            samples: value,
            unit,
        }
    }

    fn nothing(unit: Unit) -> Self {
        Self {
            value: None,
            beyond_us: None,
            samples: 0,
            unit,
        }
    }
}

/// Every expectation of the plan, judged.
pub(in super::super) fn results(result: &RunResult) -> Vec<ExpectationResult> {
    result
        .plan
        .expect
        .iter()
        .map(|expectation| judge(result, expectation))
        .collect()
}

fn judge(result: &RunResult, expectation: &Expectation) -> ExpectationResult {
    let seen = observe(result, expectation);
    let bound = expectation.bound;
    let status = match (seen.value, seen.beyond_us) {
        // One fault broke the limit, whatever became of the others.
        (Some(value), Some(_)) if !bound.holds(value) => CheckStatus::Broke,
        (_, Some(horizon_us)) => beyond(expectation, horizon_us),
        (Some(value), None) if bound.holds(value) => CheckStatus::Held,
        (Some(_), None) => CheckStatus::Broke,
        (None, None) => CheckStatus::Inconclusive,
    };
    let compared = seen.value.or(seen.beyond_us.map(|us| us as f64));
    let is_limit = matches!(bound.comparison, Comparison::Under | Comparison::AtMost);
    let used_ratio = compared
        .filter(|_| is_limit && bound.value > 0.0)
        .map(|value| (value / bound.value).min(USED_RATIO_MAX));
    ExpectationResult {
        name: quantity_name(expectation.what),
        when: when_text(result, expectation),
        status,
        observed: seen.value,
        unit: seen.unit,
        beyond_us: seen.beyond_us,
        samples: seen.samples,
        used_ratio,
        finding: finding(expectation, &seen, status),
        known: known(result, expectation.what),
        expectation: expectation.clone(),
    }
}

/// An event that had not come within the horizon: broken if the limit lies within it.
fn beyond(expectation: &Expectation, horizon_us: u64) -> CheckStatus {
    match expectation.bound.comparison {
        Comparison::Under | Comparison::AtMost | Comparison::Equals => {
            if horizon_us as f64 >= expectation.bound.value {
                CheckStatus::Broke
            } else {
                CheckStatus::Inconclusive
            }
        }
        Comparison::AtLeast => CheckStatus::Held,
    }
}

fn observe(result: &RunResult, expectation: &Expectation) -> Observation {
    match expectation.what {
        Quantity::Latency {
            stage,
            statistic,
            time,
        } => {
            let window = window_of(result, &expectation.when);
            let supported = |numbers: &Summary| supports(numbers.count, statistic);
            latency(window, stage, time).filter(supported).map_or(
                Observation::nothing(Unit::Microseconds),
                |numbers| Observation {
                    value: Some(statistic_of(&numbers, statistic)),
                    beyond_us: None,
                    samples: numbers.count,
                    unit: Unit::Microseconds,
                },
            )
        }
        Quantity::Delivery { outcome } => window_of(result, &expectation.when)
            .map_or(Observation::nothing(Unit::Messages), |window| {
                Observation::count(count_of(&window.delivery, outcome), Unit::Messages)
            }),
        Quantity::Closes { code } => sockets(result, expectation, |window| {
            let planned = window.closes_planned.get(&code).unwrap_or(&0);
            planned + window.closes_cut.get(&code).unwrap_or(&0)
        }),
        Quantity::CutSessions => sockets(result, expectation, |window| {
            window.closes_cut.values().sum()
        }),
        Quantity::FailedClients => window_of(result, &expectation.when)
            .map_or(Observation::nothing(Unit::Clients), |window| {
                Observation::count(window.clients_failed, Unit::Clients)
            }),
        Quantity::PeakOpen => Observation::count(result.clients.peak_open, Unit::Sockets),
        Quantity::Server { count } => match server::seen(result, count) {
            (Some(seen), unit) => Observation::count(seen, unit),
            (None, unit) => Observation::nothing(unit),
        },
        Quantity::Impact | Quantity::Detect | Quantity::Recovery | Quantity::BacklogDrain => {
            worst_fault(result, expectation)
        }
    }
}

fn sockets(
    result: &RunResult,
    expectation: &Expectation,
    count: impl Fn(&Window) -> u64,
) -> Observation {
    window_of(result, &expectation.when).map_or(Observation::nothing(Unit::Sockets), |window| {
        Observation::count(count(window), Unit::Sockets)
    })
}

fn window_of<'a>(result: &'a RunResult, when: &When) -> Option<&'a Window> {
    let view = |name: &str| result.views.iter().find(|window| window.name == name);
    match when {
        When::WholeRun => view("whole run"),
        When::OutsideFaults => view("outside faults"),
        When::Ramp => result.windows.iter().find(|window| window.name == "ramp"),
        When::During { fault } => view(&format!("during {fault}")),
    }
}

fn latency(window: Option<&Window>, stage: Stage, time: TimeKind) -> Option<Summary> {
    let window = window?;
    let by_stage = match time {
        TimeKind::Response => &window.latency,
        TimeKind::Service => &window.service,
    };
    by_stage.get(stage.name()).copied()
}

/// Whether that many samples carry the statistic: 1/(1−p) for a percentile.
const fn supports(samples: u64, statistic: Statistic) -> bool {
    let needed = match statistic {
        Statistic::Mean | Statistic::Max => 1,
        Statistic::P50 => 2,
        Statistic::P90 => 10,
        Statistic::P95 => 20,
        Statistic::P99 => 100,
        Statistic::P999 => 1_000,
    };
    samples >= needed
}

fn statistic_of(numbers: &Summary, statistic: Statistic) -> f64 {
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

/// The worst of the faults that the expectation is about.
fn worst_fault(result: &RunResult, expectation: &Expectation) -> Observation {
    let concerned = |fault: &&FaultResult| match &expectation.when {
        When::During { fault: name } => fault.name == *name,
        When::WholeRun | When::OutsideFaults | When::Ramp => true,
    };
    let mut worst = Observation::nothing(Unit::Microseconds);
    for fault in result.faults.iter().filter(concerned) {
        let (value, horizon_us) = match expectation.what {
            Quantity::Recovery => (fault.recovery_us, fault.horizon_us),
            Quantity::Detect if !fault.stamps.readiness_watched => continue,
            Quantity::Detect => (fault.detect_us, fault.planned_for_us),
            Quantity::Impact => (fault.impact_us, fault.planned_for_us),
            _ => (fault.backlog_drain_us, fault.horizon_us),
        };
        if fault.stamps.heal_confirmed_us.is_none() {
            continue;
        }
        worst.samples += 1;
        match value {
            None => worst.beyond_us = worst.beyond_us.max(Some(horizon_us)),
            Some(us) => worst.value = Some(worst.value.unwrap_or(0.0).max(us as f64)),
        }
    }
    worst
}

fn statistic_name(statistic: Statistic) -> &'static str {
    match statistic {
        Statistic::Mean => "mean",
        Statistic::P50 => "p50",
        Statistic::P90 => "p90",
        Statistic::P95 => "p95",
        Statistic::P99 => "p99",
        Statistic::P999 => "p99.9",
        Statistic::Max => "max",
    }
}

/// The quantity, as scenarios and reports write it.
pub(crate) fn quantity_name(quantity: Quantity) -> String {
    match quantity {
        Quantity::Latency {
            stage,
            statistic,
            time,
        } => {
            let service = if time == TimeKind::Service {
                " service"
            } else {
                ""
            };
            format!("{} {}{service}", stage.name(), statistic_name(statistic))
        }
        Quantity::Delivery { outcome } => name_of(outcome).to_owned(),
        Quantity::Impact => "impact".to_owned(),
        Quantity::Detect => "detect".to_owned(),
        Quantity::Recovery => "recovery".to_owned(),
        Quantity::BacklogDrain => "backlog drain".to_owned(),
        Quantity::Closes { code } => format!("closes {code}"),
        Quantity::CutSessions => "cut sessions".to_owned(),
        Quantity::FailedClients => "failed clients".to_owned(),
        Quantity::PeakOpen | Quantity::Server { .. } => quantity.text(),
    }
}

fn when_text(result: &RunResult, expectation: &Expectation) -> String {
    let about_faults = matches!(
        expectation.what,
        Quantity::Impact | Quantity::Detect | Quantity::Recovery | Quantity::BacklogDrain
    );
    match &expectation.when {
        When::During { fault } if about_faults => format!("after {fault}"),
        When::During { fault } => format!("during {fault}"),
        When::WholeRun | When::OutsideFaults if about_faults => match &result.faults[..] {
            [only] => format!("after {}", only.name),
            _ => "worst fault".to_owned(),
        },
        When::WholeRun => "whole run".to_owned(),
        When::OutsideFaults => "outside faults".to_owned(),
        When::Ramp => "ramp".to_owned(),
    }
}

/// How an observation is written.
pub(crate) fn observed_text(result: &ExpectationResult) -> String {
    let number = |value: f64| match result.unit {
        Unit::Microseconds => format::duration(crate::units::rounded(value)),
        Unit::Kibibytes => kibibytes(value),
        Unit::Messages | Unit::Sockets | Unit::Clients | Unit::Tokens | Unit::Conversations => {
            format::count(crate::units::rounded(value))
        }
    };
    match (result.beyond_us, result.observed) {
        (Some(horizon_us), _) => format::beyond(horizon_us),
        (None, Some(value)) => number(value),
        (None, None) => "–".to_owned(),
    }
}

fn kibibytes(value: f64) -> String {
    format!("{}{}KiB", format::count_f64(value), format::NBSP)
}

/// The limit with its comparison: `< 500 ms`, `= 0`.
pub(crate) fn bound_text(result: &ExpectationResult) -> String {
    let bound = result.expectation.bound;
    let sign = match bound.comparison {
        Comparison::Under => "<",
        Comparison::AtMost => "≤",
        Comparison::Equals => "=",
        Comparison::AtLeast => "≥",
    };
    let value = match result.unit {
        Unit::Microseconds => format::round_duration(bound.value),
        Unit::Kibibytes => kibibytes(bound.value),
        Unit::Messages | Unit::Sockets | Unit::Clients | Unit::Tokens | Unit::Conversations => {
            format::count_f64(bound.value)
        }
    };
    format!("{sign}{}{value}", format::NBSP)
}

fn finding(expectation: &Expectation, seen: &Observation, status: CheckStatus) -> String {
    if status == CheckStatus::Inconclusive {
        return match seen.beyond_us {
            Some(0) => "the run ended too soon after the heal to tell".to_owned(),
            Some(us) => format!(
                "not within {}, and the run ended too soon to tell more",
                format::duration(us)
            ),
            None => "too few samples in this part of the run for this statistic".to_owned(),
        };
    }
    match expectation.what {
        Quantity::Latency {
            time: TimeKind::Response,
            ..
        } => {
            format!(
                "{} answers, from the moment each should have been asked",
                format::count(seen.samples)
            )
        }
        Quantity::Latency {
            time: TimeKind::Service,
            ..
        } => {
            format!(
                "{} answers, from the moment each was asked",
                format::count(seen.samples)
            )
        }
        Quantity::Delivery { .. } => delivery_finding(expectation.what),
        Quantity::Recovery => "confirmed heal until answers stayed in tolerance for 3 s".to_owned(),
        Quantity::Detect => "injection until /readyz turned red".to_owned(),
        Quantity::Impact => "injection until the first refusal, failure or cut".to_owned(),
        Quantity::BacklogDrain => {
            "confirmed heal until the last message the fault touched was settled".to_owned()
        }
        Quantity::Closes { .. } => "sockets that ended with this code".to_owned(),
        Quantity::CutSessions => "sockets that the server or the network ended".to_owned(),
        Quantity::FailedClients => "clients whose reconnect attempts were used up".to_owned(),
        Quantity::PeakOpen => "most sockets open at once".to_owned(),
        Quantity::Server { count } => server::finding(count).to_owned(),
    }
}

fn delivery_finding(what: Quantity) -> String {
    use crate::scenario::expectation::Outcome;
    let Quantity::Delivery { outcome } = what else {
        return String::new();
    };
    let meaning = match outcome {
        Outcome::Sent => "messages the plan asked for",
        Outcome::Completed => "answered in full",
        Outcome::Refused => "an explicit error, retries used up",
        Outcome::Unanswered => "nothing came by the drain deadline",
        Outcome::Lost => "acknowledged by task_queued, never completed",
        Outcome::Pending => "their deadline lies past the end of the run",
        Outcome::Duplicated => "chunks or answers that arrived again",
        Outcome::OutOfOrder => "answers whose chunks came in the wrong order",
        Outcome::Unexpected => "frames for nothing the client had asked",
        Outcome::Late => "completed after their drain deadline",
    };
    meaning.to_owned()
}
