//! This module makes a side ready: its plan checked, its server built, its runs in words.
//!
//! **In:** what the command line says of a side. **Out:** [`Side`].

use std::ffi::OsString;
use std::path::Path;

use super::args::{AbArgs, Given};
use super::build::Builds;
use super::spec::{self, Spec};
use crate::cli::again::{self, Asked};
use crate::cli::failure::Failure;
use crate::cli::overrides::{OverrideArgs, quoted};
use crate::cli::read;
use crate::exit::Exit;
use crate::format;
use crate::gate::facts::RunFacts;
use crate::plan::Plan;

/// A side whose runs can begin.
#[derive(Debug)]
pub(super) struct Side {
    /// `base` or `new`: also its folder.
    pub name: &'static str,
    /// For people.
    pub what: String,
    /// The arguments of its runs.
    pub words: Vec<OsString>,
    pub runs: Vec<RunFacts>,
}

/// Refuses what can be refused before anything is done.
pub(super) fn check(given: &Given<'_>) -> Result<(), Failure> {
    let flag = format!("--{}", given.name);
    match given.spec {
        Spec::Binary(path) => spec::check_binary(&flag, path),
        Spec::Target(_) if !given.flags.is_empty() => {
            let fact = format!("{flag}-flag: the target of {flag} runs already, and has its flags");
            Err(Failure::new(Exit::Usage, fact)
                .hint("start it with that flag, and leave this one out"))
        }
        Spec::Target(_) | Spec::Revision(_) => Ok(()),
    }
}

/// The scenario's changes, at the side's target.
fn changes(args: &AbArgs, given: &Given<'_>) -> OverrideArgs {
    let target = match given.spec {
        Spec::Target(url) => Some(url.clone()),
        Spec::Binary(_) | Spec::Revision(_) => None,
    };
    args.changes.at(target)
}

/// What the side's runs will do.
pub(super) fn plan(args: &AbArgs, given: &Given<'_>) -> Result<Plan, Failure> {
    read::plan(&args.scenario, &changes(args, given).overrides())
}

impl Side {
    /// Builds what is to be built.
    pub(super) fn ready(
        args: &AbArgs,
        given: &Given<'_>,
        builds: &Builds,
        plan: &Plan,
    ) -> Result<Self, Failure> {
        let (server, mut what) = match given.spec {
            Spec::Binary(path) => (Some(path.clone()), path.display().to_string()),
            Spec::Target(url) => (None, url.clone()),
            Spec::Revision(revision) => {
                let built = builds.server(revision)?;
                let short = built.commit.get(..12).unwrap_or(&built.commit);
                (Some(built.binary), format!("{revision} ({short})"))
            }
        };
        for flag in given.flags {
            format::append(&mut what, format_args!(" --{} {}", flag.name, flag.value));
        }
        let asked = Asked {
            scenario: &args.scenario,
            changes: &changes(args, given),
            server: server.as_deref(),
            server_flags: given.flags,
            allow_hosts: &args.allow_host,
            allow_faults: args.allow_faults,
        };
        Ok(Self {
            name: given.name,
            what,
            words: asked.words(plan.seed),
            runs: Vec::new(),
        })
    }
}

/// The command that does all of it again, fit for a shell.
pub(super) fn command(args: &AbArgs, order_seed: u64) -> String {
    let mut words = vec![quoted(again::path(&args.scenario))];
    for given in args.sides() {
        words.extend([format!("--{}", given.name), quoted(given.spec.to_string())]);
        for flag in given.flags {
            words.extend([format!("--{}-flag", given.name), quoted(flag.to_string())]);
        }
    }
    words.extend([
        format!("--order-seed {order_seed}"),
        format!("--profile {}", args.profile),
    ]);
    if let Some(pairs) = args.pairs {
        words.push(format!("--pairs {pairs}"));
    }
    if let Some(budget) = args.budget {
        words.push(format!("--budget {}", crate::units::print_duration(budget)));
    }
    format!("harness ab {}", words.join(" "))
}

/// Where the side's runs are.
pub(super) fn folder(path: &Path, side: &Side) -> std::path::PathBuf {
    path.join(side.name)
}
