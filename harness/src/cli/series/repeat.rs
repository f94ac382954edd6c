//! This module is `harness run --repeat N`: one scenario several times, one verdict.
//!
//! **In:** the arguments of `run`. **Out:** a folder with a complete run folder each, a table on stdout, and the exit code
//! of the worst run.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use super::child::{Progress, Runner};
use super::place::Place;
use super::{OneRun, name, table, worst};
use crate::cli::failure::Failure;
use crate::cli::overrides::quoted;
use crate::cli::run::{self, RunArgs};
use crate::cli::{read, screen, warning};
use crate::exit::Exit;
use crate::gate::facts::RunFacts;
use crate::plan::Plan;
use crate::render::column::Color;
use crate::result::store::RunDir;
use crate::run::identity;
use crate::units;

/// What starting and stopping an environment takes, about.
const AROUND: Duration = Duration::from_secs(3);

/// How long one run of the plan takes, about: no drain lasts as long as it may.
pub(crate) fn usual(plan: &Plan) -> Duration {
    Duration::from_micros(plan.load.load_us()) + AROUND
}

pub(crate) fn run(args: &RunArgs, times: u16, out: &mut impl Write) -> Result<Exit, Failure> {
    if args.overwrite {
        let fact = "--overwrite: replaces one run, and --repeat makes several";
        return Err(Failure::new(Exit::Usage, fact).hint("name a new folder with --out"));
    }
    let plan = read::plan(&args.scenario, &run::overrides(args))?;
    warning::tell(&plan);
    let words = args.asked().words(plan.seed);
    let default = || PathBuf::from("reports").join(identity::run_id());
    let path = args.out.clone().unwrap_or_else(default);
    let mut runner = Runner::new()?;
    let command = format!("{} --repeat {times}", args.asked().command(plan.seed));
    let mut place = Place::make(&path, command, None)?;
    let each = usual(&plan);
    let all = units::print_us(units::us(each * u32::from(times)));
    screen::say(&format!("{times} runs of {}: about {all}", plan.title));
    let mut progress = Progress::new(args.is_shown() && screen::overwrites());
    let mut runs: Vec<OneRun> = Vec::new();
    for number in 1..=usize::from(times) {
        if runner.is_interrupted() {
            break;
        }
        let name = name(number);
        let folder = path.join(&name);
        let what = format!("run {number} of {times}");
        let mut tick = |elapsed| progress.show(&what, elapsed, each);
        let ran = runner.run(&words, &folder, (each, &mut tick))?;
        progress.clear();
        let facts = RunDir::at(&folder).read().ok();
        let facts = facts.map(|result| RunFacts::of(&result));
        if facts.is_none() && ran.exit != Exit::Interrupted {
            // What kept one run from its result keeps the next one too.
            ran.without_result().write(&mut std::io::stderr().lock())?;
        }
        let ended = facts.is_none();
        let run = OneRun {
            name,
            folder,
            exit: ran.exit,
            facts,
        };
        if args.is_shown() {
            let seconds = ran.length.as_secs();
            screen::say(&format!("{what}: {} ({seconds} s)", sentence(&run)));
        }
        place.note(&run)?;
        runs.push(run);
        if ended {
            break;
        }
    }
    let exit = if runner.is_interrupted() {
        Exit::Interrupted
    } else {
        worst(runs.iter().map(|run| run.exit))
    };
    tell(&runs, (times, exit, &place), out)?;
    Ok(exit)
}

fn sentence(run: &OneRun) -> String {
    let facts = run.facts.as_ref();
    facts.map_or_else(
        || "no result".to_owned(),
        |facts| facts.end.sentence.clone(),
    )
}

/// The verdict, the table, and where it is.
fn tell(
    runs: &[OneRun],
    (times, exit, place): (u16, Exit, &Place),
    out: &mut impl Write,
) -> Result<(), Failure> {
    let done = runs.iter().filter(|run| run.facts.is_some()).count();
    let passed = runs.iter().filter(|run| run.exit == Exit::Pass).count();
    let word = match exit {
        Exit::Pass => "PASS",
        Exit::Inconclusive => "INCONCLUSIVE",
        Exit::Invalid => "INVALID",
        Exit::Interrupted => "INTERRUPTED",
        Exit::Threshold | Exit::Regression | Exit::Incorrect => "FAIL",
        Exit::Bug | Exit::Usage | Exit::Environment | Exit::Storage => "ERROR",
    };
    let word = match screen::color() {
        Color::Ansi => format!("\x1b[1m{word}\x1b[0m"),
        Color::None => word.to_owned(),
    };
    let worst = runs
        .iter()
        .find(|run| run.exit == exit && exit != Exit::Pass);
    let why = worst.map_or_else(String::new, |run| {
        format!("; {}: {}", run.name, sentence(run))
    });
    let rest = if done < usize::from(times) {
        format!(" (of {times}; what is there is kept)")
    } else {
        String::new()
    };
    writeln!(out, "{word}  {passed} of {done} runs passed{rest}{why}")?;
    writeln!(out)?;
    for line in table::lines(runs) {
        writeln!(out, "{line}")?;
    }
    writeln!(out)?;
    let folder = quoted(&place.path);
    writeln!(out, "runs      {folder}")?;
    if exit == Exit::Pass && done >= 3 {
        writeln!(out, "baseline  harness baseline save {folder} --name main")?;
    }
    out.flush()?;
    Ok(())
}
