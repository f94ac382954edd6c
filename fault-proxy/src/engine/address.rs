//! Listen addresses as Go's `net` package reads them.
//!
//! **In:** `host:port`, `:port` or nothing. **Out:** a bound listener, or the address in the words
//! the API answers with.

use crate::refusal::Refusal;
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    net::{TcpListener, lookup_host},
    time::timeout,
};

/// Connections the kernel keeps until they are accepted; it lowers this to its own limit.
const BACKLOG: i32 = 4096;
/// A name that is not resolved by then will not be.
const RESOLVE_MAX: Duration = Duration::from_secs(3);
/// A connection without a packet for so long is asked whether it is still there, and again after as
/// long, so many times: what Go's `net` package does.
const ALIVE_AFTER: Duration = Duration::from_secs(15);
const ALIVE_ASKED: u32 = 9;
/// Every address of this machine; an IPv6 socket takes IPv4 connections too.
const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0);

/// The address `listen` stands for. IPv4 wins where a name has both, and every address of IPv4 is
/// every address of IPv6 too, as in Go.
pub(super) async fn resolve(listen: &str) -> Result<SocketAddr, Refusal> {
    if listen.is_empty() {
        return Ok(ANY);
    }
    if let Ok(address) = listen.parse() {
        return Ok(wide(address));
    }
    let refuse = |problem: String| Refusal::Address { problem };
    // Where inputs are made up, nobody else is asked.
    if cfg!(any(test, fuzzing)) {
        return Err(refuse(format!("lookup {listen}: no such host")));
    }
    let Some((host, port)) = listen.rsplit_once(':') else {
        return Err(refuse(format!("address {listen}: missing port in address")));
    };
    let Ok(port) = port.parse::<u16>() else {
        return Err(refuse(format!("address {port}: invalid port")));
    };
    if host.is_empty() {
        return Ok(SocketAddr::new(ANY.ip(), port));
    }
    let unknown = || refuse(format!("lookup {host}: no such host"));
    match timeout(RESOLVE_MAX, lookup_host((host, port))).await {
        Ok(Ok(found)) => {
            let mut found: Vec<SocketAddr> = found.collect();
            found.sort_by_key(SocketAddr::is_ipv6);
            found.first().copied().ok_or_else(unknown)
        }
        Ok(Err(_)) => Err(unknown()),
        Err(_elapsed) => Err(refuse(format!("lookup {host}: i/o timeout"))),
    }
}

/// Whether a listener on `bound`, which may be a name if it does not run, is what one on `address` would be.
pub(super) fn is_same(bound: &str, address: SocketAddr) -> bool {
    // Where there is no IPv6, IPv4 is listened on instead.
    bound.parse().is_ok_and(|bound| wide(bound) == address)
}

fn wide(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => SocketAddr::new(ANY.ip(), v4.port()),
        other => other,
    }
}

/// A listener on `address`, which a proxy that just stopped may have used a moment ago, and which
/// other processes may bind too if it is `shared`.
pub(super) fn bind(address: SocketAddr, shared: bool) -> Result<TcpListener, Refusal> {
    let refuse = |source: io::Error| Refusal::Listen {
        address: address.to_string(),
        source,
    };
    // Where inputs are made up, no port is taken that somebody may need.
    let address = if cfg!(any(test, fuzzing)) {
        (Ipv4Addr::LOCALHOST, 0).into()
    } else {
        address
    };
    match listener(address, shared) {
        Ok(listener) => Ok(listener),
        // A machine without IPv6: "every address" is every IPv4 address there.
        Err(error) if address.ip() == ANY.ip() && error.kind() != io::ErrorKind::AddrInUse => {
            let ipv4 = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port());
            listener(ipv4, shared).map_err(refuse)
        }
        Err(error) => Err(refuse(error)),
    }
}

/// How a peer that has vanished without a word is noticed.
pub(super) fn keepalive() -> TcpKeepalive {
    TcpKeepalive::new()
        .with_time(ALIVE_AFTER)
        .with_interval(ALIVE_AFTER)
        .with_retries(ALIVE_ASKED)
}

fn listener(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM.nonblocking(),
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    // The connections that are accepted here inherit it.
    socket.set_tcp_keepalive(&keepalive())?;
    if address.ip() == ANY.ip() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
