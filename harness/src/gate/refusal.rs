//! This module says which runs are not held against each other, and why.
//!
//! **In:** the facts of both sides. **Out:** every [`Refusal`] there is. A comparison that is refused ends with 12, never
//! with a number.

use std::collections::BTreeSet;

use thiserror::Error;

use super::facts::{Ended, HostClass, RunFacts};
use super::rules::{Pairing, RUNS_MAX, RUNS_MIN};

/// Why two sides cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Refusal {
    #[error(
        "{base} runs of the base and {new} of the new side: fewer than {RUNS_MIN} of a side do not tell their noise"
    )]
    TooFew { base: usize, new: usize },
    #[error("{runs} runs of a side are more than {RUNS_MAX}")]
    TooMany { runs: usize },
    #[error("{base} runs of the base and {new} of the new side make no pairs")]
    Unpaired { base: usize, new: usize },
    #[error("run {run} is given twice: a copy is no further run")]
    Twice { run: String },
    #[error("{base} and {new} ran different plans: other load, faults, trials or seed")]
    OtherLoad { base: String, new: String },
    #[error(
        "{base} and {new} ran in different environments: the servers were started in another way"
    )]
    OtherEnvironment { base: String, new: String },
    #[error("{base} ran on {on}, and {new} on {and}")]
    OtherHost {
        base: String,
        on: HostClass,
        new: String,
        and: HostClass,
    },
    #[error(
        "{base} was measured by harness {by}, and {new} by {and}: they may not measure the same"
    )]
    OtherHarness {
        base: String,
        by: String,
        new: String,
        and: String,
    },
    #[error("run {run} was interrupted")]
    Interrupted { run: String },
    #[error("run {run} was ended early: {rule}")]
    EndedEarly { run: String, rule: String },
}

impl Refusal {
    /// What to do about it.
    pub(crate) const fn hint(&self) -> &'static str {
        match self {
            Self::TooFew { .. } => "run each side at least three times, better eight",
            Self::TooMany { .. } => "name fewer runs",
            Self::Unpaired { .. } => "name as many runs of each side, in the same order",
            Self::Twice { .. } => "name each run once",
            Self::OtherLoad { .. } => {
                "run the same scenario with the same seed; a baseline of an older plan has to be saved again"
            }
            Self::OtherEnvironment { .. } => {
                "use the same [environment] on both sides; what differs may be the server alone"
            }
            Self::OtherHost { .. } => {
                "compare runs of one kind of machine, or run both sides on this one (`harness ab`)"
            }
            Self::OtherHarness { .. } => "run both sides with one harness",
            Self::Interrupted { .. } | Self::EndedEarly { .. } => "leave it out, or run it again",
        }
    }
}

/// The part of a version that says what is measured, and how: `0.1` of `0.1.3`. A third number changes no measurement.
fn measures(version: &str) -> &str {
    let mut dots = version.match_indices('.').map(|(place, _)| place);
    let second = dots.nth(1);
    version
        .get(..second.unwrap_or(version.len()))
        .unwrap_or(version)
}

/// What speaks against holding these against each other.
pub(super) fn all(base: &[RunFacts], new: &[RunFacts], pairing: Pairing) -> Vec<Refusal> {
    let (of_base, of_new) = (base.len(), new.len());
    let most = of_base.max(of_new);
    if most > RUNS_MAX {
        return vec![Refusal::TooMany { runs: most }];
    }
    let mut found = Vec::new();
    if of_base.min(of_new) < RUNS_MIN {
        found.push(Refusal::TooFew {
            base: of_base,
            new: of_new,
        });
    }
    if pairing == Pairing::InOrder && of_base != of_new {
        found.push(Refusal::Unpaired {
            base: of_base,
            new: of_new,
        });
    }
    found.extend(unfit(base.iter().chain(new)));
    found
}

/// What speaks against taking these runs for runs of one kind.
pub(crate) fn alike(runs: &[RunFacts]) -> Vec<Refusal> {
    unfit(runs.iter())
}

fn unfit<'a>(runs: impl Iterator<Item = &'a RunFacts> + Clone) -> Vec<Refusal> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    let again = runs.clone().find(|run| !seen.insert(&run.id));
    found.extend(again.map(|run| Refusal::Twice {
        run: run.id.clone(),
    }));
    found.extend(runs.clone().filter_map(unfinished));
    if let Some(first) = runs.clone().next() {
        found.extend(unlike(first, runs));
    }
    found
}

fn unfinished(run: &RunFacts) -> Option<Refusal> {
    let id = || run.id.clone();
    if run.end.status == Ended::Interrupted {
        return Some(Refusal::Interrupted { run: id() });
    }
    let rule = run.end.aborted.clone()?;
    Some(Refusal::EndedEarly { run: id(), rule })
}

/// The first of each kind of difference: a hundred runs of another plan are one reason.
fn unlike<'a>(first: &RunFacts, runs: impl Iterator<Item = &'a RunFacts> + Clone) -> Vec<Refusal> {
    let ids = |run: &RunFacts| (first.id.clone(), run.id.clone());
    let load = runs.clone().find(|run| run.plan.load != first.plan.load);
    let load = load
        .map(ids)
        .map(|(base, new)| Refusal::OtherLoad { base, new });
    let environment = runs.clone().find(|run| {
        let both = run
            .plan
            .environment
            .as_ref()
            .zip(first.plan.environment.as_ref());
        both.is_some_and(|(one, other)| one != other)
    });
    let environment = environment
        .map(ids)
        .map(|(base, new)| Refusal::OtherEnvironment { base, new });
    let host = runs.clone().find(|run| !run.host.is_like(&first.host));
    let host = host.map(|run| Refusal::OtherHost {
        base: first.id.clone(),
        on: first.host.clone(),
        new: run.id.clone(),
        and: run.host.clone(),
    });
    let measured = measures(&first.harness_version);
    let mut runs = runs;
    let harness = runs.find(|run| measures(&run.harness_version) != measured);
    let harness = harness.map(|run| Refusal::OtherHarness {
        base: first.id.clone(),
        by: first.harness_version.clone(),
        new: run.id.clone(),
        and: run.harness_version.clone(),
    });
    let found = [load, environment, host, harness];
    found.into_iter().flatten().collect()
}
