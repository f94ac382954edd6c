//! This module decides whether the plan's faults can, and may, act in this environment.
//!
//! **In:** the plan and what was found of the addresses it names. **Out:** nothing, or the first
//! fault that cannot be caused, with the reason.

use super::{Found, PreflightError};
use crate::environment::EnvironmentError;
use crate::environment::endpoint::{Endpoint, EndpointError};
use crate::environment::settings::Settings;
use crate::plan::{Link, Plan, PlannedFault, RedisPlan};

/// # Errors
///
/// The first fault that cannot or may not be caused here.
pub(crate) fn check(
    plan: &Plan,
    found: &Found,
    settings: &Settings,
) -> Result<(), EnvironmentError> {
    for fault in &plan.faults {
        let impossible = |reason| PreflightError::FaultImpossible {
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
                ).into());
            }
            (None, None) if plan.environment.redis != RedisPlan::Private => {
                return Err(impossible(
                    "only a Redis that this run started can be killed or paused: write redis = \"private\"",
                ).into());
            }
            (Some(Link::Edge), Some(target)) if target.is_tls() => {
                return Err(impossible(
                    "the edge link of a TLS target cannot run through the fault proxy",
                )
                .into());
            }
            (Some(Link::Edge), Some(target)) => allowed(fault, Some(target), settings)?,
            (Some(_), Some(_)) => {
                return Err(impossible(
                    "the target was not started by this run, so its way to Redis does not pass through a proxy of this run",
                ).into());
            }
            (Some(_) | None, None) => allowed(fault, found.redis.as_ref(), settings)?,
        }
        allowed(fault, found.toxiproxy.as_ref(), settings)?;
    }
    match &found.target {
        Some(target) if found.needs.edge && target.is_tls() => Err(EndpointError::BadAddress {
            place: "environment.proxies",
            url: target.host_and_port(),
            reason: "the edge link of a TLS target cannot run through the fault proxy".to_owned(),
        }
        .into()),
        Some(_) | None => Ok(()),
    }
}

fn allowed(
    fault: &PlannedFault,
    place: Option<&Endpoint>,
    settings: &Settings,
) -> Result<(), PreflightError> {
    match place {
        Some(place) if !place.is_loopback() && !settings.allow_faults => {
            Err(PreflightError::FaultsNotAllowed {
                fault: fault.name.clone(),
                place: place.place,
                host: place.host.clone(),
            })
        }
        Some(_) | None => Ok(()),
    }
}
