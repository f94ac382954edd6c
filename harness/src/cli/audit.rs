//! This module is `harness audit`: which of the known failures does that service have?
//!
//! **In:** a scenario: where the service is, how it is spoken to. **Out:** an examination and a few short runs, each a process of
//! its own with its scenario and its folder below `--out`, and there `audit.json` and `audit.md`.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::again::Asked;
use super::failure::Failure;
use super::overrides::{OverrideArgs, quoted};
use super::series::child::{Progress, Runner};
use super::series::repeat;
use super::{claim, doctor, hosts, read, screen};
use crate::audit::{Came, Composed, Entrance, judged, phases};
use crate::environment::ServerFlag;
use crate::exit::Exit;
use crate::format;
use crate::intake;
use crate::plan::Plan;
use crate::render::audit as render;
use crate::render::terminal::Style;
use crate::result::store::RunDir;
use crate::result::{RunResult, Status};
use crate::run::identity;
use crate::scenario::Overrides;
use crate::units;

/// How often a run is made that says of itself that it is invalid.
const TRIES: u8 = 2;

/// Find out which of the thirty-four known failures a service has
///
/// Of the scenario it takes where the service is, how it is spoken to, and who its users are: its environment, its target,
/// and how its load opens sessions. Load, faults and trials are the audit's own; at a target a trial that the scenario has
/// keeps its numbers, as token-age its ttl. Without a target the reference server is audited.
///
/// At a target the audit begins as `harness doctor` does. Then come a few short runs, each a scenario below --out that can
/// be run again by itself. What cannot be tried here is listed with the reason: faults of Redis need its place in the scenario,
/// faults against another machine --allow-faults.
///
/// Ends with 14 when the service has a known failure, 12 when of one nothing can be said, 0 when it has none that can be tried.
#[derive(Args, Debug)]
pub(super) struct AuditArgs {
    /// Scenario file
    scenario: PathBuf,
    #[command(flatten)]
    changes: OverrideArgs,
    /// Only this run: rules, lives, waits, outage, storm, reader or instances; repeatable
    #[arg(long, value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(crate::audit::NAMES))]
    only: Vec<String>,
    /// The reference-server binary [default: the one beside this one]
    #[arg(long, value_name = "PATH", env = "HARNESS_SERVER")]
    server: Option<PathBuf>,
    /// A flag of the server that is started; repeatable
    #[arg(long, value_name = "NAME=VALUE")]
    server_flag: Vec<ServerFlag>,
    /// Allow traffic to this host, which is not this machine
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    /// Allow faults against a host that is not this machine
    #[arg(long)]
    allow_faults: bool,
    /// Folder for the audit and its runs, new or empty [default: a new one in `reports`]
    #[arg(long, value_name = "DIR", env = "HARNESS_OUT")]
    out: Option<PathBuf>,
    /// No progress on stderr
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn run(args: &AuditArgs, out: &mut impl Write) -> Result<Exit, Failure> {
    let plan = read::plan(&args.scenario, &args.changes.overrides())?;
    let allowed = (&args.allow_host[..], args.allow_faults);
    hosts::check(allowed, &plan.environment, false)?;
    let composed = args.composed(&plan);
    let default = || PathBuf::from("reports").join(identity::run_id());
    let folder = args.out.clone().unwrap_or_else(default);
    claim::empty(&folder)?;
    fs::create_dir_all(&folder).map_err(|error| unwritten(&folder, &error))?;
    let runner = Runner::new()?;
    let entrance = Entrance {
        report: args.examined(&plan)?,
    };
    let mut auditor = Auditor {
        args,
        folder: &folder,
        runner,
    };
    let came = match entrance.shut() {
        // Nobody gets in: runs would say the same, each at its length.
        Some(_) => Vec::new(),
        None => auditor.all(&composed)?,
    };
    let about = (
        plan.title.clone(),
        args.command(plan.seed),
        plan.environment.target,
    );
    let interrupted = auditor.runner.is_interrupted();
    let audit = judged(about, (&entrance, &composed, &came), interrupted);
    let place = RunDir::at(&folder);
    for (file, bytes) in render::files(&audit)? {
        place.write(file, &bytes)?;
    }
    let style = Style {
        color: screen::color(),
        width: screen::width(),
        report: Some(folder.join(render::MARKDOWN).display().to_string()),
    };
    out.write_all(render::text(&audit, &style).as_bytes())?;
    Ok(Exit::of(audit.exit_code))
}

impl AuditArgs {
    /// The phases, those left out that were not asked for or not allowed.
    fn composed(&self, plan: &Plan) -> Vec<Composed> {
        let names: BTreeSet<&str> = self.only.iter().map(String::as_str).collect();
        let faults = hosts::check(
            (&self.allow_host, self.allow_faults),
            &plan.environment,
            true,
        );
        let mut composed = phases(plan);
        for phase in &mut composed {
            if !names.is_empty() && !names.contains(phase.name) {
                phase.leave_out("it was left out (--only)");
            } else if phase.has_faults && faults.is_err() {
                phase.leave_out("faults against another machine are not allowed (--allow-faults)");
            }
        }
        composed
    }

    fn examined(&self, plan: &Plan) -> Result<Option<crate::doctor::Report>, Failure> {
        if plan.environment.target.is_none() {
            return Ok(None);
        }
        if !self.quiet {
            screen::say("examines the target");
        }
        doctor::of_plan(plan).map(Some)
    }

    /// What does it again.
    fn command(&self, seed: u64) -> String {
        let asked = Asked {
            scenario: &self.scenario,
            changes: &self.changes,
            server: self.server.as_deref(),
            server_flags: &self.server_flag,
            allow_hosts: &self.allow_host,
            allow_faults: self.allow_faults,
        };
        let words: Vec<String> = asked.words(seed).iter().map(quoted).collect();
        format!("harness audit {}", words.join(" "))
    }
}

/// Does the runs.
struct Auditor<'a> {
    args: &'a AuditArgs,
    folder: &'a Path,
    runner: Runner,
}

impl Auditor<'_> {
    fn all(&mut self, composed: &[Composed]) -> Result<Vec<Came>, Failure> {
        let mut came = Vec::new();
        for phase in composed {
            let Some(text) = &phase.scenario else {
                continue;
            };
            let file = self.folder.join(format!("{}.toml", phase.name));
            fs::write(&file, text).map_err(|error| unwritten(&file, &error))?;
            let mut outcome = Err("the audit ended before".to_owned());
            for attempt in 1..=TRIES {
                if self.runner.is_interrupted() {
                    break;
                }
                outcome = self.one(phase, &file, attempt)?;
                let is_invalid = |result: &RunResult| result.verdict.status == Status::Invalid;
                if !outcome.as_ref().is_ok_and(|(_, result)| is_invalid(result)) {
                    break;
                }
            }
            if self.runner.is_interrupted() {
                break;
            }
            came.push(Came {
                name: phase.name,
                tests: phase.tests.clone(),
                outcome,
            });
        }
        Ok(came)
    }

    /// One run of a phase: its folder and result, or why there is none.
    fn one(
        &mut self,
        phase: &Composed,
        file: &Path,
        attempt: u8,
    ) -> Result<Result<(String, Box<RunResult>), String>, Failure> {
        let name = match attempt {
            1 => phase.name.to_owned(),
            more => format!("{}-{more}", phase.name),
        };
        let plan = read::plan(file, &Overrides::default())?;
        let usual = repeat::usual(&plan);
        if !self.args.quiet {
            screen::say(&format!(
                "{name}: about {}",
                units::print_us(units::us(usual))
            ));
        }
        let folder = self.folder.join(&name);
        let mut progress = Progress::new(!self.args.quiet && screen::overwrites());
        let mut tick = |elapsed| progress.show(&name, elapsed, usual);
        let words = self.words(file, plan.seed);
        let ran = self.runner.run(&words, &folder, (usual, &mut tick))?;
        progress.clear();
        Ok(match RunDir::at(&folder).read() {
            Ok(result) => Ok((name, Box::new(result))),
            Err(_) => Err(format::harmless(&ran.without_result().to_string())),
        })
    }

    fn words(&self, file: &Path, seed: u64) -> Vec<OsString> {
        let asked = Asked {
            scenario: file,
            changes: &OverrideArgs::default(),
            server: self.args.server.as_deref(),
            server_flags: &self.args.server_flag,
            allow_hosts: &self.args.allow_host,
            allow_faults: self.args.allow_faults,
        };
        asked.words(seed)
    }
}

fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    let fact = format!(
        "--out {}: cannot be written: {}",
        path.display(),
        intake::reason(error)
    );
    Failure::new(Exit::Storage, fact).hint("name a folder that can be written to, with --out")
}
