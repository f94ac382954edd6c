//! `toxiproxy_rust` 0.1.6 drives the embedded server: everything it offers, and each effect on the
//! wire.
//!
//! Lower bounds on times are exact; there are no upper bounds but the deadline of every read.

use fault_proxy_interop::{World, accept, connect, drain, echo, round_trip};
use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};
use toxiproxy_rust::{
    client::Client,
    proxy::{Proxy, ProxyPack},
};

const MS: Duration = Duration::from_millis(1);

fn down() -> String {
    "downstream".to_owned()
}

fn up() -> String {
    "upstream".to_owned()
}

/// A server, its client, and one proxy `p` in front of an echo.
fn prepared() -> (World, Client, Proxy) {
    let world = World::start();
    let client = Client::new(world.api);
    let proxy = populate(&client, "p", &echo().to_string());
    (world, client, proxy)
}

/// The same in front of a server the test plays itself.
fn played() -> (World, Proxy, TcpListener) {
    let world = World::start();
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = upstream.local_addr().unwrap().to_string();
    let proxy = populate(&Client::new(world.api), "p", &address);
    (world, proxy, upstream)
}

fn populate(client: &Client, name: &str, upstream: &str) -> Proxy {
    let pack = ProxyPack::new(name.to_owned(), "127.0.0.1:0".to_owned(), upstream.into());
    client.populate(vec![pack]).unwrap().remove(0)
}

#[test]
fn the_server_is_running_and_says_its_version() {
    let mut world = World::start();
    let client = Client::new(world.api);
    assert!(client.is_running());
    assert_eq!(client.version().unwrap(), "{\"version\": \"2.12.0\"}\n");
    world.stop();
    assert!(!client.is_running());
}

#[test]
fn populated_proxies_carry_data_and_are_left_alone_the_second_time() {
    let world = World::start();
    let client = Client::new(world.api);
    let upstream = echo().to_string();
    let pack = |name: &str, listen: &str| {
        ProxyPack::new(name.to_owned(), listen.to_owned(), upstream.clone())
    };
    let created = client
        .populate(vec![pack("a", "localhost:0"), pack("b", "127.0.0.1:0")])
        .unwrap();
    assert_eq!(created.len(), 2);
    let listen = created[0].proxy_pack.listen.clone();
    assert!(listen.starts_with("127.0.0.1:"), "{listen}");
    assert_eq!(world.proxy("a")["listen"], listen);
    assert!(created[0].proxy_pack.enabled);
    let mut stream = connect(&listen);
    assert_eq!(round_trip(&mut stream, "first"), "first");
    let again = client.populate(vec![pack("a", &listen)]).unwrap();
    assert_eq!(again[0].proxy_pack.listen, listen);
    assert_eq!(round_trip(&mut stream, "still"), "still");
}

#[test]
fn a_population_that_fails_is_an_error() {
    let (_world, client, proxy) = prepared();
    let taken = ProxyPack::new(
        "second".to_owned(),
        proxy.proxy_pack.listen.clone(),
        "127.0.0.1:1".to_owned(),
    );
    assert!(client.populate(vec![taken]).is_err());
    assert!(client.find_proxy("second").is_err());
}

#[test]
fn proxies_are_found_one_by_one_and_all_at_once() {
    let (_world, client, proxy) = prepared();
    populate(&client, "q", "127.0.0.1:1");
    let found = client.find_proxy("p").unwrap();
    assert_eq!(found.proxy_pack.listen, proxy.proxy_pack.listen);
    assert!(client.find_proxy("r").is_err());
    proxy.with_latency(down(), 5, 0, 1.0);
    let all = client.all().unwrap();
    assert_eq!(all.len(), 2);
    let toxics = &all["p"].proxy_pack.toxics;
    assert_eq!(toxics[0].name, "latency_downstream");
    assert_eq!(toxics[0].attributes["latency"], 5);
    assert!(all["q"].proxy_pack.toxics.is_empty());
}

#[test]
fn latency_delays_until_apply_takes_it_away() {
    let (world, _client, proxy) = prepared();
    let mut stream = connect(&proxy.proxy_pack.listen);
    let mut inside = Duration::ZERO;
    proxy
        .with_latency(down(), 120, 0, 1.0)
        .with_latency(up(), 80, 0, 1.0)
        .apply(|| {
            assert_eq!(world.proxy("p")["toxics"][0]["name"], "latency_upstream");
            let start = Instant::now();
            assert_eq!(round_trip(&mut stream, "slow"), "slow");
            inside = start.elapsed();
        })
        .unwrap();
    assert!(inside >= 200 * MS, "{inside:?}");
    assert_eq!(world.proxy("p")["toxics"], serde_json::json!([]));
    let start = Instant::now();
    (0..50).for_each(|_| drop(round_trip(&mut stream, "fast")));
    assert!(start.elapsed() < 50 * 200 * MS, "{:?}", start.elapsed());
}

#[test]
fn bandwidth_holds_its_rate() {
    let (world, _client, proxy) = prepared();
    proxy.with_bandwidth(down(), 100, 1.0);
    assert_eq!(world.proxy("p")["toxics"][0]["attributes"]["rate"], 100);
    let mut stream = connect(&proxy.proxy_pack.listen);
    let start = Instant::now();
    round_trip(&mut stream, &"x".repeat(40_000));
    assert!(start.elapsed() >= 390 * MS, "{:?}", start.elapsed());
}

#[test]
fn slow_close_holds_back_the_end() {
    let (world, proxy, upstream) = played();
    proxy.with_slow_close(down(), 250, 1.0);
    assert_eq!(world.proxy("p")["toxics"][0]["attributes"]["delay"], 250);
    let mut stream = connect(&proxy.proxy_pack.listen);
    let mut far = accept(&upstream);
    far.write_all(b"last words").unwrap();
    let start = Instant::now();
    drop(far);
    assert_eq!(drain(&mut stream), b"last words");
    assert!(start.elapsed() >= 250 * MS, "{:?}", start.elapsed());
}

#[test]
fn timeout_drops_data_and_closes() {
    let (world, proxy, upstream) = played();
    proxy.with_timeout(up(), 200, 1.0);
    assert_eq!(world.proxy("p")["toxics"][0]["attributes"]["timeout"], 200);
    let mut stream = connect(&proxy.proxy_pack.listen);
    let mut far = accept(&upstream);
    let start = Instant::now();
    stream.write_all(b"lost").unwrap();
    assert_eq!(drain(&mut far), b"");
    assert!(start.elapsed() >= 200 * MS, "{:?}", start.elapsed());
    assert_eq!(drain(&mut stream), b"");
}

#[test]
fn slicer_cuts_and_loses_nothing() {
    let (world, proxy, upstream) = played();
    proxy.with_slicer(down(), 100, 20, 2_000, 1.0);
    let attributes = &world.proxy("p")["toxics"][0]["attributes"];
    assert_eq!(
        *attributes,
        serde_json::json!({"average_size": 100, "size_variation": 20, "delay": 2_000})
    );
    let mut stream = connect(&proxy.proxy_pack.listen);
    let mut far = accept(&upstream);
    let sent: Vec<u8> = (0..6_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let start = Instant::now();
    far.write_all(&sent).unwrap();
    let (mut got, mut buffer) = (Vec::new(), [0; 4_096]);
    let first = stream.read(&mut buffer).unwrap();
    got.extend_from_slice(&buffer[..first]);
    assert!(first < 4_096, "the first piece had {first} bytes");
    while got.len() < sent.len() {
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "ended after {} bytes", got.len());
        got.extend_from_slice(&buffer[..read]);
    }
    assert_eq!(got, sent);
    // At least 50 pieces with 2 ms after each but the last.
    assert!(start.elapsed() >= 98 * MS, "{:?}", start.elapsed());
}

#[test]
fn limit_data_passes_exactly_its_bytes() {
    let (world, proxy, upstream) = played();
    proxy.with_limit_data(down(), 1_000, 1.0);
    assert_eq!(world.proxy("p")["toxics"][0]["attributes"]["bytes"], 1_000);
    let mut stream = connect(&proxy.proxy_pack.listen);
    let mut far = accept(&upstream);
    far.write_all(&[7; 5_000]).unwrap();
    assert_eq!(drain(&mut stream), [7; 1_000]);
}

#[test]
fn toxicity_zero_spares_every_connection() {
    let (world, _client, proxy) = prepared();
    proxy.with_limit_data(down(), 0, 0.0);
    assert_eq!(world.proxy("p")["toxics"][0]["toxicity"], 0);
    for _ in 0..20 {
        let mut stream = connect(&proxy.proxy_pack.listen);
        assert_eq!(round_trip(&mut stream, "spared"), "spared");
    }
}

#[test]
fn with_down_refuses_and_closes_and_comes_back() {
    let (world, _client, proxy) = prepared();
    let listen = proxy.proxy_pack.listen.clone();
    let mut open = connect(&listen);
    assert_eq!(round_trip(&mut open, "open"), "open");
    proxy
        .with_down(|| {
            assert_eq!(world.proxy("p")["enabled"], false);
            let refused = TcpStream::connect(&listen).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
            assert_eq!(drain(&mut open), b"");
        })
        .unwrap();
    assert_eq!(world.proxy("p")["enabled"], true);
    let mut stream = connect(&listen);
    assert_eq!(round_trip(&mut stream, "back"), "back");
}

#[test]
fn reset_enables_everything_and_removes_every_toxic() {
    let (world, client, proxy) = prepared();
    let other = populate(&client, "q", &echo().to_string());
    proxy.with_bandwidth(up(), 0, 1.0);
    other.disable().unwrap();
    assert_eq!(world.proxy("q")["enabled"], false);
    client.reset().unwrap();
    assert!(proxy.toxics().unwrap().is_empty());
    for proxy in [&proxy, &other] {
        let mut stream = connect(&proxy.proxy_pack.listen);
        assert_eq!(round_trip(&mut stream, "fresh"), "fresh");
    }
}

#[test]
fn a_found_and_reset_proxy_is_enabled_and_without_toxics() {
    let (world, client, proxy) = prepared();
    proxy
        .with_timeout(down(), 0, 1.0)
        .with_slicer(up(), 1, 0, 0, 1.0);
    proxy.disable().unwrap();
    let found = client.find_and_reset_proxy("p").unwrap();
    let seen = world.proxy("p");
    assert_eq!(
        (&seen["enabled"], &seen["toxics"]),
        (&true.into(), &serde_json::json!([]))
    );
    let mut stream = connect(&found.proxy_pack.listen);
    assert_eq!(round_trip(&mut stream, "found"), "found");
}

#[test]
fn a_deleted_proxy_is_gone_and_its_port_free() {
    let (world, client, proxy) = prepared();
    let listen = proxy.proxy_pack.listen.clone();
    proxy.delete().unwrap();
    assert_eq!(world.http("GET", "/proxies/p", "").0, 404);
    assert!(client.all().unwrap().is_empty());
    TcpListener::bind(&listen).unwrap();
}

#[test]
fn what_the_client_does_not_notice_changes_nothing() {
    let (world, _client, proxy) = prepared();
    // A duplicate (409), a stream there is not (400): the client calls both a success.
    proxy
        .with_latency(down(), 1, 0, 1.0)
        .with_latency(down(), 9_000, 0, 1.0)
        .with_latency("sideways".to_owned(), 9_000, 0, 1.0);
    let toxics = &world.proxy("p")["toxics"];
    assert_eq!(toxics.as_array().map(Vec::len), Some(1), "{toxics}");
    assert_eq!(toxics[0]["attributes"]["latency"], 1);
}
