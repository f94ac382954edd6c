//! This module checks that no trial met the failure it looks for, and that each was able to.
//!
//! **In:** the trials of the plan and what came of each. **Out:** one check for every failure that a trial
//! can see. A trial with fewer clear outcomes than the scenario asks for is inconclusive, not held.

use super::super::{CheckGroup, CheckResult, CheckStatus, RunResult};
use super::delivery;
use crate::format;
use crate::known::Known;
use crate::plan::{TrialKind, TrialPlan};
use crate::record::trial::{AFTER_FAULT, ENDED_MIDWAY, OLD_TOKENS, TrialRecord, UNDER_FAULT};

/// What a kind of trial looks for: the promise, and the failure that breaks it.
const fn promises(kind: TrialKind) -> &'static [(&'static str, Known)] {
    match kind {
        TrialKind::TokenRace { .. } => &[(
            "of racing connects with one token one gets in",
            Known::TokenDoubleSpend,
        )],
        TrialKind::TokenReuse => &[("a token opens one socket", Known::TokenReusable)],
        TrialKind::ReplyLost => &[(
            "a token whose answer was lost opens one socket at most",
            Known::TokenReusable,
        )],
        TrialKind::TokenAge { .. } => &[
            ("a token ends", Known::TokenImmortal),
            ("a token lives as long as is said", Known::TokenTtlDrift),
        ],
        TrialKind::TokenLog => &[("no token in the log", Known::TokenInLog)],
        TrialKind::Refusal => &[("a refusal says why", Known::Silent1006)],
        TrialKind::Answers { .. } => &[
            ("a connect is answered in time", Known::ConnectHang),
            (
                "a token request is answered in time",
                Known::TokenEndpointHang,
            ),
        ],
        TrialKind::KeepAlive { .. } => &[("the server pings", Known::NoServerPing)],
        TrialKind::Heartbeat => &[("a heartbeat is answered", Known::PingAsChat)],
        TrialKind::Broadcast { .. } => &[
            ("open sockets hear after an outage", Known::NoResubscribe),
            (
                "members on all instances hear each other",
                Known::MemoryLayerTwoInstances,
            ),
            ("what was kept is heard", Known::PubsubOnly),
        ],
        TrialKind::Resume { .. } => &[
            ("a replay repeats nothing", Known::DuplicateOnResume),
            ("who was away gets what it missed", Known::LostWhileAway),
        ],
        TrialKind::Polling { .. } => &[
            ("a poll repeats nothing", Known::DuplicateOnResume),
            ("who polls gets all", Known::LostWhileAway),
        ],
        TrialKind::Comeback { .. } => {
            &[("an answer outlives a short absence", Known::ExpiryTooShort)]
        }
        TrialKind::SlowReader { .. } => &[("a slow reader is given up", Known::UnboundedOutbox)],
        TrialKind::Origin => &[("a page of another site is refused", Known::OriginUnchecked)],
        TrialKind::Participation => &[("a chat of others is closed", Known::NotAParticipant)],
        TrialKind::Flood { .. } => &[("a flood is refused", Known::NoRateLimit)],
        TrialKind::TokenHoard { .. } => &[("tokens without end are refused", Known::NoRateLimit)],
        TrialKind::Hostile => &[("nonsense is answered with a word", Known::Silent1006)],
        TrialKind::Oversize => &[("an oversized message is refused", Known::OversizeAccepted)],
        TrialKind::Expiry { .. } => &[(
            "the end of the access token is announced",
            Known::JwtExpiryCut,
        )],
        TrialKind::ExpiryRace { .. } => &[
            (
                "a connect at the end is refused with a word",
                Known::Silent1006,
            ),
            (
                "a socket is closed at the end with a code",
                Known::JwtExpiryCut,
            ),
        ],
        TrialKind::Retry => &[("a message sent again runs once", Known::RetryRunsTwice)],
    }
}

/// Every trial of the plan, by failure.
pub(in super::super) fn checks(result: &RunResult) -> Vec<CheckResult> {
    let planned = result.plan.trials.iter().zip(&result.trials);
    let has_faults = !result.faults.is_empty();
    let checks = planned.flat_map(|(plan, record)| {
        let promises = promises(plan.kind).iter();
        promises.map(move |&(promise, known)| check((plan, record), (promise, known), has_faults))
    });
    checks.collect()
}

fn check(
    (plan, record): (&TrialPlan, &TrialRecord),
    (promise, known): (&str, Known),
    has_faults: bool,
) -> CheckResult {
    let broken = record.broke.get(&known);
    let clear = record.clear();
    let met =
        needs((plan.kind, known), has_faults).is_none_or(|what| record.met.contains_key(what));
    let status = match broken {
        Some(_) => CheckStatus::Broke,
        None if clear < plan.least || !met => CheckStatus::Inconclusive,
        None => CheckStatus::Held,
    };
    let count = broken.map_or(0, |broken| broken.count);
    let example = broken.and_then(|broken| broken.examples.first());
    let finding = match (example, status) {
        (Some(example), _) => format!(
            "{}; first at {}, {}",
            example.what,
            format::duration(example.at_us),
            example.account
        ),
        (None, CheckStatus::Inconclusive) if clear >= plan.least => {
            "the situation that it is about was never met".to_owned()
        }
        (None, CheckStatus::Inconclusive) => too_few(plan, record),
        (None, _) => held(record),
    };
    CheckResult {
        name: format!("{}: {promise}", plan.name),
        group: CheckGroup::Correctness,
        status,
        observed: format!("{} of {}", format::count(count), format::count(clear)),
        bound: "= 0".to_owned(),
        finding,
        known: vec![known],
    }
}

/// The situation without which a promise was not put to the test.
const fn needs((kind, known): (TrialKind, Known), has_faults: bool) -> Option<&'static str> {
    match (kind, known) {
        (TrialKind::ExpiryRace { .. }, _) => Some(ENDED_MIDWAY),
        (_, Known::TokenImmortal) => Some(OLD_TOKENS),
        (_, Known::ConnectHang | Known::TokenEndpointHang) if has_faults => Some(UNDER_FAULT),
        (_, Known::NoResubscribe | Known::PubsubOnly) if has_faults => Some(AFTER_FAULT),
        _ => None,
    }
}

fn too_few(plan: &TrialPlan, record: &TrialRecord) -> String {
    let clear = format::count(record.clear());
    let least = format::count(plan.least);
    let most = record.unclear.iter().max_by_key(|(_, times)| **times);
    let why = most.map_or_else(
        || "the run was too short".to_owned(),
        |(reason, times)| format!("{reason}: {} times", format::count(*times)),
    );
    format!("only {clear} of {least} experiments were conclusive ({why})")
}

fn held(record: &TrialRecord) -> String {
    let met = record.met.iter();
    let met = met.map(|(what, times)| format!("{what}: {}", format::count(*times)));
    let unclear: u64 = record.unclear.values().sum();
    let unclear =
        (unclear > 0).then(|| format!("{} more were not conclusive", format::count(unclear)));
    let parts: Vec<String> = met.chain(unclear).collect();
    if parts.is_empty() {
        "in every experiment".to_owned()
    } else {
        parts.join("; ")
    }
}

/// A broken promise of a trial as a sentence of the verdict; none where it is the ledger's.
pub(in super::super) fn sentence(check: &CheckResult) -> Option<String> {
    let known = check.known.first()?;
    if delivery::outcome_of(check).is_some() {
        return None;
    }
    Some(format!(
        "{} experiments showed {}: {}",
        check.observed,
        known.name(),
        check.finding
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::trial::Showing;

    fn plan(least: u64) -> TrialPlan {
        TrialPlan {
            name: "answers".to_owned(),
            kind: TrialKind::Answers { within_us: 1 },
            at_once: 1,
            every_us: 1,
            least,
        }
    }

    fn status(least: u64, record: &TrialRecord, has_faults: bool) -> CheckStatus {
        let promise = ("a connect is answered in time", Known::ConnectHang);
        check((&plan(least), record), promise, has_faults).status
    }

    #[test]
    fn too_few_experiments_or_none_in_the_situation_are_no_pass() {
        let mut record = TrialRecord {
            held: 10,
            ..TrialRecord::default()
        };
        assert_eq!(status(10, &record, false), CheckStatus::Held);
        assert_eq!(status(11, &record, false), CheckStatus::Inconclusive);
        assert_eq!(status(10, &record, true), CheckStatus::Inconclusive);
        record.add_met(UNDER_FAULT, 1);
        assert_eq!(status(10, &record, true), CheckStatus::Held);
    }

    #[test]
    fn one_that_broke_is_enough_however_few_there_were() {
        let mut record = TrialRecord::default();
        record.add_broken(Known::ConnectHang, Showing::default());
        assert_eq!(status(10, &record, true), CheckStatus::Broke);
        let mut other = TrialRecord::default();
        other.add_broken(Known::TokenEndpointHang, Showing::default());
        assert_eq!(status(1, &other, false), CheckStatus::Held);
    }
}
