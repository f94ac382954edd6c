//! This module finds out, before anything is started, whether the run can work here.
//!
//! **In:** the plan, the settings, this machine's limits. **Out:** what was counted, or the first
//! thing that is missing.
//!
//! **Units:** files and ports in pieces, memory in MiB. The needs per client are the budget of the
//! harness and the reference server, not what they happen to use.

mod error;
mod faults;
mod found;
mod links;

use super::EnvironmentError;
use super::endpoint::Endpoint;
use super::janitor::{JanitorError, manifest};
use super::machine::{MachineError, disk, limit};
use super::redis::is_durable;
use super::settings::Settings;
use crate::plan::{Plan, estimate};

pub(crate) use error::PreflightError;
pub(crate) use found::Found;

/// What was counted before anything was started.
#[derive(Clone, Debug)]
pub(crate) struct Preflight {
    /// One line per thing counted: `files: 9356 needed, 20000 allowed`.
    pub lines: Vec<String>,
}

/// Counts files, ports, memory and disk space, finds programs and addresses. Raises this process's
/// soft limit of open files to the hard one; starts nothing, connects to nothing, writes nothing.
pub(crate) async fn check(
    plan: &Plan,
    settings: &Settings,
) -> Result<(Preflight, Found), EnvironmentError> {
    let found = Found::find(plan, settings).await?;
    faults::check(plan, &found, settings)?;
    let file_limit = limit::raise_files()?;
    let clients = plan.load.clients;
    let shards = estimate::shards(plan, file_limit);
    let each = limit::files(clients, estimate::shard_files(plan, shards), file_limit)?;
    let target = found.target.as_ref().map(Endpoint::address);
    // Sockets go to an edge proxy of this run on loopback, and from many addresses there.
    let here = found.needs.edge && found.toxiproxy.is_none()
        || target.is_none_or(|target| target.ip().is_loopback() && target.is_ipv4());
    let needs = estimate::needs(plan, (shards, here));
    let mut lines = vec![
        format!("load: {shards}, each {each}"),
        limit::ports(clients, needs.ports)?,
        limit::memory(clients, needs.memory_bytes)?,
    ];
    if found.target.is_none() {
        let instances = estimate::instances(plan, file_limit);
        let each = limit::files(
            clients,
            estimate::server_files(plan, (instances, shards)),
            file_limit,
        )?;
        lines.push(format!("server: {instances}, each {each}"));
    }
    limit::sources(&plan.load.sources, target)?;
    if found.needs.edge {
        lines.push(edge(plan, &found, file_limit)?);
    }
    let path = manifest::directory()?;
    disk::writable(&path).map_err(|error| JanitorError::Folder {
        path,
        reason: error.to_string(),
    })?;
    if found.redis.is_none() && found.target.is_none() {
        let needed = estimate::redis_bytes(plan, is_durable(plan));
        lines.push(disk::check_temporary(needed)?);
    }
    lines.push(disk::check(&settings.out, estimate::out_bytes(plan))?);
    Ok((Preflight { lines }, found))
}

/// The processes of the edge link share its connections; a Toxiproxy elsewhere has limits of its
/// own.
fn edge(plan: &Plan, found: &Found, file_limit: u64) -> Result<String, MachineError> {
    if found.toxiproxy.is_some() {
        return Ok("edge: on the Toxiproxy".to_owned());
    }
    let processes = estimate::edge_processes(plan, file_limit);
    let each = estimate::edge_files(plan, processes);
    let line = limit::files(plan.load.clients, each, file_limit)?;
    Ok(format!("edge: {processes} processes, each {line}"))
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
}
