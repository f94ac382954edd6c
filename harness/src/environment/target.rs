//! This module says where the target is, to those who drive and watch it.
//!
//! **In:** a started or attached server. **Out:** [`TargetInfo`].

use std::net::SocketAddr;
use std::sync::Arc;

use super::secret::Secret;

/// Everything a client needs to know of the target.
#[derive(Clone, Debug)]
pub(crate) struct TargetInfo {
    /// `http://127.0.0.1:41234`, without a slash at the end: where clients send requests, through
    /// the edge proxy where there is one.
    pub http_base: String,
    /// Where sockets are opened, resolved once: the address behind `http_base`, and those of the
    /// other processes that carry the edge link, if several do. Then clients are spread over them,
    /// with their HTTP requests. Never empty.
    pub addresses: Arc<[SocketAddr]>,
    /// Host header and TLS server name: `127.0.0.1:41234`.
    pub host_header: String,
    /// Connections speak TLS.
    pub tls: bool,
    /// Accounts are this and a six-digit number.
    pub users_prefix: String,
    /// The one password of all accounts.
    pub password: Secret,
    /// Readiness, asked directly and never through an edge proxy of this run.
    pub readyz_url: String,
    /// The target's own counters, asked directly.
    pub metrics_url: String,
}
