//! This module says what the run means: pass, fail, invalid, inconclusive or interrupted.
//!
//! **In:** a [`RunResult`] with its facts. **Out:** the same with expectations, checks, verdict and
//! exit code. Called after a run, and again when a saved run is held to other thresholds.
//!
//! Exit codes: 130 interrupted, 14 correctness, 13 invalid, 10 threshold, 12 inconclusive, 0 pass;
//! the first that applies, while the verdict names all of them.

use super::check::{delivery, expectation, generator, machine, trial, validity, wording};
use super::{
    CheckGroup, CheckStatus, ExpectationResult, FaultResult, RunResult, Status, Unit, Verdict,
};
use crate::format;
use crate::record::recorder::{CUT, GAVE_UP, SLOWEST};
use crate::scenario::expectation::{Expectation, Outcome, Quantity, When};
use crate::stage::Stage;

/// Exit code per outcome, in the order in which they are looked for.
const INTERRUPTED: u8 = 130;
const CORRECTNESS: u8 = 14;
const INVALID: u8 = 13;
const THRESHOLD: u8 = 10;
const INCONCLUSIVE: u8 = 12;

/// Judges a result by its own plan.
pub(crate) fn judge(result: &mut RunResult) {
    result.expectations = expectation::results(result);
    result.generator.lateness_limit_us = Some(generator::lateness_bound_us(result));
    result.checks = delivery::checks(result);
    result.checks.extend(trial::checks(result));
    result.checks.extend(validity::checks(result));
    let findings = Findings::of(result);
    result.exit_code = findings.exit_code(result.run.interrupted);
    result.verdict = findings.verdict(result);
}

/// What broke, sorted by what it means.
struct Findings {
    /// Broken promises, as "42 lost".
    wrong: Vec<String>,
    /// Broken thresholds, worst first, as "recovery 6.88 s (limit < 5s)".
    slow: Vec<String>,
    /// Broken validity checks.
    invalid: Vec<String>,
    /// Expectations without an answer.
    open: Vec<String>,
}

impl Findings {
    fn of(result: &RunResult) -> Self {
        let broken = |group: CheckGroup| {
            let mine = result
                .checks
                .iter()
                .filter(move |check| check.group == group);
            mine.filter(|check| check.status == CheckStatus::Broke)
        };
        let checked = broken(CheckGroup::Correctness).filter_map(delivery::outcome_of);
        let mut broken_promises: Vec<Outcome> = checked.collect();
        let mut breached: Vec<&ExpectationResult> = Vec::new();
        for expectation in with_status(result, CheckStatus::Broke) {
            match expectation.expectation.what {
                Quantity::Delivery { outcome } if delivery::is_promise(outcome) => {
                    broken_promises.push(outcome);
                }
                _ => breached.push(expectation),
            }
        }
        let count = |outcome: Outcome| delivery::count_of(&result.delivery, outcome);
        let wrong = broken_promises
            .into_iter()
            .map(|outcome| {
                let first = first_of(result, outcome).unwrap_or_default();
                format!("{}{first}", broken_promise(outcome, count(outcome)))
            })
            .chain(broken(CheckGroup::Correctness).filter_map(trial::sentence))
            .collect();
        let checks = result.checks.iter();
        let undecided = checks.filter(|check| check.status == CheckStatus::Inconclusive);
        let used = |expectation: &ExpectationResult| expectation.used_ratio.unwrap_or(0.0);
        breached.sort_by(|left, right| used(right).total_cmp(&used(left)));
        let aborted = result
            .run
            .aborted
            .iter()
            .map(|rule| format!("ended early: {rule}"));
        Self {
            wrong,
            slow: aborted
                .chain(breached.into_iter().map(|one| breach(result, one)))
                .collect(),
            invalid: broken(CheckGroup::Validity)
                .map(validity::sentence)
                .collect(),
            open: with_status(result, CheckStatus::Inconclusive)
                .map(unanswered)
                .chain(undecided.map(|check| format!("{}: {}", check.name, check.finding)))
                .collect(),
        }
    }

    fn exit_code(&self, interrupted: bool) -> u8 {
        let codes = [
            (interrupted, INTERRUPTED),
            (!self.wrong.is_empty(), CORRECTNESS),
            (!self.invalid.is_empty(), INVALID),
            (!self.slow.is_empty(), THRESHOLD),
            (!self.open.is_empty(), INCONCLUSIVE),
        ];
        codes
            .into_iter()
            .find(|(applies, _)| *applies)
            .map_or(0, |(_, code)| code)
    }

    fn status(&self, interrupted: bool) -> Status {
        if interrupted {
            Status::Interrupted
        } else if !self.invalid.is_empty() {
            Status::Invalid
        } else if !self.wrong.is_empty() || !self.slow.is_empty() {
            Status::Fail
        } else if !self.open.is_empty() {
            Status::Inconclusive
        } else {
            Status::Pass
        }
    }

    fn verdict(self, result: &RunResult) -> Verdict {
        let status = self.status(result.run.interrupted);
        let broke: Vec<String> = self.wrong.iter().chain(&self.slow).cloned().collect();
        let also = match status {
            Status::Interrupted | Status::Invalid | Status::Inconclusive => broke.clone(),
            Status::Fail | Status::Pass => self.open.clone(),
        };
        Verdict {
            status,
            sentence: self.sentence(result, status),
            also,
            trust: self.trust(result),
            broke,
            held: held(result),
        }
    }

    fn sentence(&self, result: &RunResult, status: Status) -> String {
        match status {
            Status::Pass => pass_sentence(result),
            Status::Fail => self.fail_sentence(result),
            Status::Invalid => format!("These numbers cannot be trusted: {}.", list(&self.invalid)),
            Status::Inconclusive => format!("The run cannot tell: {}.", list(&self.open)),
            Status::Interrupted => format!(
                "Stopped after {} of {}; what is shown is what was seen until then.",
                format::duration(result.run.duration_us),
                format::duration(result.plan.load.load_us()),
            ),
        }
    }

    fn fail_sentence(&self, result: &RunResult) -> String {
        let mut parts = Vec::new();
        if !self.wrong.is_empty() {
            parts.push(format!("{}.", capitalized(&list(&self.wrong))));
        }
        if !self.slow.is_empty() {
            parts.push(format!("{}.", capitalized(&list(&self.slow))));
        }
        let only_faults = with_status(result, CheckStatus::Broke).all(|expectation| {
            matches!(expectation.expectation.when, When::During { .. }) || about_faults(expectation)
        });
        if only_faults && !result.faults.is_empty() && self.wrong.is_empty() {
            parts.push("Outside the faults everything held.".to_owned());
        }
        parts.join(" ")
    }

    fn trust(&self, result: &RunResult) -> String {
        if !self.invalid.is_empty() {
            return format!("Invalid: {}.", list(&self.invalid));
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
}

fn with_status(
    result: &RunResult,
    status: CheckStatus,
) -> impl Iterator<Item = &ExpectationResult> {
    result
        .expectations
        .iter()
        .filter(move |expectation| expectation.status == status)
}

/// A broken promise, in words that can be repeated.
fn broken_promise(outcome: Outcome, count: u64) -> String {
    let (one, many, what) = match outcome {
        Outcome::Lost => (
            "acknowledged message was",
            "acknowledged messages were",
            "lost",
        ),
        Outcome::Duplicated => ("event was", "events were", "duplicated"),
        Outcome::OutOfOrder => ("answer came", "answers came", "out of order"),
        Outcome::Unexpected => ("unexpected frame", "unexpected frames", "arrived"),
        _ => ("message was", "messages were", delivery::name_of(outcome)),
    };
    let subject = if count == 1 { one } else { many };
    format!("{} {subject} {what}", format::count(count))
}

/// The first message that shows it: when it should have been sent, and whose it was.
fn first_of(result: &RunResult, outcome: Outcome) -> Option<String> {
    let start = match outcome {
        Outcome::Lost => "lost",
        Outcome::Duplicated => "duplicated",
        Outcome::OutOfOrder => "out of order",
        Outcome::Unexpected => "unexpected",
        _ => return None,
    };
    let mut examples = result.examples.iter();
    let first = examples.find(|example| example.what.starts_with(start))?;
    let at = format::duration(first.intended_us);
    Some(format!(", first at {at}, client {}", first.client))
}

/// The session that shows a breach of the whole run: when, and whose it was.
fn shown_by(result: &RunResult, expectation: &Expectation) -> Option<String> {
    let (start, which) = match expectation.what {
        Quantity::FailedClients => (GAVE_UP.to_owned(), "first"),
        Quantity::CutSessions => (CUT.to_owned(), "first"),
        Quantity::Closes { code } => (format!("{CUT}, with {code}"), "first"),
        Quantity::Latency {
            stage: Stage::Complete,
            ..
        } => (SLOWEST.to_owned(), "slowest"),
        _ => return None,
    };
    let mut stories = result.stories.iter();
    let story = stories.find(|story| story.what.starts_with(&start))?;
    let at = format::duration(story.intended_us);
    let whole_run = expectation.when == When::WholeRun;
    whole_run.then(|| format!(", {which} at {at}, client {}", story.client))
}

fn breach(result: &RunResult, expectation: &ExpectationResult) -> String {
    let limit = wording::bound_text(expectation);
    let place = if expectation.unit == Unit::Microseconds {
        format!(" {}", expectation.when)
    } else {
        String::new()
    };
    let observed = wording::observed_text(expectation);
    let shown = shown_by(result, &expectation.expectation).unwrap_or_default();
    format!(
        "{}{place} was {observed} (limit {limit}){shown}",
        expectation.name
    )
}

fn unanswered(expectation: &ExpectationResult) -> String {
    format!(
        "{} {}: {}",
        expectation.name, expectation.when, expectation.finding
    )
}

/// What held, for the card: expectations, then the promises of every run.
fn held(result: &RunResult) -> Vec<String> {
    let expectations = with_status(result, CheckStatus::Held).map(|expectation| {
        let observed = wording::observed_text(expectation);
        let limit = wording::bound_text(expectation);
        format!(
            "{} {}: {observed} (limit {limit})",
            expectation.name, expectation.when
        )
    });
    let promises = result.checks.iter().filter(|check| {
        check.group == CheckGroup::Correctness && check.status == CheckStatus::Held
    });
    expectations
        .chain(promises.map(|check| capitalized(&check.name)))
        .collect()
}

/// Whether an expectation is about a fault by its nature.
fn about_faults(expectation: &ExpectationResult) -> bool {
    matches!(
        expectation.expectation.what,
        Quantity::Impact | Quantity::Detect | Quantity::Recovery | Quantity::BacklogDrain
    )
}

/// What a pass means, from the numbers.
fn pass_sentence(result: &RunResult) -> String {
    let clients = format::count(result.clients.peak_open.min(result.clients.planned));
    let answers = format::count(result.delivery.completed);
    let delivery = &result.delivery;
    let kept = if delivery.lost + delivery.duplicated + delivery.out_of_order == 0 {
        "nothing was lost, repeated or out of order"
    } else {
        "delivery stayed within the limits of the scenario"
    };
    let cut = match result.clients.cut {
        0 => "none".to_owned(),
        cut => format::count(cut),
    };
    let back = |fault: &FaultResult| Some((fault.recovery_us?, fault.name.clone()));
    let recoveries: Vec<(u64, String)> = result.faults.iter().filter_map(back).collect();
    let slowest = recoveries.iter().max();
    match (result.faults.len(), slowest) {
        (0, _) if delivery.sent == 0 => format!(
            "{clients} clients, which had nothing to say, were held for {}, and {cut} of their sessions were cut.",
            format::duration(result.run.duration_us)
        ),
        (0, _) => format!(
            "{answers} messages of {clients} clients were answered as expected, and {kept}."
        ),
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
            format!(
                "Chat came back {after} {name} ended{of}; {clients} clients took part, and {kept}."
            )
        }
        (faults, _) => format!(
            "What the scenario expects held, yet chat was not seen to recover from {} of {faults} \
             faults; {kept}.",
            faults - recoveries.len()
        ),
    }
}

/// `a`, `a and b`, `a, b and c`.
fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(characters).collect()
    })
}
