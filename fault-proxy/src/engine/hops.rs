//! How many proxies of this server a connection has come through already.
//!
//! **In:** the two addresses of every socket this server dials, and of every one it accepts. **Out:** a
//! socket that is being connected, or that the way is too long.
//!
//! An accepted connection whose other end was dialled here comes from a proxy of this server. That is
//! how a way that leads back to itself is told from a chain, whatever names, wildcards and forwarders
//! lie between: it only ever gets longer.

use super::address::keepalive;
use nix::errno::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::net::TcpStream;

/// Proxies of one server that a connection may pass.
pub(super) const HOPS_MAX: u8 = 16;

/// From where to where.
type Ends = (SocketAddr, SocketAddr);

/// The sockets that were dialled here, by their ends, and how long the way up to them is.
#[derive(Debug, Default)]
pub(crate) struct Hops(Mutex<HashMap<Ends, u8>>);

impl Hops {
    /// Proxies that a connection from `peer` to `local` has come through.
    pub(super) fn before(&self, peer: SocketAddr, local: SocketAddr) -> u8 {
        let ends = (canonical(peer), canonical(local));
        self.lock().get(&ends).copied().unwrap_or(0)
    }

    /// Begins to connect to `address`, for a connection that has come through `hops` proxies with this one.
    pub(super) fn dial(
        self: &Arc<Self>,
        address: SocketAddr,
        hops: u8,
    ) -> io::Result<(TcpStream, Leg)> {
        let domain = Domain::for_address(address);
        let kind = Type::STREAM.nonblocking();
        let socket = Socket::new(domain, kind, Some(Protocol::TCP))?;
        socket.set_tcp_keepalive(&keepalive())?;
        let ends = {
            // Whoever accepts this connection finds it here, however soon: nothing below waits.
            let mut dialled = self.lock();
            match socket.connect(&address.into()) {
                Err(error) if error.raw_os_error() == Some(Errno::EINPROGRESS as i32) => {}
                done => done?,
            }
            let from = socket.local_addr()?.as_socket();
            let from = from.ok_or(io::ErrorKind::AddrNotAvailable)?;
            let ends = (canonical(from), canonical(address));
            dialled.insert(ends, hops);
            ends
        };
        let leg = Leg {
            hops: Arc::clone(self),
            ends,
        };
        Ok((TcpStream::from_std(socket.into())?, leg))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Ends, u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A dialled socket is known by its ends for as long as this is kept.
#[derive(Debug)]
pub(super) struct Leg {
    hops: Arc<Hops>,
    ends: Ends,
}

impl Drop for Leg {
    fn drop(&mut self) {
        self.hops.lock().remove(&self.ends);
    }
}

/// The address as both ends of a connection know it: IPv4 unmapped, and "every address" as the one
/// that the kernel connects to instead.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip().to_canonical() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
