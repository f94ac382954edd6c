//! This module holds the words of the reports: verdicts, marks, close codes, and what a fault did.
//!
//! **In:** enums, codes, faults. **Out:** the one word or sentence each of them has, everywhere.

use crate::failure::Cause;
use crate::format;
use crate::format::append;
use crate::result::{CheckStatus, ConditionResult, FaultResult, Status, Window, WindowKind};

/// How a status looks: never by colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub word: &'static str,
    pub mark: &'static str,
    /// CSS class.
    pub class: &'static str,
}

/// The verdict's word.
pub(crate) const fn status(status: Status) -> Look {
    let (word, mark, class) = match status {
        Status::Pass => ("PASS", "✓", "pass"),
        Status::Fail => ("FAIL", "✗", "fail"),
        Status::Invalid => ("INVALID", "!", "warn"),
        Status::Inconclusive => ("INCONCLUSIVE", "?", "warn"),
        Status::Interrupted => ("INTERRUPTED", "■", "warn"),
    };
    Look { word, mark, class }
}

/// The word of one expectation or check.
pub(crate) const fn check(status: CheckStatus) -> Look {
    let (word, mark, class) = match status {
        CheckStatus::Held => ("held", "✓", "good"),
        CheckStatus::Broke => ("broke", "✗", "bad"),
        CheckStatus::Inconclusive => ("inconclusive", "?", "warn"),
    };
    Look { word, mark, class }
}

/// Close codes that a report names when they did not occur.
pub(crate) const CLOSE_CODES: [u16; 13] = [
    1000, 1001, 1003, 1006, 1007, 1009, 1011, 1013, 4001, 4003, 4408, 4429, 4403,
];

/// What a close code means.
pub(crate) const fn close_meaning(code: u16) -> &'static str {
    match code {
        1000 => "normal",
        1001 => "server going away",
        1002 => "protocol error",
        1003 => "unsupported data",
        1005 => "no status given",
        1006 => "no close frame",
        1007 => "invalid text",
        1009 => "message too big",
        1011 => "server-side failure",
        1013 => "try again later",
        4001 => "unauthenticated",
        4003 | 4403 => "forbidden",
        4401 => "unauthenticated (admin)",
        4408 => "idle",
        4429 => "flooding",
        _ => "",
    }
}

/// Who caused a failure, in one word.
pub(crate) const fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Server => "server",
        Cause::Network => "network",
        Cause::Fault => "fault",
        Cause::Harness => "limit of the harness",
        Cause::Generator => "load generator",
        Cause::Usage => "usage",
    }
}

/// A window's name as a heading; a fault keeps the name it was given.
pub(crate) fn window(window: &Window) -> String {
    let name = format::harmless(&window.name);
    match window.kind {
        WindowKind::Fault => name,
        WindowKind::Ramp
        | WindowKind::Baseline
        | WindowKind::Recovery
        | WindowKind::After
        | WindowKind::View => format::capital(&name),
    }
}

/// `1 fault`, `2 faults`.
pub(crate) fn plural(count: usize, one: &str) -> String {
    if count == 1 {
        format!("1 {one}")
    } else {
        format!("{count} {one}s")
    }
}

/// What a fault did, in one sentence.
pub(crate) fn fault(fault: &FaultResult) -> String {
    let stamps = &fault.stamps;
    let mut text = match (fault.confirmed, stamps.confirmed_us) {
        (true, Some(from_us)) => {
            let to = stamps.heal_confirmed_us.map_or_else(
                || "the end, not confirmed healed".to_owned(),
                |us| format!("{} s", format::stamp(us)),
            );
            format!(
                "{}, confirmed {} to {to}",
                fault.name,
                format::stamp(from_us)
            )
        }
        _ => format!(
            "{}, planned at {} s, NOT CONFIRMED",
            fault.name,
            format::stamp(fault.planned_us)
        ),
    };
    if let Some(problem) = &stamps.problem {
        append(&mut text, format_args!(" ({problem})"));
    }
    let none = || "none".to_owned();
    let impact = fault.impact_us.map_or_else(none, format::duration);
    append(&mut text, format_args!(": impact {impact}"));
    if stamps.readiness_watched {
        let never = || "never detected".to_owned();
        let detected = fault
            .detect_us
            .map_or_else(never, |us| format!("detected {}", format::duration(us)));
        append(&mut text, format_args!(", {detected}"));
    }
    append(&mut text, format_args!(", recovered {}", recovery(fault)));
    if let Some(drain_us) = fault.backlog_drain_us {
        let drain = format::duration(drain_us);
        append(&mut text, format_args!(", backlog drained {drain}"));
    }
    text
}

/// What was so all the time, in one sentence.
pub(crate) fn condition(condition: &ConditionResult) -> String {
    let ConditionResult {
        name, what, stamps, ..
    } = condition;
    let confirmed = match stamps.confirmed_us {
        Some(us) => format!("confirmed at {} s", format::stamp(us)),
        None => "NOT CONFIRMED".to_owned(),
    };
    let problem = stamps.problem.as_ref();
    let problem = problem.map_or_else(String::new, |problem| format!(" ({problem})"));
    format!("{name}: {what}, {confirmed}{problem}")
}

/// Time to recover as finely as it is known, or more than the time it was watched.
pub(crate) fn recovery(fault: &FaultResult) -> String {
    let found = |us| format::at_best(us, fault.recovery_step_us);
    fault
        .recovery_us
        .map_or_else(|| format::beyond(fault.horizon_us), found)
}
