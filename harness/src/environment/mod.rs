//! This module starts what a run needs, says where it is, and stops it again.
//!
//! **In:** the plan and the command line's [`Settings`]. **Out:** an [`Environment`]: a target that
//! answers, links through a fault proxy where the plan wants them, and the means to break them
//! ([`FaultAccess`]).
//!
//! Started in order (janitor, Redis, fault proxy, server), stopped in reverse. Every process is the
//! child of the janitor, which outlives a killed harness just long enough to end them; see
//! [`janitor`].
//!
//! **Units:** seconds of processor time, bytes of memory.

mod child;
mod endpoint;
mod error;
pub(crate) mod janitor;
mod load;
mod machine;
mod preflight;
mod private;
mod probe;
mod process;
mod proxy;
mod redis;
mod sample;
mod secret;
mod settings;
mod stack;
mod target;
#[cfg(test)]
pub(crate) mod tests;
mod toxiproxy;

use std::collections::BTreeMap;
use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

use crate::plan::{Link, Plan};

pub(crate) use child::Child;
pub(crate) use error::EnvironmentError;
pub(crate) use janitor::recover::recover;
pub(crate) use load::LoadProcess;
pub(crate) use machine::limit::{open_files, raise_files, sources as own_sources};
pub(crate) use machine::listener::BacklogSample;
pub(crate) use machine::program::server as server_program;
pub(crate) use machine::{affinity, headroom};
pub(crate) use preflight::Preflight;
pub(crate) use probe::Answer;
pub(crate) use process::{ProcessLimits, ProcessUse};
pub(crate) use proxy::{LinkProxies, ProxyLink, link_name};
pub(crate) use redis::TokenStore;
pub(crate) use sample::{Allowed, ProcessSample, SERVER};
pub(crate) use secret::{Secret, resolve as resolve_secret};
pub(crate) use settings::{ServerFlag, Settings};
pub(crate) use target::{
    Accounts, Mapping, TargetHandover, TargetInfo, lists_passwords, mapping, trust, user_heads, via,
};
pub(crate) use toxiproxy::api_client;

/// A running environment.
#[derive(Debug)]
pub(crate) struct Environment {
    stack: stack::Stack,
    info: stack::StackInfo,
    /// Where processes write what they have to say.
    logs: PathBuf,
    /// TLS is spoken, and with whoever answers.
    insecure: bool,
    run_id: String,
}

/// Everything the fault driver needs; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct FaultAccess {
    pub run_id: String,
    /// Single links only; see [`Link::singles`]. Several proxies may carry one.
    pub links: LinkProxies,
    /// A Redis that this run started.
    pub redis: Option<Child>,
    /// Its connection tokens.
    pub tokens: Option<TokenStore>,
    /// A server that this run started; of several, the first.
    pub server: Option<Child>,
    pub readyz_url: String,
    /// Asks there, and at nobody else's.
    pub http: reqwest::Client,
    /// `/readyz` is reached through the proxy of the edge link, and cannot be told from its faults.
    pub readyz_on_edge: bool,
}

/// Counts files, ports and memory, and finds programs and addresses; starts nothing.
pub(crate) async fn preflight(
    plan: &Plan,
    settings: &Settings,
) -> Result<Preflight, EnvironmentError> {
    preflight::check(plan, settings)
        .await
        .map(|(counted, _)| counted)
}

impl Environment {
    /// Starts or attaches everything the plan asks for. What was started is stopped again when a
    /// later part fails or `cancel` fires.
    pub(crate) async fn start(
        plan: &Plan,
        settings: &Settings,
        cancel: &CancellationToken,
    ) -> Result<Self, EnvironmentError> {
        let (counted, found) = preflight::check(plan, settings).await?;
        for line in &counted.lines {
            tracing::info!("preflight: {line}");
        }
        let logs = settings.logs()?;
        let janitor =
            janitor::JanitorClient::launch(&settings.run_id, &logs, settings.cpus.as_ref()).await?;
        Self::start_with(plan, settings, (found, janitor), cancel).await
    }

    async fn start_with(
        plan: &Plan,
        settings: &Settings,
        (found, janitor): (preflight::Found, janitor::JanitorClient),
        cancel: &CancellationToken,
    ) -> Result<Self, EnvironmentError> {
        let mut stack = stack::Stack::new(janitor);
        // A cancelled start drops a request half-way at most: the janitor knows what came of it.
        let info = tokio::select! {
            info = stack.bring_up(plan, settings, found) => info,
            () = cancel.cancelled() => Err(EnvironmentError::Cancelled),
        };
        match info {
            Ok(info) => Ok(Self {
                stack,
                info,
                logs: settings.logs()?,
                insecure: plan.environment.tls.insecure,
                run_id: settings.run_id.clone(),
            }),
            Err(error) => {
                for problem in stack.stop().await {
                    tracing::warn!(problem, "while stopping what had been started");
                }
                Err(error)
            }
        }
    }

    /// Where the target is.
    pub(crate) fn target(&self) -> TargetInfo {
        self.info.target.clone()
    }

    /// How each link runs: `redis-tokens: 127.0.0.1:20011 -> 127.0.0.1:20010, embedded fault
    /// proxy`.
    pub(crate) fn links_text(&self) -> Vec<String> {
        let proxies = self.info.links.iter();
        let proxies =
            proxies.flat_map(|(link, proxies)| proxies.iter().map(|proxy| (*link, proxy)));
        let links = proxies.map(|(link, proxy)| {
            let name = link_name(link);
            let ProxyLink {
                listen,
                upstream,
                carrier,
                ..
            } = proxy;
            format!("{name}: {listen} -> {upstream}, {carrier}")
        });
        let mut lines: Vec<String> = links.collect();
        if !self.info.links.contains_key(&Link::Edge) {
            let encrypted = match (&self.info.target.tls, self.insecure) {
                (None, _) => "",
                (Some(_), false) => ", TLS",
                (Some(_), true) => ", TLS WITHOUT A CHECK OF THE CERTIFICATE",
            };
            let target = &self.info.place;
            lines.push(format!("edge: {target}, direct{encrypted}"));
        }
        lines
    }

    /// As Redis tells it; `None` where the target manages its own.
    pub(crate) fn redis_version(&self) -> Option<String> {
        self.info.redis_version.clone()
    }

    /// As the target's `/health/ws/` tells it.
    pub(crate) async fn target_version(&self) -> Option<String> {
        target::metrics::version(&self.info.http, &self.info.health_url).await
    }

    /// Logs of the servers that were started.
    pub(crate) fn server_logs(&self) -> Vec<PathBuf> {
        self.info.server_logs.clone()
    }

    /// What the fault driver needs.
    pub(crate) fn fault_access(&self) -> FaultAccess {
        FaultAccess {
            run_id: self.run_id.clone(),
            links: self.info.links.clone(),
            redis: self.stack.redis(),
            tokens: self.stack.tokens(),
            server: self.stack.server(),
            readyz_url: self.info.target.readyz_url.clone(),
            http: self.info.http.clone(),
            readyz_on_edge: self.info.edge_is_adopted,
        }
    }

    /// Processor time and memory of what was started, and whether it still runs.
    pub(crate) async fn sample(&self) -> ProcessSample {
        let processes = self.stack.children();
        // Files of `/proc` are read on a thread that may wait: a busy kernel makes them slow.
        let sampled = tokio::task::spawn_blocking(move || processes.sample());
        sampled.await.unwrap_or_default()
    }

    /// What this process and those that were started may use at most.
    pub(crate) async fn allowed(&self) -> Allowed {
        let processes = self.stack.children();
        let read = tokio::task::spawn_blocking(move || processes.allowed());
        read.await.unwrap_or_default()
    }

    /// Connections that wait to be accepted by the target; `None` where it does not listen on this machine.
    pub(crate) async fn backlog(&self) -> Option<BacklogSample> {
        let listens = self.info.listens.clone();
        let asked = tokio::task::spawn_blocking(move || machine::listener::backlog(&listens));
        asked.await.ok().flatten()
    }

    /// The target's Prometheus samples now: name with labels to value, one page for each of its instances.
    /// `None` where one of them has none.
    pub(crate) async fn server_pages(&self) -> Option<Vec<BTreeMap<String, f64>>> {
        let mut pages = Vec::new();
        for url in &self.info.target.metrics_urls {
            pages.push(target::metrics::scrape(&self.info.http, url).await?);
        }
        Some(pages)
    }

    /// The same added up over the instances.
    pub(crate) async fn server_metrics(&self) -> Option<BTreeMap<String, f64>> {
        let mut all = BTreeMap::new();
        for (name, value) in self.server_pages().await?.into_iter().flatten() {
            *all.entry(name).or_insert(0.0) += value;
        }
        Some(all)
    }

    /// Stops everything in reverse; returns what went wrong on the way, one sentence each.
    pub(crate) async fn stop(self) -> Vec<String> {
        self.stack.stop().await
    }
}
