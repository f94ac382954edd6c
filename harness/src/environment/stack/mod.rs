//! This module starts the parts of an environment in order and stops them in reverse.
//!
//! **In:** the plan and what the preflight found. **Out:** [`StackInfo`]: where everything is.
//!
//! Each part is put into [`Stack`] as soon as it runs, so that stopping knows it however far the
//! start came; what a dropped start could not put there, the janitor still knows.

mod command;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use reqwest::Client as Http;

use super::EnvironmentError;
use super::child::Child;
use super::endpoint::Endpoint;
use super::janitor::{JanitorClient, SpawnSpec};
use super::machine::limit;
use super::preflight::{Found, PreflightError};
use super::probe::Probe;
use super::process::ProcessId;
use super::proxy::edge::{self, Edge};
use super::proxy::{LinkProxies, ProxyHost, ProxyLink, Upstream, proxy_name};
use super::redis::{RedisEnd, RedisServer, TokenStore, is_durable};
use super::sample::Children;
use super::secret::Secret;
use super::settings::Settings;
use super::target::server::{self, Server};
use super::target::{
    Accounts, DirectTarget, TargetError, TargetInfo, WATCH_TIMEOUT, mapping, payloads,
};
use crate::plan::{Link, Plan, estimate};
use crate::route;
use crate::trust::with_trust;

/// What runs. The janitor is always there; the rest as far as it was started.
#[derive(Debug)]
pub(crate) struct Stack {
    janitor: JanitorClient,
    redis: Option<RedisServer>,
    proxy: Option<ProxyHost>,
    servers: Vec<Server>,
    edge: Vec<Edge>,
    load: Vec<ProcessId>,
}

/// Where everything is.
#[derive(Clone, Debug)]
pub(crate) struct StackInfo {
    pub target: TargetInfo,
    /// Where it is, without what stands in front of it.
    pub place: String,
    /// Where it listens on this machine itself; empty: elsewhere, or behind a proxy of others.
    pub listens: Vec<SocketAddr>,
    /// Asks it directly.
    pub http: Http,
    pub health_url: String,
    pub links: LinkProxies,
    /// The edge link runs through somebody else's proxy, and the target's address is that proxy's.
    pub edge_is_adopted: bool,
    pub redis_version: Option<String>,
    /// Of the servers that were started.
    pub server_logs: Vec<PathBuf>,
}

impl Stack {
    pub(crate) fn new(janitor: JanitorClient) -> Self {
        Self {
            janitor,
            redis: None,
            proxy: None,
            servers: Vec::new(),
            edge: Vec::new(),
            load: Vec::new(),
        }
    }

    pub(crate) fn redis(&self) -> Option<Child> {
        self.redis.as_ref().map(|redis| redis.child.clone())
    }

    pub(crate) fn tokens(&self) -> Option<TokenStore> {
        let redis = self.redis.as_ref()?;
        Some(TokenStore::new(redis.end.clone()))
    }

    /// The first of several.
    pub(crate) fn server(&self) -> Option<Child> {
        self.servers.first().map(|server| server.child.clone())
    }

    pub(crate) fn children(&self) -> Children {
        Children {
            servers: self
                .servers
                .iter()
                .map(|server| server.child.clone())
                .collect(),
            redis: self.redis(),
            redis_writes_to: self
                .redis
                .as_ref()
                .and_then(|redis| redis.writes_to.clone()),
            edge: self.edge.iter().map(|edge| edge.process).collect(),
            load: self.load.clone(),
        }
    }

    /// Redis, fault proxy, server, edge proxy.
    pub(crate) async fn bring_up(
        &mut self,
        plan: &Plan,
        settings: &Settings,
        mut found: Found,
    ) -> Result<StackInfo, EnvironmentError> {
        let logs = settings.logs()?;
        // Before anything is started: a mistake in a file costs nothing.
        Accounts::of(plan, &Secret::new(String::new()))?;
        payloads(plan)?;
        let given = [&mut found.redis, &mut found.toxiproxy, &mut found.target];
        for place in given.into_iter().flatten() {
            place.settle().await?;
        }
        let redis = self.bring_up_redis(plan, &found, &logs).await?;
        if redis.is_some() {
            (settings.step)("redis ok");
        }
        let redis_version = match &redis {
            Some(redis) => redis.version().await,
            None => None,
        };
        self.attach_toxiproxy(plan, settings, &found).await?;
        let mut links = self.adopt_links(plan, &found, redis.as_ref()).await?;
        if let Some(redis) = &redis {
            links.extend(self.carry_redis(plan, settings, redis, &found).await?);
        }
        if !links.is_empty() {
            (settings.step)("proxy ok");
        }
        let reached = match (&found.target, &redis) {
            (Some(place), _) => {
                let way = (place, found.trust.as_ref());
                let reached = DirectTarget::attach(plan, way, settings).await?;
                (settings.step)("target ok");
                reached
            }
            (None, Some(redis)) => {
                let (mut commands, password) =
                    command::servers(plan, &found, redis, &links, &logs)?;
                for command in &mut commands {
                    server::add_flags(command, &settings.server_flags);
                }
                let started = self.start_servers(plan, (commands, password)).await?;
                (settings.step)("server ok");
                started
            }
            (None, None) => return Err(PreflightError::ServerWithoutRedis.into()),
        };
        if found.needs.edge {
            let edge = self.carry_edge(plan, settings, &reached, &logs).await?;
            links.insert(Link::Edge, edge);
            (settings.step)("edge proxy ok");
        }
        let edge = links.get(&Link::Edge).filter(|_| found.needs.edge);
        Ok(StackInfo {
            target: reached.info(plan, edge.map_or(&[], Vec::as_slice))?,
            place: match &reached.place {
                Some(place) => place.host_and_port(),
                None => reached.first().to_string(),
            },
            listens: reached.listens(plan),
            http: reached.watcher()?,
            health_url: format!("{}/health/ws/", reached.http_base),
            links,
            edge_is_adopted: plan.environment.links.contains_key(&Link::Edge),
            redis_version,
            server_logs: self
                .servers
                .iter()
                .map(|server| server.child.log().to_owned())
                .collect(),
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
        let server = RedisServer::start(&self.janitor, logs, is_durable(plan)).await?;
        let end = server.end.clone();
        self.redis = Some(server);
        Ok(Some(end))
    }

    async fn attach_toxiproxy(
        &mut self,
        plan: &Plan,
        settings: &Settings,
        found: &Found,
    ) -> Result<(), EnvironmentError> {
        if let Some(place) = &found.toxiproxy {
            let edge = found.needs.edge.then_some(Link::Edge);
            let links = found.needs.redis.iter().copied().chain(edge);
            let names = links
                .map(|link| proxy_name(&settings.run_id, link))
                .collect();
            let wanted = (names, &plan.environment.links);
            let (place, run_id) = (place.clone(), &settings.run_id);
            let host = ProxyHost::attach(place, run_id, &self.janitor, wanted).await?;
            self.proxy.insert(host).check_kinds(&plan.faults).await?;
        }
        Ok(())
    }

    /// The links that proxies of others carry already. Clients are probed for where they go: a
    /// target that is not behind the proxy named for it then shows no fault.
    async fn adopt_links(
        &mut self,
        plan: &Plan,
        found: &Found,
        redis: Option<&RedisEnd>,
    ) -> Result<LinkProxies, EnvironmentError> {
        let mut links = LinkProxies::new();
        let Some(proxies) = &mut self.proxy else {
            return Ok(links);
        };
        let own = found.target.as_ref().map(Endpoint::host_header);
        let host = mapping(plan)?.host.or(own).unwrap_or_default();
        for (link, name) in &plan.environment.links {
            let proxy = proxies
                .adopt((*link, name), |listen| match (link, &found.target, redis) {
                    (Link::Edge, Some(target), _) => Probe::http(target.address(), host.clone()),
                    (Link::Edge, None, _) => Probe::http(listen, listen.to_string()),
                    (_, _, Some(redis)) => redis.probe().at(listen),
                    (_, _, None) => Probe::any_redis(listen),
                })
                .await?;
            for single in link.singles() {
                links.insert(*single, vec![proxy.clone()]);
            }
        }
        Ok(links)
    }

    async fn carry_redis(
        &mut self,
        plan: &Plan,
        settings: &Settings,
        redis: &RedisEnd,
        found: &Found,
    ) -> Result<LinkProxies, EnvironmentError> {
        if found.needs.redis.is_empty() {
            return Ok(LinkProxies::new());
        }
        let host = match &mut self.proxy {
            Some(host) => host,
            none => none.insert(ProxyHost::embedded(plan.seed)?),
        };
        // A name may mean another address to somebody else's proxy, and several to one's own.
        let address = if host.is_attached() {
            redis.upstream.clone()
        } else {
            redis.address.to_string()
        };
        let upstreams = found.needs.redis.iter().map(|link| Upstream {
            link: *link,
            address: address.clone(),
            probe: redis.probe(),
        });
        host.carry(&settings.run_id, &upstreams.collect::<Vec<_>>())
            .await
    }

    async fn start_servers(
        &mut self,
        plan: &Plan,
        (commands, password): (Vec<SpawnSpec>, Secret),
    ) -> Result<DirectTarget, EnvironmentError> {
        let builder = with_trust(route::http().timeout(WATCH_TIMEOUT), None);
        let http = builder.build().map_err(TargetError::Http)?;
        for command in commands {
            let server = Server::start(&self.janitor, command, &http).await?;
            self.servers.push(server);
        }
        let addresses: Vec<SocketAddr> = self.servers.iter().map(|server| server.address).collect();
        let first = addresses.first().ok_or(PreflightError::NoServer)?;
        Ok(DirectTarget {
            tls: None,
            trust: None,
            http_base: format!("http://{first}"),
            place: None,
            addresses,
            password,
            mapping: mapping(plan)?,
        })
    }

    /// The edge link: on the user's Toxiproxy where there is one, else in processes of its own.
    async fn carry_edge(
        &mut self,
        plan: &Plan,
        settings: &Settings,
        reached: &DirectTarget,
        logs: &Path,
    ) -> Result<Vec<ProxyLink>, EnvironmentError> {
        let address = reached.first();
        let mut upstream = Upstream {
            link: Link::Edge,
            probe: Probe::http(address, reached.host_header()),
            address: address.to_string(),
        };
        if let Some(host) = &mut self.proxy
            && host.is_attached()
        {
            // A name may mean another address there.
            if let Some(place) = &reached.place {
                upstream.address = place.host_and_port();
            }
            return Ok(vec![host.create(&settings.run_id, &upstream).await?]);
        }
        let processes = estimate::edge_processes(plan, limit::raise_files()?);
        let mut links = Vec::new();
        for number in (0..u8::MAX).take(usize::from(processes)) {
            let started = edge::start(&self.janitor, logs, number, plan.seed).await?;
            self.edge.push(started);
            if let Some(Edge { host, .. }) = self.edge.last_mut() {
                links.push(host.create(&settings.run_id, &upstream).await?);
            }
        }
        Ok(links)
    }

    /// Starts a process that drives a part of the load.
    pub(crate) async fn start_load(
        &mut self,
        what: &'static str,
        spec: SpawnSpec,
    ) -> Result<ProcessId, EnvironmentError> {
        let process = self.janitor.spawn(what, spec).await?;
        self.load.push(process);
        Ok(process)
    }

    /// In reverse; returns what went wrong, one sentence each.
    pub(crate) async fn stop(self) -> Vec<String> {
        let mut problems = Vec::new();
        for edge in self.edge {
            problems.extend(edge.host.stop().await);
        }
        for server in self.servers {
            problems.extend(server.stop().await);
        }
        if let Some(host) = self.proxy {
            problems.extend(host.stop().await);
        }
        if let Some(redis) = self.redis
            && let Err(error) = redis.child.shut_down().await
        {
            problems.push(error.to_string());
        }
        // The processes of the load and of the edge proxy, the directory and the manifest go with the janitor.
        problems.extend(self.janitor.clean().await);
        problems
    }
}
