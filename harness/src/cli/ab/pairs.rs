//! This module does the pairs of `harness ab`, until the answer is clear or time or pairs are used up.
//!
//! **In:** two sides, limits, the rules. **Out:** [`Ended`]: the decision and why there are no more pairs.

use std::path::PathBuf;
use std::time::Duration;

use super::limits::{Fitted, Limits};
use super::side::{self, Side};
use crate::cli::failure::Failure;
use crate::cli::screen;
use crate::cli::series::child::{Progress, Runner};
use crate::cli::series::place::Place;
use crate::cli::series::{OneRun, name};
use crate::clock::monotonic_ns;
use crate::exit::Exit;
use crate::gate::comparison::Decision;
use crate::gate::facts::RunFacts;
use crate::gate::looks::{Looks, decide_at, is_clear};
use crate::gate::metric::{Metric, Part};
use crate::gate::rules::Rules;
use crate::gate::sides::Named;
use crate::intake;
use crate::plan::seed::{Purpose, Stream};
use crate::result::store::RunDir;
use crate::stage::Stage;
use crate::units;

/// Where pairs go that are not counted.
const ASIDE: &str = "aside";

/// Why there are no more pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Clear,
    Pairs,
    Budget,
    Interrupted,
}

/// The end of it.
#[derive(Debug)]
pub(super) struct Ended {
    pub decision: Decision,
    pub why: Why,
}

/// Pairs of runs under way.
#[derive(Debug)]
pub(super) struct Pairs {
    sides: [Side; 2],
    runner: Runner,
    place: Place,
    rules: Rules,
    limits: Limits,
    usual: Duration,
    looks: Looks,
    order: Stream,
    order_seed: u64,
    shown: bool,
    aside: Vec<String>,
}

impl Pairs {
    pub(super) fn new(
        sides: [Side; 2],
        (runner, place): (Runner, Place),
        (fitted, order_seed): (Fitted, u64),
        (rules, shown): (Rules, bool),
    ) -> Self {
        Self {
            sides,
            runner,
            place,
            rules,
            looks: Looks::up_to(fitted.limits.pairs),
            limits: fitted.limits,
            usual: fitted.usual,
            order: Stream::new(order_seed, Purpose::Order, 0),
            order_seed,
            shown,
            aside: Vec::new(),
        }
    }

    /// What will be done, and how long it takes.
    pub(super) fn announcement(&self) -> Vec<String> {
        let [base, new] = &self.sides;
        let pairs = self.limits.pairs;
        let all = units::print_us(units::us(self.usual * 2) * pairs as u64);
        let looks: Vec<String> = self.looks.after().iter().map(ToString::to_string).collect();
        vec![
            format!("base: {}", base.what),
            format!("new:  {}", new.what),
            format!(
                "at most {pairs} pairs of runs of about {} each, at most about {all}; looks after {} pairs; order seed {}",
                units::print_us(units::us(self.usual)),
                looks.join(", "),
                self.order_seed
            ),
        ]
    }

    /// Does pairs until there is an end.
    pub(super) fn run(mut self) -> Result<Ended, Failure> {
        let begun_ns = monotonic_ns();
        let elapsed = || Duration::from_nanos(monotonic_ns().saturating_sub(begun_ns));
        let mut longest = self.usual * 2;
        loop {
            let number = self.sides[0].runs.len() + 1;
            if number > self.limits.pairs {
                return Ok(self.end(Why::Pairs));
            }
            if self
                .limits
                .budget
                .is_some_and(|budget| elapsed() + longest > budget)
            {
                return Ok(self.end(Why::Budget));
            }
            let before = elapsed();
            let Some(pair) = self.pair(number)? else {
                return Ok(self.end(Why::Interrupted));
            };
            longest = longest.max(elapsed().saturating_sub(before));
            if !self.keep(pair, number)? {
                continue;
            }
            let invalid = self
                .sides
                .iter()
                .any(|side| side.runs.last().is_some_and(is_invalid));
            let look = self.looks.share(number).map(|share| self.decide(share));
            if self.shown {
                self.say(number, look.as_ref());
            }
            if invalid || look.as_ref().is_some_and(is_clear) {
                return Ok(self.end(Why::Clear));
            }
        }
    }

    /// One run of each side, in an order left to chance; `None`: interrupted.
    fn pair(&mut self, number: usize) -> Result<Option<[OneRun; 2]>, Failure> {
        let new_first = self.order.below(2) == 1;
        let first = usize::from(new_first);
        let Some(one) = self.one(first, number)? else {
            return Ok(None);
        };
        let Some(other) = self.one(1 - first, number)? else {
            return Ok(None);
        };
        Ok(Some(if new_first {
            [other, one]
        } else {
            [one, other]
        }))
    }

    fn one(&mut self, which: usize, number: usize) -> Result<Option<OneRun>, Failure> {
        if self.runner.is_interrupted() {
            return Ok(None);
        }
        let side = &self.sides[which];
        let (name, usual) = (name(number), self.usual);
        let folder = side::folder(&self.place.path, side).join(&name);
        let what = format!(
            "pair {number} of at most {}, {}",
            self.limits.pairs, side.name
        );
        let mut progress = Progress::new(self.shown && screen::overwrites());
        let mut tick = |elapsed| progress.show(&what, elapsed, usual);
        let ran = self.runner.run(&side.words, &folder, (usual, &mut tick))?;
        progress.clear();
        let facts = RunDir::at(&folder).read().ok();
        let facts = facts.map(|result| RunFacts::of(&result));
        let run = OneRun {
            name,
            folder,
            exit: ran.exit,
            facts,
        };
        self.place.note(&run)?;
        if self.runner.is_interrupted() || run.exit == Exit::Interrupted {
            return Ok(None);
        }
        if run.facts.is_none() {
            let failure = ran.without_result();
            let fact = format!(
                "the {} side, pair {number}: {failure}",
                self.sides[which].name
            );
            return Err(failure.about(fact));
        }
        Ok(Some(run))
    }

    /// Counts a pair; `false`: it was set aside, for a run of it is invalid and may be done again.
    fn keep(&mut self, pair: [OneRun; 2], number: usize) -> Result<bool, Failure> {
        let invalid = pair.iter().find(|run| run.exit == Exit::Invalid);
        if let Some(invalid) = invalid
            && self.aside.len() < self.limits.redo
        {
            let why = invalid
                .facts
                .as_ref()
                .map_or("", |facts| facts.end.sentence.as_str());
            let again = self.aside.len() + 1;
            let text = format!(
                "pair {number} was set aside and done again ({again} of at most {}), for a run of it is invalid: {why}",
                self.limits.redo
            );
            screen::say(&text);
            for (side, run) in self.sides.iter().zip(&pair) {
                let to = self
                    .place
                    .path
                    .join(ASIDE)
                    .join(format!("{}-{}-{again}", side.name, run.name));
                set_aside(&run.folder, &to)?;
            }
            self.aside.push(text);
            return Ok(false);
        }
        for (side, run) in self.sides.iter_mut().zip(pair) {
            side.runs.extend(run.facts);
        }
        Ok(true)
    }

    fn decide(&self, share: f64) -> Decision {
        let [base, new] = &self.sides;
        let named = |side: &'_ Side| side.what.clone();
        let base = Named {
            name: named(base),
            runs: &base.runs,
        };
        let new = Named {
            name: named(new),
            runs: &new.runs,
        };
        decide_at(&base, &new, &self.rules, share)
    }

    /// What is known after a pair.
    fn say(&self, number: usize, look: Option<&Decision>) {
        let [base, new] = &self.sides;
        let last = |side: &Side, metric: &Metric| side.runs.last()?.values.get(metric).copied();
        let mut metrics = vec![self.rules.primary.clone()];
        for metric in [
            Metric::latency(Stage::TaskQueued, Part::P50),
            Metric::RelativeCpu,
        ] {
            if !metrics.contains(&metric) {
                metrics.push(metric);
            }
        }
        let values = metrics.iter().filter_map(|metric| {
            let (base, new) = last(base, metric).zip(last(new, metric))?;
            let (base, new) = (metric.unit().text(base), metric.unit().text(new));
            Some(format!("{metric} {base} -> {new}"))
        });
        let values: Vec<String> = values.collect();
        let most = self.limits.pairs;
        screen::say(&format!(
            "pair {number} of at most {most}: {}",
            values.join(", ")
        ));
        if let Some(decision) = look {
            let word = if is_clear(decision) {
                "clear"
            } else {
                "not clear yet"
            };
            screen::say(&format!(
                "  look after {number} pairs, {word}: {}",
                decision.sentence
            ));
        }
    }

    /// The last word: of the last look, or of one that is taken now.
    fn end(self, why: Why) -> Ended {
        let pairs = self.sides[0].runs.len();
        let share = self.looks.share(pairs).unwrap_or(self.looks.last_share());
        let mut decision = self.decide(share);
        decision.notes.extend(self.aside);
        Ended { decision, why }
    }
}

fn is_invalid(run: &RunFacts) -> bool {
    run.end.exit_code == Exit::Invalid.code()
}

/// Moves a run to those that are not counted.
fn set_aside(from: &std::path::Path, to: &PathBuf) -> Result<(), Failure> {
    let moved = to.parent().map_or(Ok(()), std::fs::create_dir_all);
    moved
        .and_then(|()| std::fs::rename(from, to))
        .map_err(|error| {
            let fact = format!(
                "{}: cannot be moved: {}",
                from.display(),
                intake::reason(&error)
            );
            Failure::new(Exit::Storage, fact).hint("all runs need one disk")
        })
}
