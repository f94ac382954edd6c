//! This module does the probes of a search, one after the other, until there is an answer.
//!
//! **In:** the question, what an earlier search has seen. **Out:** an [`Answer`], kept after every probe.

use std::path::PathBuf;
use std::time::Duration;

use super::args::CapacityArgs;
use super::refusal::refused;
use crate::capacity::account::{Answer, End, seen};
use crate::capacity::probe::Probe;
use crate::capacity::question::Question;
use crate::capacity::search::{self, Came, Next, Why};
use crate::cli::failure::Failure;
use crate::cli::series::child::{Progress, Runner};
use crate::cli::series::repeat;
use crate::cli::{read, screen};
use crate::clock::monotonic_ns;
use crate::environment::{headroom, raise_files};
use crate::exit::Exit;
use crate::format;
use crate::plan::{self, Plan, estimate};
use crate::render::capacity as render;
use crate::result::store::RunDir;
use crate::units;

/// A search under way.
pub(super) struct Probes<'a> {
    args: &'a CapacityArgs,
    plan: Plan,
    folder: PathBuf,
    question: Question,
    probes: Vec<Probe>,
    runner: Runner,
    usual: Duration,
}

impl<'a> Probes<'a> {
    pub(super) fn new(
        args: &'a CapacityArgs,
        plan: Plan,
        (folder, question, probes): (PathBuf, Question, Vec<Probe>),
    ) -> Result<Self, Failure> {
        Ok(Self {
            args,
            usual: repeat::usual(&plan),
            plan,
            folder,
            question,
            probes,
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
            self.say();
        };
        Ok(Answer::of(self.question.clone(), self.probes.clone(), end))
    }

    /// One probe; `None`: interrupted.
    fn probe(&mut self, load: u64, why: Why) -> Result<Option<Probe>, Failure> {
        let axis = self.question.axis;
        let asked = axis
            .asked(&self.plan, load)
            .map_err(|error| refused(&self.plan, error))?;
        let number = self.probes.len() + 1;
        let name = format!("probe-{number:03}");
        let folder = self.folder.join(&name);
        if folder.exists() {
            // Half of a probe: an interrupted one tells nothing.
            std::fs::remove_dir_all(&folder)?;
        }
        let changes = self.args.changes.loaded(asked.clients, asked.set);
        // Probes of one load are to differ in what is left to chance.
        let seed = self.plan.seed.wrapping_add(number as u64 - 1);
        let path = &self.args.scenario;
        let text = read::text(path)?;
        let plan = plan::compile(&path.to_string_lossy(), &text, &changes.overrides())?;
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
            return Ok(Some(Probe::of(&result, (load, why), name)));
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
        let answer = Answer::of(self.question.clone(), self.probes.clone(), End::Interrupted);
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
    fn say(&self) {
        let Some(probe) = self.probes.last().filter(|_| !self.args.quiet) else {
            return;
        };
        let next = match search::next(&self.question.bounds, &seen(&self.probes)) {
            Next::Done(_) => "that was the last".to_owned(),
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
    }
}

/// What this machine lacks for a load of that size: no run is begun then.
fn lack(plan: &Plan) -> Option<String> {
    if let Err(error) = headroom::check(plan) {
        return Some(error.to_string());
    }
    let (needed, limit) = (estimate::needs(plan).files, raise_files().ok()?);
    (needed > limit).then(|| {
        format!(
            "{} clients need {} open files per process; this process may open {}.",
            format::count(u64::from(plan.load.clients)),
            format::count(needed),
            format::count(limit)
        )
    })
}
