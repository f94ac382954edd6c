//! This module does the probes of a search, one after the other, until there is an answer.
//!
//! **In:** the question, what an earlier search has seen. **Out:** an [`Answer`], kept after every probe.

use std::path::PathBuf;
use std::time::Duration;

use super::args::CapacityArgs;
use super::storm::{self, Exposed, Stormed};
use crate::capacity::account::{Answer, End, seen};
use crate::capacity::probe::Probe;
use crate::capacity::question::Question;
use crate::capacity::search::{self, Came, Next, Why};
use crate::capacity::storm::Storm;
use crate::cli::failure::Failure;
use crate::cli::overrides::OverrideArgs;
use crate::cli::screen;
use crate::cli::series::child::{Progress, Runner};
use crate::cli::series::repeat;
use crate::clock::monotonic_ns;
use crate::environment::{headroom, raise_files};
use crate::exit::Exit;
use crate::format;
use crate::plan::{Plan, estimate};
use crate::render::capacity as render;
use crate::result::store::RunDir;
use crate::units;

/// What an earlier search has seen.
pub(super) type Done = (Vec<Probe>, Option<Storm>);

/// A search under way.
pub(super) struct Probes<'a> {
    args: &'a CapacityArgs,
    plan: Plan,
    folder: PathBuf,
    question: Question,
    probes: Vec<Probe>,
    storm: Option<Storm>,
    runner: Runner,
    usual: Duration,
}

impl<'a> Probes<'a> {
    pub(super) fn new(
        args: &'a CapacityArgs,
        plan: Plan,
        (folder, question, (probes, storm)): (PathBuf, Question, Done),
    ) -> Result<Self, Failure> {
        Ok(Self {
            args,
            usual: repeat::usual(&plan),
            plan,
            folder,
            question,
            probes,
            storm,
            runner: Runner::new()?,
        })
    }

    /// Does probes until there is an end.
    pub(super) fn search(&mut self) -> Result<Answer, Failure> {
        self.announce();
        let begun_ns = monotonic_ns();
        let elapsed = || Duration::from_nanos(monotonic_ns().saturating_sub(begun_ns));
        let mut longest = self.usual;
        let end = loop {
            let (load, why) = match search::next(&self.question.bounds, &seen(&self.probes)) {
                Next::Done(_) => break End::Done,
                Next::Probe { load, why } => (load, why),
            };
            if self.runner.is_interrupted() {
                break End::Interrupted;
            }
            let before = elapsed();
            if before + longest > self.args.budget {
                break End::Budget;
            }
            let Some(probe) = self.probe(load, why)? else {
                break End::Interrupted;
            };
            longest = longest.max(elapsed().saturating_sub(before));
            self.probes.push(probe);
            self.keep()?;
            self.say()?;
        };
        let answer = self.answer(end);
        let held = answer.found.held().filter(|_| end == End::Done);
        let Some(held) = held else {
            return Ok(answer);
        };
        let budget = self.args.budget;
        let left = || budget.saturating_sub(elapsed());
        Ok(match self.storm(held, left)? {
            None => answer,
            Some(Stormed::Done(storm)) => {
                self.storm = Some(storm);
                self.keep()?;
                self.answer(end)
            }
            Some(Stormed::Interrupted) => self.answer(End::Interrupted),
            Some(Stormed::NoTime { needed }) => {
                let mut answer = answer;
                answer.notes.push(storm::left_out(needed));
                answer
            }
        })
    }

    /// Has the load that held stand a storm, where that is due.
    fn storm(
        &mut self,
        load: u64,
        left: impl Fn() -> Duration,
    ) -> Result<Option<Stormed>, Failure> {
        let (_, calm) = self.loaded(load)?;
        let Some(within) = storm::due(self.args, (&calm, load), self.storm.as_ref()) else {
            return Ok(None);
        };
        let exposed = Exposed {
            args: self.args,
            folder: &self.folder,
            calm,
            load,
            text: format!("{} {}", format::count(load), self.question.axis.unit()),
        };
        exposed.weather(&within, (&mut self.runner, left)).map(Some)
    }

    /// What is known so far.
    fn answer(&self, end: End) -> Answer {
        let seen = (self.probes.clone(), self.storm.clone());
        Answer::of(self.question.clone(), seen, end)
    }

    /// The changes that make a run one at that load, and its plan.
    fn loaded(&self, load: u64) -> Result<(OverrideArgs, Plan), Failure> {
        self.args.loaded(&self.plan, load)
    }

    /// One probe; `None`: interrupted.
    fn probe(&mut self, load: u64, why: Why) -> Result<Option<Probe>, Failure> {
        let axis = self.question.axis;
        let number = self.probes.len() + 1;
        let name = format!("probe-{number:03}");
        let folder = self.folder.join(&name);
        if folder.exists() {
            // Half of a probe: an interrupted one tells nothing.
            std::fs::remove_dir_all(&folder)?;
        }
        let (changes, plan) = self.loaded(load)?;
        // Probes of one load are to differ in what is left to chance.
        let seed = self.plan.seed.wrapping_add(number as u64 - 1);
        if let Some(lack) = lack(&plan) {
            return Ok(Some(Probe::without((load, why), Came::Full, lack)));
        }
        let words = self.args.probe(&changes).words(seed);
        let what = format!("probe {number}, {} {}", format::count(load), axis.unit());
        let mut progress = Progress::new(!self.args.quiet && screen::overwrites());
        let usual = self.usual;
        let mut tick = |elapsed| progress.show(&what, elapsed, usual);
        let ran = self.runner.run(&words, &folder, (usual, &mut tick))?;
        progress.clear();
        if self.runner.is_interrupted() || ran.exit == Exit::Interrupted {
            return Ok(None);
        }
        if let Ok(result) = RunDir::at(&folder).read() {
            return Ok(Some(Probe::of((axis, &result), (load, why), name)));
        }
        let failure = ran.without_result();
        let began_below = self.probes.iter().any(|probe| !probe.run.is_empty());
        if ran.exit == Exit::Environment && began_below {
            // It came up before: the target may be gone, or this machine has changed.
            return Ok(Some(Probe::without(
                (load, why),
                Came::Unclear,
                failure.to_string(),
            )));
        }
        let fact = format!("{what}: {failure}");
        Err(failure.about(fact))
    }

    /// Writes down what is known, for whoever goes on with it.
    fn keep(&self) -> Result<(), Failure> {
        let answer = self.answer(End::Interrupted);
        RunDir::at(&self.folder).write(render::JSON, &render::json(&answer)?)?;
        Ok(())
    }

    fn announce(&self) {
        if self.args.quiet {
            return;
        }
        let bounds = &self.question.bounds;
        let (from, to, unit) = (
            format::count(bounds.from),
            format::count(bounds.to),
            self.question.axis.unit(),
        );
        screen::say(&format!(
            "from {from} to {to} {unit}, to {}; a probe takes about {}, all of them at most {}",
            format::percent(bounds.precision_ratio),
            units::print_us(units::us(self.usual)),
            units::print_duration(self.args.budget)
        ));
        screen::say(&format!("must hold: {}", self.question.expected.join("; ")));
        if !self.probes.is_empty() {
            screen::say(&format!("{} probes are done already", self.probes.len()));
        }
    }

    /// The last probe, and what is next.
    fn say(&self) -> Result<(), Failure> {
        let Some(probe) = self.probes.last().filter(|_| !self.args.quiet) else {
            return Ok(());
        };
        let next = match search::next(&self.question.bounds, &seen(&self.probes)) {
            Next::Done(found) => {
                let is_due = match found.held() {
                    Some(load) => {
                        let (_, calm) = self.loaded(load)?;
                        storm::due(self.args, (&calm, load), self.storm.as_ref()).is_some()
                    }
                    None => false,
                };
                let next = if is_due {
                    "next half of the clients are cut at once"
                } else {
                    "that was the last"
                };
                next.to_owned()
            }
            Next::Probe { load, .. } => format!("next {}", format::count(load)),
        };
        let word = match probe.came {
            Came::Held => "held",
            Came::Broke => "broke",
            Came::Full => "filled the generator",
            Came::Unclear => "could not be told",
        };
        let why = match probe.came {
            Came::Held => String::new(),
            Came::Broke | Came::Full | Came::Unclear => format!(": {}", probe.sentence),
        };
        screen::say(&format!(
            "probe {}: {} {} {word}{why}; {next}",
            self.probes.len(),
            format::count(probe.load),
            self.question.axis.unit()
        ));
        Ok(())
    }
}

/// What this machine lacks for a load of that size: no run is begun then.
fn lack(plan: &Plan) -> Option<String> {
    if let Err(error) = headroom::check(plan) {
        return Some(error.to_string());
    }
    let limit = raise_files().ok()?;
    let shards = estimate::shards(plan, limit);
    let load = estimate::shard_files(plan, shards);
    let served = match plan.environment.target {
        None => estimate::server_files(plan, (estimate::instances(plan, limit), shards)),
        Some(_) => 0,
    };
    let needed = load.max(served);
    (needed > limit).then(|| {
        format!(
            "{} clients need {} open files per process; this process may open {}.",
            format::count(u64::from(plan.load.clients)),
            format::count(needed),
            format::count(limit)
        )
    })
}
