//! This module ends a run that would destroy what it tests: `[[abort_when]]`.
//!
//! **In:** the live counters and the latencies that arrived since the last look. **Out:** the first
//! rule that has held for as long as it must, with what was seen.
//!
//! A latency is judged by arrival, over the last [`SPAN_US`]; where those hold fewer answers than the rule asks
//! for, over as many more as that takes. So a rule on many answers looks at the moment, one on few at a longer
//! while, and neither ends a run by its first answers. What was answered before `after` does not count, nor, in a
//! rule `outside faults`, what a fault touched. Counts are since load start.

use std::collections::VecDeque;

use crate::format;
use crate::plan::Plan;
use crate::record::counters::{Counters, Recent};
use crate::record::fault::FaultBoard;
use crate::record::histogram::SparseHistogram;
use crate::result::{Abort, limit_text};
use crate::scenario::expectation::{AbortRule, Quantity, Statistic, When};
use crate::units;

/// What a latency is taken over where it holds enough answers.
const SPAN_US: u64 = 5_000_000;
/// Looks are put together until they hold this share of the answers that a rule asks for: few are kept, however
/// thinly the answers come.
const PART_OF_SAMPLES: u64 = 64;

/// Watches the rules of a plan.
pub(super) struct Guard<'a> {
    plan: &'a Plan,
    counters: &'a Counters,
    board: &'a FaultBoard,
    watches: Vec<Watch>,
    last_us: u64,
}

/// What one rule has seen.
#[derive(Debug, Default)]
struct Watch {
    /// Looks that brought answers, the oldest first.
    looks: VecDeque<Look>,
    /// Since when it holds.
    since_us: Option<u64>,
}

#[derive(Debug, Default)]
struct Look {
    from_us: u64,
    to_us: u64,
    answers: SparseHistogram,
}

/// One quantity, now.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Seen {
    value: f64,
    /// Answers behind it, and since when they came; 0 and the moment itself for a count.
    samples: u64,
    from_us: u64,
}

impl<'a> Guard<'a> {
    pub(super) fn new(plan: &'a Plan, counters: &'a Counters, board: &'a FaultBoard) -> Self {
        Self {
            plan,
            counters,
            board,
            watches: plan.abort_when.iter().map(|_| Watch::default()).collect(),
            last_us: 0,
        }
    }

    /// The rule that ends the run now.
    pub(super) fn look(&mut self, now_us: u64, recent: &Recent) -> Option<Abort> {
        let span = (std::mem::replace(&mut self.last_us, now_us), now_us);
        let mut ended = None;
        let (plan, counters, board) = (self.plan, self.counters, self.board);
        let rules = plan.abort_when.iter().zip(&mut self.watches).enumerate();
        for (place, (rule, watch)) in rules {
            let seen = if applies(rule, plan, board, span) {
                watch.observe(rule, counters, recent, span)
            } else {
                None
            };
            let held = seen.filter(|seen| rule.expectation.bound.holds(seen.value));
            let Some(seen) = held else {
                watch.since_us = None;
                continue;
            };
            let since_us = *watch.since_us.get_or_insert(now_us);
            if ended.is_none() && now_us.saturating_sub(since_us) >= rule.for_us {
                ended = Some(Abort {
                    rule: place,
                    from_us: seen.from_us.min(since_us),
                    at_us: now_us,
                    observed: seen.value,
                    samples: seen.samples,
                    text: words(rule, seen, now_us),
                });
            }
        }
        ended
    }
}

/// Whether a rule is about this stretch of the run.
fn applies(
    rule: &AbortRule,
    plan: &Plan,
    board: &FaultBoard,
    (from_us, to_us): (u64, u64),
) -> bool {
    if from_us < rule.after_us {
        return false;
    }
    match &rule.expectation.when {
        When::WholeRun => true,
        When::OutsideFaults => board.touched(from_us, to_us).is_none(),
        When::Ramp => to_us <= plan.load.ramp_end_us(),
        When::Stage { name } => {
            let part = plan.load.part(name);
            part.is_some_and(|part| from_us >= part.from_us && to_us <= part.to_us)
        }
        When::During { fault } => {
            let place = plan
                .faults
                .iter()
                .position(|planned| planned.name == *fault);
            place.is_some_and(|place| board.touches(place, from_us, to_us))
        }
    }
}

impl Watch {
    /// `None`: not enough to tell, or known only afterwards.
    fn observe(
        &mut self,
        rule: &AbortRule,
        counters: &Counters,
        recent: &Recent,
        span: (u64, u64),
    ) -> Option<Seen> {
        if let Quantity::Latency {
            stage, statistic, ..
        } = rule.expectation.what
        {
            let lot = match rule.expectation.when {
                When::OutsideFaults => &recent.calm,
                When::WholeRun | When::Ramp | When::During { .. } | When::Stage { .. } => {
                    &recent.response
                }
            };
            let least = rule.min_samples.max(statistic.needs());
            self.add(&lot[stage.index()], span, least);
            return self.latency(statistic, least);
        }
        counters.count(rule.expectation.what).map(|value| Seen {
            value,
            samples: 0,
            from_us: span.1,
        })
    }

    /// Takes the answers of a look in, and lets go of those that are too old to count.
    fn add(&mut self, answers: &SparseHistogram, (from_us, to_us): (u64, u64), least: u64) {
        if !answers.is_empty() {
            let part = self.looks.back_mut();
            match part.filter(|part| part.answers.count() < least / PART_OF_SAMPLES) {
                Some(part) => {
                    part.to_us = to_us;
                    part.answers.merge(answers);
                }
                None => self.looks.push_back(Look {
                    from_us,
                    to_us,
                    answers: answers.clone(),
                }),
            }
        }
        let mut count: u64 = self.looks.iter().map(|look| look.answers.count()).sum();
        while let Some(oldest) = self.looks.front() {
            count -= oldest.answers.count();
            if oldest.to_us.saturating_add(SPAN_US) > to_us || count < least {
                return;
            }
            self.looks.pop_front();
        }
    }

    fn latency(&self, statistic: Statistic, least: u64) -> Option<Seen> {
        let mut all = SparseHistogram::default();
        for look in &self.looks {
            all.merge(&look.answers);
        }
        if all.count() < least {
            return None;
        }
        let value = match statistic.quantile() {
            Some(quantile) => all.value_at(quantile) as f64,
            None if statistic == Statistic::Mean => all.mean_us(),
            None => all.max_us() as f64,
        };
        Some(Seen {
            value,
            samples: all.count(),
            from_us: self.looks.front().map_or(0, |look| look.from_us),
        })
    }
}

/// The rule with its moment, what was seen, and over how much.
fn words(rule: &AbortRule, seen: Seen, now_us: u64) -> String {
    let expected = &rule.expectation;
    let name = expected.what.text();
    let place = match &expected.when {
        When::WholeRun => String::new(),
        when => format!(" {}", when.text()),
    };
    let at = format::duration(now_us);
    let observed = if expected.what.is_time() {
        let answers = format::count(seen.samples);
        let over = format::duration(now_us.saturating_sub(seen.from_us));
        let value = format::duration_f64(seen.value);
        format!("{value} at {at}, over the {answers} answers of the last {over}")
    } else {
        let since = match expected.when {
            // What is counted is counted from the start of the load.
            When::Stage { .. } => ", counted from the start",
            When::WholeRun | When::OutsideFaults | When::Ramp | When::During { .. } => "",
        };
        format!("{} at {at}{since}", format::count_f64(seen.value))
    };
    let limit = limit_text(expected.what, expected.bound);
    let lasting = match rule.for_us {
        0 => String::new(),
        us => format!(" for {}", units::print_us(us)),
    };
    let line = match expected.line {
        0 => "its rule".to_owned(),
        line => format!("line {line} of the scenario"),
    };
    format!("{name}{place} was {observed} ({line}: {limit}{lasting})")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::scenario::expectation::{Bound, Comparison, Expectation, Outcome, TimeKind};
    use crate::stage::Stage;

    const SLOW: Quantity = Quantity::Latency {
        stage: Stage::Complete,
        statistic: Statistic::P95,
        time: TimeKind::Response,
    };
    const LOOK_US: u64 = 250_000;

    fn rule(what: Quantity, value: f64) -> AbortRule {
        let bound = Bound {
            comparison: Comparison::AtLeast,
            value,
        };
        AbortRule {
            expectation: Expectation {
                what,
                when: When::WholeRun,
                bound,
                bound_text: String::new(),
                line: 9,
            },
            after_us: 0,
            for_us: 0,
            min_samples: what.acts_on(),
        }
    }

    fn slow() -> AbortRule {
        rule(SLOW, 500_000.0)
    }

    /// Looks every 250 ms at `answers` of that look's number, until the rule ends the run.
    fn ended(
        rule: AbortRule,
        looks: u64,
        answers: impl Fn(u64) -> Vec<u64>,
        board: &FaultBoard,
    ) -> Option<Abort> {
        let plan = Plan {
            abort_when: vec![rule],
            ..crate::result::example_plan()
        };
        let counters = Counters::new(1);
        let mut guard = Guard::new(&plan, &counters, board);
        (1..=looks).find_map(|look| {
            let now_us = look * LOOK_US;
            let mut recent = Recent::default();
            for us in answers(look) {
                let touched = board.touched(now_us.saturating_sub(us), now_us).is_some();
                recent.record(Stage::Complete, touched, us);
            }
            guard.look(now_us, &recent)
        })
    }

    fn text(abort: Option<Abort>) -> String {
        abort.map_or(String::new(), |abort| format::plain(&abort.text))
    }

    #[test]
    fn a_count_that_is_reached_ends_the_run() {
        let lost = Quantity::Delivery {
            outcome: Outcome::Lost,
        };
        let look = |count: u64| {
            let plan = Plan {
                abort_when: vec![rule(lost, 10.0)],
                ..crate::result::example_plan()
            };
            let (counters, board) = (Counters::new(1), FaultBoard::new(1));
            counters.lost.store(count, Ordering::Relaxed);
            text(Guard::new(&plan, &counters, &board).look(1_000_000, &Recent::default()))
        };
        assert_eq!(
            look(10),
            "lost was 10 at 1.00 s (line 9 of the scenario: ≥ 10)"
        );
        assert_eq!(look(9), "");
    }

    #[test]
    fn the_first_answers_of_a_cold_start_end_nothing() {
        let board = FaultBoard::new(1);
        // Two of 900 ms, then five of 5 ms a look.
        let cold = |look: u64| match look {
            1..=4 => vec![],
            5 => vec![900_000; 2],
            _ => vec![5_000; 5],
        };
        assert_eq!(ended(slow(), 240, cold, &board), None);
        // Nor do they where the rule asks for few, if they are few enough to be chance; where it asks for none they do.
        let hasty = AbortRule {
            min_samples: 20,
            ..slow()
        };
        assert!(ended(hasty.clone(), 240, cold, &board).is_some());
        let patient = AbortRule {
            after_us: 2_000_000,
            ..hasty
        };
        assert_eq!(ended(patient, 240, cold, &board), None);
    }

    #[test]
    fn a_rule_looks_back_as_far_as_it_needs_answers_and_says_so() {
        let board = FaultBoard::new(1);
        // Four a second: a hundred take 25 s. Slow from 30 s on.
        let thin = |look: u64| vec![if look > 120 { 900_000 } else { 5_000 }];
        let abort = ended(slow(), 400, thin, &board).unwrap();
        assert_eq!(abort.at_us, 31_500_000, "the sixth of a hundred is slow");
        assert_eq!(
            text(Some(abort)),
            "complete p95 was 900 ms at 31.5 s, over the 100 answers of the last 25.0 s \
             (line 9 of the scenario: ≥ 500 ms)"
        );
        // Four hundred a second: the last five seconds hold enough.
        let dense = |look: u64| vec![if look > 120 { 900_000 } else { 5_000 }; 100];
        let abort = ended(slow(), 400, dense, &board).unwrap();
        assert!(
            abort.at_us - abort.from_us <= SPAN_US + LOOK_US,
            "{abort:?}"
        );
    }

    #[test]
    fn what_passes_before_its_time_ends_nothing() {
        let board = FaultBoard::new(1);
        let lasting = |us: u64| AbortRule {
            for_us: us,
            ..slow()
        };
        // Slow from 20 s to 30 s: the rule holds a little longer, as long as it looks back.
        let burst = |look: u64| {
            let us = if (81..=120).contains(&look) {
                900_000
            } else {
                5_000
            };
            vec![us; 100]
        };
        assert_eq!(ended(lasting(20_000_000), 400, burst, &board), None);
        let abort = ended(lasting(8_000_000), 400, burst, &board).unwrap();
        assert!((28_000_000..29_500_000).contains(&abort.at_us), "{abort:?}");
        assert!(abort.from_us <= 21_000_000, "{abort:?}");
        assert!(text(Some(abort)).ends_with("(line 9 of the scenario: ≥ 500 ms for 8s)"));
    }

    #[test]
    fn outside_faults_leaves_out_what_a_fault_held_back() {
        let board = FaultBoard::new(1);
        board.begin(0, 20_000_000);
        board.end(0, 25_000_000);
        // What waited for the end of the fault comes all at once, right after it.
        let backlog = |look: u64| match look {
            81..=102 => vec![],
            103 => vec![5_000_000; 500],
            _ => vec![5_000; 100],
        };
        let outside = AbortRule {
            expectation: Expectation {
                when: When::OutsideFaults,
                ..slow().expectation
            },
            ..slow()
        };
        assert_eq!(ended(outside, 240, backlog, &board), None);
        assert!(ended(slow(), 240, backlog, &board).is_some());
    }

    #[test]
    fn however_thin_the_answers_few_looks_are_kept() {
        let mut watch = Watch::default();
        let mut one = SparseHistogram::default();
        one.record(5_000);
        for look in 0..100_000 {
            watch.add(&one, (look * LOOK_US, (look + 1) * LOOK_US), 10_000);
        }
        assert!(watch.looks.len() <= 70, "{}", watch.looks.len());
        assert!(watch.latency(Statistic::P95, 10_000).is_some());
    }
}
