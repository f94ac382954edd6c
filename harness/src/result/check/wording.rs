//! This module puts an expectation and what came of it into words.
//!
//! **In:** what was expected and seen. **Out:** the observation and the limit as they are printed, and the sentence
//! under the row. What could not be judged says how much there was, how much it needs, and what to change.

use super::super::{CheckStatus, ExpectationResult, RunResult};
use super::lack::Lack;
use super::observation::Observation;
use crate::format;
use crate::plan::outlook;
use crate::scenario::expectation::{
    Bound, Comparison, Expectation, Outcome, Quantity, TimeKind, When,
};
use crate::units::Unit;
use crate::units::rounded;

/// Which part of the run, or which fault, an expectation was about.
pub(super) fn when_text(result: &RunResult, expectation: &Expectation) -> String {
    let about_faults = expectation.what.is_of_fault();
    match &expectation.when {
        When::During { fault } if about_faults => format!("after {fault}"),
        When::WholeRun | When::OutsideFaults if about_faults => match &result.faults[..] {
            [only] => format!("after {}", only.name),
            _ => "worst fault".to_owned(),
        },
        when => when.text(),
    }
}

/// How an observation is written; what is found to a step only is not told finer.
pub(crate) fn observed_text(result: &ExpectationResult) -> String {
    if let Some(horizon_us) = result.beyond_us {
        return format::beyond(horizon_us);
    }
    let Some(value) = result.observed else {
        return format::NONE.to_owned();
    };
    match result.step_us {
        Some(step_us) => format::at_best(rounded(value), step_us),
        None => number(value, result.unit),
    }
}

fn number(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Microseconds => format::duration(rounded(value)),
        Unit::Kibibytes => kibibytes(value),
        Unit::Messages | Unit::Sockets | Unit::Clients | Unit::Tokens | Unit::Conversations => {
            format::count(rounded(value))
        }
    }
}

fn kibibytes(value: f64) -> String {
    format!("{}{}KiB", format::count_f64(value), format::NBSP)
}

/// The limit with its comparison: `< 500 ms`, `= 0`.
pub(crate) fn bound_text(result: &ExpectationResult) -> String {
    limit_text(result.expectation.what, result.expectation.bound)
}

/// The same of what is not judged yet.
pub(crate) fn limit_text(what: Quantity, bound: Bound) -> String {
    let sign = match bound.comparison {
        Comparison::Under => "<",
        Comparison::AtMost => "≤",
        Comparison::Equals => "=",
        Comparison::AtLeast => "≥",
    };
    let value = match what.unit() {
        Unit::Microseconds => format::round_duration(bound.value),
        Unit::Kibibytes => kibibytes(bound.value),
        Unit::Messages | Unit::Sockets | Unit::Clients | Unit::Tokens | Unit::Conversations => {
            format::count_f64(bound.value)
        }
    };
    format!("{sign}{}{value}", format::NBSP)
}

/// The sentence under a row.
pub(super) fn finding(
    result: &RunResult,
    expectation: &Expectation,
    seen: &Observation,
    status: CheckStatus,
) -> String {
    if status == CheckStatus::Inconclusive {
        return undecided(result, expectation, seen);
    }
    match expectation.what {
        Quantity::Latency { time, .. } => {
            let asked = match time {
                TimeKind::Response => "should have been asked",
                TimeKind::Service => "was asked",
            };
            let answers = format::count(seen.samples);
            format!("{answers} answers, from the moment each {asked}")
        }
        Quantity::Delivery { outcome } => meaning(outcome).to_owned(),
        Quantity::Recovery => "confirmed heal until answers stayed in tolerance for 3 s".to_owned(),
        Quantity::Detect => "injection until /readyz turned red".to_owned(),
        Quantity::Impact => {
            "injection until an answer was refused, failed or out of tolerance".to_owned()
        }
        Quantity::BacklogDrain => {
            "confirmed heal until the last message the fault touched was settled".to_owned()
        }
        Quantity::Closes { .. } => "sockets that ended with this code".to_owned(),
        Quantity::CutSessions => "sockets that the server or the network ended".to_owned(),
        Quantity::FailedClients => "clients whose reconnect attempts were used up".to_owned(),
        Quantity::PeakOpen => "most sockets open at once".to_owned(),
        Quantity::Server { count } => count.about().meaning.to_owned(),
    }
}

/// Why an expectation has no answer, and what would give it one.
fn undecided(result: &RunResult, expectation: &Expectation, seen: &Observation) -> String {
    let early = result.run.interrupted || result.run.aborted.is_some();
    match (seen.beyond_us, seen.lack) {
        (Some(us), _) if early => {
            let watched = format::duration(us);
            format!("not within {watched}, and then the run was ended")
        }
        (Some(0), _) => "the run ended too soon after the heal to tell: hold the load longer".to_owned(),
        (Some(us), _) => format!(
            "not within {}, and the run ended too soon to tell more: hold the load longer",
            format::duration(us)
        ),
        (None, Some(Lack::Samples { seen, statistic })) => {
            let fact = format!("{}, and {}", outlook::plural(seen), outlook::demand(statistic));
            if early {
                return format!("{fact}: the run was ended early");
            }
            match outlook::cure_of(&result.plan, expectation, seen) {
                Some(cure) => format!("{fact}: {cure}"),
                None => fact,
            }
        }
        (None, Some(Lack::Part)) if early => {
            "the run was ended before this part of it began".to_owned()
        }
        (None, Some(Lack::Part)) => "this part of the run never came".to_owned(),
        (None, Some(Lack::Messages)) => {
            "there was no message to judge it by in this part of the run: send more, or leave the expectation out"
                .to_owned()
        }
        (None, Some(Lack::Copies)) => {
            "no message was taken that another member of its conversation was there to hear".to_owned()
        }
        (None, Some(Lack::Readiness)) => {
            "the target has no /readyz that was green before the fault".to_owned()
        }
        (None, Some(Lack::Uncounted)) => "the target does not count this on its /metrics".to_owned(),
        (None, Some(Lack::Memory)) => {
            "the target does not tell its memory, began anew, or its clients came for more than a quarter of the load"
                .to_owned()
        }
        (None, Some(Lack::Fault) | None) => {
            "no fault that it is about was injected and seen to heal".to_owned()
        }
    }
}

const fn meaning(outcome: Outcome) -> &'static str {
    match outcome {
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
        Outcome::Unheard => "copies that never came to a member of the conversation who was there",
    }
}
