//! The toxics that Toxiproxy does not have, each on new and on live connections.

use crate::support::{End, World, connect, drain, is_silent, receive, round_trip, until, within};
use fault_proxy::{
    Statistics,
    Stream::{Downstream, Upstream},
    ToxicSpec,
};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const MS: Duration = Duration::from_millis(1);

impl World {
    async fn add(&self, proxy: &str, toxic: &ToxicSpec) {
        self.client.add_toxic(proxy, toxic).await.unwrap();
    }

    async fn remove(&self, proxy: &str, toxic: &str) {
        self.client.remove_toxic(proxy, toxic).await.unwrap();
    }

    async fn statistics(&self, proxy: &str) -> Statistics {
        self.client.statistics(proxy).await.unwrap()
    }

    async fn affected(&self, proxy: &str, toxic: &str) -> u64 {
        let statistics = self.statistics(proxy).await;
        let found = statistics.toxics.iter().find(|one| one.name == toxic);
        found.unwrap().affected
    }
}

#[tokio::test]
async fn idle_timeout_closes_both_sides_after_silence_and_not_before() {
    let mut world = World::start().await;
    let (mut near, mut far) = world.pair("a").await;
    let start = Instant::now();
    world.add("a", &ToxicSpec::idle_timeout("t", 200)).await;
    let (data, end) = drain(&mut near).await;
    assert_eq!((data.len(), end), (0, End::Closed));
    assert!(start.elapsed() >= 200 * MS, "{:?}", start.elapsed());
    assert_eq!(drain(&mut far).await.1, End::Closed);
    assert_eq!(world.affected("a", "t").await, 1);
}

#[tokio::test]
async fn idle_timeout_spares_a_connection_with_a_byte_in_either_direction() {
    let mut world = World::start().await;
    let (mut near, mut far) = world.pair("a").await;
    world.add("a", &ToxicSpec::idle_timeout("t", 400)).await;
    let start = Instant::now();
    let mut byte = [0];
    for round in 0..12 {
        // Only one of the two directions moves for longer than the timeout.
        let (from, to) = if round < 6 {
            (&mut near, &mut far)
        } else {
            (&mut far, &mut near)
        };
        from.write_all(b"x").await.unwrap();
        within("a byte", to.read_exact(&mut byte)).await.unwrap();
        tokio::time::sleep(100 * MS).await;
    }
    assert!(start.elapsed() >= 1_200 * MS);
    drain(&mut near).await;
    assert!(start.elapsed() >= 1_500 * MS, "{:?}", start.elapsed());
}

#[tokio::test]
async fn idle_timeout_fires_although_a_stream_is_stalled() {
    let mut world = World::start().await;
    let (mut near, _far) = world.pair("a").await;
    world
        .add("a", &ToxicSpec::bandwidth("stall", Upstream, 0))
        .await;
    near.write_all(b"held for ever").await.unwrap();
    world.add("a", &ToxicSpec::idle_timeout("t", 150)).await;
    drain(&mut near).await;
}

#[tokio::test]
async fn idle_timeout_zero_never_closes_and_an_update_takes_effect() {
    let mut world = World::start().await;
    let (mut near, _far) = world.pair("a").await;
    world.add("a", &ToxicSpec::idle_timeout("t", 0)).await;
    is_silent(&mut near, 300 * MS).await;
    let sooner = ToxicSpec::idle_timeout("t", 100);
    world.client.update_toxic("a", &sooner).await.unwrap();
    drain(&mut near).await;
}

#[tokio::test]
async fn corrupt_flips_bits_and_keeps_the_rest() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    let corrupt = ToxicSpec::new("c", "corrupt", Downstream).with("one_in", 10);
    world.add("a", &corrupt).await;
    let mut stream = connect(&listen).await;
    let mut echo = [0; 1_000];
    within("a write", stream.write_all(&echo)).await.unwrap();
    within("an echo", stream.read_exact(&mut echo))
        .await
        .unwrap();
    let flipped: u32 = echo.iter().map(|byte| byte.count_ones()).sum();
    assert!((50..200).contains(&flipped), "{flipped}");
    world.remove("a", "c").await;
    within("a write", stream.write_all(&[0; 1_000]))
        .await
        .unwrap();
    within("an echo", stream.read_exact(&mut echo))
        .await
        .unwrap();
    assert_eq!(echo, [0; 1_000]);
}

#[tokio::test]
async fn limit_time_cuts_a_busy_connection() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    world.add("a", &ToxicSpec::limit_time("t", 300)).await;
    let mut stream = connect(&listen).await;
    let start = Instant::now();
    let mut byte = [0];
    while stream.write_all(b"x").await.is_ok()
        && matches!(within("an echo", stream.read(&mut byte)).await, Ok(1))
    {
        tokio::time::sleep(5 * MS).await;
    }
    assert!(start.elapsed() >= 300 * MS, "{:?}", start.elapsed());
    let statistics = world.statistics("a").await;
    assert_eq!(statistics.connections.closed["toxic"], 1);
}

#[tokio::test]
async fn limit_time_counts_from_the_toxic_for_a_connection_that_was_open() {
    let mut world = World::start().await;
    let (mut near, _far) = world.pair("a").await;
    is_silent(&mut near, 150 * MS).await;
    let start = Instant::now();
    world.add("a", &ToxicSpec::limit_time("t", 200)).await;
    drain(&mut near).await;
    assert!(start.elapsed() >= 200 * MS, "{:?}", start.elapsed());
}

#[tokio::test]
async fn blackhole_swallows_both_directions_and_keeps_the_sockets() {
    let mut world = World::start().await;
    let (mut near, mut far) = world.pair("a").await;
    world.add("a", &ToxicSpec::blackhole("hole")).await;
    near.write_all(b"up").await.unwrap();
    far.write_all(b"down").await.unwrap();
    is_silent(&mut near, 150 * MS).await;
    is_silent(&mut far, 150 * MS).await;
    world.remove("a", "hole").await;
    assert_eq!(drain(&mut near).await, (Vec::new(), End::Reset));
    assert_eq!(drain(&mut far).await, (Vec::new(), End::Reset));
}

#[tokio::test]
async fn a_connection_that_lost_nothing_survives_a_blackhole() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    let mut quiet = connect(&listen).await;
    assert_eq!(round_trip(&mut quiet, "before").await, "before");
    world.add("a", &ToxicSpec::blackhole("hole")).await;
    is_silent(&mut quiet, 50 * MS).await;
    world.remove("a", "hole").await;
    assert_eq!(round_trip(&mut quiet, "after").await, "after");
}

#[tokio::test]
async fn a_blackhole_forgets_a_connection_both_peers_have_left() {
    let mut world = World::start().await;
    let (near, mut far) = world.pair("a").await;
    world.add("a", &ToxicSpec::blackhole("hole")).await;
    drop(near);
    is_silent(&mut far, 100 * MS).await;
    assert_eq!(world.statistics("a").await.connections.open, 1);
    drop(far);
    until("the connection to end", async || {
        world.statistics("a").await.connections.open == 0
    })
    .await;
}

#[tokio::test]
async fn a_blackhole_with_a_toxicity_spares_both_directions_or_none() {
    let mut world = World::seeded(7).await;
    let listen = world.echo_proxy("a").await;
    let some = ToxicSpec::blackhole("hole").with_toxicity(0.5);
    world.add("a", &some).await;
    let mut spared = 0;
    for _ in 0..24 {
        let mut stream = connect(&listen).await;
        stream.write_all(b"x").await.unwrap();
        let mut byte = [0];
        let answer = tokio::time::timeout(100 * MS, stream.read(&mut byte)).await;
        spared += u32::from(matches!(answer, Ok(Ok(1))));
    }
    // A draw for each direction of its own would spare a quarter.
    assert!((8..=16).contains(&spared), "{spared} of 24");
}

#[tokio::test]
async fn slow_connect_dials_late_and_loses_nothing() {
    let mut world = World::start().await;
    let (upstream, mut connections) = world.played().await;
    let listen = world.proxy_to("a", upstream).await;
    world.add("a", &ToxicSpec::slow_connect("t", 300)).await;
    let start = Instant::now();
    let mut near = connect(&listen).await;
    near.write_all(b"early").await.unwrap();
    let mut far = within("the dial", connections.recv()).await.unwrap();
    assert!(start.elapsed() >= 300 * MS, "{:?}", start.elapsed());
    assert_eq!(receive(&mut far, 5).await, "early");
    assert_eq!(world.affected("a", "t").await, 1);
}

#[tokio::test]
async fn refuse_resets_the_next_connections_and_then_no_more() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    let mut open = connect(&listen).await;
    assert_eq!(round_trip(&mut open, "before").await, "before");
    world.add("a", &ToxicSpec::refuse("r", 2)).await;
    for _ in 0..2 {
        let mut refused = connect(&listen).await;
        assert_eq!(drain(&mut refused).await, (Vec::new(), End::Reset));
    }
    let mut third = connect(&listen).await;
    assert_eq!(round_trip(&mut third, "third").await, "third");
    assert_eq!(round_trip(&mut open, "still").await, "still");
    assert_eq!(world.affected("a", "r").await, 2);

    let again = ToxicSpec::refuse("r", 1);
    world.client.update_toxic("a", &again).await.unwrap();
    let mut refused = connect(&listen).await;
    assert_eq!(drain(&mut refused).await.1, End::Reset);
    let mut fifth = connect(&listen).await;
    assert_eq!(round_trip(&mut fifth, "fifth").await, "fifth");
}

#[tokio::test]
async fn refuse_zero_refuses_every_connection_until_it_is_removed() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    world.add("a", &ToxicSpec::refuse("r", 0)).await;
    for _ in 0..5 {
        let mut refused = connect(&listen).await;
        assert_eq!(drain(&mut refused).await.1, End::Reset);
    }
    world.remove("a", "r").await;
    let mut stream = connect(&listen).await;
    assert_eq!(round_trip(&mut stream, "in").await, "in");
}

#[tokio::test]
async fn no_answer_holds_a_connection_and_lets_it_go_on_whole() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    world.add("a", &ToxicSpec::no_answer("n")).await;
    let mut stream = connect(&listen).await;
    for word in ["hel", "lo"] {
        stream.write_all(word.as_bytes()).await.unwrap();
        is_silent(&mut stream, 60 * MS).await;
    }
    world.remove("a", "n").await;
    assert_eq!(receive(&mut stream, 5).await, "hello");
}

#[tokio::test]
async fn no_answer_lets_go_of_a_client_that_has_left() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    world.add("a", &ToxicSpec::no_answer("n")).await;
    let mut stream = connect(&listen).await;
    stream.write_all(b"anybody there?").await.unwrap();
    until("the connection to be held", async || {
        world.statistics("a").await.connections.open == 1
    })
    .await;
    drop(stream);
    until("the connection to be let go", async || {
        world.statistics("a").await.connections.open == 0
    })
    .await;
    assert_eq!(world.statistics("a").await.connections.closed["client"], 1);
}

#[tokio::test]
async fn a_toxic_on_the_whole_connection_works_on_either_stream() {
    for stream in [Upstream, Downstream] {
        let mut world = World::start().await;
        let (mut near, mut far) = world.pair("a").await;
        let toxic = ToxicSpec::new("t", "idle_timeout", stream).with("timeout", 100);
        world.add("a", &toxic).await;
        assert_eq!(drain(&mut near).await.1, End::Closed);
        assert_eq!(drain(&mut far).await.1, End::Closed);
    }
}

#[tokio::test]
async fn hostile_attributes_of_extensions_are_refused() {
    let mut world = World::start().await;
    world.echo_proxy("a").await;
    for (kind, attribute) in [
        ("idle_timeout", "timeout"),
        ("limit_time", "time"),
        ("slow_connect", "delay"),
        ("refuse", "connections"),
    ] {
        for value in ["-1", "1.5", "\"1\"", "9223372036854775808", "[]"] {
            let body =
                format!("{{\"type\":\"{kind}\",\"attributes\":{{\"{attribute}\":{value}}}}}");
            let answer = world.http("POST", "/proxies/a/toxics", &body).await;
            assert_eq!(answer.status, 400, "{body}");
        }
    }
    for (kind, attribute) in [
        ("idle_timeout", "timeout"),
        ("limit_time", "time"),
        ("slow_connect", "delay"),
    ] {
        let max = i64::MAX;
        let body = format!("{{\"type\":\"{kind}\",\"attributes\":{{\"{attribute}\":{max}}}}}");
        let answer = world.http("POST", "/proxies/a/toxics", &body).await;
        assert_eq!(answer.status, 400, "{body}");
    }
}
