//! This module is `harness shard`: one part of a load.
//!
//! With a bundle it is started by a scheduler, or by hand, on any machine; the part with index 0 is the run itself, with
//! faults, trials, verdict and reports. With `--run`, hidden, a run starts one for each part of a load on its own machine.

use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tracing_subscriber::EnvFilter;

use super::bundle::opened;
use super::failure::Failure;
use super::hosts;
use super::overrides::{duration, quoted};
use super::place::PlaceArgs;
use super::run::{self, RunArgs};
use crate::exit::Exit;
use crate::plan::bundle::Bundle;
use crate::plan::{Plan, estimate};
use crate::scenario::address;
use crate::shard::{Place, ServeError, serve, serve_at};

/// Index and number of a Kubernetes Indexed Job.
const JOB: [&str; 2] = ["JOB_COMPLETION_INDEX", "JOB_COMPLETIONS"];
/// Index, first index and number of an array of Slurm.
const ARRAY: [&str; 3] = [
    "SLURM_ARRAY_TASK_ID",
    "SLURM_ARRAY_TASK_MIN",
    "SLURM_ARRAY_TASK_COUNT",
];

#[derive(Args, Debug)]
pub(super) struct ShardArgs {
    /// What `harness bundle` wrote
    #[arg(required_unless_present = "run")]
    bundle: Option<PathBuf>,
    /// Where the run that started it listens
    #[arg(long, value_name = "NAME", hide = true, conflicts_with = "bundle")]
    run: Option<String>,
    /// A folder that all shards share, new for every run
    #[arg(long, value_name = "DIR", required_unless_present = "run")]
    shared: Option<PathBuf>,
    /// Which part this is, from 0; 0 is the run [default: `JOB_COMPLETION_INDEX`, or that of `SLURM_ARRAY_TASK_ID`]
    #[arg(long, value_name = "I")]
    index: Option<u16>,
    /// How many parts there are, which has to be what the bundle says [default: `JOB_COMPLETIONS`, `SLURM_ARRAY_TASK_COUNT`]
    #[arg(long, value_name = "N")]
    count: Option<u16>,
    /// How long the others are waited for
    #[arg(long, value_name = "D", default_value = "10min", value_parser = duration)]
    wait: Duration,
    /// Address of this machine that sockets are opened from, in place of the scenario's `load.sources`; repeatable
    #[arg(long, value_name = "ADDR")]
    source: Vec<IpAddr>,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Drives a part of a load.
pub(super) fn run(args: &ShardArgs, out: &mut (impl Write + Send)) -> Result<Exit, Failure> {
    if let Some(name) = &args.run {
        log();
        return done(serve(name));
    }
    let (Some(bundle), Some(shared)) = (&args.bundle, &args.shared) else {
        return Err(Failure::new(
            Exit::Usage,
            "a bundle and --shared are needed",
        ));
    };
    let (folder, bundle, hash) = opened(bundle)?;
    let place = Place {
        shared: made(shared)?,
        index: index(args, &bundle)?,
        count: bundle.shards,
        bundle: hash,
        wait: args.wait,
        one_host: is_of_one_host(&bundle.plan),
        sources: args.source.clone(),
    };
    let again = command(args, &bundle);
    let of_run = RunArgs::of_shard(&args.place, &place.shared)?;
    let is_run = place.index == 0;
    // Files that the plan names lie beside the bundle.
    std::env::set_current_dir(&folder)
        .map_err(|error| Failure::new(Exit::Usage, format!("{}: {error}", folder.display())))?;
    let mut plan = bundle.plan;
    plan.load.shards = Some(bundle.shards);
    if is_run {
        return run::begin(&of_run, plan, (again, Some(place)), out);
    }
    let allowed = (of_run.allow_host.as_slice(), of_run.allow_faults);
    hosts::check(allowed, &plan.environment, !plan.faults.is_empty())?;
    log();
    done(serve_at(&place))
}

/// Whether clients reach what they go to from one machine alone: it is started there, or on loopback.
fn is_of_one_host(plan: &Plan) -> bool {
    let target = plan.environment.target.as_deref();
    let elsewhere = target
        .and_then(address::host)
        .is_some_and(|host| !address::is_loopback(&host));
    !elsewhere || estimate::has_own_edge(plan)
}

/// Which part of the bundle's this is.
fn index(args: &ShardArgs, bundle: &Bundle) -> Result<u16, Failure> {
    let [job_index, job_count] = JOB.map(number);
    let [task, first, tasks] = ARRAY.map(number);
    let (job_index, job_count, task, first, tasks) =
        (job_index?, job_count?, task?, first?, tasks?);
    let of_task = task.map(|task| task.saturating_sub(first.unwrap_or(0)));
    let index = args.index.or(job_index).or(of_task);
    let count = args.count.or(job_count).or(tasks).unwrap_or(bundle.shards);
    let Some(index) = index else {
        let fact = "neither --index nor a scheduler says which part this is";
        return Err(Failure::new(Exit::Usage, fact).hint("add --index I, from 0"));
    };
    if count != bundle.shards {
        let fact = format!(
            "there are {count} parts, and the bundle is cut into {}",
            bundle.shards
        );
        return Err(Failure::new(Exit::Usage, fact).hint(
            "make the bundle with --shards of that number, or start as many parts as it has",
        ));
    }
    if index >= count {
        let fact = format!("part {index} of {count}: they are numbered from 0");
        let last = count.saturating_sub(1);
        return Err(Failure::new(Exit::Usage, fact).hint(format!("the last is --index {last}")));
    }
    Ok(index)
}

/// A whole number in a variable of a scheduler; `None`: it is not set.
fn number(variable: &str) -> Result<Option<u16>, Failure> {
    let Some(text) = std::env::var_os(variable).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let number = text.to_str().and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| {
        Failure::new(
            Exit::Usage,
            format!("{variable}: is no whole number from 0 to 65535"),
        )
    })
}

/// The folder that is shared, as it is called from everywhere.
fn made(shared: &std::path::Path) -> Result<PathBuf, Failure> {
    let failed = |error: std::io::Error| {
        let reason = crate::intake::reason(&error);
        Failure::new(
            Exit::Storage,
            format!("--shared {}: {reason}", shared.display()),
        )
    };
    std::fs::create_dir_all(shared).map_err(failed)?;
    shared.canonicalize().map_err(failed)
}

/// What repeats the run, with all its parts.
fn command(args: &ShardArgs, bundle: &Bundle) -> String {
    let path = args.bundle.as_deref().map(quoted).unwrap_or_default();
    let last = bundle.shards.saturating_sub(1);
    format!("harness shard {path} --shared DIR --index 0 … --index {last}")
}

fn log() {
    let filter = EnvFilter::new("info,goose=error,rustls_platform_verifier=off");
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false);
    if log.with_writer(std::io::stderr).try_init().is_err() {
        tracing::debug!("a log is kept already");
    }
}

fn done(served: Result<(), ServeError>) -> Result<Exit, Failure> {
    match served {
        Ok(()) => Ok(Exit::Pass),
        Err(ServeError::Meeting(error)) => Err(error.into()),
        Err(error) => Err(Failure::new(Exit::Environment, error.to_string())
            .hint("the output of the part with index 0 says more")),
    }
}
