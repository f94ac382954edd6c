//! This module estimates what a plan needs of the machine.
//!
//! **In:** a plan. **Out:** files, ports and memory at the peak, on the safe side.
//! **Source:** measured on loopback: 10 KiB per further client in the harness, 7 KiB per connection
//! in the reference server, 5.3 KB of kernel memory per socket; a socket is a file and, on the
//! connecting side, a port.

use crate::plan::Plan;
use crate::units;

/// Files a harness holds before its first client: runtime, logs, proxy, live page.
const HARNESS_FILES: u64 = 256;
/// Files of a server before its first client.
const SERVER_FILES: u64 = 128;
/// Share of the clients that hold a second socket, for a token request, in a storm of reconnects.
const TOKEN_SOCKETS_DIVISOR: u64 = 8;
const HARNESS_BYTES: u64 = 48 << 20;
const HARNESS_BYTES_PER_CLIENT: u64 = 16 << 10;
const SERVER_BYTES: u64 = 32 << 20;
const SERVER_BYTES_PER_CLIENT: u64 = 12 << 10;
const KERNEL_BYTES_PER_SOCKET: u64 = 5_300;

/// What a run needs at its peak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Open files of the harness.
    pub harness_files: u64,
    /// Open files of the server; 0 where the run attaches to one.
    pub server_files: u64,
    /// Local ports towards the target.
    pub ports: u64,
    /// Memory of the harness, the server it starts, and the kernel's for their sockets.
    pub memory_bytes: u64,
}

/// An upper estimate of what `plan` needs.
pub(crate) fn needs(plan: &Plan) -> Needs {
    let clients = u64::from(plan.load.clients);
    let sockets = clients + clients.div_ceil(TOKEN_SOCKETS_DIVISOR);
    let managed = plan.environment.target.is_none();
    let harness_bytes =
        HARNESS_BYTES + clients * HARNESS_BYTES_PER_CLIENT + sockets * KERNEL_BYTES_PER_SOCKET;
    let server_bytes =
        SERVER_BYTES + clients * SERVER_BYTES_PER_CLIENT + sockets * KERNEL_BYTES_PER_SOCKET;
    Needs {
        harness_files: HARNESS_FILES + sockets,
        server_files: if managed { SERVER_FILES + sockets } else { 0 },
        ports: sockets,
        memory_bytes: harness_bytes + if managed { server_bytes } else { 0 },
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
