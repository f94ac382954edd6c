//! This module keeps load and faults away from machines that were not named on the command line.

use super::failure::Failure;
use crate::exit::Exit;
use crate::plan::{EnvironmentPlan, RedisPlan};
use crate::route::{Pin, Via};
use crate::scenario::address;

/// Refuses traffic to, and faults against, machines that were not allowed by name.
pub(super) fn check(
    (allow_hosts, allow_faults): (&[String], bool),
    environment: &EnvironmentPlan,
    has_faults: bool,
) -> Result<(), Failure> {
    let redis = match &environment.redis {
        RedisPlan::Url { url } => Some(url),
        RedisPlan::Private | RedisPlan::None => None,
    };
    let via = environment
        .via
        .as_deref()
        .and_then(|text| Via::parse(text).ok());
    let via = via.map(|via| via.host);
    let urls = [
        environment.target.as_ref(),
        redis,
        environment.toxiproxy.as_ref(),
    ];
    for host in urls
        .into_iter()
        .flatten()
        .filter_map(|url| address::host(url))
        .chain(via)
    {
        if address::is_loopback(&host) || is_brought_home(&host, environment) {
            continue;
        }
        if !allow_hosts.contains(&host) {
            let fact = format!("{host}: is not this machine, and a load test can take it down");
            return Err(Failure::new(Exit::Usage, fact)
                .hint(format!("if it is yours to test, add --allow-host {host}")));
        }
        if has_faults && !allow_faults {
            let fact =
                format!("{host}: the scenario injects faults into a machine that is not this one");
            return Err(
                Failure::new(Exit::Usage, fact).hint("if it is yours to break, add --allow-faults")
            );
        }
    }
    Ok(())
}

/// Whether a host is this machine because `resolve` says so. What is not said there is looked at again once it is resolved.
fn is_brought_home(host: &str, environment: &EnvironmentPlan) -> bool {
    let pins = environment.resolve.iter();
    let pins = pins.filter_map(|text| Pin::parse(text).ok());
    let mut of_host = pins.filter(|pin| pin.is_of(host)).peekable();
    of_host.peek().is_some() && of_host.all(|pin| pin.is_loopback())
}
