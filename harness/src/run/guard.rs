//! This module ends a run that would destroy what it tests: `[[abort_when]]`.
//!
//! **In:** the live counters and the latencies that arrived since the last look. **Out:** the first
//! rule that holds, in words.
//!
//! Latency is judged by arrival, over the last [`LOOKS`] looks, and only with enough answers to
//! support the percentile. Counts are since load start.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::format;
use crate::plan::Plan;
use crate::record::counters::{CUT_CODES, Counters, Recent};
use crate::record::fault::FaultBoard;
use crate::record::histogram::SparseHistogram;
use crate::scenario::expectation::{Expectation, Outcome, Quantity, Statistic, When};
use crate::stage::Stage;

/// Looks over which a latency is taken: about a second.
const LOOKS: usize = 4;

/// Watches the rules of a plan.
pub(super) struct Guard<'a> {
    plan: &'a Plan,
    counters: &'a Counters,
    board: &'a FaultBoard,
    recent: VecDeque<Recent>,
}

impl<'a> Guard<'a> {
    pub(super) fn new(plan: &'a Plan, counters: &'a Counters, board: &'a FaultBoard) -> Self {
        Self {
            plan,
            counters,
            board,
            recent: VecDeque::new(),
        }
    }

    /// The rule that holds now, in words.
    pub(super) fn look(&mut self, now_us: u64, recent: Recent) -> Option<String> {
        self.recent.push_back(recent);
        if self.recent.len() > LOOKS {
            self.recent.pop_front();
        }
        let mut rules = self.plan.abort_when.iter();
        rules.find_map(|rule| {
            let applies = self.applies(&rule.when, now_us);
            let seen = applies.then(|| self.observe(rule.what)).flatten()?;
            rule.bound.holds(seen).then(|| words(rule, seen))
        })
    }

    fn applies(&self, when: &When, now_us: u64) -> bool {
        let touched = self.board.touched(now_us, now_us);
        match when {
            When::WholeRun => true,
            When::OutsideFaults => touched.is_none(),
            When::Ramp => now_us < self.plan.load.ramp_end_us(),
            When::During { fault } => {
                touched.is_some_and(|place| self.plan.faults[place].name == *fault)
            }
        }
    }

    /// `None`: not enough to tell, or known only afterwards.
    fn observe(&self, what: Quantity) -> Option<f64> {
        let count = |counter: &AtomicU64| Some(counter.load(Ordering::Relaxed) as f64);
        let counters = self.counters;
        match what {
            Quantity::Latency {
                stage, statistic, ..
            } => self.latency(stage, statistic),
            Quantity::Delivery { outcome } => match outcome {
                Outcome::Sent => count(&counters.sent),
                Outcome::Completed => count(&counters.completed),
                Outcome::Refused => count(&counters.refused),
                Outcome::Unanswered => count(&counters.unanswered),
                Outcome::Lost => count(&counters.lost),
                Outcome::Duplicated => count(&counters.duplicated),
                Outcome::OutOfOrder => count(&counters.out_of_order),
                Outcome::Unexpected => count(&counters.unexpected),
                Outcome::Pending | Outcome::Late => None,
            },
            Quantity::Closes { code } => {
                let slot = CUT_CODES.iter().position(|&known| known == code)?;
                count(&counters.cut[slot])
            }
            Quantity::CutSessions => {
                let cut = counters
                    .cut
                    .iter()
                    .map(|counter| counter.load(Ordering::Relaxed));
                Some(cut.sum::<u64>() as f64)
            }
            Quantity::FailedClients => count(&counters.clients_failed),
            Quantity::PeakOpen => count(&counters.peak_open),
            Quantity::Impact
            | Quantity::Detect
            | Quantity::Recovery
            | Quantity::BacklogDrain
            | Quantity::Server { .. } => None,
        }
    }

    fn latency(&self, stage: Stage, statistic: Statistic) -> Option<f64> {
        let mut all = SparseHistogram::default();
        for recent in &self.recent {
            all.merge(&recent.response[stage.index()]);
        }
        let quantile = match statistic {
            Statistic::Mean => return (!all.is_empty()).then(|| all.mean_us()),
            Statistic::Max => return (!all.is_empty()).then(|| all.max_us() as f64),
            Statistic::P50 => 0.5,
            Statistic::P90 => 0.9,
            Statistic::P95 => 0.95,
            Statistic::P99 => 0.99,
            Statistic::P999 => 0.999,
        };
        let needed = 1.0 / (1.0 - quantile);
        (all.count() as f64 + 0.5 >= needed).then(|| all.value_at(quantile) as f64)
    }
}

/// The rule and what was seen.
fn words(rule: &Expectation, seen: f64) -> String {
    let name = crate::result::quantity_name(rule.what);
    let observed = match rule.what {
        Quantity::Latency { .. } => format::duration_f64(seen),
        _ => format::count_f64(seen),
    };
    match rule.line {
        0 => format!("{name} was {observed}"),
        line => format!("{name} was {observed} (line {line} of the scenario)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::expectation::{Bound, Comparison};

    fn rule(what: Quantity, value: f64) -> Expectation {
        let bound = Bound {
            comparison: Comparison::AtLeast,
            value,
        };
        Expectation {
            what,
            when: When::WholeRun,
            bound,
            bound_text: String::new(),
            line: 9,
        }
    }

    #[track_caller]
    fn check(rule: Expectation, arrange: impl FnOnce(&Counters, &mut Recent), expected: &str) {
        let plan = Plan {
            abort_when: vec![rule],
            ..crate::result::example_plan()
        };
        let (counters, board) = (Counters::new(1), FaultBoard::new(plan.faults.len()));
        let mut recent = Recent::default();
        arrange(&counters, &mut recent);
        let found = Guard::new(&plan, &counters, &board).look(1_000_000, recent);
        assert_eq!(
            found.as_deref().map(format::plain).unwrap_or_default(),
            expected
        );
    }

    #[test]
    fn a_count_that_is_reached_ends_the_run() {
        let lost = Quantity::Delivery {
            outcome: Outcome::Lost,
        };
        let many = |count: u64| {
            move |counters: &Counters, _: &mut Recent| {
                counters.lost.store(count, Ordering::Relaxed);
            }
        };
        check(
            rule(lost, 10.0),
            many(10),
            "lost was 10 (line 9 of the scenario)",
        );
        check(rule(lost, 10.0), many(9), "");
    }

    #[test]
    fn a_percentile_without_support_ends_nothing() {
        let slow = Quantity::Latency {
            stage: Stage::Complete,
            statistic: Statistic::P99,
            time: crate::scenario::expectation::TimeKind::Response,
        };
        let answers = |count: u64| {
            move |_: &Counters, recent: &mut Recent| {
                for _ in 0..count {
                    recent.response[Stage::Complete.index()].record(6_000_000);
                }
            }
        };
        check(rule(slow, 5e6), answers(99), "");
        check(
            rule(slow, 5e6),
            answers(100),
            "complete p99 was 6.00 s (line 9 of the scenario)",
        );
    }
}
