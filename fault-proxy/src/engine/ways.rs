//! Ways through proxies of this server that lead back to where they began, as far as their addresses tell.
//!
//! **In:** where each running proxy listens and where it sends. **Out:** the names on a way that is a
//! ring. Names other than `localhost` are not looked up, and what lies beyond this server is not known: a
//! ring through those is cut at its length, by [`super::hops`].

use super::hops::canonical;
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

#[derive(Debug, Clone, Copy)]
struct Ends {
    listen: SocketAddr,
    upstream: Option<SocketAddr>,
}

type Known = BTreeMap<Arc<str>, Ends>;

/// All running proxies of one server.
#[derive(Debug, Default)]
pub(crate) struct Ways(Mutex<Known>);

impl Ways {
    /// Enters a proxy that is about to run, or answers the names on the ring it would close.
    pub(super) fn enter(
        self: &Arc<Self>,
        name: &Arc<str>,
        listen: SocketAddr,
        upstream: &str,
    ) -> Result<Way, Vec<Arc<str>>> {
        let mut known = self.lock();
        let ends = Ends {
            listen,
            upstream: known_address(upstream),
        };
        known.insert(Arc::clone(name), ends);
        if let Some(ring) = ring(&known, name) {
            known.remove(name);
            return Err(ring);
        }
        Ok(Way {
            ways: Arc::clone(self),
            name: Arc::clone(name),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A proxy is known for as long as this is kept.
#[derive(Debug)]
pub(super) struct Way {
    ways: Arc<Ways>,
    name: Arc<str>,
}

impl Drop for Way {
    fn drop(&mut self) {
        self.ways.lock().remove(&self.name);
    }
}

/// The way from `start` back to it.
fn ring(known: &Known, start: &Arc<str>) -> Option<Vec<Arc<str>>> {
    let mut way = vec![Arc::clone(start)];
    let mut at = known.get(start)?.upstream?;
    // No way without a ring is longer.
    while way.len() <= known.len() {
        let (next, ends) = known.iter().find(|(_, ends)| takes(ends.listen, at))?;
        way.push(Arc::clone(next));
        if next == start {
            return Some(way);
        }
        at = ends.upstream?;
    }
    None
}

/// Whether a listener on `listen` gets what is sent to `to`.
fn takes(listen: SocketAddr, to: SocketAddr) -> bool {
    let to = canonical(to);
    let is_any = match listen.ip() {
        IpAddr::V4(ip) => ip.is_unspecified() && to.is_ipv4(),
        IpAddr::V6(ip) => ip.is_unspecified(),
    };
    listen.port() == to.port()
        && (canonical(listen).ip() == to.ip() || is_any && to.ip().is_loopback())
}

fn known_address(upstream: &str) -> Option<SocketAddr> {
    if let Ok(address) = upstream.parse() {
        return Some(address);
    }
    let (host, port) = upstream.rsplit_once(':')?;
    let localhost = host.is_empty() || host.eq_ignore_ascii_case("localhost");
    let port = port.parse().ok()?;
    localhost.then(|| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Enters them in turn; answers the ring that the last one closes.
    fn closes(proxies: &[(&str, &str, &str)]) -> Option<String> {
        let ways = Arc::new(Ways::default());
        let mut entered = Vec::new();
        for (name, listen, upstream) in proxies {
            match ways.enter(&(*name).into(), listen.parse().unwrap(), upstream) {
                Ok(way) => entered.push(way),
                Err(ring) => return Some(ring.join(" ")),
            }
        }
        drop(entered);
        assert!(ways.lock().is_empty(), "what ended is still known");
        None
    }

    #[test]
    fn a_ring_is_found_however_its_addresses_are_spelled() {
        for (listen, upstream) in [
            ("127.0.0.1:7", "127.0.0.1:7"),
            ("127.0.0.1:7", "localhost:7"),
            ("127.0.0.1:7", "LocalHost:7"),
            ("127.0.0.1:7", ":7"),
            ("127.0.0.1:7", "0.0.0.0:7"),
            ("0.0.0.0:7", "127.0.0.9:7"),
            ("[::]:7", "127.0.0.1:7"),
            ("[::]:7", "[::1]:7"),
            ("[::]:7", "[::ffff:127.0.0.1]:7"),
            ("[::ffff:127.0.0.1]:7", "127.0.0.1:7"),
            ("10.0.0.1:7", "10.0.0.1:7"),
        ] {
            let found = closes(&[("a", listen, upstream)]);
            assert_eq!(found.as_deref(), Some("a a"), "{listen} {upstream}");
        }
        let three = [
            ("a", "127.0.0.1:1", "127.0.0.1:2"),
            ("b", "127.0.0.1:2", "localhost:3"),
            ("c", "0.0.0.0:3", "127.0.0.1:1"),
        ];
        assert_eq!(closes(&three).as_deref(), Some("c a b c"));
    }

    #[test]
    fn a_chain_is_no_ring() {
        for chain in [
            &[
                ("a", "127.0.0.1:1", "127.0.0.1:2"),
                ("b", "127.0.0.1:2", "127.0.0.1:3"),
            ][..],
            &[("a", "127.0.0.1:1", "127.0.0.2:1")],
            &[("a", "0.0.0.0:1", "[::1]:1")],
            &[("a", "0.0.0.0:1", "10.0.0.1:1")],
            &[("a", "127.0.0.1:1", "redis:1")],
            &[("a", "127.0.0.1:1", "nowhere")],
        ] {
            assert_eq!(closes(chain), None, "{chain:?}");
        }
    }
}
