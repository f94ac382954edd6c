//! This module checks that no trial met the failure it looks for, and that each was able to.
//!
//! **In:** the trials of the plan and what came of each. **Out:** one check for every failure that a trial
//! can see. A trial with fewer clear outcomes than the scenario asks for is inconclusive, not held.

use super::super::{CheckGroup, CheckResult, CheckStatus, RunResult};
use crate::format;
use crate::plan::{Promise, TrialPlan};
use crate::record::trial::TrialRecord;

/// Every trial of the plan, by failure.
pub(in super::super) fn checks(result: &RunResult) -> Vec<CheckResult> {
    let planned = result.plan.trials.iter().zip(&result.trials);
    let has_faults = !result.faults.is_empty();
    let checks = planned.flat_map(|(plan, record)| {
        let promises = plan.kind.promises().iter();
        promises.map(move |promise| check((plan, record), promise, has_faults))
    });
    checks.collect()
}

fn check(
    (plan, record): (&TrialPlan, &TrialRecord),
    promise: &Promise,
    has_faults: bool,
) -> CheckResult {
    let broken = record.broke.get(&promise.known);
    let clear = record.clear();
    let situation = promise.situation;
    let situation = situation.filter(|situation| has_faults || !situation.is_of_faults());
    let met = situation.is_none_or(|situation| record.met.contains_key(situation.text()));
    let status = match broken {
        Some(_) => CheckStatus::Broke,
        None if clear < plan.min_samples || !met => CheckStatus::Inconclusive,
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
        (None, CheckStatus::Inconclusive) if clear >= plan.min_samples => {
            "the situation that it is about was never met".to_owned()
        }
        (None, CheckStatus::Inconclusive) => too_few(plan, record),
        (None, _) => held(record),
    };
    CheckResult {
        name: format!("{}: {}", plan.name, promise.text),
        group: CheckGroup::Correctness,
        status,
        observed: format!("{} of {}", format::count(count), format::count(clear)),
        bound: "= 0".to_owned(),
        finding,
        known: vec![promise.known],
    }
}

fn too_few(plan: &TrialPlan, record: &TrialRecord) -> String {
    let clear = format::count(record.clear());
    let least = format::count(plan.min_samples);
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

/// A broken promise of a trial as a sentence of the verdict.
pub(in super::super) fn sentence(check: &CheckResult) -> Option<String> {
    let known = check.known.first()?;
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
    use crate::known::Known;
    use crate::record::trial::Showing;
    use crate::scenario::trial::{Answers, Situation};

    fn plan(least: u64) -> TrialPlan {
        TrialPlan {
            name: "answers".to_owned(),
            kind: Answers { within_us: 1 }.into(),
            concurrency: 1,
            interval_us: 1,
            min_samples: least,
        }
    }

    fn status(least: u64, record: &TrialRecord, has_faults: bool) -> CheckStatus {
        let plan = plan(least);
        check((&plan, record), &plan.kind.promises()[0], has_faults).status
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
        record.add_met(Situation::UnderFault.text(), 1);
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
