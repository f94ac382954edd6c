//! This module is `harness capacity`: how much a service can take.
//!
//! **In:** a scenario, an axis, limits. **Out:** probes, each a run of its own below `--out`, and there `capacity.json`, written
//! anew after every probe, with a page and a summary drawn from it.

mod args;
mod beside;
mod place;
mod probes;
mod refusal;
mod storm;

use std::io::Write;
use std::path::PathBuf;

pub(super) use self::args::CapacityArgs;
use self::place::Place;
use self::probes::{Done, Probes};
use super::failure::Failure;
use super::overrides::quoted;
use super::{read, screen, warning};
use crate::capacity::account::End;
use crate::capacity::question::Question;
use crate::exit::Exit;
use crate::render::capacity as render;
use crate::render::terminal::Style;
use crate::result::store::RunDir;
use crate::run::identity;

pub(super) fn run(args: &CapacityArgs, out: &mut impl Write) -> Result<Exit, Failure> {
    let plan = read::plan(&args.scenario, &args.changes.overrides())?;
    if plan.expect.is_empty() {
        let fact = format!(
            "{}: expects nothing, so there is nothing that could stop to hold",
            plan.scenario
        );
        return Err(Failure::new(Exit::Usage, fact)
            .hint("write down what must hold, such as [[expect]] what = \"complete p99\", under = \"200ms\""));
    }
    let mut question = args.question(&plan)?;
    warning::tell(&args.loaded(&plan, question.bounds.from)?.1);
    question.beside = beside::beside(&args.beside, (&plan, &question))?;
    let (held, done) = place(args, &question)?;
    let folder = &held.path;
    let mut probes = Probes::new(args, plan, (folder.clone(), question, done))?;
    let answer = probes.search()?;
    let style = Style {
        color: screen::color(),
        width: screen::width(),
        report: Some(folder.join(render::HTML).display().to_string()),
    };
    let told = out.write_all(render::terminal::text(&answer, &style).as_bytes());
    out.flush()?;
    let place = RunDir::at(folder);
    for (file, bytes) in render::files(&answer)? {
        place.write(&file, &bytes)?;
    }
    told?;
    let exit = Exit::of(answer.exit_code);
    if answer.end != End::Done {
        screen::say(&format!(
            "go on with it: {} --resume {}",
            answer.asked.command,
            quoted(folder)
        ));
    }
    Ok(exit)
}

/// The folder, and what is known already.
fn place(args: &CapacityArgs, question: &Question) -> Result<(Place, Done), Failure> {
    if let Some(folder) = &args.resume {
        let (held, earlier) = Place::resumed(folder, question)?;
        return Ok((held, (earlier.probes, earlier.storm)));
    }
    let default = || PathBuf::from("reports").join(identity::run_id());
    let held = Place::fresh(args.out.clone().unwrap_or_else(default))?;
    Ok((held, (Vec::new(), None)))
}
