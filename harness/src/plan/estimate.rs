//! This module estimates what a plan needs of the machine.
//!
//! **In:** a plan. **Out:** files, ports and memory at the peak, on the safe side; what is sent; how many
//! processes drive the load, serve it and carry the edge link.
//! **Source:** measured on loopback: at most 16 KiB per further client in the harness, 12 KiB per
//! connection in the reference server, 5.3 KB of kernel memory per socket; a socket is a file and, on
//! the connecting side, a port.

use crate::plan::{Cut, Link, LoadPlan, Plan};
use crate::scenario::environment::INSTANCES_MAX;
use crate::scenario::load::SHARDS_MAX;
use crate::units;

/// Beside the clients: runtime, logs, Redis connections, listeners.
const FILES_BASE: u64 = 256;
/// Requests for tokens that are in flight at once, in one process: each holds a socket, and a goose user.
pub(crate) const REQUESTS_MAX: u32 = 3_000;
/// Harness, server and kernel, for one client with its socket pair.
const BYTES_PER_CLIENT: u64 = (16 + 12 + 11) << 10;
/// Redis, server and harness with nobody connected.
const BYTES_BASE: u64 = 200 << 20;
/// A process of the load without clients.
const BYTES_PER_SHARD: u64 = 24 << 20;
/// Connections from one address to one destination, past which `connect` slows down.
const PORTS_PER_SOURCE: u32 = 10_000;
/// Sockets of a client that count towards it: one that comes back may hold two for a moment.
const SOCKETS_PER_CLIENT: u32 = 2;
/// Addresses of loopback that are used.
const LOOPBACK_MAX: u32 = 200;
/// The edge proxy with its two sockets, for one client.
const EDGE_BYTES_PER_CLIENT: u64 = (8 + 11) << 10;
/// A proxied connection is two sockets of the process that carries it.
const EDGE_FILES_PER_SOCKET: u64 = 2;

/// What a run needs at its peak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Local ports of one address towards the target.
    pub ports: u64,
    /// Memory of the harness, the server it starts, and the kernel's for their sockets.
    pub memory_bytes: u64,
}

/// An upper estimate for a plan.
///
/// `shards` processes drive the load; the target is on this machine, or elsewhere.
pub(crate) fn needs(plan: &Plan, (shards, is_here): (u16, bool)) -> Needs {
    let clients = u64::from(plan.load.clients);
    let sources = u64::from(sources(&plan.load, is_here));
    let edge_bytes = if has_own_edge(plan) {
        EDGE_BYTES_PER_CLIENT
    } else {
        0
    };
    Needs {
        ports: sockets(plan, shards).div_ceil(sources),
        memory_bytes: BYTES_BASE
            + u64::from(shards) * BYTES_PER_SHARD
            + clients * (BYTES_PER_CLIENT + edge_bytes),
    }
}

/// Processes that drive the load where each may open `files` files; at least 1.
pub(crate) fn shards(plan: &Plan, files: u64) -> u16 {
    let fits = |count: &u16| shard_files(plan, *count) <= files;
    let asked = || (1..=SHARDS_MAX).find(fits).unwrap_or(SHARDS_MAX);
    plan.load.shards.unwrap_or_else(asked)
}

/// Open files of the largest of so many.
pub(crate) fn shard_files(plan: &Plan, count: u16) -> u64 {
    let largest = Cut { index: 0, count };
    let clients = u64::from(largest.clients(&plan.load));
    FILES_BASE + clients + clients.min(u64::from(REQUESTS_MAX))
}

/// Servers that are started where each may open `files` files; at least 1.
pub(crate) fn instances(plan: &Plan, files: u64) -> u16 {
    let server = &plan.environment.server;
    let shards = shards(plan, files);
    let fits = |count: &u16| server_files(plan, (*count, shards)) <= files;
    if server.exact {
        return server.instances;
    }
    let mut counts = server.instances..=INSTANCES_MAX;
    counts.find(fits).unwrap_or(INSTANCES_MAX)
}

/// Open files of each of so many, where so many processes drive the load.
pub(crate) fn server_files(plan: &Plan, (count, shards): (u16, u16)) -> u64 {
    FILES_BASE + sockets(plan, shards).div_ceil(u64::from(count.max(1)))
}

/// Addresses that sockets are opened from: those that are named, and on loopback as many as the ports ask for.
pub(crate) fn sources(load: &LoadPlan, is_here: bool) -> u32 {
    let named = u32::try_from(load.sources.len()).unwrap_or(u32::MAX);
    if named > 0 || !is_here {
        return named.max(1);
    }
    let sockets = load.clients.saturating_mul(SOCKETS_PER_CLIENT);
    sockets.div_ceil(PORTS_PER_SOURCE).clamp(1, LOOPBACK_MAX)
}

/// Whether the run puts a proxy of its own between clients and server.
pub(crate) fn has_own_edge(plan: &Plan) -> bool {
    let environment = &plan.environment;
    environment.proxies.contains(&Link::Edge) && !environment.links.contains_key(&Link::Edge)
}

/// Processes that carry the edge link where each may open `files` files; at least 1.
pub(crate) fn edge_processes(plan: &Plan, files: u64) -> u16 {
    if let Some(wanted) = plan.environment.edge_processes {
        return wanted;
    }
    let each = (files.saturating_sub(FILES_BASE) / EDGE_FILES_PER_SOCKET).max(1);
    u16::try_from(sockets(plan, shards(plan, files)).div_ceil(each))
        .unwrap_or(u16::MAX)
        .max(1)
}

/// Open files of one of so many edge processes.
pub(crate) fn edge_files(plan: &Plan, processes: u16) -> u64 {
    let shards = plan.load.shards.unwrap_or(1);
    let sockets = sockets(plan, shards).div_ceil(u64::from(processes.max(1)));
    FILES_BASE + EDGE_FILES_PER_SOCKET * sockets
}

/// Of all clients, driven by so many processes.
fn sockets(plan: &Plan, shards: u16) -> u64 {
    let clients = u64::from(plan.load.clients);
    clients + clients.min(u64::from(REQUESTS_MAX) * u64::from(shards.max(1)))
}

/// Reports, logs and the room to write them, of the shortest run.
const OUT_BYTES_BASE: u64 = 256 << 10;
/// Rows and curves of one interval, in all files together.
const OUT_BYTES_PER_INTERVAL: u64 = 2 << 10;

/// What a run leaves in its folder, at the least.
pub(crate) fn out_bytes(plan: &Plan) -> u64 {
    let intervals = (plan.load.load_us() + plan.load.drain_us) / plan.interval_us.max(1);
    OUT_BYTES_BASE + intervals.saturating_mul(OUT_BYTES_PER_INTERVAL)
}

/// A Redis that keeps nothing has a file with its settings.
const REDIS_BYTES_BASE: u64 = 64 << 10;
/// A message in its append-only file; it is written anew long before it has ten times what it holds.
const REDIS_BYTES_PER_MESSAGE: u64 = 2_560;
/// From this size on it is written anew when it has doubled.
const REDIS_BYTES_MAX: u64 = 128 << 20;

/// What a Redis of the run writes to the disk; `keeps`: in an append-only file.
pub(crate) fn redis_bytes(plan: &Plan, keeps: bool) -> u64 {
    let messages = if keeps { sends(plan).total } else { 0 };
    REDIS_BYTES_BASE
        + messages
            .saturating_mul(REDIS_BYTES_PER_MESSAGE)
            .min(REDIS_BYTES_MAX)
}

/// How much a run sends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sends {
    /// Intended messages of the whole load, on average over seeds.
    pub total: u64,
    /// Messages a second with all clients there.
    pub per_s_max: f64,
}

/// An estimate of what `plan` sends; for a closed load an upper bound.
pub(crate) fn sends(plan: &Plan) -> Sends {
    let load = &plan.load;
    Sends {
        total: units::rounded(messages(load, (0, load.load_us()))),
        per_s_max: per_s_max(load),
    }
}

/// Messages a second with all clients there; for a closed load an upper bound.
pub(super) fn per_s_max(load: &LoadPlan) -> f64 {
    f64::from(senders(load)) * 1e6 / load.message.every_us.max(1) as f64
}

/// Messages intended from one moment to another, on average over seeds; for a closed load an upper bound.
pub(super) fn messages(load: &LoadPlan, span: (u64, u64)) -> f64 {
    let every_us = load.message.every_us.max(1) as f64;
    let share_ratio = f64::from(senders(load)) / f64::from(load.clients.max(1));
    client_us(load, span) * share_ratio / every_us
}

fn senders(load: &LoadPlan) -> u32 {
    let senders = load.mix.iter().filter(|share| share.behavior.sends());
    senders.map(|share| share.clients).sum()
}

/// For how long clients are there between two moments, all together.
pub(super) fn client_us(load: &LoadPlan, (from_us, to_us): (u64, u64)) -> f64 {
    let each = load.stages.iter().map(|stage| {
        let end_us = stage.start_us + stage.length_us;
        let (from_us, to_us) = (from_us.max(stage.start_us), to_us.min(end_us));
        if from_us >= to_us {
            return 0.0;
        }
        let clients = |us: u64| {
            let passed = (us - stage.start_us) as f64 / stage.length_us as f64;
            f64::from(stage.from) + (f64::from(stage.to) - f64::from(stage.from)) * passed
        };
        f64::midpoint(clients(from_us), clients(to_us)) * (to_us - from_us) as f64
    });
    each.sum()
}
