//! This module decides which links run through a proxy, and whether the plan's faults can act here.
//!
//! **In:** the plan and what was found of the addresses it names. **Out:** [`Needs`], or the first
//! fault that cannot be caused in this environment, with the reason.

use std::collections::BTreeSet;

use super::Settings;
use super::error::EnvironmentError;
use super::host::Place;
use super::preflight::Found;
use crate::plan::{Link, Plan, PlannedFault, RedisPlan};

/// The links that need a proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// Single databases, [`Link::Redis`] spelt out, that a proxy of this run carries.
    pub redis: BTreeSet<Link>,
    /// Clients go through proxies of this run.
    pub edge: bool,
}

/// The Redis database behind a link of that kind.
pub(super) const fn database(link: Link) -> u8 {
    match link {
        Link::RedisTokens => 2,
        Link::RedisChannel => 3,
        Link::RedisTasks | Link::Redis | Link::Edge => 0,
    }
}

/// The links the plan names, by itself or through its faults, and that no proxy carries yet. A
/// target that was not started by this run keeps its own way to Redis.
pub(super) fn needs(plan: &Plan) -> Needs {
    let environment = &plan.environment;
    let named = environment.proxies.iter().copied();
    let faulted = plan.faults.iter().filter_map(|fault| fault.kind.link());
    let mut needs = Needs::default();
    for single in named.chain(faulted).flat_map(Link::singles) {
        if environment.links.keys().any(|link| link.covers(*single)) {
            continue;
        }
        match single {
            Link::Edge => needs.edge = true,
            Link::Redis | Link::RedisTokens | Link::RedisTasks | Link::RedisChannel => {
                if environment.target.is_none() {
                    needs.redis.insert(*single);
                }
            }
        }
    }
    needs
}

/// # Errors
///
/// The first fault that cannot or may not be caused here.
pub(super) fn check(
    plan: &Plan,
    found: &Found,
    settings: &Settings,
) -> Result<(), EnvironmentError> {
    for fault in &plan.faults {
        let impossible = |reason| EnvironmentError::FaultImpossible {
            fault: fault.name.clone(),
            line: fault.line,
            reason,
        };
        let linked = |link: Link| {
            let mut links = plan.environment.links.keys();
            links.any(|named| named.covers(link) || link.covers(*named))
        };
        match (fault.kind.link(), &found.target) {
            (Some(link), target) if linked(link) => allowed(fault, target.as_ref(), settings)?,
            (None, Some(_)) => {
                return Err(impossible(
                    "only a Redis that this run started can be killed or paused, and the target was not started by this run",
                ));
            }
            (None, None) if plan.environment.redis != RedisPlan::Private => {
                return Err(impossible(
                    "only a Redis that this run started can be killed or paused: write redis = \"private\"",
                ));
            }
            (Some(Link::Edge), Some(target)) if target.is_tls() => {
                return Err(impossible(
                    "the edge link of a TLS target cannot run through the fault proxy",
                ));
            }
            (Some(Link::Edge), Some(target)) => allowed(fault, Some(target), settings)?,
            (Some(_), Some(_)) => {
                return Err(impossible(
                    "the target was not started by this run, so its way to Redis does not pass through a proxy of this run",
                ));
            }
            (Some(_) | None, None) => allowed(fault, found.redis.as_ref(), settings)?,
        }
        allowed(fault, found.toxiproxy.as_ref(), settings)?;
    }
    match &found.target {
        Some(target) if found.needs.edge && target.is_tls() => Err(EnvironmentError::BadAddress {
            place: "environment.proxies",
            url: target.host_and_port(),
            reason: "the edge link of a TLS target cannot run through the fault proxy".to_owned(),
        }),
        Some(_) | None => Ok(()),
    }
}

fn allowed(
    fault: &PlannedFault,
    place: Option<&Place>,
    settings: &Settings,
) -> Result<(), EnvironmentError> {
    match place {
        Some(place) if !place.is_loopback() && !settings.allow_faults => {
            Err(EnvironmentError::FaultsNotAllowed {
                fault: fault.name.clone(),
                place: place.place,
                host: place.host.clone(),
            })
        }
        Some(_) | None => Ok(()),
    }
}
