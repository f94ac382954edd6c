//! Whose address a connection counts for.
//!
//! A peer is known by its address; in IPv6, where a customer is given 2^64 of them, by its network.
//! Behind a trusted proxy it is the last address in `X-Forwarded-For` that is no trusted proxy's:
//! everything before it, the client may have written itself. Loopback is bound by nothing unless
//! that is asked for.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::HeaderMap;
use ipnet::IpNet;

const FORWARDED_FOR: &str = "x-forwarded-for";
/// Bits of an IPv6 address that name the network.
const NETWORK: u128 = u128::MAX << 64;

/// Who a request comes from: an address to count for, or nobody where no bound holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Client(pub(crate) Option<IpAddr>);

/// What is known of the peers.
#[derive(Debug, Clone)]
pub(crate) struct Peers {
    trusted: Vec<IpNet>,
    loopback: bool,
}

impl Peers {
    /// Believes `trusted`, and holds loopback to the bounds too where `loopback`.
    pub(crate) fn new(trusted: &[IpNet], loopback: bool) -> Self {
        Self {
            trusted: trusted.to_vec(),
            loopback,
        }
    }

    /// Whom the connection itself counts for: not a trusted proxy, which has those of many clients.
    pub(crate) fn of_connection(&self, peer: IpAddr) -> Client {
        let peer = peer.to_canonical();
        Client((!self.trusts(peer)).then(|| self.counted(peer)).flatten())
    }

    /// Whom a request on it counts for.
    pub(crate) fn of_request(&self, peer: IpAddr, headers: &HeaderMap) -> Client {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return Client(self.counted(peer));
        }
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        let words = lines.flat_map(|line| line.to_str().unwrap_or("?").rsplit(','));
        let mut addresses =
            words.map(|word| word.trim().parse().map(|ip: IpAddr| ip.to_canonical()));
        let first = addresses.find(|address| !address.as_ref().is_ok_and(|ip| self.trusts(*ip)));
        match first {
            Some(Ok(address)) => Client(self.counted(address)),
            // What cannot be read is the proxy's own doing, and counts for it.
            Some(Err(_)) => Client(self.counted(peer)),
            // One of those who are trusted.
            None => Client(None),
        }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted
            .iter()
            .any(|network| network.contains(&address))
    }

    fn counted(&self, address: IpAddr) -> Option<IpAddr> {
        let network = match address {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK).into(),
            IpAddr::V4(_) => address,
        };
        (self.loopback || !address.is_loopback()).then_some(network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn check(lines: &[&'static str], expected: Option<&str>) {
        let trusted = ["127.0.0.0/8", "172.16.0.0/12", "fd00::/8"];
        let trusted = trusted.map(|network| network.parse().unwrap());
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_static(line));
        }
        let seen = Peers::new(&trusted, true).of_request("172.18.0.5".parse().unwrap(), &headers);
        assert_eq!(
            seen,
            Client(expected.map(|address| address.parse().unwrap())),
            "{lines:?}"
        );
    }

    #[test]
    fn behind_a_trusted_proxy_the_last_address_that_is_not_one_counts() {
        let client = Some("203.0.113.7");
        check(&["203.0.113.7"], client);
        check(&["198.51.100.1, 203.0.113.7"], client);
        check(&["198.51.100.1", "203.0.113.7, 172.18.0.9"], client);
        check(&["198.51.100.1, ::ffff:203.0.113.7"], client);
        check(&["198.51.100.1, nonsense, 203.0.113.7"], client);
        check(&["2001:db8:1:2:3:4:5:6"], Some("2001:db8:1:2::"));
        check(&["198.51.100.1, nonsense"], Some("172.18.0.5"));
        check(&["172.18.0.9"], None);
        check(&[], None);
    }

    #[test]
    fn nobody_else_is_believed_and_loopback_is_free() {
        let mut headers = HeaderMap::new();
        headers.append(FORWARDED_FOR, HeaderValue::from_static("198.51.100.1"));
        let peers = Peers::new(&[], false);
        let own: IpAddr = "203.0.113.7".parse().unwrap();
        assert_eq!(peers.of_request(own, &headers), Client(Some(own)));
        assert_eq!(peers.of_connection(own), Client(Some(own)));
        for loopback in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            let loopback = loopback.parse().unwrap();
            assert_eq!(peers.of_request(loopback, &headers), Client(None));
            assert_eq!(peers.of_connection(loopback), Client(None));
            let strict = Peers::new(&[], true).of_connection(loopback);
            assert_ne!(strict, Client(None), "{loopback}");
        }
        let trusted = Peers::new(&["203.0.113.0/24".parse().unwrap()], true);
        assert_eq!(trusted.of_connection(own), Client(None));
    }
}
