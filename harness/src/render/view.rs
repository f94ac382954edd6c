//! This module picks from a result what several renderers show, so that they pick the same.
//!
//! **In:** the result. **Out:** references into it, in the order of a report. Nothing is computed.

use std::cmp::Ordering;

use crate::format;
use crate::plan::BuiltIn;
use crate::record::subject::Subject;
use crate::result::{
    CheckResult, CheckStatus, Example, ExpectationResult, RunResult, Summary, Window, WindowKind,
    bound_text, observed_text,
};
use crate::scenario::expectation::{Comparison, Quantity, Statistic, TimeKind, When};
use crate::stage::Stage;

/// Expectations, broken first, then what could not be judged, then by use of the limit.
pub(crate) fn expectations(result: &RunResult) -> Vec<&ExpectationResult> {
    let mut rows: Vec<&ExpectationResult> = result.expectations.iter().collect();
    rows.sort_by(|a, b| rank(a.status).cmp(&rank(b.status)).then(by_use(a, b)));
    rows
}

/// What a table of expectations has beside the mark of each.
pub(crate) const EXPECTATION_HEADS: [&str; 5] =
    ["expectation", "when", "observed", "limit", "of limit"];

/// The row of an expectation in plain text; the last is empty where it has no share of its limit.
pub(crate) fn expectation_cells(of: &ExpectationResult) -> [String; 5] {
    let used = of.used_ratio.map_or_else(String::new, format::percent);
    let texts = [
        format::harmless(&of.name),
        format::harmless(&of.when),
        observed_text(of),
        bound_text(of),
        used,
    ];
    texts.map(|text| format::plain(&text))
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

/// Names of the built-in checks that held, in their order.
pub(crate) fn built_in(result: &RunResult) -> Vec<&str> {
    let held = |name: &str| {
        let mut checks = result.checks.iter();
        let check = checks.find(|check| check.name == name);
        check.is_some_and(|check| check.status == CheckStatus::Held)
    };
    let all = BuiltIn::of(&result.plan).map(BuiltIn::name);
    all.filter(|name| held(name)).collect()
}

/// The sessions that say more than their numbers. The slowest answer is one where answers were too slow.
pub(crate) fn stories(result: &RunResult) -> Vec<&Example> {
    let is_slow = |row: &ExpectationResult| {
        let of_messages = matches!(
            row.expectation.what,
            Quantity::Latency {
                stage: Stage::TaskQueued | Stage::FirstChunk | Stage::Complete | Stage::FanOut,
                ..
            }
        );
        of_messages && row.status == CheckStatus::Broke
    };
    let slow = result.expectations.iter().any(is_slow);
    let stories = result.stories.iter();
    stories
        .filter(|story| slow || !story.is_of(Subject::Slowest))
        .collect()
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

/// `complete` where nothing was being broken, and where that is.
pub(crate) fn calm(result: &RunResult) -> Option<(When, Summary)> {
    let complete = |window: &Window| window.latency.get(Stage::Complete.name()).copied();
    let outside = result.window(&When::OutsideFaults);
    match outside
        .filter(|_| !result.faults.is_empty())
        .and_then(complete)
    {
        Some(found) => Some((When::OutsideFaults, found)),
        None => response(result, Stage::Complete).map(|found| (When::WholeRun, found)),
    }
}

/// Response times of a stage over the whole run.
pub(crate) fn response(result: &RunResult, stage: Stage) -> Option<Summary> {
    result.latency.get(stage.name())?.response
}

/// The window of the fewest disturbances that knows most of these stages: most sessions are opened in the ramp, most
/// messages sent after it.
pub(crate) fn fullest<'a>(result: &'a RunResult, stages: &[Stage]) -> Option<&'a Window> {
    let most = |window: &Window| {
        let known = stages.iter();
        let counts = known.filter_map(|stage| Some(window.latency.get(stage.name())?.count));
        counts.max().unwrap_or(0)
    };
    let calm = result.windows.iter().filter(|window| {
        matches!(
            window.kind,
            WindowKind::Ramp | WindowKind::Baseline | WindowKind::After
        )
    });
    // Of equals the first.
    let calm = calm.rev().max_by_key(|window| most(window));
    let whole = result.window(&When::WholeRun);
    let known = calm.into_iter().chain(whole);
    known.into_iter().find(|window| most(window) > 0)
}

/// A limit on the response time of `complete`, for the charts.
pub(crate) struct Limit<'a> {
    pub row: &'a ExpectationResult,
    pub statistic: Statistic,
    pub value_us: f64,
    /// Where it is to hold, from load start: ascending, without overlaps.
    pub spans_us: Vec<(u64, u64)>,
}

/// Limits on the response time of `complete`, tightest first.
pub(crate) fn complete_limits<'a>(result: &'a RunResult) -> Vec<Limit<'a>> {
    let limit = |row: &'a ExpectationResult| {
        let expectation = &row.expectation;
        let Quantity::Latency {
            stage: Stage::Complete,
            statistic,
            time: TimeKind::Response,
        } = expectation.what
        else {
            return None;
        };
        (expectation.bound.comparison != Comparison::AtLeast).then(|| Limit {
            row,
            statistic,
            value_us: expectation.bound.value,
            spans_us: spans_us(result, &expectation.when),
        })
    };
    let mut limits: Vec<Limit<'_>> = result.expectations.iter().filter_map(limit).collect();
    limits.sort_by(|a, b| a.value_us.total_cmp(&b.value_us));
    limits
}

/// The stretches of the run that an expectation looks at.
fn spans_us(result: &RunResult, when: &When) -> Vec<(u64, u64)> {
    let whole = (0, result.run.duration_us);
    let of = |wanted: fn(WindowKind) -> bool| {
        let mut spans: Vec<(u64, u64)> = Vec::new();
        for window in result.windows.iter().filter(|window| wanted(window.kind)) {
            match spans.last_mut().filter(|last| last.1 >= window.from_us) {
                Some(last) => last.1 = last.1.max(window.to_us),
                None => spans.push((window.from_us, window.to_us)),
            }
        }
        spans
    };
    match when {
        When::WholeRun => vec![whole],
        When::OutsideFaults => of(|kind| !matches!(kind, WindowKind::Fault | WindowKind::Recovery)),
        When::Ramp => of(|kind| kind == WindowKind::Ramp),
        When::During { .. } | When::Stage { .. } => {
            let window = result.window(when);
            window.map_or_else(Vec::new, |window| vec![(window.from_us, window.to_us)])
        }
    }
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
