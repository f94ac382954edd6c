//! What the proxy's sockets are, as the kernel tells it.

use crate::support::World;
use std::{fs, net::SocketAddr};

/// The timers of the kernel's connections from one port to another.
fn timer(from: SocketAddr, to: SocketAddr) -> String {
    let ends = [from, to].map(|end| format!(":{:04X}", end.port()));
    let tables =
        ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| fs::read_to_string(table).unwrap());
    let mut lines = tables.iter().flat_map(|table| table.lines().skip(1));
    let found = lines.find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_it = fields[1].ends_with(&ends[0]) && fields[2].ends_with(&ends[1]);
        (is_it && fields[3] == "01").then(|| fields[5].to_owned())
    });
    found.unwrap_or_else(|| panic!("no connection from {from} to {to}"))
}

#[tokio::test]
async fn both_sides_are_asked_whether_they_are_still_there() {
    let mut world = World::start().await;
    let (near, far) = world.pair("a").await;
    let ends = |socket: &tokio::net::TcpStream| {
        (socket.local_addr().unwrap(), socket.peer_addr().unwrap())
    };
    for ours in [&near, &far] {
        let (local, peer) = ends(ours);
        // 2: a keepalive timer, and hundredths of a second until it rings.
        let theirs = timer(peer, local);
        let (kind, rings) = theirs.split_once(':').unwrap();
        assert_eq!(kind, "02", "{theirs}");
        let rings = u64::from_str_radix(rings, 16).unwrap();
        assert!((1..=1_500).contains(&rings), "{theirs}");
        let none = timer(local, peer);
        assert!(none.starts_with("00:"), "the test's own end has {none}");
    }
}
