//! This module is the command line: one file per subcommand.
//!
//! **In:** arguments and environment variables. **Out:** what was asked for on stdout, everything
//! else on stderr, and an exit code of [`Exit`].

mod ab;
mod again;
mod audit;
mod baseline;
mod breakdown;
mod bundle;
mod capacity;
mod chart;
mod check;
mod claim;
mod compare;
mod comparison;
mod completions;
mod doctor;
pub(crate) mod failure;
mod gate;
mod hosts;
mod import;
mod init;
mod interrupt;
mod janitor;
mod kubernetes;
mod list;
mod log;
mod marker;
mod merge;
mod overrides;
mod place;
mod plan;
mod proxy;
mod read;
mod recover;
mod report;
mod rules;
pub(crate) mod run;
mod save;
mod schema;
mod screen;
mod series;
mod shard;
mod trend;
mod warning;
mod watch;
mod web;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, CommandFactory, FromArgMatches, Parser, Subcommand};

use self::failure::Failure;
use crate::exit::Exit;

/// Load-testing and chaos harness for WebSocket chat services: is it fast, is it correct, does it
/// come back?
#[derive(Debug, Parser)]
#[command(name = "harness", version, long_version = env!("HARNESS_VERSION"))]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a scenario, judge it and write its reports
    Run(run::RunArgs),
    /// Find out whether one server is slower than another, by runs that take turns
    Ab(Box<ab::AbArgs>),
    /// Show what a run would do, and what it could not tell; nothing is started
    Plan(plan::PlanArgs),
    /// Check scenarios: every problem of every file, with line and hint
    Check(check::CheckArgs),
    /// List the scenarios of a folder: their question and their length
    List(list::ListArgs),
    /// Write a copy of a scenario or protocol that ships, to be edited
    Init(init::InitArgs),
    /// Make a scenario of what a browser did: of an HTTP archive with the frames of a WebSocket
    Import(import::ImportArgs),
    /// Examine one server step by step, and name what is wrong with it
    Doctor(doctor::DoctorArgs),
    /// Find out which of the thirty-four known failures a service has
    Audit(Box<audit::AuditArgs>),
    /// Draw the reports of a saved run again
    Report(report::ReportArgs),
    /// Hold runs against runs: per metric both sides, the change and how sure it is
    Compare(compare::CompareArgs),
    /// Fail when new runs are slower than a baseline, and only when that is sure
    Gate(gate::GateArgs),
    /// Find the largest load at which everything holds that the scenario expects, and what is full beyond it
    Capacity(Box<capacity::CapacityArgs>),
    /// Keep runs to gate by, and look at what is kept
    Baseline(baseline::BaselineArgs),
    /// Draw baselines and gates over time, and mark where a metric changed for good
    Trend(trend::TrendArgs),
    /// Put a plan and its files into a folder, for a load in many parts on many machines
    Bundle(Box<bundle::BundleArgs>),
    /// Drive one part of a bundle's load, and meet the others in a folder: under Kubernetes, Slurm, or by hand
    Shard(Box<shard::ShardArgs>),
    /// Add up what the parts of a bundle's load left in their folder: the result of the run, where that is lost
    Merge(merge::MergeArgs),
    /// Look at the parts of a bundle's load while they are under way
    Watch(watch::WatchArgs),
    /// Run the fault proxy on its own, with Toxiproxy's API
    Proxy(proxy::ProxyArgs),
    /// Clean up what killed runs left behind
    Recover(recover::RecoverArgs),
    /// Clean up after one run; started by the run itself
    #[command(hide = true)]
    Janitor,
    /// Print the JSON Schema of the scenario file, for editors
    Schema,
    /// Print what a shell needs to complete this command line
    Completions(completions::CompletionsArgs),
    /// Print the manual page, or write one for each subcommand
    Man(completions::ManArgs),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let command = Cli::command()
        .after_help(Exit::table())
        .mut_subcommands(|subcommand| subcommand.mut_args(from_environment));
    let cli = match command
        .try_get_matches_from(words())
        .and_then(|matches| Cli::from_arg_matches(&matches))
    {
        Ok(cli) => cli,
        Err(error) => {
            let error = discreet(error);
            // Help and version are no failures; clap knows which is which.
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Pass
            };
            return match error.print() {
                Err(_) if exit == Exit::Pass => Exit::Storage.into(),
                _ => exit.into(),
            };
        }
    };
    let mut out = io::BufWriter::new(io::stdout());
    let done = breakdown::caught(|| {
        let exit = dispatch(cli.command, &mut out)?;
        match out.flush() {
            // What was found does not change because its reader went away.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(exit),
        }
    });
    match done {
        Ok(exit) => exit.into(),
        Err(failure) => {
            let exit = failure.exit();
            if exit != Exit::Pass && failure.write(&mut io::stderr().lock()).is_err() {
                // Nobody can be told: the exit code says it all the same.
                return exit.into();
            }
            exit.into()
        }
    }
}

/// The words of the command line. `gate --ab …` is another name of `ab …`.
fn words() -> Vec<OsString> {
    let mut words: Vec<OsString> = std::env::args_os().collect();
    let is_gate = words.get(1).is_some_and(|word| word == "gate");
    if let Some(flag) = words.iter().position(|word| word == "--ab")
        && is_gate
    {
        words.remove(flag);
        words[1] = "ab".into();
    }
    words
}

/// A variable that is set to nothing, as CI files do with those that have no value, is not set. Help names
/// variables and not what they hold, which may be a secret.
fn from_environment(arg: Arg) -> Arg {
    let arg = arg.hide_env_values(true);
    let empty = arg
        .get_env()
        .and_then(std::env::var_os)
        .is_some_and(|value| value.is_empty());
    if empty {
        arg.env(Resettable::Reset)
    } else {
        arg
    }
}

/// A refusal without what may be a secret in it: a value, or a word that was to be one. What is wrong with a value
/// is for its parser to say.
fn discreet(mut error: clap::Error) -> clap::Error {
    let kind = match error.kind() {
        ErrorKind::ValueValidation | ErrorKind::TooManyValues => ContextKind::InvalidValue,
        ErrorKind::UnknownArgument => ContextKind::InvalidArg,
        _ => return error,
    };
    let is_flag =
        |word: &ContextValue| matches!(word, ContextValue::String(word) if word.starts_with('-'));
    if kind == ContextKind::InvalidValue || !error.get(kind).is_some_and(is_flag) {
        error.insert(kind, ContextValue::String("…".to_owned()));
    }
    error
}

fn dispatch(command: Command, out: &mut impl Write) -> Result<Exit, Failure> {
    match command {
        // Unbuffered: what it cannot tell on stdout is not tried again, and no verdict hangs on it.
        Command::Run(args) => match args.repeat {
            Some(times) => series::repeat::run(&args, times, &mut io::stdout()),
            None => run::run(&args, &mut io::stdout()),
        },
        Command::Bundle(args) => bundle::run(&args, out),
        Command::Shard(args) => shard::run(&args, &mut io::stdout()),
        Command::Merge(args) => merge::run(&args, &mut io::stdout()),
        Command::Watch(args) => watch::run(&args, out),
        Command::Ab(args) => ab::run(&args, &mut io::stdout()),
        Command::Plan(args) => plan::run(&args, out),
        Command::Check(args) => check::run(&args, out),
        Command::List(args) => list::run(&args, out),
        Command::Init(args) => init::run(&args, out),
        Command::Completions(args) => completions::completions(&args, Cli::command(), out),
        Command::Man(args) => completions::man(&args, Cli::command(), out),
        Command::Import(args) => import::run(&args, out),
        Command::Doctor(args) => doctor::run(&args, out),
        Command::Audit(args) => audit::run(&args, out),
        Command::Report(args) => report::run(&args, out),
        Command::Compare(args) => compare::run(&args, out),
        Command::Gate(args) => gate::run(&args, out),
        Command::Capacity(args) => capacity::run(&args, out),
        Command::Trend(args) => trend::run(&args, out),
        Command::Baseline(args) => baseline::run(&args, out),
        Command::Proxy(args) => proxy::run(&args, out),
        Command::Recover(args) => recover::run(&args, out),
        Command::Janitor => janitor::run(out),
        Command::Schema => schema::run(out),
    }
}
