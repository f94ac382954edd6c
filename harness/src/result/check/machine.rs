//! This module checks that no latency limit was broken by a machine that was full.
//!
//! **In:** the stretches in which at least 90 % of the processors was in use, by whomever; the judged expectations.
//! **Out:** the check `machine busy`, and a word for each expectation that is in doubt.
//!
//! A full machine can only make an answer slower. So a limit that held all the same is believed, and the stretch is
//! only told; a limit that broke in a part of the run that holds such a stretch says nothing about the server, and
//! makes the run invalid. What is no latency is not judged by it. Stretches count from [`SPAN_US_MIN`] on, and what
//! lies in a ramp does not count: thousands of handshakes fill any machine. The rule that ended a run early is held
//! to the same, ramps included, for it looks at a moment.

use super::super::{
    Abort, BusySpan, CheckGroup, CheckResult, CheckStatus, ExpectationResult, RunResult, WindowKind,
};
use super::finding::{Texts, check};
use crate::format;
use crate::scenario::expectation::{Comparison, Expectation, Quantity, When};

/// Name of the check.
const NAME: &str = "machine busy";
/// Shorter stretches are ordinary on a shared machine.
const SPAN_US_MIN: u64 = 5_000_000;

/// A stretch, or what of it lies outside ramps.
#[derive(Clone, Copy)]
struct Part<'a> {
    from_us: u64,
    to_us: u64,
    span: &'a BusySpan,
}

impl Part<'_> {
    const fn length_us(&self) -> u64 {
        self.to_us.saturating_sub(self.from_us)
    }

    const fn meets(&self, (from_us, to_us): (u64, u64)) -> bool {
        self.from_us < to_us && from_us < self.to_us
    }
}

/// The check; expectations are judged already.
pub(super) fn machine_busy(result: &RunResult) -> CheckResult {
    let parts = parts(result);
    let doubtful = doubtful(result);
    let longest = parts.iter().max_by_key(|part| part.length_us());
    let observed = match (longest, result.generator.machine_busy_ratio_max) {
        (Some(part), _) => format!(
            "{} for {}",
            format::percent(part.span.busy_ratio),
            format::duration(part.length_us())
        ),
        (None, Some(most)) => format!("at most {} over 5 s", format::percent(most)),
        (None, None) => format::NONE.to_owned(),
    };
    let told = told(result);
    let finding = match (told, doubtful.as_slice()) {
        (None, []) if result.generator.machine_busy_ratio_max.is_none() => {
            "the run was too short to tell, or the machine does not say".to_owned()
        }
        (None, []) => "the processors were never 90 % in use for 5 s on end".to_owned(),
        (Some(told), []) => {
            format!("{told}; a full machine can only make answers slower, so what held is believed")
        }
        (told, doubtful) => {
            let told = told.unwrap_or_else(|| abort_told(result));
            let whom = doubtful.join(" and ");
            format!("{told}: whether that or the server broke the limit on {whom} cannot be told")
        }
    };
    let texts = Texts {
        observed,
        bound: "no latency limit broken by it".to_owned(),
        finding,
    };
    check(CheckGroup::Validity, NAME, doubtful.is_empty(), texts)
}

/// The longest stretch outside ramps and who used how much, if there is one.
pub(crate) fn told(result: &RunResult) -> Option<String> {
    let parts = parts(result);
    let longest = parts.iter().max_by_key(|part| part.length_us())?;
    let mut text = stretch_text(result, longest);
    if parts.len() > 1 {
        format::append(
            &mut text,
            format_args!(", and full in {} more stretches", parts.len() - 1),
        );
    }
    Some(text)
}

/// Why this expectation is in doubt, if it is.
pub(super) fn doubt(
    result: &RunResult,
    expectation: &Expectation,
    status: CheckStatus,
) -> Option<String> {
    let parts = parts(result);
    let part = in_doubt(result, &parts, expectation, status)?;
    Some(format!(
        "the machine was full from {} to {}: not to be believed",
        format::duration(part.from_us),
        format::duration(part.to_us)
    ))
}

fn doubtful(result: &RunResult) -> Vec<String> {
    let parts = parts(result);
    let doubted = |expectation: &&ExpectationResult| {
        let (what, status) = (&expectation.expectation, expectation.status);
        in_doubt(result, &parts, what, status).is_some()
    };
    let broke = result.expectations.iter().filter(doubted);
    let mut names: Vec<String> = broke
        .map(|expectation| format!("{} {}", expectation.name, expectation.when))
        .collect();
    names.extend(aborted(result).map(|(abort, _)| {
        let rule = result.plan.abort_when.get(abort.rule);
        let name = rule.map_or_else(String::new, |rule| rule.expectation.what.text());
        format!("{name}, by which the run was ended,")
    }));
    names
}

/// The part of a full stretch that may have decided an expectation.
fn in_doubt<'a>(
    result: &RunResult,
    parts: &[Part<'a>],
    expectation: &Expectation,
    status: CheckStatus,
) -> Option<Part<'a>> {
    if !matches!(expectation.what, Quantity::Latency { .. }) {
        return None;
    }
    // Slower answers can break a limit, but not keep one.
    let decided = match expectation.bound.comparison {
        Comparison::Under | Comparison::AtMost => status == CheckStatus::Broke,
        Comparison::AtLeast => status == CheckStatus::Held,
        Comparison::Equals => status != CheckStatus::Inconclusive,
    };
    if !decided {
        return None;
    }
    let places = places(result, &expectation.when);
    let meets = |part: &&Part<'_>| places.iter().any(|place| part.meets(*place));
    parts.iter().find(meets).copied()
}

/// Where in time a part of the run lies; ramps are left out already.
fn places(result: &RunResult, when: &When) -> Vec<(u64, u64)> {
    match when {
        When::Ramp => Vec::new(),
        When::OutsideFaults => {
            let calm = result
                .windows
                .iter()
                .filter(|window| !matches!(window.kind, WindowKind::Fault | WindowKind::Recovery));
            calm.map(|window| (window.from_us, window.to_us)).collect()
        }
        When::WholeRun | When::During { .. } | When::Stage { .. } => {
            let window = result.window(when).into_iter();
            window
                .map(|window| (window.from_us, window.to_us))
                .collect()
        }
    }
}

/// What of the full stretches lies outside ramps, where it is long enough.
fn parts(result: &RunResult) -> Vec<Part<'_>> {
    let stages = result.plan.load.stages.iter();
    let ramps: Vec<(u64, u64)> = stages
        .filter(|stage| stage.to > stage.from)
        .map(|stage| (stage.start_us, stage.start_us + stage.length_us))
        .collect();
    let mut parts = Vec::new();
    for span in &result.generator.busy {
        let mut from_us = span.from_us;
        // Stages are in order of time.
        for &(start_us, end_us) in &ramps {
            if start_us < span.to_us && from_us < end_us {
                parts.push(Part {
                    from_us,
                    to_us: start_us.max(from_us),
                    span,
                });
                from_us = end_us;
            }
        }
        parts.push(Part {
            from_us,
            to_us: span.to_us,
            span,
        });
    }
    parts.retain(|part| part.length_us() >= SPAN_US_MIN);
    parts
}

/// The rule on a latency that ended the run, and the full stretch in which it looked.
fn aborted(result: &RunResult) -> Option<(&Abort, &BusySpan)> {
    let abort = result.run.abort.as_ref()?;
    let rule = result.plan.abort_when.get(abort.rule)?;
    if !matches!(rule.expectation.what, Quantity::Latency { .. }) {
        return None;
    }
    let long = result.generator.busy.iter();
    let mut long = long.filter(|span| span.to_us.saturating_sub(span.from_us) >= SPAN_US_MIN);
    let span = long.find(|span| span.from_us < abort.at_us && abort.from_us < span.to_us)?;
    Some((abort, span))
}

fn abort_told(result: &RunResult) -> String {
    aborted(result).map_or_else(String::new, |(_, span)| {
        let part = Part {
            from_us: span.from_us,
            to_us: span.to_us,
            span,
        };
        stretch_text(result, &part)
    })
}

/// `the machine was 97 % busy from 12.0 s to 20.0 s (…)`.
fn stretch_text(result: &RunResult, part: &Part<'_>) -> String {
    let (span, seconds) = (part.span, |value: f64| format!("{value:.1}"));
    let server = span
        .server_cpu_seconds
        .map(|server| format!("server {}", seconds(server)));
    let helpers = (span.helpers_cpu_seconds >= 0.05)
        .then(|| format!("Redis and proxies {}", seconds(span.helpers_cpu_seconds)));
    let other = match span.server_cpu_seconds {
        Some(_) => "other work on the machine",
        None => "all other work on the machine",
    };
    let other = format!("{other} {}", seconds(span.other_cpu_seconds));
    let users: Vec<String> = [Some(format!(
        "harness {}",
        seconds(span.harness_cpu_seconds)
    ))]
    .into_iter()
    .chain([server, helpers, Some(other)])
    .flatten()
    .collect();
    let cores = result.generator.machine_cores.map_or_else(
        || "the processors".to_owned(),
        |cores| match format::count_f64(cores).as_str() {
            "1" => "1 core".to_owned(),
            cores => format!("{cores} cores"),
        },
    );
    format!(
        "the machine was {} busy from {} to {} (CPU-s on {cores}: {})",
        format::percent(span.busy_ratio),
        format::duration(part.from_us),
        format::duration(part.to_us),
        users.join(", ")
    )
}
