//! This module is where the load goes.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::environment::Accounts;
use crate::plan::Dialect;
use crate::route::Requests;
use crate::trust::Tls;

/// Where the load goes.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Base URL for HTTP: `http://host:port`.
    pub http: String,
    /// Addresses for sockets; where there are several, for HTTP too.
    pub addresses: Arc<[SocketAddr]>,
    /// `Host` header of the upgrade.
    pub host_header: String,
    /// `None`: connections are plain.
    pub tls: Option<Tls>,
    /// Requests over HTTP: goose's own client does not know the way, nor whom to believe.
    pub requests: Requests,
    pub accounts: Accounts,
    /// What clients write; empty: filler.
    pub payloads: Arc<[String]>,
    /// How it is spoken to; `None`: by the contract.
    pub dialect: Option<Arc<Dialect>>,
}
