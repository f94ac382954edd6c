//! Peers that say nothing, leave half-way, or are not there.

use crate::{
    alone::{self, Held, slow_tests},
    support::{
        DEADLINE, End, World, connect, drain, is_silent, pattern, receive, round_trip, until,
        within,
    },
};
use fault_proxy::{
    Stream::{self, Downstream, Upstream},
    ToxicSpec,
};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Handle,
    task::JoinSet,
    time::timeout,
};

const MS: Duration = Duration::from_millis(1);

#[tokio::test]
async fn a_client_that_never_sends_is_carried_and_let_go() {
    let mut world = World::start().await;
    let (mut near, mut far) = world.pair("a").await;
    is_silent(&mut far, 100 * MS).await;
    far.write_all(b"you first").await.unwrap();
    assert_eq!(receive(&mut near, 9).await, "you first");
    drop(near);
    assert_eq!(drain(&mut far).await, (Vec::new(), End::Closed));
}

#[tokio::test]
async fn a_half_close_delivers_what_was_sent_before_under_every_toxic_that_keeps_data() {
    let sent = pattern(30_000);
    for toxic in [
        ToxicSpec::new("t", "noop", Upstream),
        ToxicSpec::latency("t", Upstream, 20, 10),
        ToxicSpec::bandwidth("t", Upstream, 300),
        ToxicSpec::slow_close("t", Upstream, 30),
        ToxicSpec::slicer("t", Upstream, 500, 10),
        ToxicSpec::limit_data("t", Upstream, 30_000),
        ToxicSpec::slow_connect("t", 30),
    ] {
        let mut world = World::start().await;
        let (upstream, mut connections) = world.played().await;
        let listen = world.proxy_to("a", upstream).await;
        world.client.add_toxic("a", &toxic).await.unwrap();
        let mut near = connect(&listen).await;
        near.write_all(&sent).await.unwrap();
        near.shutdown().await.unwrap();
        let mut far = within("the proxy to dial", connections.recv())
            .await
            .unwrap();
        let (got, end) = drain(&mut far).await;
        assert_eq!((got == sent, end), (true, End::Closed), "{}", toxic.kind);
        // There is no half-closed connection: the client's side ends too.
        assert_eq!(
            drain(&mut near).await,
            (Vec::new(), End::Closed),
            "{}",
            toxic.kind
        );
    }
}

#[tokio::test]
async fn slow_connect_lets_go_of_a_client_that_broke_off() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    let slow = ToxicSpec::slow_connect("t", 100_000);
    world.client.add_toxic("a", &slow).await.unwrap();
    let stream = connect(&listen).await;
    let linger = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    linger.unwrap();
    drop(stream);
    until("the connection to be let go", async || {
        let seen = world.client.statistics("a").await.unwrap().connections;
        (seen.accepted, seen.open) == (1, 0)
    })
    .await;
}

#[tokio::test]
async fn an_upstream_that_has_no_address_ends_the_connection_and_nothing_else() {
    let mut world = World::start().await;
    let healthy = world.echo_proxy("healthy").await;
    // A name too long for any name server to be asked, and no port at all.
    for (name, upstream) in [
        ("long", format!("{}:1", "x".repeat(300))),
        ("bare", "nowhere".into()),
    ] {
        let proxy = world
            .client
            .create(name, "127.0.0.1:0", &upstream)
            .await
            .unwrap();
        for _ in 0..3 {
            let mut near = connect(&proxy.listen).await;
            assert_eq!(drain(&mut near).await, (Vec::new(), End::Closed), "{name}");
        }
        let seen = world.client.statistics(name).await.unwrap().connections;
        assert_eq!((seen.accepted, seen.closed["unreached"]), (3, 3), "{name}");
    }
    let mut stream = connect(&healthy).await;
    assert_eq!(round_trip(&mut stream, "healthy").await, "healthy");
}

#[test]
fn connections_that_came_and_went_under_any_toxic_leave_nothing() {
    let name = "bad_peers::connections_that_came_and_went_under_any_toxic_leave_nothing";
    alone::run(name, 15 * DEADLINE, || {
        alone::raise_file_limit();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(come_and_go(runtime.handle()));
    });
}

fn every_toxic(stream: Stream) -> Vec<ToxicSpec> {
    vec![
        ToxicSpec::new("t", "noop", stream),
        ToxicSpec::latency("t", stream, 3, 3),
        ToxicSpec::latency("t", stream, 100_000, 0),
        ToxicSpec::bandwidth("t", stream, 100),
        ToxicSpec::bandwidth("t", stream, 0),
        ToxicSpec::slow_close("t", stream, 10),
        ToxicSpec::slow_close("t", stream, 100_000),
        ToxicSpec::timeout("t", stream, 10),
        ToxicSpec::timeout("t", stream, 0),
        ToxicSpec::reset_peer("t", stream, 5),
        ToxicSpec::slicer("t", stream, 50, 10),
        ToxicSpec::limit_data("t", stream, 100),
        ToxicSpec::blackhole("t"),
        ToxicSpec::idle_timeout("t", 10),
        ToxicSpec::limit_time("t", 10),
        ToxicSpec::slow_connect("t", 10),
        ToxicSpec::refuse("t", 0),
        ToxicSpec::no_answer("t"),
    ]
}

async fn come_and_go(runtime: &Handle) {
    let count = if slow_tests() { 1_000 } else { 40 };
    let mut world = World::start().await;
    let upstream = world.echo().await;
    let listen = world.proxy_to("a", upstream).await;
    let listen: SocketAddr = listen.parse().unwrap();
    let before = Held::now(runtime);
    for toxic in [Upstream, Downstream].into_iter().flat_map(every_toxic) {
        // Not the client, which keeps connections for a while.
        let body = serde_json::to_string(&toxic).unwrap();
        let added = world.http("POST", "/proxies/a/toxics", &body).await;
        assert_eq!(added.status, 200, "{added:?}");
        let mut visits = JoinSet::new();
        for number in 0..count {
            visits.spawn(visit(listen, number));
            if visits.len() == 50 {
                within("a visit", visits.join_next())
                    .await
                    .unwrap()
                    .unwrap();
            }
        }
        while let Some(visited) = within("a visit", visits.join_next()).await {
            visited.unwrap();
        }
        // Some toxics keep a connection though its client has left; none does when it is gone.
        let removed = world.http("DELETE", "/proxies/a/toxics/t", "").await;
        assert_eq!(removed.status, 204, "{removed:?}");
        if let Err(left) = before.is_all_there_is(runtime) {
            panic!("{toxic:?}: {left}");
        }
    }
    let mut stream = TcpStream::connect(listen).await.unwrap();
    assert_eq!(round_trip(&mut stream, "still").await, "still");
    drop(stream);
    world.stop().await;
}

/// Comes, says something, stays for a moment, and leaves: every other time with a reset.
async fn visit(address: SocketAddr, number: usize) {
    // A connection can be over before its connect has returned.
    let Ok(mut stream) = TcpStream::connect(address).await else {
        return;
    };
    if stream.write_all(&[7; 300]).await.is_ok() {
        let mut back = [0; 300];
        drop(timeout(8 * MS, stream.read_exact(&mut back)).await);
    }
    if number.is_multiple_of(2) {
        let reset = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        reset.unwrap();
    }
}

#[tokio::test]
async fn an_upstream_whose_port_is_taken_by_nobody_is_tried_again_for_every_client() {
    let world = World::start().await;
    let reserved = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    let listen = world.proxy_to("a", address).await;
    let mut early = connect(&listen).await;
    assert_eq!(drain(&mut early).await, (Vec::new(), End::Closed));
    let Ok(upstream) = TcpListener::bind(address).await else {
        // Somebody else on this machine took it meanwhile.
        return;
    };
    let mut near = connect(&listen).await;
    let (mut far, _) = within("the proxy to dial", upstream.accept())
        .await
        .unwrap();
    near.write_all(b"there").await.unwrap();
    assert_eq!(receive(&mut far, 5).await, "there");
}
