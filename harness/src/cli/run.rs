//! This module is `harness run`.

use std::path::PathBuf;

use clap::Args;

use super::failure::{Exit, Failure};
use super::overrides::OverrideArgs;
use super::read;
use crate::plan::EnvironmentPlan;
use crate::plan::RedisPlan;
use crate::scenario::Overrides;
use crate::scenario::address;

#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// Scenario file
    pub scenario: PathBuf,
    #[command(flatten)]
    changes: OverrideArgs,
    /// Folder for the result and its reports [default: a new one in `reports`]
    #[arg(long, value_name = "DIR", env = "HARNESS_OUT")]
    pub out: Option<PathBuf>,
    /// Serve Prometheus metrics while running
    #[arg(long, value_name = "ADDR", env = "HARNESS_PROMETHEUS")]
    pub prometheus: Option<std::net::SocketAddr>,
    /// The reference-server binary [default: the one beside this one]
    #[arg(long, value_name = "PATH", env = "HARNESS_SERVER")]
    pub server: Option<PathBuf>,
    /// Allow traffic to this host, which is not this machine
    #[arg(long, value_name = "HOST")]
    pub allow_host: Vec<String>,
    /// Allow faults against a host that is not this machine
    #[arg(long)]
    pub allow_faults: bool,
    /// No progress on stderr
    #[arg(long, short)]
    pub quiet: bool,
}

pub(crate) fn overrides(args: &RunArgs) -> Overrides {
    args.changes.overrides()
}

pub(crate) fn run(args: &RunArgs) -> Result<Exit, Failure> {
    let plan = read::plan(&args.scenario, &overrides(args))?;
    check_hosts(args, &plan.environment, !plan.faults.is_empty())?;
    Err(Failure::new(Exit::Bug, "this build cannot run a plan yet"))
}

/// Refuses traffic to, and faults against, machines that were not allowed by name.
fn check_hosts(
    args: &RunArgs,
    environment: &EnvironmentPlan,
    has_faults: bool,
) -> Result<(), Failure> {
    let redis = match &environment.redis {
        RedisPlan::Url { url } => Some(url),
        RedisPlan::Private | RedisPlan::None => None,
    };
    let urls = [
        environment.target.as_ref(),
        redis,
        environment.toxiproxy.as_ref(),
    ];
    for host in urls
        .into_iter()
        .flatten()
        .filter_map(|url| address::host(url))
    {
        if address::is_loopback(&host) {
            continue;
        }
        if !args.allow_host.contains(&host) {
            let fact = format!("{host}: is not this machine, and a load test can take it down");
            return Err(Failure::new(Exit::Usage, fact)
                .hint(format!("if it is yours to test, add --allow-host {host}")));
        }
        if has_faults && !args.allow_faults {
            let fact =
                format!("{host}: the scenario injects faults into a machine that is not this one");
            return Err(
                Failure::new(Exit::Usage, fact).hint("if it is yours to break, add --allow-faults")
            );
        }
    }
    Ok(())
}
