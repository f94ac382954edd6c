//! This module checks that every message was delivered once, whole, in order, and to its sender.
//!
//! **In:** the ledger of the whole run and the bounds the scenario declares. **Out:** one check per
//! way to be wrong. A bound that the scenario declares on `lost` and its kin replaces the default
//! of zero; an *unanswered* message is no broken promise (it was never acknowledged), so it is left
//! to expectations.
//!
//! **Source:** Jepsen's `total-queue` checker (what went in must come out, once).

use super::super::{CheckGroup, CheckResult, Delivery, RunResult};
use super::finding::{Texts, check};
use crate::format;
use crate::known::Known;
use crate::plan::Damage;
use crate::scenario::expectation::{Outcome, Quantity, When};

/// The promises of every run.
const PROMISES: [(Outcome, &str, &str); 5] = [
    (
        Outcome::Lost,
        "nothing lost",
        "acknowledged, never completed",
    ),
    (
        Outcome::Duplicated,
        "nothing duplicated",
        "arrived more than once",
    ),
    (
        Outcome::OutOfOrder,
        "nothing out of order",
        "chunks in the wrong order",
    ),
    (
        Outcome::Unexpected,
        "nothing unexpected",
        "frames that belong to somebody else",
    ),
    (
        Outcome::Unheard,
        "everybody heard",
        "copies that never came to a member who was there",
    ),
];

/// The ledger that they are held against, and what is allowed. A fault that damages what is carried explains any of
/// them: nothing is promised while it is in force.
fn held_against(result: &RunResult) -> Option<(Delivery, &'static str)> {
    match Damage::of(&result.plan.faults) {
        Damage::Never => Some((result.delivery, "= 0")),
        Damage::InFaults => Some((super::outside::delivery(result), "= 0 outside faults")),
        Damage::Always => None,
    }
}

/// The promises that the scenario does not bound itself.
fn promises(result: &RunResult) -> impl Iterator<Item = (Outcome, &'static str, &'static str)> {
    let declared = |outcome: Outcome| {
        let mut expected = result.plan.expect.iter();
        expected.any(|expect| {
            expect.when == When::WholeRun && expect.what == Quantity::Delivery { outcome }
        })
    };
    PROMISES
        .into_iter()
        .filter(move |(outcome, ..)| !declared(*outcome))
        .filter(|(outcome, ..)| *outcome != Outcome::Unheard || result.delivery.copies > 0)
}

/// Those of them that were broken.
pub(in super::super) fn broken(result: &RunResult) -> Vec<Outcome> {
    let outcomes = promises(result).map(|(outcome, ..)| outcome);
    let is_broken = |outcome: &Outcome| {
        held_against(result).is_some_and(|(delivery, _)| delivery.of(*outcome) > 0)
    };
    outcomes.filter(is_broken).collect()
}

/// Every promise that the scenario does not bound itself.
pub(in super::super) fn checks(result: &RunResult) -> Vec<CheckResult> {
    let Some((delivery, bound)) = held_against(result) else {
        return Vec::new();
    };
    let checks = promises(result).map(|(outcome, name, meaning)| {
        let count = delivery.of(outcome);
        let text = Texts {
            observed: match outcome {
                Outcome::Unheard => format!(
                    "{} of {}",
                    format::count(count),
                    format::count(delivery.copies)
                ),
                _ => format::count(count),
            },
            bound: bound.to_owned(),
            finding: meaning.to_owned(),
        };
        let check = check(CheckGroup::Correctness, name, count == 0, text);
        CheckResult {
            known: known(result, outcome),
            ..check
        }
    });
    checks.collect()
}

/// The known failures that a count in this column shows. What was lost although no fault touched it was never
/// finished; what was under way in an outage was published to nobody.
pub(in super::super) fn known(result: &RunResult, outcome: Outcome) -> Vec<Known> {
    let outside = result.window(&When::OutsideFaults);
    let unheard = outside.map_or(0, |view| view.delivery.unheard);
    let outside = outside.map_or(0, |view| view.delivery.lost);
    match outcome {
        Outcome::Lost if outside > 0 => vec![Known::CompleteMissing],
        Outcome::Lost if result.delivery.lost > 0 => vec![Known::PubsubOnly],
        Outcome::Lost => vec![Known::CompleteMissing, Known::PubsubOnly],
        Outcome::OutOfOrder => vec![Known::ChunkReorder],
        Outcome::Unexpected => vec![Known::WrongConversation],
        // Of others than in an outage the load alone does not tell why; the trials do.
        Outcome::Unheard if unheard == 0 && result.delivery.unheard > 0 => vec![Known::PubsubOnly],
        Outcome::Sent
        | Outcome::Completed
        | Outcome::Refused
        | Outcome::Unanswered
        | Outcome::Pending
        | Outcome::Duplicated
        | Outcome::Late
        | Outcome::Unheard => Vec::new(),
    }
}
