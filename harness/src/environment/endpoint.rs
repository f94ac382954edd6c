//! This module finds out whose machine an address is on, and keeps the load at home.
//!
//! **In:** addresses a user typed. **Out:** [`Endpoint`]: the same, parsed and resolved, once every
//! address behind the name is this machine or the host is allowed by name; of several addresses the
//! one that accepts connections comes first, and is the one that is used.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use miette::Diagnostic;
use reqwest::Url;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::route::{self, Pin, Tunnel, TunnelError, Via};
use crate::scenario::address::{self, shown};

/// Of the proxy, for messages.
pub(crate) const VIA: &str = "environment.via";
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);
/// For the first address that accepts, of all that a name has.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why an address cannot be used.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum EndpointError {
    #[error("{place}: `{url}` is not an address: {reason}")]
    #[diagnostic(help("write it like ws://127.0.0.1:8000 or redis://:PASSWORD@127.0.0.1:6379"))]
    BadAddress {
        place: &'static str,
        url: String,
        reason: String,
    },
    #[error("{place}: the name {host} cannot be resolved: {source}")]
    Unresolved {
        place: &'static str,
        host: String,
        #[source]
        source: io::Error,
    },
    #[error("{place}: {host} is {address}, which is not this machine")]
    #[diagnostic(help(
        "a load test can bring a service down: name the host with --allow-host HOST if it is yours"
    ))]
    NotLoopback {
        place: &'static str,
        host: String,
        address: IpAddr,
    },
    #[error("{place}: {host} is looked up by the proxy, and not known to be this machine")]
    #[diagnostic(help(
        "a load test can bring a service down: name the host with --allow-host HOST if it is yours"
    ))]
    Elsewhere { place: &'static str, host: String },
    #[error("{VIA}: {proxy} opens no way to {target}: {problem}")]
    #[diagnostic(help("{}", problem.hint()))]
    NoWay {
        proxy: String,
        target: String,
        #[source]
        problem: TunnelError,
    },
    #[error("{place}: {address} refuses connections")]
    #[diagnostic(help("is it running, and is this the right port?"))]
    Refused {
        place: &'static str,
        address: String,
    },
    #[error("{place}: {address} cannot be reached: {reason}")]
    Unreachable {
        place: &'static str,
        address: String,
        reason: String,
    },
}

/// An address as typed, taken apart and resolved.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// The plan's field or the flag, for messages: `--target`.
    pub place: &'static str,
    pub url: Url,
    pub host: String,
    pub port: u16,
    /// Never empty; the first is the one that is used. Those of the proxy, where there is a `tunnel`.
    pub addresses: Vec<SocketAddr>,
    /// The way there through a proxy.
    pub tunnel: Option<Arc<Tunnel>>,
}

impl Endpoint {
    /// Parses and resolves; `ports` are the schemes accepted here with their usual ports, `pins` addresses that a user named.
    pub(crate) async fn find(
        place: &'static str,
        text: &str,
        ports: &[(&str, u16)],
        pins: &[Pin],
    ) -> Result<Self, EndpointError> {
        let (url, host, port) = parse(place, text, ports)?;
        let name = host.clone();
        let unresolved = |source| EndpointError::Unresolved {
            place,
            host: name.clone(),
            source,
        };
        let addresses = route::addresses((&host, port), pins, RESOLVE_TIMEOUT);
        let addresses = addresses.await.map_err(unresolved)?;
        Ok(Self {
            place,
            url,
            host,
            port,
            addresses,
            tunnel: None,
        })
    }

    /// The same behind a proxy, which looks the name up; `pins` may name addresses of the proxy.
    ///
    /// # Errors
    ///
    /// It is no address, or the proxy's name has none.
    pub(crate) async fn find_behind(
        (place, text): (&'static str, &str),
        ports: &[(&str, u16)],
        via: Via,
        pins: &[Pin],
    ) -> Result<Self, EndpointError> {
        let (url, host, port) = parse(place, text, ports)?;
        let addresses = route::addresses((&via.host, via.port), pins, RESOLVE_TIMEOUT);
        let addresses = addresses
            .await
            .map_err(|source| EndpointError::Unresolved {
                place: VIA,
                host: via.host.clone(),
                source,
            })?;
        let tunnel = Tunnel::new(via, (&host, port));
        Ok(Self {
            place,
            url,
            host,
            port,
            addresses,
            tunnel: Some(Arc::new(tunnel)),
        })
    }

    /// Connections there speak TLS.
    pub(crate) fn is_tls(&self) -> bool {
        matches!(self.url.scheme(), "wss" | "https")
    }

    /// Every address behind the name is this machine's loopback.
    pub(crate) fn is_loopback(&self) -> bool {
        match &self.tunnel {
            Some(_) => address::is_loopback(&self.host) && self.foreign().is_none(),
            None => self.foreign().is_none(),
        }
    }

    fn foreign(&self) -> Option<IpAddr> {
        let mut addresses = self.addresses.iter().map(SocketAddr::ip);
        addresses.find(|address| !address.to_canonical().is_loopback())
    }

    /// # Errors
    ///
    /// [`EndpointError::NotLoopback`] unless the host is this machine or in `allowed`.
    pub(crate) fn guard(&self, allowed: &[String]) -> Result<(), EndpointError> {
        if let Some(tunnel) = &self.tunnel {
            return self.guard_behind(&tunnel.via, allowed);
        }
        let named = is_named(allowed, (&self.host, &self.host_and_port()));
        match self.foreign() {
            Some(address) if !named => Err(EndpointError::NotLoopback {
                place: self.place,
                host: self.host.clone(),
                address,
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// Both are this machine or named: what a name is to the proxy is not known here.
    fn guard_behind(&self, via: &Via, allowed: &[String]) -> Result<(), EndpointError> {
        let is_here = address::is_loopback(&self.host);
        if !is_here && !is_named(allowed, (&self.host, &self.host_and_port())) {
            return Err(EndpointError::Elsewhere {
                place: self.place,
                host: self.host.clone(),
            });
        }
        match self.foreign() {
            Some(address) if !is_named(allowed, (&via.host, &via.place())) => {
                Err(EndpointError::NotLoopback {
                    place: VIA,
                    host: via.host.clone(),
                    address,
                })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Connects, and keeps to the first address that accepts.
    ///
    /// # Errors
    ///
    /// None does.
    pub(crate) async fn settle(&mut self) -> Result<(), EndpointError> {
        let reached = route::first_to_accept(&self.addresses, CONNECT_TIMEOUT).await;
        let chosen = reached.map_err(|none| {
            let (place, address) = match &self.tunnel {
                Some(tunnel) => (VIA, tunnel.via.place()),
                None => (self.place, self.host_and_port()),
            };
            if none.is_refused() {
                let address = match self.addresses.len() {
                    1 => address,
                    _ => format!("{address} ({})", none.addresses()),
                };
                EndpointError::Refused { place, address }
            } else {
                EndpointError::Unreachable {
                    place,
                    address,
                    reason: none.to_string(),
                }
            }
        })?;
        if self.addresses.len() > 1 {
            tracing::info!(
                "{}: {} has {} addresses; {} is used",
                self.place,
                self.host,
                self.addresses.len(),
                chosen.ip()
            );
        }
        self.addresses.retain(|address| *address != chosen);
        self.addresses.insert(0, chosen);
        self.try_tunnel().await
    }

    /// The proxy opens a way, if there is one.
    async fn try_tunnel(&self) -> Result<(), EndpointError> {
        let Some(tunnel) = &self.tunnel else {
            return Ok(());
        };
        let no_way = |problem| EndpointError::NoWay {
            proxy: tunnel.via.place(),
            target: self.host_and_port(),
            problem,
        };
        let trying = async {
            let connected = TcpStream::connect(self.address()).await;
            let mut stream = connected.map_err(TunnelError::Broken)?;
            tunnel.open(&mut stream).await
        };
        let tried = timeout(CONNECT_TIMEOUT, trying).await;
        tried.unwrap_or(Err(TunnelError::Silent)).map_err(no_way)
    }

    /// The one that is used.
    pub(crate) fn address(&self) -> SocketAddr {
        // There is one, or the place would not have been found.
        let none = || SocketAddr::from(([127, 0, 0, 1], self.port));
        self.addresses.first().copied().unwrap_or_else(none)
    }

    /// The same, and the way through the proxy there.
    pub(crate) fn way(&self) -> (SocketAddr, Option<&Tunnel>) {
        (self.address(), self.tunnel.as_deref())
    }

    /// As a browser writes it: without the port that the scheme stands for.
    pub(crate) fn host_header(&self) -> String {
        let whole = self.host_and_port();
        if self.url.port().is_some() {
            return whole;
        }
        let suffix = format!(":{}", self.port);
        whole.strip_suffix(&suffix).unwrap_or(&whole).to_owned()
    }

    /// `host:port`, an IPv6 address in brackets.
    pub(crate) fn host_and_port(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// Whether one of these is the host, or the host with its port.
fn is_named(allowed: &[String], (host, with_port): (&str, &str)) -> bool {
    let is_it = |name: &String| name.eq_ignore_ascii_case(host) || name == with_port;
    allowed.iter().any(is_it)
}

fn parse(
    place: &'static str,
    text: &str,
    ports: &[(&str, u16)],
) -> Result<(Url, String, u16), EndpointError> {
    // A URL may hold a password: the message shows it without.
    let bad = |reason: String| EndpointError::BadAddress {
        place,
        url: shown(text),
        reason,
    };
    let url = Url::parse(text).map_err(|error| bad(error.to_string()))?;
    let Some((_, usual)) = ports.iter().find(|(scheme, _)| *scheme == url.scheme()) else {
        let known: Vec<&str> = ports.iter().map(|(scheme, _)| *scheme).collect();
        return Err(bad(format!(
            "it must start with {}",
            known.join(":// or ") + "://"
        )));
    };
    let host = url
        .host_str()
        .ok_or_else(|| bad("it names no host".to_owned()))?
        .trim_matches(['[', ']'])
        .to_owned();
    let port = url.port().unwrap_or(*usual);
    Ok((url, host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HTTP: &[(&str, u16)] = &[("ws", 80), ("http", 80)];

    #[tokio::test]
    async fn a_host_elsewhere_needs_to_be_allowed_by_name() {
        let place = Endpoint::find("--target", "ws://192.0.2.7:8000", HTTP, &[])
            .await
            .unwrap();
        let refusal = place.guard(&[]).unwrap_err();
        assert!(refusal.help().unwrap().to_string().contains("--allow-host"));
        assert!(place.guard(&["192.0.2.8".to_owned()]).is_err());
        assert!(place.guard(&["192.0.2.7".to_owned()]).is_ok());
        assert!(place.guard(&["192.0.2.7:8000".to_owned()]).is_ok());
    }

    #[tokio::test]
    async fn this_machine_needs_no_permission() {
        for text in [
            "ws://127.0.0.9:8000",
            "http://[::1]",
            "ws://[::ffff:127.0.0.1]:1",
        ] {
            let place = Endpoint::find("--target", text, HTTP, &[]).await.unwrap();
            assert!(place.guard(&[]).is_ok(), "{text}");
        }
    }

    #[tokio::test]
    async fn the_host_header_leaves_out_the_port_that_the_scheme_stands_for() {
        for (text, header) in [
            ("ws://127.0.0.1:8000", "127.0.0.1:8000"),
            ("ws://[::1]:80", "[::1]"),
            ("http://LOCALHOST", "localhost"),
        ] {
            let place = Endpoint::find("--target", text, HTTP, &[]).await.unwrap();
            assert_eq!(place.host_header(), header);
        }
    }

    #[tokio::test]
    async fn the_address_that_accepts_is_kept_and_all_that_do_not_are_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let there = listener.local_addr().unwrap();
        let url = format!("ws://[::1]:{}", there.port());
        let mut place = Endpoint::find("--target", &url, HTTP, &[]).await.unwrap();
        place.addresses.push(there);
        place.settle().await.unwrap();
        assert_eq!(place.address(), there);
        assert_eq!(place.addresses.len(), 2);
        drop(listener);
        let problem = place.settle().await.unwrap_err().to_string();
        assert!(problem.contains("(127.0.0.1 and ::1)"), "{problem}");
    }

    #[tokio::test]
    async fn a_wrong_scheme_is_named_with_the_right_ones() {
        let problem = Endpoint::find("--target", "ftp://127.0.0.1", HTTP, &[])
            .await
            .unwrap_err();
        assert!(
            problem.to_string().contains("ws:// or http://"),
            "{problem}"
        );
    }
}
