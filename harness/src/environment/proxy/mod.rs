//! This module puts fault proxies on the links that need one.

pub(crate) mod edge;
mod error;
mod host;
mod link;

pub(crate) use error::ProxyError;
pub(crate) use host::ProxyHost;
pub(crate) use link::{LinkProxies, ProxyLink, Upstream, link_name, proxy_name};
