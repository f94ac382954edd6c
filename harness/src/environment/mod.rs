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

mod accounts;
mod admission;
mod child;
mod children;
mod disk;
mod edge;
mod error;
pub(crate) mod headroom;
mod host;
pub(crate) mod janitor;
mod keeper;
mod lease;
mod link;
mod metrics;
mod part;
mod port;
mod preflight;
mod probe;
mod process;
mod program;
mod proxy;
mod ready;
pub(crate) mod recover;
mod redis;
mod secret;
mod server;
mod sheet;
mod sweep;
mod target;
#[cfg(test)]
pub(crate) mod tests;
mod token_store;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::plan::{Link, Plan};

pub(crate) use accounts::Accounts;
pub(crate) use child::Child;
pub(crate) use error::EnvironmentError;
pub(crate) use preflight::{file_limit, raise_file_limit, trust};
pub(crate) use probe::Answer;
pub(crate) use process::ProcessUse;
pub(crate) use proxy::{Carriers, ProxyLink, api_client, link_name};
pub(crate) use secret::{Secret, resolve as resolve_secret};
pub(crate) use target::{Spoken, TargetInfo, spoken};
pub(crate) use token_store::TokenStore;

/// What the processes of a run are called in reports.
const REDIS: &str = "Redis";
const SERVER: &str = "the reference server";
const EDGE_PROXY: &str = "a fault proxy of the edge link";

/// For one page of the target.
const HTTP_PATIENCE: Duration = Duration::from_secs(2);

/// What the command line says about the environment, beside the plan.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Unique on this machine; part of every name given to something outside.
    pub run_id: String,
    /// Directory of the run; logs go to `logs/` below it.
    pub out: PathBuf,
    /// `--server PATH`.
    pub server_binary: Option<PathBuf>,
    /// `--allow-host HOST`, as given.
    pub allow_hosts: Vec<String>,
    /// `--allow-faults`.
    pub allow_faults: bool,
    /// Hears what somebody who waits for the start should know, a line at a time.
    pub say: fn(&str),
}

/// What was counted before anything was started.
#[derive(Clone, Debug)]
pub(crate) struct Preflight {
    /// One line per thing counted: `files: 9356 needed, 20000 allowed`.
    pub lines: Vec<String>,
}

/// A running environment.
#[derive(Debug)]
pub(crate) struct Environment {
    parts: part::Parts,
    brought_up: part::BroughtUp,
    /// TLS is spoken, and with whoever answers.
    insecure: bool,
    run_id: String,
}

/// Everything the fault driver needs; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct FaultAccess {
    pub run_id: String,
    /// Single links only; see [`Link::singles`]. Several proxies may carry one.
    pub links: Carriers,
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

/// How the children of the run are.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ProcessSample {
    /// Those that have ended although no fault of the run ended them.
    pub ended: Vec<&'static str>,
    /// Those that this machine keeps from their work, and how.
    pub stuck: Vec<(&'static str, String)>,
    /// `None` for a target that was not started by this run, or has ended.
    pub server: Option<ProcessUse>,
    pub redis: Option<ProcessUse>,
    /// The fault proxies of the edge link together.
    pub edge: Option<ProcessUse>,
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
        let logs = part::logs(settings)?;
        let keeper = keeper::Keeper::launch(&settings.run_id, &logs).await?;
        Self::start_with(plan, settings, (found, keeper), cancel).await
    }

    async fn start_with(
        plan: &Plan,
        settings: &Settings,
        (found, keeper): (preflight::Found, keeper::Keeper),
        cancel: &CancellationToken,
    ) -> Result<Self, EnvironmentError> {
        let mut parts = part::Parts::new(keeper);
        // A cancelled start drops a request half-way at most: the janitor knows what came of it.
        let brought_up = tokio::select! {
            brought_up = parts.bring_up(plan, settings, found) => brought_up,
            () = cancel.cancelled() => Err(EnvironmentError::Cancelled),
        };
        match brought_up {
            Ok(brought_up) => Ok(Self {
                parts,
                brought_up,
                insecure: plan.environment.tls.insecure,
                run_id: settings.run_id.clone(),
            }),
            Err(error) => {
                for problem in parts.stop().await {
                    tracing::warn!(problem, "while stopping what had been started");
                }
                Err(error)
            }
        }
    }

    /// Where the target is.
    pub(crate) fn target(&self) -> TargetInfo {
        self.brought_up.target.clone()
    }

    /// How each link runs: `redis-tokens: 127.0.0.1:20011 -> 127.0.0.1:20010, embedded fault proxy`.
    pub(crate) fn links_text(&self) -> Vec<String> {
        let proxies = self.brought_up.links.iter();
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
        if !self.brought_up.links.contains_key(&Link::Edge) {
            let encrypted = match (&self.brought_up.target.tls, self.insecure) {
                (None, _) => "",
                (Some(_), false) => ", TLS",
                (Some(_), true) => ", TLS WITHOUT A CHECK OF THE CERTIFICATE",
            };
            let target = &self.brought_up.place;
            lines.push(format!("edge: {target}, direct{encrypted}"));
        }
        lines
    }

    /// As Redis tells it; `None` where the target manages its own.
    pub(crate) fn redis_version(&self) -> Option<String> {
        self.brought_up.redis_version.clone()
    }

    /// As the target's `/health/ws/` tells it.
    pub(crate) async fn target_version(&self) -> Option<String> {
        metrics::version(&self.brought_up.http, &self.brought_up.health_url).await
    }

    /// Logs of the servers that were started.
    pub(crate) fn server_logs(&self) -> Vec<PathBuf> {
        self.brought_up.server_logs.clone()
    }

    /// What the fault driver needs.
    pub(crate) fn fault_access(&self) -> FaultAccess {
        FaultAccess {
            run_id: self.run_id.clone(),
            links: self.brought_up.links.clone(),
            redis: self.parts.redis(),
            tokens: self.parts.tokens(),
            server: self.parts.server(),
            readyz_url: self.brought_up.target.readyz_url.clone(),
            http: self.brought_up.http.clone(),
            readyz_on_edge: self.brought_up.edge_is_adopted,
        }
    }

    /// Processor time and memory of what was started, and whether it still runs.
    pub(crate) async fn sample(&self) -> ProcessSample {
        let processes = self.parts.children();
        // Files of `/proc` are read on a thread that may wait: a busy kernel makes them slow.
        let sampled = tokio::task::spawn_blocking(move || processes.sample());
        sampled.await.unwrap_or_default()
    }

    /// The target's Prometheus samples now: name with labels to value, added up over its instances.
    /// `None` where one of them has none.
    pub(crate) async fn server_metrics(&self) -> Option<BTreeMap<String, f64>> {
        let mut all = BTreeMap::new();
        for url in &self.brought_up.target.metrics_urls {
            for (name, value) in metrics::scrape(&self.brought_up.http, url).await? {
                *all.entry(name).or_insert(0.0) += value;
            }
        }
        Some(all)
    }

    /// Stops everything in reverse; returns what went wrong on the way, one sentence each.
    pub(crate) async fn stop(self) -> Vec<String> {
        self.parts.stop().await
    }
}
