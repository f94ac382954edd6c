//! This module picks from a result what several renderers show, so that they pick the same.
//!
//! **In:** the result. **Out:** references into it, in the order of a report. Nothing is computed.

use std::cmp::Ordering;

use crate::result::WindowKind;
use crate::result::{CheckResult, CheckStatus, ExpectationResult, RunResult, Summary, Window};
use crate::scenario::expectation::{Comparison, Quantity, Statistic};
use crate::stage::Stage;

/// Expectations, broken first, then what could not be judged, then by use of the limit.
pub(crate) fn expectations(result: &RunResult) -> Vec<&ExpectationResult> {
    let mut rows: Vec<&ExpectationResult> = result.expectations.iter().collect();
    rows.sort_by(|a, b| rank(a.status).cmp(&rank(b.status)).then(by_use(a, b)));
    rows
}

const fn rank(status: CheckStatus) -> u8 {
    match status {
        CheckStatus::Broke => 0,
        CheckStatus::Inconclusive => 1,
        CheckStatus::Held => 2,
    }
}

/// Most of the limit first. A broken bound without a share (`= 0`) is worse than any share; a held
/// one is the calmest row of all.
fn by_use(a: &ExpectationResult, b: &ExpectationResult) -> Ordering {
    let without = if a.status == CheckStatus::Broke {
        f64::INFINITY
    } else {
        -1.0
    };
    let used = |row: &ExpectationResult| row.used_ratio.unwrap_or(without);
    used(b).total_cmp(&used(a))
}

/// Checks, broken first.
pub(crate) fn checks(result: &RunResult) -> Vec<&CheckResult> {
    let mut rows: Vec<&CheckResult> = result.checks.iter().collect();
    rows.sort_by_key(|check| rank(check.status));
    rows
}

/// How many of each status: broke, inconclusive, held.
pub(crate) fn tally(result: &RunResult) -> (usize, usize, usize) {
    let of = |status| {
        let rows = result.expectations.iter();
        rows.filter(|row| row.status == status).count()
    };
    (
        of(CheckStatus::Broke),
        of(CheckStatus::Inconclusive),
        of(CheckStatus::Held),
    )
}

/// The view of that name: `outside faults`, `whole run`.
pub(crate) fn named<'a>(result: &'a RunResult, name: &str) -> Option<&'a Window> {
    result.views.iter().find(|view| view.name == name)
}

/// `complete` where nothing was being broken, and the words for where that is.
pub(crate) fn calm(result: &RunResult) -> Option<(&'static str, Summary)> {
    let complete = |window: &Window| window.latency.get(Stage::Complete.name()).copied();
    if !result.faults.is_empty()
        && let Some(found) = named(result, "outside faults").and_then(complete)
    {
        return Some(("outside faults", found));
    }
    let whole = result.latency.get(Stage::Complete.name());
    whole
        .and_then(|stage| stage.response)
        .map(|found| ("whole run", found))
}

/// The window whose stages are shown: the baseline, else the calmest there is.
pub(crate) fn stages(result: &RunResult) -> Option<&Window> {
    let baseline = result
        .windows
        .iter()
        .find(|window| window.kind == WindowKind::Baseline && !window.latency.is_empty());
    baseline
        .or_else(|| named(result, "outside faults"))
        .or_else(|| named(result, "whole run"))
}

/// Limits on the response time of `complete`, for the charts: microseconds, tightest first.
pub(crate) fn complete_limits(result: &RunResult) -> Vec<(f64, Statistic)> {
    let mut limits: Vec<(f64, Statistic)> = result
        .expectations
        .iter()
        .filter_map(|row| match row.expectation.what {
            Quantity::Latency {
                stage: Stage::Complete,
                statistic,
                ..
            } if row.expectation.bound.comparison != Comparison::AtLeast => {
                Some((row.expectation.bound.value, statistic))
            }
            _ => None,
        })
        .collect();
    limits.sort_by(|a, b| a.0.total_cmp(&b.0));
    limits.dedup_by(|a, b| a.0.total_cmp(&b.0).is_eq());
    limits
}

/// From when to when a fault was known to be in force: confirmed to confirmed healed, else the plan.
pub(crate) fn fault_span_us(result: &RunResult, fault: usize) -> Option<(u64, u64)> {
    let fault = result.faults.get(fault)?;
    let stamps = &fault.stamps;
    if fault.confirmed
        && let Some(from_us) = stamps.confirmed_us
    {
        let to_us = stamps.heal_confirmed_us.or(stamps.healed_us);
        return Some((from_us, to_us.unwrap_or(result.run.duration_us)));
    }
    let to_us = fault.planned_us + fault.planned_for_us;
    Some((fault.planned_us, to_us.min(result.run.duration_us)))
}

/// The moment a fault first hurt somebody, from load start.
pub(crate) fn impact_at_us(result: &RunResult, fault: usize) -> Option<u64> {
    let fault = result.faults.get(fault)?;
    let injected_us = fault.stamps.injected_us.or(fault.stamps.injecting_us)?;
    Some(injected_us + fault.impact_us?)
}
