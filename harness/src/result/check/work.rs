//! This module checks that a run did what a run must do, whatever its scenario expects.
//!
//! **In:** clients, ledger, closes and failures of the result. **Out:** one check per [`BuiltIn`] of the plan. Without
//! a session, or a message, nothing was measured: such a run is invalid. The others are the service's doing.
//!
//! The share that must be answered, and that no session may be cut, are of the time outside faults: what a fault may
//! do is for the scenario to say.

use super::super::{CheckGroup, CheckResult, RunResult};
use super::finding::{Texts, check};
use super::outside;
use crate::failure::{Cause, FailureKind};
use crate::format;
use crate::plan::{ANSWERED_RATIO_MIN, BuiltIn, Damage, is_broad};
use crate::record::subject::Subject;
use crate::scenario::expectation::Quantity;

/// Every built-in check that the scenario does not replace.
pub(in super::super) fn checks(result: &RunResult) -> Vec<CheckResult> {
    BuiltIn::of(&result.plan)
        .map(|built_in| judge(result, built_in))
        .collect()
}

/// What was seen, whether that is enough, and a clause on it.
struct Seen {
    held: bool,
    observed: String,
    finding: String,
}

fn judge(result: &RunResult, built_in: BuiltIn) -> CheckResult {
    let (group, seen) = match built_in {
        BuiltIn::LetIn => (CheckGroup::Validity, let_in(result)),
        BuiltIn::Sent => (CheckGroup::Validity, sent(result)),
        BuiltIn::GaveUp => (CheckGroup::Service, gave_up(result)),
        BuiltIn::Answered => (CheckGroup::Service, answered(result)),
        BuiltIn::Cut => (CheckGroup::Service, cut(result)),
        BuiltIn::Protocol => (CheckGroup::Service, protocol(result)),
        BuiltIn::Limits => (CheckGroup::Validity, limits(result)),
    };
    let text = Texts {
        observed: seen.observed,
        bound: built_in.bound().to_owned(),
        finding: seen.finding,
    };
    check(group, built_in.name(), seen.held, text)
}

fn let_in(result: &RunResult) -> Seen {
    let clients = &result.clients;
    let planned = format::count(clients.planned);
    let held = clients.opened > 0 || clients.planned == 0;
    let finding = if held {
        "sessions were opened".to_owned()
    } else {
        format!(
            "nobody got in: none of {planned} clients had a session{}",
            most_often(result)
        )
    };
    Seen {
        held,
        observed: format!("{} sessions", format::count(clients.opened)),
        finding,
    }
}

fn sent(result: &RunResult) -> Seen {
    let generator = &result.generator;
    let planned = format::count(generator.planned_sends);
    let held = generator.actual_sends > 0 || generator.planned_sends == 0;
    let finding = if held {
        "messages were put on sockets".to_owned()
    } else {
        format!(
            "nothing was sent of {planned} planned messages{}",
            most_often(result)
        )
    };
    Seen {
        held,
        observed: format!("{} of {planned}", format::count(generator.actual_sends)),
        finding,
    }
}

fn gave_up(result: &RunResult) -> Seen {
    let failed = result.clients.failed;
    let held = failed == 0;
    let finding = if held {
        "no client used up its attempts or stayed out to its end".to_owned()
    } else {
        let who = if failed == 1 { "client" } else { "clients" };
        format!(
            "{} of {} {who} gave up{}{}",
            format::count(failed),
            format::count(result.clients.planned),
            first(result, Subject::GaveUp),
            most_often(result)
        )
    };
    Seen {
        held,
        observed: format::count(failed),
        finding,
    }
}

fn answered(result: &RunResult) -> Seen {
    let of = outside::delivery(result);
    let due = of.sent.saturating_sub(of.pending);
    let unanswered = of.unanswered.min(due);
    // A closed loop asks nothing while it waits: each wait stands for what was not asked in it.
    let weighed = unanswered.saturating_mul(outside::weight(result, due));
    let all = due.saturating_add(weighed - unanswered);
    let nothing = result.delivery.completed == 0 && result.delivery.sent > result.delivery.pending;
    let ratio = if all == 0 {
        1.0
    } else {
        (all - weighed) as f64 / all as f64
    };
    let held = ratio >= ANSWERED_RATIO_MIN && !nothing;
    let count = format::count;
    let (observed, finding) = if nothing && ratio >= ANSWERED_RATIO_MIN {
        let refused = count(result.delivery.refused);
        let sent = count(result.delivery.sent);
        (
            "0 completed".to_owned(),
            format!("not one of {sent} messages was completed, {refused} were refused"),
        )
    } else if due == 0 {
        ("–".to_owned(), "none was due outside faults".to_owned())
    } else if held {
        let meaning = "completed, or refused in words; lost ones are a promise of their own";
        (
            format::percent_of_plan(all - weighed, all),
            meaning.to_owned(),
        )
    } else {
        let were = if unanswered == 1 { "was" } else { "were" };
        (
            format::percent_of_plan(all - weighed, all),
            format!(
                "{} of {} messages {were} never answered{}",
                count(unanswered),
                count(due),
                unsent(result)
            ),
        )
    };
    Seen {
        held,
        observed,
        finding,
    }
}

/// How many messages never went out because their clients had no session, and why those had none.
fn unsent(result: &RunResult) -> String {
    match result.generator.unsent_without_socket {
        0 => String::new(),
        unsent => format!(
            "; in the whole run {} were never sent, for want of a session{}",
            format::count(unsent),
            most_often(result)
        ),
    }
}

fn cut(result: &RunResult) -> Seen {
    // A scenario that bounds a code has said how often it may come.
    let allowed = |code: u16| {
        let mut expected = result.plan.expect.iter();
        expected.any(|expect| expect.what == Quantity::Closes { code } && is_broad(&expect.when))
    };
    let counted: Vec<(u16, u64)> = outside::cut(result)
        .into_iter()
        .filter(|(code, _)| !allowed(*code))
        .collect();
    let count: u64 = counted.iter().map(|(_, count)| count).sum();
    let held = count == 0;
    let finding = if held {
        "neither by the server nor by the network".to_owned()
    } else {
        let each = counted.iter().map(|(code, count)| {
            let reason = reason(result, *code).unwrap_or_default();
            format!("{code}{reason}: {}", format::count(*count))
        });
        let sessions = if count == 1 {
            "session was"
        } else {
            "sessions were"
        };
        format!(
            "{} {sessions} cut at a time no fault touched ({}){}",
            format::count(count),
            each.collect::<Vec<_>>().join(", "),
            first(result, Subject::Cut)
        )
    };
    Seen {
        held,
        observed: format::count(count),
        finding,
    }
}

/// The first words that came with that code, in quotes.
fn reason(result: &RunResult, code: u16) -> Option<String> {
    let label = FailureKind::Closed { code }.to_string();
    let mut failures = result.failures.iter();
    let words = failures
        .find(|failure| failure.label == label)?
        .words
        .first()?;
    Some(format!(" \"{words}\""))
}

fn protocol(result: &RunResult) -> Seen {
    // Only damage on the way has a server break the protocol for it.
    let excused = Damage::of(&result.plan.faults) != Damage::Never;
    let broken = result.failures.iter().filter(|failure| failure.protocol);
    let broken = broken.filter(|failure| !(excused && failure.cause == Cause::Fault));
    let count: u64 = broken.clone().map(|failure| failure.count).sum();
    let finding = match broken.clone().next() {
        None => "every frame kept the rules of RFC 6455".to_owned(),
        Some(first) => format!(
            "the server broke the WebSocket protocol {}: {}",
            times(count),
            first.label
        ),
    };
    Seen {
        held: count == 0,
        observed: format::count(count),
        finding,
    }
}

/// A failure that is the harness's own, or its machine's, is none of the server's: the run is not valid.
fn limits(result: &RunResult) -> Seen {
    let ours = result.failures.iter().filter(|one| one.cause.is_ours());
    let count: u64 = ours.clone().map(|failure| failure.count).sum();
    let finding = match ours.clone().next() {
        None => "no client met a limit of the harness or of this machine".to_owned(),
        Some(first) => format!(
            "clients met {} {}: {}",
            first.cause.words(),
            times(count),
            described(first.label.as_str(), &first.words)
        ),
    };
    Seen {
        held: count == 0,
        observed: format::count(count),
        finding,
    }
}

/// What kept clients out most often while no fault explains it, as a clause to add; nothing where nothing did.
fn most_often(result: &RunResult) -> String {
    let mut failures = result.failures.iter();
    let of_connects = failures.find(|failure| failure.connect && failure.cause != Cause::Fault);
    of_connects.map_or_else(String::new, |failure| {
        format!(
            "; most often: {} ({})",
            described(&failure.label, &failure.words),
            times(failure.count)
        )
    })
}

fn described(label: &str, words: &[String]) -> String {
    match words.first() {
        Some(words) => format!("{label}: {words}"),
        None => label.to_owned(),
    }
}

fn times(count: u64) -> String {
    if count == 1 {
        "once".to_owned()
    } else {
        format!("{} times", format::count(count))
    }
}

/// When the first session of that kind ended, as a clause to add.
fn first(result: &RunResult, subject: Subject) -> String {
    let mut stories = result.stories.iter();
    let story = stories.find(|story| story.is_of(subject) && story.fault.is_none());
    story.map_or_else(String::new, |story| {
        let at = format::duration(story.intended_us);
        format!(", the first at {at}, client {}", story.client)
    })
}
