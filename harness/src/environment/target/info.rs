//! This module says where the target is, to those who drive and watch it.

use std::net::SocketAddr;
use std::sync::Arc;

use super::Accounts;
use crate::plan::Dialect;
use crate::route::{Requests, Tunnel};
use crate::trust::Tls;

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
    /// The one `Host` of everything that is asked: that of the `[target]`'s headers, or else the
    /// target's own, `127.0.0.1:41234`, whatever proxy stands in front of it.
    pub host_header: String,
    /// The name that requests are sent to, with the one address it was found at; `None`: they name an address.
    pub named: Option<(String, SocketAddr)>,
    /// The way there through a proxy, which then is at the one address; `None`: there is none.
    pub tunnel: Option<Arc<Tunnel>>,
    /// How connections speak TLS; `None`: they are plain.
    pub tls: Option<Tls>,
    /// Requests over HTTP that go where the sockets go, believe whom they believe, and carry the
    /// headers of the `[target]`.
    pub requests: Requests,
    pub accounts: Accounts,
    /// What clients write; empty: filler.
    pub payloads: Arc<[String]>,
    /// How it is spoken to, its secrets in place and `Host` taken out; `None`: by the contract.
    pub dialect: Option<Arc<Dialect>>,
    /// Readiness, asked directly and never through an edge proxy of this run.
    pub readyz_url: String,
    /// The target's own counters, asked directly: one page for every instance.
    pub metrics_urls: Vec<String>,
}
