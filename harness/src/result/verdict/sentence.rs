//! This module puts findings into sentences that can be repeated.
//!
//! **In:** checks, expectations and counts of a result. **Out:** clauses without a full stop at their end, and the
//! sentence of each verdict.

use std::fmt::Write as _;

use super::super::check::{generator, machine, wording};
use super::super::{CheckGroup, CheckStatus, ExpectationResult, FaultResult, RunResult};
use crate::failure::FailureKind;
use crate::format;
use crate::record::subject::Subject;
use crate::scenario::expectation::{Expectation, Outcome, Quantity, Statistic, TimeKind, When};
use crate::stage::Stage;

/// A broken promise, with the first message that shows it.
pub(super) fn broken_promise(result: &RunResult, outcome: Outcome) -> String {
    let count = result.delivery.of(outcome);
    let (one, many, what) = match outcome {
        Outcome::Lost => (
            "acknowledged message was",
            "acknowledged messages were",
            "lost",
        ),
        Outcome::Duplicated => ("event was", "events were", "duplicated"),
        Outcome::OutOfOrder => ("answer came", "answers came", "out of order"),
        Outcome::Unexpected => ("unexpected frame", "unexpected frames", "arrived"),
        Outcome::Unheard => (
            "copy for another member was",
            "copies for other members were",
            "never heard",
        ),
        Outcome::Sent
        | Outcome::Completed
        | Outcome::Refused
        | Outcome::Unanswered
        | Outcome::Pending
        | Outcome::Late => ("message was", "messages were", outcome.name()),
    };
    let subject = if count == 1 { one } else { many };
    let first = first_of(result, outcome).unwrap_or_default();
    format!("{} {subject} {what}{first}", format::count(count))
}

/// The first message that shows it: when it should have been sent, and whose it was.
fn first_of(result: &RunResult, outcome: Outcome) -> Option<String> {
    let mut examples = result.examples.iter();
    let first = examples.find(|example| example.is_of(Subject::Promise(outcome)))?;
    let at = format::duration(first.intended_us);
    Some(format!(", first at {at}, client {}", first.client))
}

/// The session that shows a breach of the whole run: when, and whose it was.
fn shown_by(result: &RunResult, expectation: &Expectation) -> Option<String> {
    let (subject, which) = match expectation.what {
        Quantity::FailedClients => (Subject::GaveUp, "the first"),
        Quantity::CutSessions | Quantity::Closes { .. } => (Subject::Cut, "the first"),
        Quantity::Latency {
            stage: Stage::Complete,
            ..
        } => (Subject::Slowest, "the slowest"),
        Quantity::Latency { .. }
        | Quantity::Delivery { .. }
        | Quantity::Impact
        | Quantity::Detect
        | Quantity::Recovery
        | Quantity::BacklogDrain
        | Quantity::PeakOpen
        | Quantity::Server { .. } => return None,
    };
    let mut stories = result.stories.iter();
    let story = stories.find(|story| story.is_of(subject))?;
    if let Quantity::Closes { code } = expectation.what
        && !story
            .what
            .starts_with(&subject.told(&FailureKind::Closed { code }.to_string()))
    {
        return None;
    }
    let at = format::duration(story.intended_us);
    let whole_run = expectation.when == When::WholeRun;
    whole_run.then(|| format!(", {which} at {at}, client {}", story.client))
}

/// A broken threshold.
pub(super) fn breach(result: &RunResult, breached: &ExpectationResult) -> String {
    let limit = wording::bound_text(breached);
    let observed = wording::observed_text(breached);
    let shown = shown_by(result, &breached.expectation).unwrap_or_default();
    let one = breached
        .observed
        .is_some_and(|value| (value - 1.0).abs() < f64::EPSILON);
    let what = match breached.expectation.what {
        Quantity::Latency {
            stage,
            statistic,
            time,
        } => {
            let service = match time {
                TimeKind::Service => " (service time)",
                TimeKind::Response => "",
            };
            let place = when(breached);
            format!(
                "{} of {}{service} was {observed} {place}",
                statistic_word(statistic),
                stage_word(stage)
            )
        }
        Quantity::FailedClients if one => "1 client gave up".to_owned(),
        Quantity::FailedClients => format!("{observed} clients gave up"),
        Quantity::CutSessions if one => "1 session was cut".to_owned(),
        Quantity::CutSessions => format!("{observed} sessions were cut"),
        Quantity::PeakOpen => format!("at most {observed} sockets were open at once"),
        Quantity::Recovery => format!("recovery {} took {observed}", breached.when),
        Quantity::Delivery { .. }
        | Quantity::Impact
        | Quantity::Detect
        | Quantity::BacklogDrain
        | Quantity::Closes { .. }
        | Quantity::Server { .. } => {
            let place = match breached.expectation.when {
                When::WholeRun => "in the whole run",
                When::Ramp | When::OutsideFaults | When::During { .. } | When::Stage { .. } => {
                    &breached.when
                }
            };
            format!("{} was {observed} {place}", breached.name)
        }
    };
    let where_over = over(result, breached).unwrap_or_default();
    format!("{what}; the limit is {limit}{shown}{where_over}")
}

/// Where the answers over a limit lie, if they all lie in one part of the run.
fn over(result: &RunResult, breached: &ExpectationResult) -> Option<String> {
    let Quantity::Latency {
        stage,
        time: TimeKind::Response,
        ..
    } = breached.expectation.what
    else {
        return None;
    };
    if breached.expectation.when != When::WholeRun || result.windows.len() < 2 {
        return None;
    }
    let limit_us = crate::units::rounded(breached.expectation.bound.value);
    let mut over = result.windows.iter().filter(|window| {
        let latency = window.latency.get(stage.name());
        latency.is_some_and(|latency| latency.max_us > limit_us)
    });
    let (only, None) = (over.next()?, over.next()) else {
        return None;
    };
    Some(format!(
        "; everything over it falls into {} ({} to {} s)",
        only.name,
        format::rough_stamp(only.from_us),
        format::rough_stamp(only.to_us)
    ))
}

/// The part of the run, as it stands in a sentence.
fn when(expectation: &ExpectationResult) -> String {
    match &expectation.expectation.when {
        When::WholeRun => "over the whole run".to_owned(),
        When::Ramp => "in the ramp".to_owned(),
        When::Stage { name } => format!("in {name}"),
        When::OutsideFaults | When::During { .. } => expectation.when.clone(),
    }
}

const fn statistic_word(statistic: Statistic) -> &'static str {
    match statistic {
        Statistic::Mean => "the mean",
        Statistic::P50 => "p50",
        Statistic::P90 => "p90",
        Statistic::P95 => "p95",
        Statistic::P99 => "p99",
        Statistic::P999 => "p99.9",
        Statistic::Max => "the slowest",
    }
}

/// What is timed, in the plural.
const fn stage_word(stage: Stage) -> &'static str {
    match stage {
        Stage::Token => "token requests",
        Stage::Tcp => "TCP handshakes",
        Stage::Tls => "TLS handshakes",
        Stage::Upgrade => "upgrades",
        Stage::SessionReady => "session starts",
        Stage::TaskQueued => "acknowledgements",
        Stage::FirstChunk => "first chunks",
        Stage::Complete => "complete answers",
        Stage::FanOut => "copies for other members",
        Stage::Heartbeat => "heartbeats",
        Stage::Reconnect => "reconnects",
        Stage::Silence => "silences before a cut",
    }
}

pub(super) fn unanswered(expectation: &ExpectationResult) -> String {
    format!(
        "{} {}: {}",
        expectation.name, expectation.when, expectation.finding
    )
}

/// What held, for the card: expectations, then the promises of every run.
pub(super) fn held(result: &RunResult) -> Vec<String> {
    let expectations = with_status(result, CheckStatus::Held).map(|expectation| {
        let observed = wording::observed_text(expectation);
        let limit = wording::bound_text(expectation);
        format!(
            "{} {}: {observed} (limit {limit})",
            expectation.name, expectation.when
        )
    });
    let promises = result
        .checks
        .iter()
        .filter(|check| check.group != CheckGroup::Validity && check.status == CheckStatus::Held);
    expectations
        .chain(promises.map(|check| format::capital(&check.name)))
        .collect()
}

/// Whether an expectation is about a fault, or a time with one.
pub(super) fn is_about_faults(expectation: &ExpectationResult) -> bool {
    matches!(expectation.expectation.when, When::During { .. })
        || expectation.expectation.what.is_of_fault()
}

/// Whether the numbers can be trusted.
pub(super) fn trust(result: &RunResult, invalid: &[String]) -> String {
    if !invalid.is_empty() {
        return format!("Invalid: {}.", list(invalid));
    }
    let sent = format::count(result.generator.planned_sends);
    let late = generator::lateness_text(result);
    let full = machine::told(result);
    let full = full.map_or_else(String::new, |told| format!("; {told}"));
    let faults = match result.faults.len() {
        0 => String::new(),
        1 => ", the fault confirmed by a probe".to_owned(),
        count => format!(", all {count} faults confirmed by probes"),
    };
    format!(
        "Valid: {sent} planned messages accounted for{faults}; the harness itself: {late}{full}."
    )
}

pub(super) fn interrupted(result: &RunResult) -> String {
    format!(
        "Stopped after {} of {}; what is shown is what was seen until then.",
        format::duration(result.run.duration_us),
        format::duration(result.plan.load.load_us()),
    )
}

/// What a pass means, from the numbers.
pub(super) fn pass(result: &RunResult) -> String {
    let mut sentence = String::new();
    if result.plan.expect.is_empty() && result.plan.trials.is_empty() {
        sentence.push_str("Nothing was expected; the built-in checks held. ");
    }
    let clients = format::count(result.clients.peak_open.min(result.clients.planned));
    let answers = format::count(result.delivery.completed);
    let delivery = &result.delivery;
    let kept = if delivery.lost + delivery.duplicated + delivery.out_of_order == 0 {
        "nothing was lost, repeated or out of order"
    } else {
        "delivery stayed within the limits of the scenario"
    };
    let answered = match delivery.sent.saturating_sub(delivery.completed) {
        0 => format!("{answers} messages of {clients} clients were answered"),
        _ => format!(
            "{answers} of {} messages of {clients} clients were answered",
            format::count(delivery.sent)
        ),
    };
    let back = |fault: &FaultResult| Some((fault.recovery_us?, fault.name.clone()));
    let recoveries: Vec<(u64, String)> = result.faults.iter().filter_map(back).collect();
    let slowest = recoveries.iter().max();
    let written = match (result.faults.len(), slowest) {
        (0, _) if delivery.sent == 0 => write!(sentence, "{}", silent(result, &clients)),
        (0, _) => write!(sentence, "{answered}, and {kept}."),
        (faults, Some((us, name))) if recoveries.len() == faults => {
            let of = if faults == 1 {
                String::new()
            } else {
                format!(", the slowest of {faults} faults")
            };
            let after = match us {
                us if *us < result.plan.interval_us => "as soon as".to_owned(),
                us => format!("{} after", format::duration(*us)),
            };
            write!(
                sentence,
                "Chat came back {after} {name} ended{of}; {clients} clients took part, and {kept}."
            )
        }
        (faults, _) => write!(
            sentence,
            "{}chat was not seen to recover from {} of {faults} faults; {kept}.",
            if result.plan.expect.is_empty() {
                "Yet "
            } else {
                "What the scenario expects held, yet "
            },
            faults - recoveries.len()
        ),
    };
    debug_assert!(written.is_ok(), "a String takes everything");
    sentence
}

/// A pass of clients that had nothing to say.
fn silent(result: &RunResult, clients: &str) -> String {
    let cut = match result.clients.cut {
        0 => "none".to_owned(),
        cut => format::count(cut),
    };
    format!(
        "{clients} clients, which had nothing to say, were held for {}, and {cut} of their sessions were cut.",
        format::duration(result.run.duration_us)
    )
}

/// The first of several as a sentence, with how many more there are.
pub(super) fn worst(findings: &[String]) -> String {
    let Some((first, others)) = findings.split_first() else {
        return String::new();
    };
    let first = format::capital(first);
    match others.len() {
        0 => format!("{first}."),
        more => format!("{first}; and {more} more."),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Expectations of that status.
pub(super) fn with_status(
    result: &RunResult,
    status: CheckStatus,
) -> impl Iterator<Item = &ExpectationResult> {
    result
        .expectations
        .iter()
        .filter(move |expectation| expectation.status == status)
}
