//! This module is `harness baseline`: runs that are kept to gate by.
//!
//! **In:** runs, a name. **Out:** `reports/baselines/NAME.json`, and what lies there.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use clap::{Args, Subcommand};

use super::comparison;
use super::failure::Failure;
use super::read;
use crate::clock;
use crate::exit::Exit;
use crate::format;
use crate::gate::baseline::{self, Baseline, BaselineError};
use crate::gate::facts::{Ended, HostClass, PlanPrint, RunFacts};
use crate::gate::rules::{RUNS_MIN, Rules};
use crate::intake::{self, reason};
use crate::plan;
use crate::result::store::RunDir;
use crate::run;
use crate::scenario::{FILE_BYTES_MAX, Overrides};

/// Most baselines that are listed.
const FILES_MAX: usize = 1_000;

#[derive(Args, Debug)]
pub(super) struct BaselineArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Keep the numbers of runs under a name
    Save(SaveArgs),
    /// Show which baselines are kept
    List(FolderArgs),
    /// Show one: its runs, its noise, what a gate by it could find
    Show(ShowArgs),
}

#[derive(Args, Debug)]
struct FolderArgs {
    /// Where baselines lie
    #[arg(long = "in", value_name = "DIR", default_value = baseline::FOLDER)]
    folder: PathBuf,
}

#[derive(Args, Debug)]
struct SaveArgs {
    /// The runs: their folders, folders of such, patterns, or another baseline
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// What it is called
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Replace one of that name
    #[arg(long)]
    overwrite: bool,
    /// Keep the whole percentile curve of every run
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    folder: FolderArgs,
}

#[derive(Args, Debug)]
struct ShowArgs {
    /// Its name, or its file
    #[arg(value_name = "NAME")]
    name: PathBuf,
    #[command(flatten)]
    folder: FolderArgs,
}

pub(super) fn run(args: &BaselineArgs, out: &mut impl Write) -> Result<Exit, Failure> {
    match &args.what {
        What::Save(args) => save(args, out),
        What::List(args) => list(args, out),
        What::Show(args) => show(args, out),
    }
}

fn save(args: &SaveArgs, out: &mut impl Write) -> Result<Exit, Failure> {
    let path = baseline::path_of(&args.folder.folder, &args.name)?;
    let runs = comparison::runs(&args.runs)?;
    fit(&runs)?;
    if path.exists() && !args.overwrite {
        let fact = format!("{}: is there already", path.display());
        return Err(Failure::new(Exit::Usage, fact).hint("give another --name, or --overwrite"));
    }
    let now = UNIX_EPOCH + Duration::from_nanos(clock::wall_ns());
    let now = humantime::format_rfc3339_seconds(now).to_string();
    let count = runs.len();
    let Some(kept) = Baseline::of(&args.name, now, runs, args.full) else {
        return Err(Failure::new(Exit::Inconclusive, "no run was named"));
    };
    let folder = &args.folder.folder;
    fs::create_dir_all(folder).map_err(|error| {
        let fact = format!("{}: cannot be made: {}", folder.display(), reason(&error));
        Failure::new(Exit::Storage, fact).hint("name a folder that can be written to, with --in")
    })?;
    let text = kept
        .text()
        .map_err(|error| Failure::new(Exit::Bug, error.to_string()))?;
    RunDir::at(folder).write(&format!("{}.json", args.name), text.as_bytes())?;
    writeln!(
        out,
        "{}: {count} runs of {}, {}",
        path.display(),
        format::harmless(kept.runs.first().map_or("", |run| &run.title)),
        format::plain(&format::bytes(text.len() as u64))
    )?;
    Ok(Exit::Pass)
}

/// Runs of one kind, and enough of them: what a gate would refuse is not kept.
fn fit(runs: &[RunFacts]) -> Result<(), Failure> {
    use crate::gate::refusal;
    let refusals = refusal::alike(runs);
    if let Some(refusal) = refusals.first() {
        return Err(Failure::new(Exit::Inconclusive, refusal.to_string()).hint(refusal.hint()));
    }
    let bad = |run: &&RunFacts| match run.end.status {
        Ended::Invalid | Ended::Fail => true,
        Ended::Pass | Ended::Inconclusive | Ended::Interrupted => false,
    };
    if let Some(run) = runs.iter().find(bad) {
        let exit = Exit::of(run.end.exit_code);
        let fact = format!(
            "run {} is nothing to measure by: {}",
            run.id, run.end.sentence
        );
        return Err(Failure::new(exit, fact).hint("leave it out, or run it again"));
    }
    Ok(())
}

fn list(args: &FolderArgs, out: &mut impl Write) -> Result<Exit, Failure> {
    let shown = args.folder.display();
    let unlisted = |error: std::io::Error| {
        let fact = format!("{shown}: cannot be listed: {}", reason(&error));
        Failure::new(Exit::Storage, fact).hint("`harness baseline save` makes it")
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(&args.folder)
        .map_err(unlisted)?
        .take(FILES_MAX)
    {
        let path = entry.map_err(unlisted)?.path();
        if path.extension().is_some_and(|ending| ending == "json") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    let here = HostClass::of(&run::identity::host());
    for path in &files {
        match Baseline::read(path) {
            Ok(kept) => {
                let state =
                    stale(&kept, &here).map_or_else(String::new, |why| format!("  stale: {why}"));
                writeln!(
                    out,
                    "{}  {} runs of {}  {}{state}",
                    format::harmless(&kept.name),
                    kept.runs.len(),
                    format::harmless(kept.runs.first().map_or("", |run| &run.title)),
                    format::harmless(&kept.saved_at)
                )?;
            }
            Err(error) => writeln!(out, "{error}")?,
        }
    }
    if files.is_empty() {
        writeln!(out, "{shown} holds no baseline")?;
    }
    Ok(Exit::Pass)
}

fn show(args: &ShowArgs, out: &mut impl Write) -> Result<Exit, Failure> {
    let named = args.name.to_string_lossy();
    let path = if args.name.is_file() {
        args.name.clone()
    } else {
        baseline::path_of(&args.folder.folder, &named)?
    };
    let kept = Baseline::read(&path)?;
    let here = HostClass::of(&run::identity::host());
    let first = kept.runs.first();
    writeln!(
        out,
        "{}: {} runs of {}, saved {} by harness {}",
        format::harmless(&kept.name),
        kept.runs.len(),
        format::harmless(first.map_or("", |run| &run.title)),
        format::harmless(&kept.saved_at),
        format::harmless(&kept.harness_version)
    )?;
    writeln!(out, "made on  {}", format::harmless(&kept.host.to_string()))?;
    if let Some(why) = stale(&kept, &here) {
        writeln!(out, "stale    {}", format::harmless(&why))?;
    }
    if !kept.is_enough() {
        writeln!(out, "few      a gate needs at least {RUNS_MIN} runs")?;
    }
    writeln!(out)?;
    for line in noise(&kept) {
        writeln!(out, "{}", format::plain(&line))?;
    }
    Ok(Exit::Pass)
}

/// What a gate by it would find, with as many new runs as it has.
fn noise(kept: &Baseline) -> Vec<String> {
    let rules = Rules::default();
    let mut lines = vec![format!(
        "{:<20}{:>10}{:>16}{:>22}",
        "", "median", "run to run", "a gate as large finds"
    )];
    let metrics = std::iter::once(&rules.primary).chain(&rules.others);
    let mut seen = Vec::new();
    for metric in metrics {
        if seen.contains(&metric) {
            continue;
        }
        seen.push(metric);
        let Some(prospect) = kept.prospect(metric, &rules) else {
            continue;
        };
        let finds = prospect.finds_ratio;
        let finds = finds.map_or_else(|| "nothing".to_owned(), format::change);
        let median = metric.unit().text(prospect.median);
        lines.push(format!(
            "{:<20}{median:>10}{:>16}{finds:>22}",
            metric.to_string(),
            format::change(prospect.noise_ratio).replacen('+', "±", 1)
        ));
    }
    lines
}

/// Why it is stale on this machine, by the scenario as it is today.
fn stale(kept: &Baseline, here: &HostClass) -> Option<String> {
    let scenario = kept.runs.first().map(|run| run.scenario.as_str())?;
    kept.stale(here, load_today(Path::new(scenario)).as_deref())
}

/// The print of the load that the scenario asks for today; `None` where it cannot be told.
fn load_today(scenario: &Path) -> Option<String> {
    let limit = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX);
    let text = intake::text(scenario, limit).ok()?;
    let name = scenario.to_string_lossy();
    let overrides = read::with_files(scenario, &text, &Overrides::default()).ok()?;
    let plan = plan::compile(&name, &text, &overrides).ok()?;
    Some(PlanPrint::of(&plan, "").load)
}

impl From<BaselineError> for Failure {
    fn from(error: BaselineError) -> Self {
        let exit = match error {
            BaselineError::Name(_) => Exit::Usage,
            BaselineError::Read { .. }
            | BaselineError::NotABaseline { .. }
            | BaselineError::OtherFormat { .. } => Exit::Storage,
        };
        Self::new(exit, error.to_string()).hint(error.hint())
    }
}
