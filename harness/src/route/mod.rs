//! This module finds the way to a host: its addresses, tried in turn, and HTTP that goes there directly.
//!
//! **In:** a name, or addresses. **Out:** the address that accepts connections, or how each of them did not; a
//! client of HTTP that obeys no proxy of the environment and follows no redirect, so that requests go where the
//! sockets go; and the way through a proxy that a user named.
//!
//! **Source:** RFC 8305, with IPv4 first: connections over loopback can come from many addresses there.

mod dial;
mod pin;
mod via;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

pub(crate) use dial::noticing;
pub(crate) use pin::Pin;
pub(crate) use via::{Tunnel, TunnelError, Via, connect};

/// How long an address may take before the next one is tried beside it.
const STAGGER: Duration = Duration::from_millis(250);
/// Most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 16;
const USER_AGENT: &str = concat!("harness/", env!("CARGO_PKG_VERSION"));
/// What names a proxy to most programs; these requests do not ask.
const PROXY_VARIABLES: [&str; 6] = [
    "http_proxy",
    "HTTP_PROXY",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
];

/// A client that goes nowhere but to the server: no proxy, no redirect.
pub(crate) fn http() -> ClientBuilder {
    Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .user_agent(USER_AGENT)
        .connector_layer(dial::Notes)
}

/// Clients that speak with one server.
#[derive(Clone, Debug)]
pub(crate) struct Requests {
    /// Keeps its connections.
    pub kept: Client,
    /// Makes a new connection for every request.
    pub fresh: Client,
}

impl Requests {
    /// Both, as `builder` makes them.
    ///
    /// # Errors
    ///
    /// No client can be made here: of TLS, for instance.
    pub(crate) fn build(
        builder: impl Fn() -> Result<ClientBuilder, reqwest::Error>,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self {
            kept: builder()?.build()?,
            fresh: builder()?.pool_max_idle_per_host(0).build()?,
        })
    }
}

/// The variables of this process that name a proxy.
pub(crate) fn proxy_variables() -> Vec<&'static str> {
    let named = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    PROXY_VARIABLES.into_iter().filter(named).collect()
}

/// The addresses of a name, those of a pin as they were named, else IPv4 first; never empty.
///
/// # Errors
///
/// There are none, or nobody says so in time.
pub(crate) async fn addresses(
    (host, port): (&str, u16),
    pins: &[Pin],
    patience: Duration,
) -> io::Result<Vec<SocketAddr>> {
    if let Some(named) = pins.iter().find_map(|pin| pin.of((host, port))) {
        return Ok(named);
    }
    let looked_up = timeout(patience, tokio::net::lookup_host((host, port))).await;
    let mut found: Vec<SocketAddr> = match looked_up {
        Ok(found) => found?.collect(),
        Err(elapsed) => return Err(elapsed.into()),
    };
    found.sort_by_key(SocketAddr::is_ipv6);
    found.dedup();
    found.truncate(ADDRESSES_MAX);
    if found.is_empty() {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(found)
}

/// No address accepts connections.
#[derive(Debug, thiserror::Error)]
pub(crate) struct Unreached(Vec<(SocketAddr, io::Error)>);

impl Unreached {
    /// Something is there at every address, and nothing listens.
    pub(crate) fn is_refused(&self) -> bool {
        let mut errors = self.0.iter();
        errors.all(|(_, error)| error.kind() == io::ErrorKind::ConnectionRefused)
    }

    /// Who refuses, where all do.
    pub(crate) fn addresses(&self) -> String {
        let addresses = self.0.iter().map(|(address, _)| address.ip().to_string());
        addresses.collect::<Vec<_>>().join(" and ")
    }
}

impl fmt::Display for Unreached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (address, error)) in self.0.iter().enumerate() {
            let ip = address.ip();
            let mark = if place == 0 { "" } else { "; " };
            match error.kind() {
                io::ErrorKind::ConnectionRefused => write!(f, "{mark}{ip} refuses connections")?,
                io::ErrorKind::TimedOut => write!(f, "{mark}no answer from {ip} in time")?,
                _ => write!(f, "{mark}{ip}: {error}")?,
            }
        }
        Ok(())
    }
}

/// The first address that accepts a connection; a further one is tried when the one before it fails or takes
/// long.
///
/// # Errors
///
/// None does, within `patience`.
pub(crate) async fn first_to_accept(
    addresses: &[SocketAddr],
    patience: Duration,
) -> Result<SocketAddr, Unreached> {
    let mut failed = Vec::new();
    let reached = timeout(patience, race(addresses, &mut failed)).await;
    if let Ok(Some(address)) = reached {
        return Ok(address);
    }
    for address in addresses {
        if failed.iter().all(|(other, _)| other != address) {
            failed.push((*address, io::ErrorKind::TimedOut.into()));
        }
    }
    Err(Unreached(failed))
}

/// `None`: all have failed.
async fn race(
    addresses: &[SocketAddr],
    failed: &mut Vec<(SocketAddr, io::Error)>,
) -> Option<SocketAddr> {
    let mut attempts = JoinSet::new();
    let mut rest = addresses.iter().copied();
    let mut due = rest.next();
    loop {
        if let Some(address) = due.take() {
            attempts.spawn(async move { (address, TcpStream::connect(address).await) });
        }
        tokio::select! {
            done = attempts.join_next() => {
                match done? {
                    Ok((address, Ok(_))) => return Some(address),
                    Ok((address, Err(error))) => failed.push((address, error)),
                    Err(_) => {}
                }
                due = rest.next();
            }
            () = sleep(STAGGER), if rest.len() > 0 => due = rest.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};
    use tokio::net::TcpListener;

    const PATIENCE: Duration = Duration::from_secs(5);

    /// A port on which nothing listens.
    const NOBODY: u16 = 1;

    #[tokio::test]
    async fn the_address_that_accepts_is_found_whichever_it_is() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = listener.local_addr().unwrap();
        let port = there.port();
        let other = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
        for addresses in [[other, there], [there, other]] {
            let found = first_to_accept(&addresses, PATIENCE).await.unwrap();
            assert_eq!(found, there);
        }
    }

    #[tokio::test]
    async fn who_does_not_accept_is_named_each() {
        let addresses = [
            SocketAddr::from((Ipv4Addr::LOCALHOST, NOBODY)),
            SocketAddr::from((Ipv6Addr::LOCALHOST, NOBODY)),
        ];
        let none = first_to_accept(&addresses, PATIENCE).await.unwrap_err();
        assert!(none.is_refused());
        assert_eq!(none.addresses(), "127.0.0.1 and ::1");
        assert_eq!(
            none.to_string(),
            "127.0.0.1 refuses connections; ::1 refuses connections"
        );
    }

    #[tokio::test]
    async fn a_silent_address_is_no_reason_to_wait_for_the_next() {
        // A backlog that is full takes no connection and refuses none.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let held = full_backlog(&silent);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = listener.local_addr().unwrap();
        let addresses = [silent.local_addr().unwrap(), there];
        assert_eq!(first_to_accept(&addresses, PATIENCE).await.unwrap(), there);
        drop(held);
    }

    /// Connections that fill what may wait to be accepted.
    fn full_backlog(listener: &std::net::TcpListener) -> Vec<std::net::TcpStream> {
        nix::sys::socket::listen(listener, nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let connect =
            |_| std::net::TcpStream::connect_timeout(&address, Duration::from_millis(100));
        (0..8).map_while(|number| connect(number).ok()).collect()
    }
}
