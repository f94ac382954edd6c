//! Toxics that end connections, and how they end by themselves.

use crate::support::{End, World, connect, drain, is_silent, receive, round_trip, until, within};
use fault_proxy::{
    Stream::{Downstream, Upstream},
    ToxicSpec,
};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::sleep,
};

const MS: Duration = Duration::from_millis(1);

#[tokio::test]
async fn timeout_swallows_data_and_closes_both_sides() {
    let mut world = World::start().await;
    let timeout = ToxicSpec::timeout("t", Upstream, 150);
    let (mut near, mut far) = world.pair("a").await;
    let start = Instant::now();
    world.client.add_toxic("a", &timeout).await.unwrap();
    near.write_all(b"lost").await.unwrap();
    assert_eq!(drain(&mut far).await, (Vec::new(), End::Closed));
    assert_eq!(drain(&mut near).await.0, Vec::<u8>::new());
    assert!(start.elapsed() >= 150 * MS, "{:?}", start.elapsed());
}

#[tokio::test]
async fn timeout_starts_again_with_every_chunk_it_drops() {
    let mut world = World::start().await;
    let (mut near, mut far) = world.pair("a").await;
    let timeout = ToxicSpec::timeout("t", Upstream, 400);
    world.client.add_toxic("a", &timeout).await.unwrap();
    let start = Instant::now();
    for _ in 0..12 {
        near.write_all(b"still here").await.unwrap();
        sleep(50 * MS).await;
    }
    // A stall of the machine may let the time run out; then there is nothing to see here.
    if start.elapsed() < 900 * MS {
        is_silent(&mut near, MS).await;
    }
    assert_eq!(drain(&mut far).await, (Vec::new(), End::Closed));
    assert!(start.elapsed() >= 950 * MS, "{:?}", start.elapsed());
}

#[tokio::test]
async fn timeout_zero_is_a_black_hole_in_one_direction() {
    let mut world = World::start().await;
    let (mut near, mut far) = world.pair("a").await;
    let hole = ToxicSpec::timeout("hole", Upstream, 0);
    world.client.add_toxic("a", &hole).await.unwrap();
    near.write_all(b"lost").await.unwrap();
    is_silent(&mut far, 80 * MS).await;
    far.write_all(b"the other way works").await.unwrap();
    assert_eq!(receive(&mut near, 19).await, "the other way works");
    // A stream with a hole in it cannot go on.
    world.client.remove_toxic("a", "hole").await.unwrap();
    assert_eq!(drain(&mut far).await, (Vec::new(), End::Closed));
    assert_eq!(drain(&mut near).await.0, Vec::<u8>::new());
}

#[tokio::test]
async fn timeout_drops_data_and_passes_the_end_on_at_once() {
    for stream in [Upstream, Downstream] {
        let mut world = World::start().await;
        let (near, far) = world.pair("a").await;
        let hole = ToxicSpec::timeout("hole", stream, 0);
        world.client.add_toxic("a", &hole).await.unwrap();
        let (mut source, mut destination) = match stream {
            Upstream => (near, far),
            Downstream => (far, near),
        };
        source.write_all(b"lost").await.unwrap();
        source.shutdown().await.unwrap();
        assert_eq!(drain(&mut destination).await, (Vec::new(), End::Closed));
        assert_eq!(drain(&mut source).await.0, Vec::<u8>::new());
    }
}

#[tokio::test]
async fn a_black_hole_does_not_keep_a_connection_both_peers_have_left() {
    let mut world = World::start().await;
    let (mut near, far) = world.pair("a").await;
    let hole = ToxicSpec::timeout("hole", Upstream, 0);
    world.client.add_toxic("a", &hole).await.unwrap();
    let before = alive_tasks();
    drop(far);
    drain(&mut near).await;
    until("the connection's task to end", async || {
        alive_tasks() < before
    })
    .await;
}

fn alive_tasks() -> usize {
    tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
}

#[tokio::test]
async fn reset_peer_resets_both_sides_after_the_first_data() {
    let mut world = World::start().await;
    let (upstream, mut connections) = world.played().await;
    let listen = world.proxy_to("a", upstream).await;
    let mut open_before = connect(&listen).await;
    let mut far_before = connections.recv().await.unwrap();
    let reset = ToxicSpec::reset_peer("r", Upstream, 100);
    world.client.add_toxic("a", &reset).await.unwrap();
    let mut near = connect(&listen).await;
    let mut far = connections.recv().await.unwrap();
    is_silent(&mut near, 150 * MS).await;
    let start = Instant::now();
    near.write_all(b"x").await.unwrap();
    assert_eq!(drain(&mut near).await, (Vec::new(), End::Reset));
    assert!(start.elapsed() >= 100 * MS, "{:?}", start.elapsed());
    assert_eq!(drain(&mut far).await, (Vec::new(), End::Reset));

    open_before.write_all(b"x").await.unwrap();
    assert_eq!(drain(&mut open_before).await.1, End::Reset);
    assert_eq!(drain(&mut far_before).await.1, End::Reset);
}

#[tokio::test]
async fn reset_peer_leaves_nothing_behind_when_removed() {
    let mut world = World::start().await;
    let (upstream, mut connections) = world.played().await;
    let listen = world.proxy_to("a", upstream).await;
    let reset = ToxicSpec::reset_peer("r", Downstream, 0);
    world.client.add_toxic("a", &reset).await.unwrap();
    let mut near = connect(&listen).await;
    let mut far = connections.recv().await.unwrap();
    world.client.remove_toxic("a", "r").await.unwrap();
    far.write_all(b"whole").await.unwrap();
    drop(far);
    assert_eq!(drain(&mut near).await, (b"whole".to_vec(), End::Closed));
}

#[tokio::test]
async fn removing_an_armed_reset_does_not_wait_for_its_time() {
    let mut world = World::start().await;
    let (mut near, _far) = world.pair("a").await;
    let reset = ToxicSpec::reset_peer("r", Upstream, 3_600_000);
    world.client.add_toxic("a", &reset).await.unwrap();
    near.write_all(b"x").await.unwrap();
    is_silent(&mut near, 50 * MS).await;
    world.client.remove_toxic("a", "r").await.unwrap();
    assert_eq!(drain(&mut near).await.1, End::Reset);
}

#[tokio::test]
async fn limit_data_passes_exactly_its_bytes_and_closes_at_once() {
    let mut world = World::start().await;
    let (upstream, mut connections) = world.played().await;
    let listen = world.proxy_to("a", upstream).await;
    let limit = ToxicSpec::limit_data("l", Upstream, 5);
    world.client.add_toxic("a", &limit).await.unwrap();
    let mut near = connect(&listen).await;
    let mut far = connections.recv().await.unwrap();
    near.write_all(b"abc").await.unwrap();
    assert_eq!(receive(&mut far, 3).await, "abc");
    // The count outlives an update.
    let six = ToxicSpec::limit_data("l", Upstream, 6);
    world.client.update_toxic("a", &six).await.unwrap();
    near.write_all(b"defghi").await.unwrap();
    assert_eq!(drain(&mut far).await, (b"def".to_vec(), End::Closed));
    drain(&mut near).await;

    let mut near = connect(&listen).await;
    let mut far = connections.recv().await.unwrap();
    near.write_all(b"sixsix").await.unwrap();
    assert_eq!(drain(&mut far).await, (b"sixsix".to_vec(), End::Closed));

    let zero = ToxicSpec::limit_data("l", Upstream, 0);
    world.client.update_toxic("a", &zero).await.unwrap();
    let mut near = connect(&listen).await;
    let mut far = connections.recv().await.unwrap();
    is_silent(&mut near, 30 * MS).await;
    near.write_all(b"x").await.unwrap();
    assert_eq!(drain(&mut far).await.0, Vec::<u8>::new());
}

#[tokio::test]
async fn slow_close_holds_back_the_end_but_not_the_data() {
    let mut world = World::start().await;
    let (mut near, mut far) = world.pair("a").await;
    let slow = ToxicSpec::slow_close("s", Downstream, 200);
    world.client.add_toxic("a", &slow).await.unwrap();
    far.write_all(b"data").await.unwrap();
    assert_eq!(receive(&mut near, 4).await, "data");
    let start = Instant::now();
    drop(far);
    assert_eq!(drain(&mut near).await, (Vec::new(), End::Closed));
    assert!(start.elapsed() >= 200 * MS, "{:?}", start.elapsed());
}

#[tokio::test]
async fn removing_slow_close_passes_the_end_on_now() {
    let mut world = World::start().await;
    let (mut near, far) = world.pair("a").await;
    let slow = ToxicSpec::slow_close("s", Downstream, 3_600_000);
    world.client.add_toxic("a", &slow).await.unwrap();
    drop(far);
    is_silent(&mut near, 50 * MS).await;
    world.client.remove_toxic("a", "s").await.unwrap();
    assert_eq!(drain(&mut near).await, (Vec::new(), End::Closed));
}

#[tokio::test]
async fn there_is_no_half_closed_connection() {
    let mut world = World::start().await;
    let (mut near, mut far) = world.pair("a").await;
    near.write_all(b"question").await.unwrap();
    near.shutdown().await.unwrap();
    assert_eq!(drain(&mut far).await, (b"question".to_vec(), End::Closed));
    assert_eq!(drain(&mut near).await, (Vec::new(), End::Closed));
    // The answer has nowhere to go: it is lost, and the writer learns of it.
    until("the far side to be refused", async || {
        far.write_all(b"answer").await.is_err()
    })
    .await;
}

#[tokio::test]
async fn an_upstream_that_refuses_is_an_end_after_connecting() {
    let world = World::start().await;
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = unused.local_addr().unwrap();
    drop(unused);
    let listen = world.proxy_to("a", upstream).await;
    let mut near = connect(&listen).await;
    assert_eq!(drain(&mut near).await, (Vec::new(), End::Closed));
    let nowhere = world
        .client
        .create("b", "127.0.0.1:0", "no-such-host.invalid:1")
        .await
        .unwrap();
    let mut near = connect(&nowhere.listen).await;
    let mut byte = [0];
    assert_eq!(within("the end", near.read(&mut byte)).await.unwrap(), 0);
}

#[tokio::test]
async fn a_new_connection_has_every_toxic_from_its_first_byte() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    let limit = ToxicSpec::limit_data("l", Upstream, 0);
    world.client.add_toxic("a", &limit).await.unwrap();
    let mut stream = connect(&listen).await;
    stream.write_all(b"x").await.unwrap();
    assert_eq!(drain(&mut stream).await.0, Vec::<u8>::new());
    world.client.remove_toxic("a", "l").await.unwrap();
    let mut stream = connect(&listen).await;
    assert_eq!(round_trip(&mut stream, "free").await, "free");
}

async fn half_closing(world: &mut World, name: &str) -> (TcpStream, TcpStream) {
    let (upstream, mut connections) = world.played().await;
    let body = json!({"name": name, "listen": "127.0.0.1:0", "upstream": upstream.to_string(), "half_close": true});
    let created = world.http("POST", "/proxies", &body.to_string()).await;
    assert_eq!(
        (created.status, &created.json()["half_close"]),
        (201, &json!(true))
    );
    let near = connect(created.json()["listen"].as_str().unwrap()).await;
    (near, within("a dial", connections.recv()).await.unwrap())
}

#[tokio::test]
async fn a_proxy_with_half_close_passes_each_end_on_by_itself() {
    let mut world = World::start().await;
    for (name, reversed, toxics) in [
        ("a", false, false),
        ("b", true, false),
        ("c", false, true),
        ("d", true, true),
    ] {
        let (near, far) = half_closing(&mut world, name).await;
        let (mut first, mut second) = if reversed { (far, near) } else { (near, far) };
        if toxics {
            for stream in [Upstream, Downstream] {
                let late = ToxicSpec::latency(&format!("late {stream}"), stream, 5, 0);
                let slow = ToxicSpec::slow_close(&format!("slow {stream}"), stream, 5);
                for toxic in [late, slow] {
                    world.client.add_toxic(name, &toxic).await.unwrap();
                }
            }
        }
        first.write_all(b"question").await.unwrap();
        first.shutdown().await.unwrap();
        assert_eq!(
            drain(&mut second).await,
            (b"question".to_vec(), End::Closed)
        );
        is_silent(&mut first, 20 * MS).await;
        let answer = "late answer ".repeat(10_000);
        second.write_all(answer.as_bytes()).await.unwrap();
        drop(second);
        assert_eq!(drain(&mut first).await, (answer.into_bytes(), End::Closed));
        until("the connection to be over", async || {
            world
                .client
                .statistics(name)
                .await
                .unwrap()
                .connections
                .open
                == 0
        })
        .await;
    }
    // What is no end in order closes both, as ever.
    let (near, mut far) = half_closing(&mut world, "e").await;
    let sock = socket2::SockRef::from(&near);
    sock.set_linger(Some(Duration::ZERO)).unwrap();
    drop(near);
    drain(&mut far).await;
    until("the connection to be over", async || {
        world.client.statistics("e").await.unwrap().connections.open == 0
    })
    .await;
}

#[tokio::test]
async fn half_close_can_be_switched_and_is_shown_only_while_it_is_on() {
    let mut world = World::start().await;
    let (mut near, mut far) = world.pair("a").await;
    let shown = async |world: &World| {
        let proxy = world.http("GET", "/proxies/a", "").await.json();
        proxy.get("half_close").cloned()
    };
    assert_eq!(shown(&world).await, None);
    let switch = async |world: &World, on: bool| {
        let body = json!({"half_close": on}).to_string();
        let answer = world.http("PATCH", "/proxies/a", &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    switch(&world, true).await;
    assert_eq!(shown(&world).await, Some(json!(true)));
    near.shutdown().await.unwrap();
    assert_eq!(drain(&mut far).await, (Vec::new(), End::Closed));
    far.write_all(b"still here").await.unwrap();
    assert_eq!(receive(&mut near, 10).await, "still here");
    switch(&world, false).await;
    assert_eq!(shown(&world).await, None);
    // A list that names it as it is switches it too, and one that says nothing of it does not.
    let proxy = world.client.proxy("a").await.unwrap();
    for (given, then) in [
        (Some(true), Some(json!(true))),
        (None, Some(json!(true))),
        (Some(false), None),
    ] {
        let mut body = json!({"name": "a", "listen": proxy.listen, "upstream": proxy.upstream});
        if let Some(given) = given {
            body["half_close"] = json!(given);
        }
        let answer = world
            .http("POST", "/populate", &json!([body]).to_string())
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(shown(&world).await, then, "{given:?}");
    }
    // A change that is refused changes nothing.
    let refused = json!({"half_close": true, "listen": "256.0.0.1:1"}).to_string();
    assert_ne!(
        world.http("PATCH", "/proxies/a", &refused).await.status,
        200
    );
    switch(&world, false).await;
    let listen = world.client.proxy("a").await.unwrap().listen;
    let mut later = connect(&listen).await;
    later.shutdown().await.unwrap();
    assert_eq!(drain(&mut later).await, (Vec::new(), End::Closed));
}
