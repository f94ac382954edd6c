//! This module estimates what a plan needs of the machine.
//!
//! **In:** a plan. **Out:** files, ports and memory at the peak, on the safe side; what is sent.
//! **Source:** measured on loopback: at most 16 KiB per further client in the harness, 12 KiB per
//! connection in the reference server, 5.3 KB of kernel memory per socket; a socket is a file and, on
//! the connecting side, a port.

use crate::plan::Plan;
use crate::units;

/// Beside the clients: runtime, logs, Redis connections, listeners.
const FILES_BASE: u64 = 256;
/// Token requests in flight hold a socket each, and in a storm there are many; but not more.
const TOKEN_SOCKETS_MAX: u64 = 1_000;
/// Harness, server and kernel, for one client with its socket pair.
const BYTES_PER_CLIENT: u64 = (16 + 12 + 11) << 10;
/// Redis, server and harness with nobody connected.
const BYTES_BASE: u64 = 200 << 20;

/// What a run needs at its peak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Open files of the harness, and as many of a server that it starts.
    pub files: u64,
    /// Local ports towards the target.
    pub ports: u64,
    /// Memory of the harness, the server it starts, and the kernel's for their sockets.
    pub memory_bytes: u64,
}

/// An upper estimate for so many clients.
pub(crate) fn needs(clients: u32) -> Needs {
    let clients = u64::from(clients);
    let sockets = clients + clients.min(TOKEN_SOCKETS_MAX);
    Needs {
        files: FILES_BASE + sockets,
        ports: sockets,
        memory_bytes: BYTES_BASE + clients * BYTES_PER_CLIENT,
    }
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
    let senders: u32 = load
        .mix
        .iter()
        .filter(|share| share.behavior.sends())
        .map(|share| share.clients)
        .sum();
    let every_us = load.message.every_us.max(1) as f64;
    let client_us: f64 = load
        .stages
        .iter()
        .map(|stage| {
            f64::midpoint(f64::from(stage.from), f64::from(stage.to)) * stage.length_us as f64
        })
        .sum();
    let share_ratio = f64::from(senders) / f64::from(load.clients.max(1));
    Sends {
        total: units::rounded(client_us * share_ratio / every_us),
        per_s_max: f64::from(senders) * 1e6 / every_us,
    }
}
