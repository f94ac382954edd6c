//! This module finds out, before anything is started, whether the run can work here.
//!
//! **In:** the plan, the settings, this machine's limits. **Out:** what was counted, or the first
//! thing that is missing.
//!
//! **Units:** files and ports in pieces, memory in MiB. The needs per client are the budget of the
//! harness and the reference server, not what they happen to use.

use std::fs;
use std::path::PathBuf;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::disk;
use super::error::EnvironmentError;
use super::host::Place;
use super::lease;
use super::link::{self, Needs};
use super::port::ephemeral_range;
use super::program;
use super::redis::REDIS_PORT;
use super::server;
use super::{Preflight, Settings};
use crate::intake::{self, IntakeError};
use crate::plan::{FaultKind, Link, Plan, RedisPlan, TlsPlan, estimate};
use crate::trust::Trust;

const NO_TEXT: &str = "it is no PEM, which is text: `openssl x509 -inform der` makes one of DER";
const KIB_PER_MIB: u64 = 1_024;
/// A file with every authority of a system is smaller.
const AUTHORITY_BYTES_MAX: u64 = 4 << 20;
pub(super) const TARGET_PORTS: &[(&str, u16)] =
    &[("ws", 80), ("wss", 443), ("http", 80), ("https", 443)];
pub(super) const REDIS_PORTS: &[(&str, u16)] = &[("redis", REDIS_PORT)];
pub(super) const TOXIPROXY_PORTS: &[(&str, u16)] = &[("http", 8_474)];

/// What was found: the addresses and programs that [`super::Environment::start`] goes on with.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub target: Option<Place>,
    pub redis: Option<Place>,
    pub toxiproxy: Option<Place>,
    pub server_program: Option<PathBuf>,
    /// Whom to believe, where the target speaks TLS.
    pub trust: Option<Trust>,
    pub needs: Needs,
}

/// Counts files, ports, memory and disk space, finds programs and addresses. Raises this process's soft
/// limit of open files to the hard one; starts nothing, connects to nothing, writes nothing.
pub(super) async fn check(
    plan: &Plan,
    settings: &Settings,
) -> Result<(Preflight, Found), EnvironmentError> {
    let found = find(plan, settings).await?;
    link::check(plan, &found, settings)?;
    let limit = raise_file_limit()?;
    let needs = estimate::needs(plan);
    let mut lines = vec![
        files(plan.load.clients, needs.files, limit)?,
        ports(plan.load.clients, needs.ports)?,
        memory(plan.load.clients, needs.memory_bytes)?,
    ];
    if found.needs.edge {
        lines.push(edge(plan, &found, limit)?);
    }
    let path = lease::directory()?;
    disk::writable(&path).map_err(|error| EnvironmentError::StateFolder {
        path,
        reason: error.to_string(),
    })?;
    if found.redis.is_none() && found.target.is_none() {
        let needed = estimate::redis_bytes(plan, ends_redis(plan));
        lines.push(disk::check_temporary(needed)?);
    }
    lines.push(disk::check(&settings.out, estimate::out_bytes(plan))?);
    Ok((Preflight { lines }, found))
}

async fn find(plan: &Plan, settings: &Settings) -> Result<Found, EnvironmentError> {
    let environment = &plan.environment;
    let managed = environment.target.is_none();
    let target = address("--target", environment.target.as_deref(), TARGET_PORTS).await?;
    let redis = match &environment.redis {
        RedisPlan::Url { url } => address("--redis-url", Some(url), REDIS_PORTS).await?,
        RedisPlan::None if managed => return Err(EnvironmentError::ServerWithoutRedis),
        RedisPlan::Private | RedisPlan::None => None,
    };
    let toxiproxy = address(
        "--toxiproxy",
        environment.toxiproxy.as_deref(),
        TOXIPROXY_PORTS,
    )
    .await?;
    for place in [&target, &redis, &toxiproxy].into_iter().flatten() {
        place.guard(&settings.allow_hosts)?;
    }
    let instances = environment.server.instances;
    if managed && instances > 1 && environment.proxies.contains(&Link::Edge) {
        return Err(EnvironmentError::EdgeOfSeveral { instances });
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
    Ok(Found {
        trust,
        target,
        redis,
        toxiproxy,
        server_program,
        needs: link::needs(plan),
    })
}

/// Whom the plan believes.
pub(crate) fn trust(plan: &TlsPlan) -> Result<Trust, EnvironmentError> {
    if plan.insecure {
        return Trust::blind().map_err(EnvironmentError::NoTls);
    }
    let Some(path) = &plan.ca else {
        return Trust::system(None).map_err(EnvironmentError::NoTls);
    };
    let path = PathBuf::from(path);
    let problem = |reason: String| EnvironmentError::Authority {
        path: path.clone(),
        reason,
    };
    let text = intake::text(&path, AUTHORITY_BYTES_MAX).map_err(|error| {
        problem(match error {
            IntakeError::NotUtf8 { .. } => NO_TEXT.to_owned(),
            other => other.to_string(),
        })
    })?;
    Trust::system(Some(text.as_bytes())).map_err(|error| problem(error.to_string()))
}

async fn address(
    place: &'static str,
    text: Option<&str>,
    ports: &[(&str, u16)],
) -> Result<Option<Place>, EnvironmentError> {
    match text {
        None => Ok(None),
        Some(text) => {
            let text = super::secret::resolve(place, text)?;
            Place::find(place, &text, ports).await.map(Some)
        }
    }
}

/// A fault of the plan ends Redis: it must keep what it was given.
pub(super) fn ends_redis(plan: &Plan) -> bool {
    plan.faults
        .iter()
        .any(|fault| matches!(fault.kind, FaultKind::RedisKill | FaultKind::RedisRestart))
}

fn files(clients: u32, needed: u64, limit: u64) -> Result<String, EnvironmentError> {
    if needed > limit {
        return Err(EnvironmentError::TooFewFiles {
            clients,
            needed,
            limit,
        });
    }
    Ok(format!("files: {needed} needed, {limit} allowed"))
}

/// The processes of the edge link share its connections; a Toxiproxy elsewhere has limits of its own.
fn edge(plan: &Plan, found: &Found, limit: u64) -> Result<String, EnvironmentError> {
    if found.toxiproxy.is_some() {
        return Ok("edge: on the Toxiproxy".to_owned());
    }
    let processes = estimate::edge_processes(plan, limit);
    let each = estimate::edge_files(plan, processes);
    let line = files(plan.load.clients, each, limit)?;
    Ok(format!("edge: {processes} processes, each {line}"))
}

/// Raises the soft limit to the hard one, for this process and its children; returns it.
pub(crate) fn raise_file_limit() -> Result<u64, EnvironmentError> {
    let hard = file_limit()?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(no_limit)?;
    Ok(hard)
}

/// The files each process of a run may open.
pub(crate) fn file_limit() -> Result<u64, EnvironmentError> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(no_limit)?;
    Ok(hard)
}

fn no_limit(error: nix::errno::Errno) -> EnvironmentError {
    EnvironmentError::SystemFile {
        path: PathBuf::from("RLIMIT_NOFILE"),
        source: error.into(),
    }
}

fn ports(clients: u32, needed: u64) -> Result<String, EnvironmentError> {
    let (low, high) = ephemeral_range()?;
    let available = u64::from(high.saturating_sub(low)) + 1;
    if needed > available {
        return Err(EnvironmentError::TooFewPorts {
            clients,
            needed,
            available,
        });
    }
    Ok(format!("ports: {needed} needed, {available} there"))
}

fn memory(clients: u32, needed_bytes: u64) -> Result<String, EnvironmentError> {
    let path = PathBuf::from("/proc/meminfo");
    let text = fs::read_to_string(&path)
        .map_err(|source| EnvironmentError::SystemFile { path, source })?;
    let available_mib = available_kib(&text).unwrap_or(u64::MAX) / KIB_PER_MIB;
    let needed_mib = needed_bytes >> 20;
    if needed_mib > available_mib {
        return Err(EnvironmentError::TooLittleMemory {
            clients,
            needed_mib,
            available_mib,
        });
    }
    Ok(format!(
        "memory: about {needed_mib} MiB needed, {available_mib} MiB free"
    ))
}

fn available_kib(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(clients: u32, edge: &str) -> Plan {
        let text = format!(
            "# ?\ntitle = \"t\"\n[environment]\nproxies = [\"edge\"]\n{edge}\n[load]\nclients = {clients}\n\
             stages = [{{ ramp = \"10s\", to = {clients} }}, {{ hold = \"10s\" }}]\n"
        );
        crate::plan::compile("t.toml", &text, &crate::scenario::Overrides::default()).unwrap()
    }

    #[test]
    fn too_many_clients_for_the_file_limit_are_refused_with_figures() {
        let problem = files(3_000_000, 3_001_256, 20_000).unwrap_err();
        assert!(matches!(
            problem,
            EnvironmentError::TooFewFiles {
                needed: 3_001_256,
                ..
            }
        ));
    }

    #[test]
    fn the_edge_link_takes_as_many_processes_as_the_file_limit_asks_for() {
        let processes = |clients, limit| estimate::edge_processes(&plan(clients, ""), limit);
        assert_eq!(processes(100, 20_000), 1);
        assert_eq!(processes(9_000, 20_000), 2);
        assert_eq!(processes(100, 356), 4);
        let wanted = plan(100, "edge_processes = 3");
        assert_eq!(estimate::edge_processes(&wanted, 20_000), 3);
        assert_eq!(estimate::edge_files(&plan(100, ""), 1), 656);
        assert_eq!(estimate::edge_files(&plan(100, ""), 4), 356);
    }

    #[test]
    fn available_memory_is_read_from_meminfo() {
        let text = "MemTotal: 9 kB\nMemAvailable:   2048 kB\n";
        assert_eq!(available_kib(text), Some(2_048));
    }
}
