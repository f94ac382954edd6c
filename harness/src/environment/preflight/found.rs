//! This module finds the addresses, programs, secrets and authorities that a plan names.
//!
//! **In:** the plan, the settings. **Out:** [`Found`], or the first that is not to be had.

use std::path::PathBuf;

use super::PreflightError;
use super::links::{self, Needs};
use crate::environment::EnvironmentError;
use crate::environment::endpoint::Endpoint;
use crate::environment::machine::{limit, program};
use crate::environment::redis::REDIS_PORT;
use crate::environment::secret;
use crate::environment::settings::Settings;
use crate::environment::target::{server, trust, via};
use crate::plan::{Link, Plan, RedisPlan, estimate};
use crate::route::Pin;
use crate::trust::Trust;

const TARGET_PORTS: &[(&str, u16)] = &[("ws", 80), ("wss", 443), ("http", 80), ("https", 443)];
const REDIS_PORTS: &[(&str, u16)] = &[("redis", REDIS_PORT)];
const TOXIPROXY_PORTS: &[(&str, u16)] = &[("http", 8_474)];

/// What was found: the addresses and programs that the stack goes on with.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub target: Option<Endpoint>,
    pub redis: Option<Endpoint>,
    pub toxiproxy: Option<Endpoint>,
    pub server_program: Option<PathBuf>,
    /// Whom to believe, where the target speaks TLS.
    pub trust: Option<Trust>,
    pub needs: Needs,
}

impl Found {
    /// # Errors
    ///
    /// An address, a program, a secret or an authority that the plan names is not to be had.
    pub(crate) async fn find(plan: &Plan, settings: &Settings) -> Result<Self, EnvironmentError> {
        let environment = &plan.environment;
        let managed = environment.target.is_none();
        let pins = environment.resolve.iter();
        // A plan is compiled: its pins can be read.
        let pins: Vec<Pin> = pins.filter_map(|text| Pin::parse(text).ok()).collect();
        let target = target(plan, &pins).await?;
        let redis = match &environment.redis {
            RedisPlan::Url { url } => address("--redis-url", Some(url), REDIS_PORTS, &pins).await?,
            RedisPlan::None if managed => return Err(PreflightError::ServerWithoutRedis.into()),
            RedisPlan::Private | RedisPlan::None => None,
        };
        let toxiproxy = address(
            "--toxiproxy",
            environment.toxiproxy.as_deref(),
            TOXIPROXY_PORTS,
            &pins,
        )
        .await?;
        for place in [&target, &redis, &toxiproxy].into_iter().flatten() {
            place.guard(&settings.allow_hosts)?;
        }
        let instances = estimate::instances(plan, limit::open_files()?);
        if managed && instances > 1 && environment.proxies.contains(&Link::Edge) {
            return Err(PreflightError::EdgeOfSeveral { instances }.into());
        }
        if managed {
            server::secrets(plan)?;
        }
        if managed && environment.redis == RedisPlan::Private {
            program::redis()?;
        }
        let server_program = managed
            .then(|| program::server(settings.server_binary.as_deref()))
            .transpose()?;
        let trust = match &target {
            Some(place) if place.is_tls() => Some(trust(&environment.tls)?),
            Some(_) | None => None,
        };
        Ok(Self {
            trust,
            target,
            redis,
            toxiproxy,
            server_program,
            needs: links::needs(plan),
        })
    }
}

/// The target, where there is one, behind its proxy, where there is one.
async fn target(plan: &Plan, pins: &[Pin]) -> Result<Option<Endpoint>, EnvironmentError> {
    const PLACE: &str = "--target";
    let target = plan.environment.target.as_deref();
    match (target, via(plan.environment.via.as_deref())?) {
        (Some(text), Some(via)) => {
            let text = secret::resolve(PLACE, text)?;
            let found = Endpoint::find_behind((PLACE, &text), TARGET_PORTS, via, pins).await?;
            Ok(Some(found))
        }
        (target, _) => address(PLACE, target, TARGET_PORTS, pins).await,
    }
}

async fn address(
    place: &'static str,
    text: Option<&str>,
    ports: &[(&str, u16)],
    pins: &[Pin],
) -> Result<Option<Endpoint>, EnvironmentError> {
    match text {
        None => Ok(None),
        Some(text) => {
            let text = secret::resolve(place, text)?;
            Ok(Some(Endpoint::find(place, &text, ports, pins).await?))
        }
    }
}
