//! This module holds a run to what its scenario expects.
//!
//! **In:** `[[expect]]` entries and the windows, faults and counts of the result. **Out:** per entry:
//! observed, limit, how much of the limit was used, and a sentence.
//!
//! Too few samples make an expectation inconclusive; an event that had not come by the end of the run
//! (no recovery, say) is *beyond* the horizon, never the horizon itself.

use super::super::{CheckStatus, ExpectationResult, RunResult};
use super::observation::observe;
use super::wording::{finding, when_text};
use super::{known, machine};
use crate::scenario::expectation::{Comparison, Expectation};

/// Largest share of the limit that is told apart.
const USED_RATIO_MAX: f64 = 1_000.0;

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
    let finding = finding(result, expectation, &seen, status);
    let finding = match machine::doubt(result, expectation, status) {
        Some(doubt) => format!("{finding}; {doubt}"),
        None => finding,
    };
    ExpectationResult {
        name: expectation.what.text(),
        when: when_text(result, expectation),
        status,
        observed: seen.value,
        unit: seen.unit,
        beyond_us: seen.beyond_us,
        samples: seen.samples,
        step_us: seen.step_us,
        used_ratio,
        finding,
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
