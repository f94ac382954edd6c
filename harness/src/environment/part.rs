//! This module brings the parts of an environment up in order and down in reverse.
//!
//! **In:** the plan and what the preflight found. **Out:** [`BroughtUp`]: where everything is.
//!
//! Each part is put into [`Parts`] as soon as it runs, so that stopping knows it however far the
//! start came; what a dropped start could not put there, the janitor still knows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Client as Http;

use super::error::EnvironmentError;
use super::host::Place;
use super::janitor::SpawnSpec;
use super::keeper::{Keeper, OWN_PROGRAM};
use super::link::database;
use super::preflight::{Found, ends_redis};
use super::probe::Probe;
use super::process::ProcessId;
use super::proxy::{Behind, ProxyHost, ProxyLink, proxy_name};
use super::ready::{Wait, announced, log_end};
use super::redis::{RedisEnd, RedisServer};
use super::secret::{self, Secret};
use super::server::{self, RedisUrls, Server};
use super::target::TargetInfo;
use super::{ProcessSample, Settings};
use crate::plan::{Link, Plan};

const EDGE_READY_PATIENCE: Duration = Duration::from_secs(10);
const EDGE_ANNOUNCEMENT: &str = "listening on ";
/// The password of a target that is not ours, where the plan names none.
const NO_PASSWORD: &str = "";

/// What runs. The janitor is always there; the rest as far as it was started.
#[derive(Debug)]
pub(super) struct Parts {
    keeper: Keeper,
    redis: Option<RedisServer>,
    proxy: Option<ProxyHost>,
    server: Option<Server>,
    edge: Option<(ProcessId, ProxyHost)>,
}

/// The processes of the run, as they are now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Processes {
    server: Option<ProcessId>,
    redis: Option<ProcessId>,
    edge: Option<ProcessId>,
}

impl Processes {
    pub(super) fn sample(self) -> ProcessSample {
        ProcessSample {
            server: self.server.and_then(ProcessId::usage),
            redis: self.redis.and_then(ProcessId::usage),
            edge: self.edge.and_then(ProcessId::usage),
        }
    }
}

/// Where everything is.
#[derive(Clone, Debug)]
pub(super) struct BroughtUp {
    pub target: TargetInfo,
    pub health_url: String,
    pub links: BTreeMap<Link, ProxyLink>,
    pub redis_version: Option<String>,
}

/// The target before an edge proxy stands in front of it.
struct Reached {
    http_base: String,
    place: Option<Place>,
    address: std::net::SocketAddr,
    password: Secret,
}

/// The run's log directory, absolute: the janitor opens files there too.
pub(super) fn logs(settings: &Settings) -> Result<PathBuf, EnvironmentError> {
    std::path::absolute(settings.out.join("logs")).map_err(|source| {
        EnvironmentError::OutNotWritable {
            path: settings.out.clone(),
            source,
        }
    })
}

impl Parts {
    pub(super) fn new(keeper: Keeper) -> Self {
        Self {
            keeper,
            redis: None,
            proxy: None,
            server: None,
            edge: None,
        }
    }

    pub(super) fn redis(&self) -> Option<&RedisServer> {
        self.redis.as_ref()
    }

    pub(super) fn processes(&self) -> Processes {
        Processes {
            server: self.server.as_ref().map(|server| server.process),
            redis: self.redis.as_ref().map(RedisServer::process),
            edge: self.edge.as_ref().map(|(process, _)| *process),
        }
    }

    /// Redis, fault proxy, server, edge proxy.
    pub(super) async fn bring_up(
        &mut self,
        plan: &Plan,
        settings: &Settings,
        found: Found,
        http: &Http,
    ) -> Result<BroughtUp, EnvironmentError> {
        let logs = logs(settings)?;
        let redis = self.bring_up_redis(plan, &found, &logs).await?;
        let redis_version = match &redis {
            Some(redis) => redis.version().await,
            None => None,
        };
        self.attach_toxiproxy(settings, &found).await?;
        let mut links = match &redis {
            Some(redis) => self.carry_redis(plan, settings, (redis, &found)).await?,
            None => BTreeMap::new(),
        };
        let reached = match (&found.target, &redis) {
            (Some(place), _) => attach_target(plan, place, http).await?,
            (None, Some(redis)) => {
                let command = server_command(plan, &found, (redis, &links), &logs)?;
                self.start_server(command, http).await?
            }
            (None, None) => return Err(EnvironmentError::ServerWithoutRedis),
        };
        if found.needs.edge {
            let edge = self.carry_edge(settings, &reached, &logs).await?;
            links.insert(Link::Edge, edge);
        }
        Ok(BroughtUp {
            target: target(plan, &reached, links.get(&Link::Edge)),
            health_url: format!("{}/health/ws/", reached.http_base),
            links,
            redis_version,
        })
    }

    async fn bring_up_redis(
        &mut self,
        plan: &Plan,
        found: &Found,
        logs: &Path,
    ) -> Result<Option<RedisEnd>, EnvironmentError> {
        if let Some(place) = &found.redis {
            let end = RedisEnd::attached(place);
            end.check(place.place).await?;
            return Ok(Some(end));
        }
        if found.target.is_some() {
            return Ok(None);
        }
        let server = RedisServer::start(&self.keeper, logs, ends_redis(plan)).await?;
        let end = server.end.clone();
        self.redis = Some(server);
        Ok(Some(end))
    }

    async fn attach_toxiproxy(
        &mut self,
        settings: &Settings,
        found: &Found,
    ) -> Result<(), EnvironmentError> {
        if let Some(place) = &found.toxiproxy {
            let edge = found.needs.edge.then_some(Link::Edge);
            let links = found.needs.redis.iter().copied().chain(edge);
            let names = links
                .map(|link| proxy_name(&settings.run_id, link))
                .collect();
            self.proxy = Some(ProxyHost::attach(place.clone(), &self.keeper, names).await?);
        }
        Ok(())
    }

    async fn carry_redis(
        &mut self,
        plan: &Plan,
        settings: &Settings,
        (redis, found): (&RedisEnd, &Found),
    ) -> Result<BTreeMap<Link, ProxyLink>, EnvironmentError> {
        if found.needs.redis.is_empty() {
            return Ok(BTreeMap::new());
        }
        let host = match &mut self.proxy {
            Some(host) => host,
            none => none.insert(ProxyHost::embedded(plan.seed)?),
        };
        let behind = found.needs.redis.iter().map(|link| Behind {
            link: *link,
            upstream: redis.upstream.clone(),
            probe: redis.probe(),
        });
        host.carry(&settings.run_id, &behind.collect::<Vec<_>>())
            .await
    }

    async fn start_server(
        &mut self,
        (command, password): (SpawnSpec, Secret),
        http: &Http,
    ) -> Result<Reached, EnvironmentError> {
        let server = Server::start(&self.keeper, command, http).await?;
        let address = server.address;
        self.server = Some(server);
        Ok(Reached {
            http_base: format!("http://{address}"),
            place: None,
            address,
            password,
        })
    }

    /// The edge link: on the user's Toxiproxy where there is one, else in a process of its own.
    async fn carry_edge(
        &mut self,
        settings: &Settings,
        reached: &Reached,
        logs: &Path,
    ) -> Result<ProxyLink, EnvironmentError> {
        let upstream = match &reached.place {
            Some(place) => place.host_and_port(),
            None => reached.address.to_string(),
        };
        let behind = Behind {
            link: Link::Edge,
            probe: Probe::http(reached.address, upstream.clone()),
            upstream,
        };
        let host = match &mut self.proxy {
            Some(host) if host.is_attached() => host,
            _ => {
                let started = start_edge_process(&self.keeper, logs).await?;
                &mut self.edge.insert(started).1
            }
        };
        let mut links = host.carry(&settings.run_id, &[behind]).await?;
        links.remove(&Link::Edge).ok_or(EnvironmentError::Spawn {
            what: "the edge proxy",
            reason: "it was not created".to_owned(),
        })
    }

    /// In reverse; returns what went wrong, one sentence each.
    pub(super) async fn stop(self) -> Vec<String> {
        let mut problems = Vec::new();
        if let Some((_, host)) = self.edge {
            problems.extend(host.stop().await);
        }
        if let Some(server) = self.server {
            problems.extend(server.stop().await);
        }
        if let Some(host) = self.proxy {
            problems.extend(host.stop().await);
        }
        if let Some(redis) = self.redis
            && let Err(error) = redis.shut_down().await
        {
            problems.push(error.to_string());
        }
        // The edge proxy's process, the directory and the lease go with the janitor.
        problems.extend(self.keeper.clean().await);
        problems
    }
}

fn server_command(
    plan: &Plan,
    found: &Found,
    (redis, links): (&RedisEnd, &BTreeMap<Link, ProxyLink>),
    logs: &Path,
) -> Result<(SpawnSpec, Secret), EnvironmentError> {
    let url = |link: Link| {
        let proxied = links.get(&link).map(|proxy| proxy.listen.to_string());
        let address = proxied.unwrap_or_else(|| redis.upstream.clone());
        Secret::new(redis.url(&address, database(link)))
    };
    let urls = RedisUrls {
        tasks: url(Link::RedisTasks),
        tokens: url(Link::RedisTokens),
        channel: url(Link::RedisChannel),
    };
    let password = match &plan.environment.users.password {
        Some(text) => Secret::new(secret::resolve("environment.users.password", text)?),
        None => Secret::random()?,
    };
    let program = found
        .server_program
        .clone()
        .ok_or_else(|| EnvironmentError::ServerMissing {
            looked_at: "nothing".to_owned(),
        })?;
    let command = server::command(plan, program, (&urls, &password), logs);
    Ok((command, password))
}

async fn attach_target(
    plan: &Plan,
    place: &Place,
    http: &Http,
) -> Result<Reached, EnvironmentError> {
    server::check_target(place).await?;
    let password = plan.environment.users.password.as_deref();
    let password = secret::resolve(
        "environment.users.password",
        password.unwrap_or(NO_PASSWORD),
    )?;
    let scheme = if is_tls(place) { "https" } else { "http" };
    let http_base = format!("{scheme}://{}", place.host_and_port());
    let account = format!("{}000001", plan.environment.users.prefix);
    server::check_login(http, &http_base, (&account, &password)).await?;
    Ok(Reached {
        http_base,
        place: Some(place.clone()),
        address: place.address(),
        password: Secret::new(password),
    })
}

fn is_tls(place: &Place) -> bool {
    matches!(place.url.scheme(), "wss" | "https")
}

/// Starts `harness proxy` on a free port and waits until it says where it listens.
async fn start_edge_process(
    keeper: &Keeper,
    logs: &Path,
) -> Result<(ProcessId, ProxyHost), EnvironmentError> {
    let what = "the edge proxy";
    let log = logs.join("edge.log");
    let from = log_end(&log);
    let spec = SpawnSpec {
        what: "edge proxy".to_owned(),
        program: PathBuf::from(OWN_PROGRAM),
        args: vec![
            "proxy".to_owned(),
            "--listen".to_owned(),
            "127.0.0.1:0".to_owned(),
        ],
        env: Vec::new(),
        log: log.clone(),
    };
    let process = keeper.spawn(what, spec).await?;
    let wait = Wait {
        what,
        patience: EDGE_READY_PATIENCE,
        process,
        log: log.clone(),
    };
    let address = wait
        .until(async || {
            announced(&log, from, EDGE_ANNOUNCEMENT)
                .and_then(|text| text.rsplit('/').next()?.parse().ok())
                .ok_or_else(|| "it has not said where it listens".to_owned())
        })
        .await?;
    Ok((process, ProxyHost::child(address)?))
}

/// The target as clients see it: through the edge proxy where there is one.
fn target(plan: &Plan, reached: &Reached, edge: Option<&ProxyLink>) -> TargetInfo {
    let direct = &reached.http_base;
    let address = edge.map_or(reached.address, |edge| edge.listen);
    let http_base = edge.map_or_else(|| direct.clone(), |edge| format!("http://{}", edge.listen));
    let host_header = match (&reached.place, edge) {
        (Some(place), None) => place.host_and_port(),
        (_, Some(_)) | (None, None) => address.to_string(),
    };
    TargetInfo {
        http_base,
        address,
        host_header,
        tls: reached.place.as_ref().is_some_and(is_tls),
        users_prefix: plan.environment.users.prefix.clone(),
        password: reached.password.clone(),
        readyz_url: format!("{direct}/readyz"),
        metrics_url: format!("{direct}/metrics"),
    }
}
