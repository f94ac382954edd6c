//! This module describes a link that runs through a fault proxy.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::environment::probe::Probe;
use crate::plan::Link;

/// The proxies that carry each link: one, or several processes that share it.
pub(crate) type LinkProxies = BTreeMap<Link, Vec<ProxyLink>>;

/// One link through one proxy.
#[derive(Clone, Debug)]
pub(crate) struct ProxyLink {
    /// Base URL of the API.
    pub api: String,
    /// The proxy's name there.
    pub name: String,
    pub listen: SocketAddr,
    pub upstream: String,
    /// Asks through the proxy.
    pub probe: Probe,
    /// `embedded fault proxy`, `Toxiproxy 2.12.0 at http://…`.
    pub carrier: String,
}

/// What lies behind a link.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    pub link: Link,
    /// Host and port as the proxy is told them.
    pub address: String,
    /// Asks directly.
    pub probe: Probe,
}

/// The link's part of a proxy name, and of every text about it.
pub(crate) const fn link_name(link: Link) -> &'static str {
    match link {
        Link::Redis => "redis",
        Link::RedisTokens => "redis-tokens",
        Link::RedisTasks => "redis-tasks",
        Link::RedisChannel => "redis-channel",
        Link::Edge => "edge",
    }
}

/// The name of a run's proxy: it tells whose it is on a Toxiproxy that others use.
pub(crate) fn proxy_name(run_id: &str, link: Link) -> String {
    format!("harness-{run_id}-{}", link_name(link))
}
