//! What a check says, and the parts that several of them share.

use super::super::{CheckGroup, CheckResult, CheckStatus, Pause, RunResult};

/// A check of that group, held or broken.
pub(super) fn check(group: CheckGroup, name: &str, held: bool, text: Texts) -> CheckResult {
    CheckResult {
        name: name.to_owned(),
        group,
        status: if held {
            CheckStatus::Held
        } else {
            CheckStatus::Broke
        },
        observed: text.observed,
        bound: text.bound,
        finding: text.finding,
        known: Vec::new(),
    }
}

/// What a check says.
pub(super) struct Texts {
    pub observed: String,
    pub bound: String,
    pub finding: String,
}

/// What a check says when it held, and when it broke.
pub(super) struct Words {
    pub held: &'static str,
    pub broke: String,
}

pub(super) fn valid(
    name: &str,
    held: bool,
    observed: String,
    bound: String,
    words: Words,
) -> CheckResult {
    let finding = if held {
        words.held.to_owned()
    } else {
        words.broke
    };
    let text = Texts {
        observed,
        bound,
        finding,
    };
    check(CheckGroup::Validity, name, held, text)
}

pub(super) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        1.0
    } else {
        part as f64 / whole as f64
    }
}

/// How long the machine paused between two moments.
pub(super) fn paused_between(result: &RunResult, from_us: u64, to_us: u64) -> u64 {
    let overlap = |pause: &Pause| {
        let end_us = (pause.at_us + pause.length_us).min(to_us);
        end_us.saturating_sub(pause.at_us.max(from_us))
    };
    result.generator.pauses.iter().map(overlap).sum()
}
