//! This module asks the kernel how many connections wait to be accepted at listening sockets of this machine.
//!
//! **In:** addresses at which a target listens. **Out:** a [`BacklogSample`], or nothing where the kernel does not tell.
//!
//! `/proc/net/tcp` says only how many wait; `sock_diag` also says how many may, and how many connections the socket turned
//! away so far. It is asked for listening sockets alone, so that the open ones of the run cost nothing.
//!
//! **Units:** connections. **Source:** `sock_diag(7)`, netlink(7), the kernel's `linux/inet_diag.h`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto,
    setsockopt, socket,
};
use nix::sys::time::{TimeVal, TimeValLike};

/// What an answer of the kernel may come to: some ten thousand listening sockets.
const ANSWERS_MAX: usize = 1_000;
const ANSWER_BYTES: usize = 32 << 10;
const PATIENCE_MS: i64 = 500;

/// `SOCK_DIAG_BY_FAMILY`, and `NLM_F_REQUEST | NLM_F_DUMP`.
const BY_FAMILY: u16 = 20;
const DUMP: u16 = 0x301;
const DONE: u16 = 3;
const ERROR: u16 = 2;
const IPV4: u8 = 2;
const IPV6: u8 = 10;
const TCP: u8 = 6;
/// State `TCP_LISTEN`, as a mask.
const LISTENING: u32 = 1 << 10;
/// `INET_DIAG_SKMEMINFO`, and where its `SK_MEMINFO_DROPS` begins.
const MEMORY: u16 = 7;
const DROPS_AT: usize = 8 * 4;
/// Lengths of the head of a message, of `inet_diag_msg` and of the head of an attribute.
const HEAD: usize = 16;
const SOCKET: usize = 72;
const ATTRIBUTE: usize = 4;

/// A listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Listener {
    address: SocketAddr,
    waiting: u32,
    limit: u32,
    dropped: u32,
}

/// The listening sockets of a target, at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BacklogSample {
    /// Connections that wait at the fullest of them, and how many may.
    pub waiting: u64,
    pub limit: u64,
    /// Connections that they turned away since they were opened, all of them together.
    pub dropped: u64,
}

/// The backlog of whatever listens at these addresses; `None`: nothing does, or the kernel does not tell.
pub(crate) fn backlog(addresses: &[SocketAddr]) -> Option<BacklogSample> {
    if addresses.is_empty() {
        return None;
    }
    let mut all = listening(IPV4).ok()?;
    all.extend(listening(IPV6).unwrap_or_default());
    let mut sample: Option<BacklogSample> = None;
    for listener in addresses.iter().flat_map(|address| at(*address, &all)) {
        let sample = sample.get_or_insert_default();
        let (waiting, limit) = (u64::from(listener.waiting), u64::from(listener.limit));
        // As shares: waiting / limit.
        if sample.limit == 0 || waiting * sample.limit > sample.waiting * limit {
            (sample.waiting, sample.limit) = (waiting, limit);
        }
        sample.dropped += u64::from(listener.dropped);
    }
    sample
}

/// Those at this very address, or else those at every address of its port.
fn at(address: SocketAddr, all: &[Listener]) -> Vec<Listener> {
    let ip = |of: SocketAddr| of.ip().to_canonical();
    let of_port = all.iter().filter(|of| of.address.port() == address.port());
    let (exact, others): (Vec<Listener>, Vec<Listener>) =
        of_port.partition(|of| ip(of.address) == ip(address));
    if exact.is_empty() {
        let everywhere = others.into_iter();
        return everywhere
            .filter(|of| ip(of.address).is_unspecified())
            .collect();
    }
    exact
}

fn listening(family: u8) -> Result<Vec<Listener>, io::Error> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkSockDiag,
    )?;
    setsockopt(&socket, ReceiveTimeout, &TimeVal::milliseconds(PATIENCE_MS))?;
    let kernel = NetlinkAddr::new(0, 0);
    sendto(
        socket.as_raw_fd(),
        &request(family),
        &kernel,
        MsgFlags::empty(),
    )?;
    let mut found = Vec::new();
    let mut bytes = vec![0; ANSWER_BYTES];
    for _ in 0..ANSWERS_MAX {
        let length = answer(&socket, &mut bytes)?;
        let mut rest = bytes.get(..length).unwrap_or_default();
        while let Some((kind, body, after)) = message(rest) {
            match kind {
                DONE => return Ok(found),
                ERROR => return Err(io::ErrorKind::Unsupported.into()),
                _ => found.extend(listener(body)),
            }
            rest = after;
        }
    }
    Ok(found)
}

fn answer(socket: &OwnedFd, bytes: &mut [u8]) -> Result<usize, io::Error> {
    Ok(recv(socket.as_raw_fd(), bytes, MsgFlags::empty())?)
}

/// Asks for the listening TCP sockets of a family, with what they dropped.
fn request(family: u8) -> Vec<u8> {
    const LENGTH: u32 = 72;
    let mut bytes = Vec::new();
    bytes.extend(LENGTH.to_ne_bytes());
    bytes.extend(BY_FAMILY.to_ne_bytes());
    bytes.extend(DUMP.to_ne_bytes());
    // Sequence and sender: there is one question on this socket.
    bytes.extend([0; 8]);
    bytes.extend([family, TCP, 1 << (MEMORY - 1), 0]);
    bytes.extend(LISTENING.to_ne_bytes());
    // Any address and port.
    bytes.resize(LENGTH as usize, 0);
    bytes
}

/// The first message: its kind and what is in it, and what follows it.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
    let body = bytes.get(HEAD..length)?;
    let after = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((u16_at(bytes, 4)?, body, after))
}

/// An `inet_diag_msg` and its attributes.
fn listener(body: &[u8]) -> Option<Listener> {
    let port = u16::from_be_bytes(body.get(4..6)?.try_into().ok()?);
    let ip = match *body.first()? {
        IPV4 => IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(body.get(8..12)?).ok()?)),
        IPV6 => IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(body.get(8..24)?).ok()?)),
        _ => return None,
    };
    Some(Listener {
        address: SocketAddr::new(ip, port),
        waiting: u32_at(body, 56)?,
        limit: u32_at(body, 60)?,
        dropped: dropped(body.get(SOCKET..).unwrap_or_default()).unwrap_or(0),
    })
}

fn dropped(mut attributes: &[u8]) -> Option<u32> {
    loop {
        let length = usize::from(u16_at(attributes, 0)?);
        let value = attributes.get(ATTRIBUTE..length)?;
        if u16_at(attributes, 2)? == MEMORY {
            return u32_at(value, DROPS_AT);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use nix::sys::socket::{Backlog, listen};

    use super::*;

    #[test]
    fn connections_that_wait_are_counted_with_their_limit_and_those_turned_away() {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listen(&socket, Backlog::new(2).unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        let look = || backlog(&[address]).unwrap();
        let nobody = BacklogSample {
            waiting: 0,
            limit: 2,
            dropped: 0,
        };
        assert_eq!(look(), nobody);
        // The kernel takes one more than the limit.
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(100));
        let open: Vec<_> = (0..3).map(|_| connect().unwrap()).collect();
        assert_eq!(
            look(),
            BacklogSample {
                waiting: 3,
                ..nobody
            }
        );
        connect().unwrap_err();
        assert_eq!((look().waiting, look().limit), (3, 2));
        assert!(look().dropped > 0, "{:?}", look());
        let taken: Vec<_> = open.iter().map(|_| socket.accept().unwrap()).collect();
        assert_eq!(look().waiting, 0);
        drop((socket, taken));
        assert_eq!(backlog(&[address]), None);
        assert_eq!(backlog(&[]), None);
    }

    #[test]
    fn the_very_address_comes_before_every_address() {
        let of = |text: &str| Listener {
            address: text.parse().unwrap(),
            waiting: 0,
            limit: 1,
            dropped: 0,
        };
        let all = [
            of("0.0.0.0:80"),
            of("127.0.0.1:80"),
            of("[::]:81"),
            of("127.0.0.2:81"),
        ];
        let found = |text: &str| at(text.parse().unwrap(), &all);
        assert_eq!(found("127.0.0.1:80"), [all[1]]);
        assert_eq!(found("127.0.0.9:80"), [all[0]]);
        assert_eq!(found("127.0.0.1:81"), [all[2]]);
        assert!(found("127.0.0.1:82").is_empty());
    }

    #[test]
    fn what_is_cut_short_is_no_listener() {
        assert!(message(&[1, 0, 0]).is_none());
        assert!(listener(&[IPV4; 40]).is_none());
        assert_eq!(dropped(&[0; 4]), None);
    }
}
