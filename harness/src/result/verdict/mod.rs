//! This module says what the run means: pass, fail, invalid, inconclusive or interrupted.
//!
//! **In:** a [`RunResult`] with its facts. **Out:** the same with expectations, checks, verdict and
//! exit code. Called after a run, and again when a saved run is held to other thresholds.
//!
//! Exit codes, the first that applies, while the verdict names all of them: 130 interrupted; 14 a promise broken
//! that no bad environment can break (somebody else's frame, a token spent twice), or where all that is invalid is
//! that a fault never took hold, any promise at all; 13 invalid; 14 any other promise;
//! 10 threshold, or the service did not do its work; 12 inconclusive; 0 pass. What an invalid run shows beside that
//! may come from what made it invalid: it is listed, and not to be trusted.

mod sentence;

use super::check::{delivery, expectation, generator, trial, validity, work};
use super::{CheckGroup, CheckResult, CheckStatus, ExpectationResult, RunResult, Status, Verdict};
use crate::exit::Exit;
use crate::scenario::expectation::{Outcome, Quantity};

/// Judges a result by its own plan.
pub(crate) fn judge(result: &mut RunResult) {
    result.expectations = expectation::results(result);
    result.generator.lateness_limit_us = Some(generator::lateness_bound_us(result));
    result.checks = work::checks(result);
    result.checks.extend(delivery::checks(result));
    let trials = trial::checks(result);
    result.checks.extend_from_slice(&trials);
    result.checks.extend(validity::checks(result));
    let findings = Findings::of(result, &trials);
    let (status, exit) = findings.end(result.run.interrupted);
    result.exit_code = exit.code();
    result.verdict = findings.verdict(result, status);
}

/// What broke, sorted by what it means.
struct Findings {
    /// Broken promises that nothing of the environment has broken for the service, as "3 unexpected frames arrived".
    certain: Vec<String>,
    /// Other broken promises, as "42 messages were lost".
    wrong: Vec<String>,
    /// Work that was not done, then broken thresholds, worst first.
    slow: Vec<String>,
    /// Broken validity checks.
    invalid: Vec<String>,
    /// Expectations and trials without an answer.
    open: Vec<String>,
}

impl Findings {
    fn of(result: &RunResult, trials: &[CheckResult]) -> Self {
        let broken = |group: CheckGroup| {
            let mine = result
                .checks
                .iter()
                .filter(move |check| check.group == group);
            mine.filter(|check| check.status == CheckStatus::Broke)
        };
        let mut promises = delivery::broken(result);
        let mut breached: Vec<&ExpectationResult> = Vec::new();
        for expectation in sentence::with_status(result, CheckStatus::Broke) {
            if let Quantity::Delivery { outcome } = expectation.expectation.what
                && outcome.is_promise()
            {
                promises.push(outcome);
            } else {
                breached.push(expectation);
            }
        }
        let (mut certain, mut wrong) = promises_by_certainty(result, promises, trials);
        if validity::is_harmless(result) {
            certain.append(&mut wrong);
        }
        let used = |expectation: &ExpectationResult| expectation.used_ratio.unwrap_or(0.0);
        breached.sort_by(|left, right| used(right).total_cmp(&used(left)));
        let aborted = result
            .run
            .aborted
            .iter()
            .map(|rule| format!("the run ended early: {rule}"));
        let undone = broken(CheckGroup::Service).map(|check| check.finding.clone());
        let undecided = result
            .checks
            .iter()
            .filter(|check| check.status == CheckStatus::Inconclusive);
        Self {
            certain,
            wrong,
            slow: aborted
                .chain(undone)
                .chain(
                    breached
                        .into_iter()
                        .map(|one| sentence::breach(result, one)),
                )
                .collect(),
            invalid: broken(CheckGroup::Validity)
                .map(|check| check.finding.clone())
                .collect(),
            open: sentence::with_status(result, CheckStatus::Inconclusive)
                .map(sentence::unanswered)
                .chain(undecided.map(|check| format!("{}: {}", check.name, check.finding)))
                .collect(),
        }
    }

    /// The first that applies.
    fn end(&self, interrupted: bool) -> (Status, Exit) {
        let ends = [
            (interrupted, Status::Interrupted, Exit::Interrupted),
            (!self.certain.is_empty(), Status::Fail, Exit::Incorrect),
            (!self.invalid.is_empty(), Status::Invalid, Exit::Invalid),
            (!self.wrong.is_empty(), Status::Fail, Exit::Incorrect),
            (!self.slow.is_empty(), Status::Fail, Exit::Threshold),
            (
                !self.open.is_empty(),
                Status::Inconclusive,
                Exit::Inconclusive,
            ),
        ];
        let first = ends.into_iter().find(|(applies, ..)| *applies);
        first.map_or((Status::Pass, Exit::Pass), |(_, status, exit)| {
            (status, exit)
        })
    }

    fn verdict(self, result: &RunResult, status: Status) -> Verdict {
        let sentence = self.sentence(result, status);
        let trust = sentence::trust(result, &self.invalid);
        let uncertain: Vec<String> = self.wrong.iter().chain(&self.slow).cloned().collect();
        let (broke, untrusted) = if self.invalid.is_empty() {
            ([self.certain, uncertain].concat(), Vec::new())
        } else {
            (self.certain, uncertain)
        };
        let mut also = match status {
            Status::Interrupted | Status::Invalid | Status::Inconclusive => broke.clone(),
            Status::Fail | Status::Pass => self.open.clone(),
        };
        also.extend(
            untrusted
                .iter()
                .map(|one| format!("seen, but not to be trusted: {one}")),
        );
        if status == Status::Fail {
            also.extend(
                self.invalid
                    .iter()
                    .map(|one| format!("the run is not valid: {one}")),
            );
        }
        Verdict {
            status,
            sentence,
            also,
            trust,
            broke,
            held: sentence::held(result),
            untrusted,
            open: self.open,
        }
    }

    fn sentence(&self, result: &RunResult, status: Status) -> String {
        match status {
            Status::Pass => sentence::pass(result),
            Status::Fail => self.fail_sentence(result),
            Status::Invalid if is_empty_run(result) => sentence::worst(&self.invalid),
            Status::Invalid => format!(
                "These numbers cannot be trusted: {}.",
                sentence::list(&self.invalid)
            ),
            Status::Inconclusive => {
                format!("The run cannot tell: {}.", sentence::list(&self.open))
            }
            Status::Interrupted => sentence::interrupted(result),
        }
    }

    fn fail_sentence(&self, result: &RunResult) -> String {
        let promises: Vec<String> = self.certain.iter().chain(&self.wrong).cloned().collect();
        let mut parts = Vec::new();
        if !self.invalid.is_empty() {
            // The rest is not to be trusted, and is listed as such.
            return sentence::worst(&self.certain);
        }
        for broke in [&promises, &self.slow] {
            if !broke.is_empty() {
                parts.push(sentence::worst(broke));
            }
        }
        let only_faults = sentence::with_status(result, CheckStatus::Broke)
            .all(sentence::is_about_faults)
            && sentence::with_status(result, CheckStatus::Broke)
                .next()
                .is_some();
        let undone = result
            .checks
            .iter()
            .any(|check| check.group == CheckGroup::Service && check.status == CheckStatus::Broke);
        if only_faults && !undone && !result.faults.is_empty() && promises.is_empty() {
            parts.push("Outside the faults everything held.".to_owned());
        }
        parts.join(" ")
    }
}

/// Broken promises in words: those that no environment can break, then the others.
fn promises_by_certainty(
    result: &RunResult,
    broken: Vec<Outcome>,
    trials: &[CheckResult],
) -> (Vec<String>, Vec<String>) {
    let delivered = broken.into_iter().map(|outcome| {
        let sentence = sentence::broken_promise(result, outcome);
        (sentence, needs_sound_run(result, outcome))
    });
    let tried = trials.iter();
    let tried = tried.filter(|check| check.status == CheckStatus::Broke);
    let tried = tried.filter_map(|check| {
        let known = check.known.first();
        let uncertain = known.is_some_and(|known| known.needs_sound_run());
        Some((trial::sentence(check)?, uncertain))
    });
    let (uncertain, certain): (Vec<_>, Vec<_>) = delivered
        .chain(tried)
        .partition(|(_, uncertain)| *uncertain);
    let sentences = |all: Vec<(String, bool)>| all.into_iter().map(|(sentence, _)| sentence);
    (sentences(certain).collect(), sentences(uncertain).collect())
}

/// Nobody got in, or nothing was sent: there are no numbers to trust.
fn is_empty_run(result: &RunResult) -> bool {
    result.clients.opened == 0 || result.generator.actual_sends == 0
}

/// Whether what makes a run invalid could have broken this promise too. A message can get lost by anything; it comes
/// twice by itself only where a store forgot, and out of order or to somebody else by no environment.
fn needs_sound_run(result: &RunResult, outcome: Outcome) -> bool {
    match outcome {
        Outcome::OutOfOrder | Outcome::Unexpected => false,
        Outcome::Duplicated => !result.ended_processes.is_empty(),
        Outcome::Sent
        | Outcome::Completed
        | Outcome::Refused
        | Outcome::Unanswered
        | Outcome::Lost
        | Outcome::Pending
        | Outcome::Late
        | Outcome::Unheard => true,
    }
}
