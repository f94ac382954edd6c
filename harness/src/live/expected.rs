//! This module says how the run stands with what its scenario expects, so far.
//!
//! **In:** latencies as they arrive, and the counters. **Out:** a [`Standing`] for each expectation of the plan. It is
//! preliminary: the verdict is made of the saved result.
//!
//! Outside faults means here: not from an injection on until answers have kept to the limit for [`STEADY_LOOKS`]. The result has
//! a better idea of when that was.
//!
//! What is known only afterwards (recovery, service time, what a server counted) is said to be so. A count of a part of the
//! run is not known apart: as long as the whole run keeps to its limit, so does the part.

use crate::format;
use crate::plan::Plan;
use crate::record::counters::{Counters, Recent};
use crate::record::histogram::SparseHistogram;
use crate::result::limit_text;
use crate::scenario::expectation::{Comparison, Expectation, Quantity, Statistic, TimeKind, When};

/// Looks with answers within the limit after which a fault has been recovered from: 3 s.
const STEADY_LOOKS: u32 = 12;

/// How one expectation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// `complete p99`.
    pub what: String,
    /// `outside faults`; empty for the whole run.
    pub when: String,
    pub limit: String,
    pub state: State,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    Holds {
        observed: String,
    },
    Broke {
        observed: String,
    },
    /// Not reached yet, and nothing is broken by that.
    Pending {
        observed: String,
    },
    /// Fewer answers than carry it.
    Few {
        seen: u64,
        needs: u64,
    },
    /// Known afterwards.
    Later,
}

/// What was seen of each expectation.
pub(super) struct Expected {
    /// Answers of those that are about latencies.
    seen: Vec<SparseHistogram>,
    /// Places of faults by expectation that is about one.
    during: Vec<Option<usize>>,
    /// Looks until a fault has been recovered from, by expectation.
    settling: Vec<u32>,
}

impl Expected {
    pub(super) fn new(plan: &Plan) -> Self {
        let during = plan
            .expect
            .iter()
            .map(|expectation| match &expectation.when {
                When::During { fault } => plan
                    .faults
                    .iter()
                    .position(|planned| planned.name == *fault),
                When::WholeRun | When::OutsideFaults | When::Ramp | When::Stage { .. } => None,
            });
        Self {
            seen: vec![SparseHistogram::default(); plan.expect.len()],
            during: during.collect(),
            settling: vec![0; plan.expect.len()],
        }
    }

    /// Adds what arrived since the last look; `in_force`: by fault of the plan.
    pub(super) fn add(&mut self, plan: &Plan, recent: &Recent, (in_force, at_us): (&[bool], u64)) {
        let is_faulted = in_force.iter().any(|in_force| *in_force);
        let places = self
            .seen
            .iter_mut()
            .zip(&self.during)
            .zip(&mut self.settling);
        for (expectation, ((seen, during), settling)) in plan.expect.iter().zip(places) {
            let Quantity::Latency {
                stage, statistic, ..
            } = expectation.what
            else {
                continue;
            };
            let calm = &recent.calm[stage.index()];
            let all = &recent.response[stage.index()];
            let is_in_part = match &expectation.when {
                When::WholeRun => true,
                When::OutsideFaults => {
                    let holds = || expectation.bound.holds(statistic_of(calm, statistic));
                    settle(settling, is_faulted, (!calm.is_empty()).then(holds))
                }
                When::Ramp => at_us <= plan.load.ramp_end_us(),
                When::Stage { name } => {
                    let part = plan.load.part(name);
                    part.is_some_and(|part| (part.from_us..part.to_us).contains(&at_us))
                }
                When::During { .. } => {
                    during.is_some_and(|place| in_force.get(place).copied().unwrap_or(false))
                }
            };
            if is_in_part {
                let is_outside = expectation.when == When::OutsideFaults;
                seen.merge(if is_outside { calm } else { all });
            }
        }
    }

    pub(super) fn standings(&self, plan: &Plan, counters: &Counters) -> Vec<Standing> {
        let all = plan.expect.iter().zip(&self.seen);
        let standing = |(expectation, seen): (&Expectation, &SparseHistogram)| Standing {
            what: expectation.what.text(),
            when: match &expectation.when {
                When::WholeRun => String::new(),
                when => when.text(),
            },
            limit: limit_text(expectation.what, expectation.bound),
            state: state(expectation, seen, counters),
        };
        all.map(standing).collect()
    }
}

fn state(expectation: &Expectation, seen: &SparseHistogram, counters: &Counters) -> State {
    match expectation.what {
        Quantity::Latency {
            time: TimeKind::Service,
            ..
        } => State::Later,
        Quantity::Latency { statistic, .. } => latency(expectation, statistic, seen),
        what => counters
            .count(what)
            .map_or(State::Later, |value| count(expectation, value)),
    }
}

fn latency(expectation: &Expectation, statistic: Statistic, seen: &SparseHistogram) -> State {
    if seen.count() < statistic.needs() {
        return State::Few {
            seen: seen.count(),
            needs: statistic.needs(),
        };
    }
    let value = statistic_of(seen, statistic);
    let observed = format::duration_f64(value);
    if expectation.bound.holds(value) {
        State::Holds { observed }
    } else {
        State::Broke { observed }
    }
}

fn statistic_of(seen: &SparseHistogram, statistic: Statistic) -> f64 {
    match statistic.quantile() {
        Some(quantile) => seen.value_at(quantile) as f64,
        None if statistic == Statistic::Mean => seen.mean_us(),
        None => seen.max_us() as f64,
    }
}

/// Whether this look is outside faults and what they left behind; `holds`: its answers keep to the limit, if there were any.
fn settle(looks_left: &mut u32, is_faulted: bool, holds: Option<bool>) -> bool {
    if is_faulted {
        *looks_left = STEADY_LOOKS;
        return false;
    }
    let was_settled = *looks_left == 0;
    *looks_left = match holds {
        Some(false) if !was_settled => STEADY_LOOKS,
        Some(true) => looks_left.saturating_sub(1),
        Some(false) | None => *looks_left,
    };
    was_settled
}

/// Of the whole run; a count only grows.
fn count(expectation: &Expectation, value: f64) -> State {
    let bound = expectation.bound;
    let is_whole = expectation.when == When::WholeRun;
    let observed = format::count_f64(value);
    let is_limit = matches!(bound.comparison, Comparison::Under | Comparison::AtMost)
        || (bound.comparison == Comparison::Equals && bound.value <= 0.0);
    match (bound.holds(value), is_limit) {
        (true, true) => State::Holds { observed },
        (true, false) if is_whole => State::Holds { observed },
        (false, true) if is_whole => State::Broke { observed },
        // More than is wanted stays so.
        (false, false)
            if is_whole && bound.comparison == Comparison::Equals && value > bound.value =>
        {
            State::Broke { observed }
        }
        (false, false) if is_whole => State::Pending { observed },
        _ => State::Later,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_answers_count_again_once_a_fault_has_been_recovered_from() {
        let mut left = 0;
        assert!(settle(&mut left, false, Some(true)));
        assert!(
            settle(&mut left, false, Some(false)),
            "slow without a fault"
        );
        assert!(!settle(&mut left, true, None));
        // What the fault held up comes late, and then none of it.
        assert!(!settle(&mut left, false, Some(false)));
        for look in 0..STEADY_LOOKS {
            assert!(!settle(&mut left, false, Some(true)), "look {look}");
            assert!(!settle(&mut left, false, None) || left == 0);
        }
        assert!(settle(&mut left, false, Some(false)), "slow after it");
    }

    #[test]
    fn a_count_stands_as_far_as_it_is_known_while_it_goes_on() {
        use crate::scenario::expectation::{Bound, Outcome};
        let expected = |comparison, value, when| Expectation {
            what: Quantity::Delivery {
                outcome: Outcome::Lost,
            },
            when,
            bound: Bound { comparison, value },
            bound_text: String::new(),
            line: 0,
        };
        let whole = |comparison, value| expected(comparison, value, When::WholeRun);
        let none = whole(Comparison::Equals, 0.0);
        assert!(matches!(count(&none, 0.0), State::Holds { .. }));
        assert!(matches!(count(&none, 1.0), State::Broke { .. }));
        let many = whole(Comparison::AtLeast, 100.0);
        assert!(matches!(count(&many, 99.0), State::Pending { .. }));
        assert!(matches!(count(&many, 100.0), State::Holds { .. }));
        let calm = expected(Comparison::AtMost, 5.0, When::OutsideFaults);
        assert!(matches!(count(&calm, 5.0), State::Holds { .. }));
        // It may have been in a fault that it happened.
        assert_eq!(count(&calm, 6.0), State::Later);
    }
}
