//! This module does the storm probe: the load that held once more, with half of its connections cut in the middle.
//!
//! **In:** the plan of the load. **Out:** [`Stormed`], and `storm.toml` in the folder of the search, which can be run by itself.

use std::path::Path;
use std::time::Duration;

use super::args::CapacityArgs;
use crate::capacity::storm::{self, NAME, Storm, Within};
use crate::cli::failure::Failure;
use crate::cli::overrides::OverrideArgs;
use crate::cli::screen;
use crate::cli::series::child::{Progress, Runner};
use crate::cli::series::repeat;
use crate::exit::Exit;
use crate::format;
use crate::plan::{self, Plan};
use crate::result::store::RunDir;
use crate::units;

/// How often a storm is tried that says nothing.
const TRIES_MAX: usize = 2;
/// The scenario of the storm.
const FILE: &str = "storm.toml";

/// How far it came.
pub(super) enum Stormed {
    Done(Storm),
    Interrupted,
    /// It would be over the budget.
    NoTime {
        needed: Duration,
    },
}

/// A load that is to stand a storm.
pub(super) struct Exposed<'a> {
    pub args: &'a CapacityArgs,
    /// The folder of the search.
    pub folder: &'a Path,
    /// The load that held: its plan, in the unit of the axis, and in words.
    pub calm: Plan,
    pub load: u64,
    pub text: String,
}

/// How soon clients must be back, where a storm at that load is still to be done: one that said nothing is none.
pub(super) fn due(
    args: &CapacityArgs,
    (calm, load): (&Plan, u64),
    known: Option<&Storm>,
) -> Option<Within> {
    let within = Within::of(args.storm_within_us(), calm);
    let is_known = known.is_some_and(|storm| storm.says(load, &within));
    (args.wants_storm() && !is_known).then_some(within)
}

impl Exposed<'_> {
    /// Does it in the time that is left; again where it says nothing.
    pub(super) fn weather(
        &self,
        within: &Within,
        (runner, left): (&mut Runner, impl Fn() -> Duration),
    ) -> Result<Stormed, Failure> {
        let mut seen = None;
        for _ in 0..TRIES_MAX {
            let storm = match (self.once(within, runner, left())?, seen.take()) {
                (Stormed::Done(storm), _) => storm,
                (Stormed::NoTime { .. }, Some(earlier)) => return Ok(Stormed::Done(earlier)),
                (other, _) => return Ok(other),
            };
            // What kept it from its result keeps the next one too.
            if storm.says(self.load, within) || storm.run.is_empty() {
                return Ok(Stormed::Done(storm));
            }
            seen = Some(storm);
        }
        let lack = || Storm::without(self.load, within.clone(), String::new());
        Ok(Stormed::Done(seen.unwrap_or_else(lack)))
    }

    fn once(
        &self,
        within: &Within,
        runner: &mut Runner,
        left: Duration,
    ) -> Result<Stormed, Failure> {
        let plan = storm::plan(&self.calm, within);
        let usual = repeat::usual(&plan);
        if runner.is_interrupted() {
            return Ok(Stormed::Interrupted);
        }
        if usual > left {
            return Ok(Stormed::NoTime { needed: usual });
        }
        RunDir::at(self.folder).write(FILE, plan::to_toml(&plan).as_bytes())?;
        let (scenario, folder) = (self.folder.join(FILE), self.folder.join(NAME));
        if folder.exists() {
            // Half of one, or one that said nothing.
            std::fs::remove_dir_all(&folder)?;
        }
        // All that was changed stands in the file already.
        let unchanged = OverrideArgs::default();
        let mut asked = self.args.probe(&unchanged);
        asked.scenario = &scenario;
        let words = asked.words(plan.seed);
        let what = format!("storm at {}", self.text);
        let mut progress = Progress::new(!self.args.quiet && screen::overwrites());
        let mut tick = |elapsed| progress.show(&what, elapsed, usual);
        let ran = runner.run(&words, &folder, (usual, &mut tick))?;
        progress.clear();
        if runner.is_interrupted() || ran.exit == Exit::Interrupted {
            return Ok(Stormed::Interrupted);
        }
        let (load, within) = (self.load, within.clone());
        let storm = match RunDir::at(&folder).read() {
            Ok(result) => Storm::of(&result, load, within),
            Err(_none) => Storm::without(load, within, ran.without_result().to_string()),
        };
        if !self.args.quiet {
            let text = format::plain(&storm.text());
            screen::say(&format!("{what}: {text}: {}", storm.sentence));
        }
        Ok(Stormed::Done(storm))
    }
}

/// What to know of a storm for which there was no time.
pub(super) fn left_out(needed: Duration) -> String {
    format!(
        "whether the clients are back after a storm was not tried: it takes about {}, and the budget is used up; --resume goes on with it",
        units::print_us(units::us(needed))
    )
}
