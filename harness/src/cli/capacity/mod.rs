//! This module is `harness capacity`: how much a service can take.
//!
//! **In:** a scenario, an axis, limits. **Out:** probes, each a run of its own below `--out`, and there `capacity.json`, written
//! anew after every probe, with a page and a summary drawn from it.

mod args;
mod probes;
mod refusal;
mod storm;

use std::io::Write;
use std::path::{Path, PathBuf};

pub(super) use self::args::CapacityArgs;
use self::probes::{Done, Probes};
use super::failure::Failure;
use super::overrides::quoted;
use super::{claim, read, screen, warning};
use crate::capacity::account::{Answer, End, SCHEMA};
use crate::capacity::question::Question;
use crate::capacity::scale_out::Together;
use crate::capacity::search::Found;
use crate::exit::Exit;
use crate::intake::{self, reason};
use crate::render::capacity as render;
use crate::render::terminal::Style;
use crate::result::store::RunDir;
use crate::run::identity;

/// Largest account that is read.
const BYTES_MAX: u64 = 64 << 20;

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
    warning::tell(&plan);
    let mut question = args.question(&plan)?;
    question.beside = beside(&args.beside, &question)?;
    let (folder, question, done) = match &args.resume {
        Some(folder) => resumed(folder, question)?,
        None => (fresh(args)?, question, (Vec::new(), None)),
    };
    let mut probes = Probes::new(args, plan, (folder.clone(), question, done))?;
    let answer = probes.search()?;
    let style = Style {
        color: screen::color(),
        width: screen::width(),
        report: Some(folder.join(render::HTML).display().to_string()),
    };
    let told = out.write_all(render::terminal::text(&answer, &style).as_bytes());
    out.flush()?;
    let place = RunDir::at(&folder);
    for (file, bytes) in render::files(&answer)? {
        place.write(&file, &bytes)?;
    }
    told?;
    let exit = Exit::of(answer.exit_code);
    if answer.end != End::Done {
        screen::say(&format!(
            "go on with it: {} --resume {}",
            answer.asked.command,
            quoted(&folder)
        ));
    }
    Ok(exit)
}

/// The folder of a new search.
fn fresh(args: &CapacityArgs) -> Result<PathBuf, Failure> {
    let default = || PathBuf::from("reports").join(identity::run_id());
    let folder = args.out.clone().unwrap_or_else(default);
    claim::empty(&folder)?;
    std::fs::create_dir_all(&folder).map_err(|error| {
        let fact = format!(
            "--out {}: cannot be written: {}",
            folder.display(),
            reason(&error)
        );
        Failure::new(Exit::Storage, fact).hint("name a folder that can be written to, with --out")
    })?;
    Ok(folder)
}

/// What other numbers of instances take, by the answers in these folders.
fn beside(folders: &[PathBuf], question: &Question) -> Result<Vec<Together>, Failure> {
    let each = folders.iter().map(|folder| {
        let answer = earlier(folder)?;
        let asked = &answer.asked;
        let same = (asked.axis, &asked.title, &asked.expected, &asked.target)
            == (question.axis, &question.title, &question.expected, &question.target);
        let wrong = |fact: &str| {
            let fact = format!("--beside {}: {fact}", folder.display());
            Err(Failure::new(Exit::Usage, fact).hint(
                "name the answer of the same search with another --set environment.server.instances=N",
            ))
        };
        if !same {
            return wrong("was asked something else: another axis, scenario, target or expectation");
        }
        if asked.instances == question.instances {
            return wrong("is of as many instances as this search");
        }
        let (held, broke) = match answer.found {
            Found::Between { held, broke } => (held, Some(broke)),
            Found::AtLeast { .. } | Found::GeneratorFull { .. } | Found::LessThan { .. } | Found::Unclear => {
                return wrong("did not find between which loads the limit lies");
            }
        };
        Ok(Together {
            instances: u64::from(asked.instances),
            held,
            broke,
        })
    });
    each.collect()
}

/// The account of an earlier search.
fn earlier(folder: &Path) -> Result<Answer, Failure> {
    let path = folder.join(render::JSON);
    let shown = path.display();
    let unread = |fact: String| {
        Failure::new(Exit::Storage, fact).hint("name the folder of an earlier search")
    };
    let bytes = intake::bytes(&path, BYTES_MAX)
        .map_err(|error| unread(format!("{shown}: cannot be read: {error}")))?;
    let earlier: Answer = serde_json::from_slice(&bytes)
        .map_err(|error| unread(format!("{shown}: is no account of a search: {error}")))?;
    if earlier.schema != SCHEMA {
        let fact = format!(
            "{shown}: has the format \"{}\", and this harness reads \"{SCHEMA}\"",
            earlier.schema
        );
        return Err(unread(fact));
    }
    Ok(earlier)
}

/// An earlier search: its folder, what it was asked, its probes.
fn resumed(folder: &Path, question: Question) -> Result<(PathBuf, Question, Done), Failure> {
    let earlier = earlier(folder)?;
    let asked = &earlier.asked;
    let same = (asked.axis, &asked.plan_hash, &asked.target)
        == (question.axis, &question.plan_hash, &question.target);
    if !same {
        let fact = format!(
            "--resume {}: was asked something else: another axis, scenario or target",
            folder.display()
        );
        return Err(
            Failure::new(Exit::Usage, fact).hint(format!("its command was: {}", asked.command))
        );
    }
    // How finely, how often and how far may be asked anew: what was seen stays.
    Ok((folder.to_owned(), question, (earlier.probes, earlier.storm)))
}
