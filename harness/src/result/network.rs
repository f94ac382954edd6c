//! This module is what was seen of the way between clients and target.
//!
//! **Units:** connections; bytes per second, from the end of the ramp to the end of the load.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Connections that waited for the target to accept them, where it listens on this machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct AcceptBacklog {
    /// Most that waited at one listening socket at any look, one a second.
    pub peak: u64,
    /// So many may wait at that socket.
    pub limit: u64,
    /// Connections that the listening sockets turned away during the run: their backlog was full.
    pub dropped: u64,
}

/// Bytes on the sockets of the clients, those of TLS included. What opened them (TCP, TLS, the upgrade) and requests over HTTP
/// are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Traffic {
    /// From the target to clients.
    pub read_bytes_per_s: f64,
    /// From clients to the target.
    pub written_bytes_per_s: f64,
}
