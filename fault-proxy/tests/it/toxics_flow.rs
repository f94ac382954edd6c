//! Toxics that change when data arrives: nothing may be lost, repeated or reordered.

use crate::support::{
    End, World, connect, drain, is_silent, pattern, receive, round_trip, until, within,
};
use fault_proxy::{
    Stream::{Downstream, Upstream},
    ToxicSpec,
};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinSet,
    time::sleep,
};

const MS: Duration = Duration::from_millis(1);

#[tokio::test]
async fn bytes_pass_unchanged_without_toxics_and_with_noop() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    let mut stream = connect(&listen).await;
    for round in 0..2 {
        let sent = pattern(3_000_000);
        let (mut read, mut write) = stream.split();
        let mut got = vec![0; sent.len()];
        let (written, read) = within("an echo", async {
            tokio::join!(write.write_all(&sent), read.read_exact(&mut got))
        })
        .await;
        written.unwrap();
        read.unwrap();
        assert!(got == sent, "round {round}");
        if round == 0 {
            for stream in [Upstream, Downstream] {
                let noop = ToxicSpec::new(format!("noop {stream}"), "noop", stream);
                world.client.add_toxic("a", &noop).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn latency_delays_each_direction_and_several_add_up() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    let mut stream = connect(&listen).await;
    let up = ToxicSpec::latency("up", Upstream, 60, 0);
    let down = ToxicSpec::latency("down", Downstream, 70, 0);
    let more = ToxicSpec::latency("more", Downstream, 80, 0);
    for (toxic, total) in [(up, 60), (down, 130), (more, 210)] {
        world.client.add_toxic("a", &toxic).await.unwrap();
        let start = Instant::now();
        assert_eq!(round_trip(&mut stream, "ping").await, "ping");
        assert!(
            start.elapsed() >= total * MS,
            "{:?} of {total} ms",
            start.elapsed()
        );
        assert!(
            start.elapsed() < (total + 1_000) * MS,
            "{:?}",
            start.elapsed()
        );
    }
}

#[tokio::test]
async fn latency_delays_a_pipeline_as_a_whole() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    let latency = ToxicSpec::latency("slow", Upstream, 300, 0);
    world.client.add_toxic("a", &latency).await.unwrap();
    let mut stream = connect(&listen).await;
    let start = Instant::now();
    let sent: Vec<String> = (0..20).map(|chunk| format!("{chunk:02}")).collect();
    for chunk in &sent {
        stream.write_all(chunk.as_bytes()).await.unwrap();
        sleep(5 * MS).await;
    }
    let got = receive(&mut stream, 40).await;
    assert_eq!(got, sent.concat());
    // One after the other they would take 6 s.
    assert!(start.elapsed() >= 395 * MS, "{:?}", start.elapsed());
    assert!(start.elapsed() < 3_000 * MS, "{:?}", start.elapsed());
}

#[tokio::test]
async fn the_end_follows_the_last_delayed_chunk() {
    let mut world = World::start().await;
    let (mut near, mut far) = world.pair("a").await;
    let latency = ToxicSpec::latency("slow", Downstream, 150, 0);
    world.client.add_toxic("a", &latency).await.unwrap();
    let start = Instant::now();
    far.write_all(b"last words").await.unwrap();
    drop(far);
    assert_eq!(
        drain(&mut near).await,
        (b"last words".to_vec(), End::Closed)
    );
    assert!(start.elapsed() >= 150 * MS, "{:?}", start.elapsed());
}

#[tokio::test]
async fn jitter_stays_within_its_bounds_and_repeats_with_the_seed() {
    async fn delays(seed: u64) -> Vec<u128> {
        let mut world = World::seeded(seed).await;
        let listen = world.echo_proxy("a").await;
        let latency = ToxicSpec::latency("slow", Upstream, 40, 40);
        world.client.add_toxic("a", &latency).await.unwrap();
        let mut stream = connect(&listen).await;
        let mut delays = Vec::new();
        for _ in 0..6 {
            let start = Instant::now();
            round_trip(&mut stream, "ping").await;
            delays.push(start.elapsed().as_millis());
        }
        delays
    }
    let (first, second) = (delays(1).await, delays(1).await);
    // The machine adds delays of its own, never takes any away: most rounds must agree.
    let agreeing = first
        .iter()
        .zip(&second)
        .filter(|(a, b)| a.abs_diff(**b) <= 12)
        .count();
    assert!(agreeing >= 3, "{first:?} {second:?}");
    assert!(first.iter().min() != first.iter().max(), "{first:?}");
}

#[tokio::test]
async fn removing_latency_releases_what_it_held_at_once_and_in_order() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    let latency = ToxicSpec::latency("slow", Upstream, 3_600_000, 0);
    world.client.add_toxic("a", &latency).await.unwrap();
    let mut stream = connect(&listen).await;
    stream.write_all(b"first ").await.unwrap();
    is_silent(&mut stream, 50 * MS).await;
    stream.write_all(b"second ").await.unwrap();
    is_silent(&mut stream, 20 * MS).await;
    world.client.remove_toxic("a", "slow").await.unwrap();
    stream.write_all(b"third").await.unwrap();
    assert_eq!(receive(&mut stream, 18).await, "first second third");
}

#[tokio::test]
async fn updating_latency_takes_effect_on_live_connections() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    let slow = ToxicSpec::latency("slow", Upstream, 3_600_000, 0);
    world.client.add_toxic("a", &slow).await.unwrap();
    let mut stream = connect(&listen).await;
    stream.write_all(b"held").await.unwrap();
    is_silent(&mut stream, 30 * MS).await;
    let quick = ToxicSpec::latency("slow", Upstream, 1, 0);
    world.client.update_toxic("a", &quick).await.unwrap();
    assert_eq!(receive(&mut stream, 4).await, "held");
    assert_eq!(round_trip(&mut stream, "ping").await, "ping");
}

/// Streams a pattern both ways while toxics come and go.
#[tokio::test]
async fn nothing_is_lost_while_toxics_are_added_updated_and_removed() {
    const LENGTH: usize = 6_000_000;
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    let stream = connect(&listen).await;
    let sent = pattern(LENGTH);
    let (mut read, mut write) = stream.into_split();
    let client = world.client.clone();
    let changes = async {
        for round in 0_u64..6 {
            for stream in [Upstream, Downstream] {
                let named = |name: &str| format!("{name} {stream}");
                let toxics = [
                    ToxicSpec::latency(&named("latency"), stream, 5, 3),
                    ToxicSpec::bandwidth(&named("bandwidth"), stream, 40_000),
                    ToxicSpec::slicer(&named("slicer"), stream, 3_000, 20)
                        .with("size_variation", 500),
                    ToxicSpec::new(named("noop"), "noop", stream),
                    ToxicSpec::slow_close(&named("slow_close"), stream, 1),
                ];
                for toxic in &toxics {
                    client.add_toxic("a", toxic).await.unwrap();
                }
                let changed = ToxicSpec::latency(&named("latency"), stream, round, 0);
                client.update_toxic("a", &changed).await.unwrap();
                let first = usize::try_from(round).unwrap() % toxics.len();
                for offset in 0..toxics.len() {
                    let toxic = &toxics[(first + offset) % toxics.len()];
                    client.remove_toxic("a", &toxic.name).await.unwrap();
                }
            }
        }
    };
    let mut got = vec![0; LENGTH];
    let writing = async {
        // In small bites, so that the changes happen in the middle of the stream.
        for bite in sent.chunks(20_000) {
            write.write_all(bite).await.unwrap();
            sleep(MS).await;
        }
    };
    let reading = async { read.read_exact(&mut got).await.unwrap() };
    within("a stream through changing toxics", async {
        tokio::join!(changes, writing, reading)
    })
    .await;
    assert!(got == sent, "the stream was damaged");
}

#[tokio::test]
async fn bandwidth_holds_its_rate_and_zero_stalls_until_removed() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    let rate = ToxicSpec::bandwidth("thin", Upstream, 100);
    world.client.add_toxic("a", &rate).await.unwrap();
    let mut stream = connect(&listen).await;
    let sent = String::from_utf8(vec![b'x'; 60_000]).unwrap();
    let start = Instant::now();
    assert_eq!(round_trip(&mut stream, &sent).await, sent);
    assert!(start.elapsed() >= 580 * MS, "{:?}", start.elapsed());
    assert!(start.elapsed() < 3_000 * MS, "{:?}", start.elapsed());

    let stall = ToxicSpec::bandwidth("thin", Upstream, 0);
    world.client.update_toxic("a", &stall).await.unwrap();
    stream.write_all(b"held").await.unwrap();
    is_silent(&mut stream, 60 * MS).await;
    world.client.remove_toxic("a", "thin").await.unwrap();
    assert_eq!(receive(&mut stream, 4).await, "held");
}

#[tokio::test]
async fn a_shared_bandwidth_is_that_of_all_connections_together() {
    const EACH: usize = 20_000;
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    let thin = ToxicSpec::bandwidth("thin", Upstream, 100).with("shared", true);
    world.client.add_toxic("a", &thin).await.unwrap();
    let sent = "x".repeat(EACH);
    for (shared, least_ms) in [(true, 580), (false, 190)] {
        let changed = ToxicSpec::bandwidth("thin", Upstream, 100).with("shared", shared);
        let body = serde_json::to_string(&changed).unwrap();
        let answer = world.http("PATCH", "/proxies/a/toxics/thin", &body).await;
        let shown = shared.then_some(true.into());
        assert_eq!(answer.json()["attributes"].get("shared").cloned(), shown);
        let start = Instant::now();
        let mut talks = JoinSet::new();
        for _ in 0..3 {
            let (listen, sent) = (listen.clone(), sent.clone());
            talks.spawn(async move {
                let mut stream = connect(&listen).await;
                assert_eq!(round_trip(&mut stream, &sent).await, sent);
            });
        }
        while let Some(talked) = talks.join_next().await {
            talked.unwrap();
        }
        assert!(start.elapsed() >= least_ms * MS, "{:?}", start.elapsed());
        assert!(start.elapsed() < 4_000 * MS, "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn slicer_delivers_small_pieces_and_all_of_them() {
    let mut world = World::start().await;
    let (mut near, mut far) = world.pair("a").await;
    let slicer = ToxicSpec::slicer("cut", Upstream, 100, 4_000).with("size_variation", 20);
    world.client.add_toxic("a", &slicer).await.unwrap();
    let sent = pattern(2_000);
    let start = Instant::now();
    near.write_all(&sent).await.unwrap();
    let mut got = Vec::new();
    let mut reads = 0;
    while got.len() < sent.len() {
        let mut buffer = [0; 4_096];
        let read = within("a slice", far.read(&mut buffer)).await.unwrap();
        assert_ne!(read, 0);
        got.extend_from_slice(&buffer[..read]);
        reads += 1;
    }
    assert_eq!(got, sent);
    // 2,000 bytes in pieces of at most 120 are at least 17, each 4 ms after the one before.
    assert!(reads >= 5, "{reads} reads");
    assert!(start.elapsed() >= 60 * MS, "{:?}", start.elapsed());
}

/// What Toxiproxy's own command line creates; there, the first data ends the process.
#[tokio::test]
async fn a_slicer_without_sizes_and_one_with_a_wide_variation_lose_nothing() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    for (attributes, stored) in [
        (
            json!({}),
            json!({"average_size": 0, "size_variation": 0, "delay": 0}),
        ),
        (
            json!({"size_variation": 5, "delay": 100}),
            json!({"average_size": 0, "size_variation": 5, "delay": 100}),
        ),
        (
            json!({"average_size": 10, "size_variation": 1_000}),
            json!({"average_size": 10, "size_variation": 1_000, "delay": 0}),
        ),
        (
            json!({"average_size": 1, "size_variation": i64::MAX / 4}),
            json!({"average_size": 1, "size_variation": i64::MAX / 4, "delay": 0}),
        ),
    ] {
        let body = json!({"name": "cut", "type": "slicer", "attributes": attributes});
        let answer = world
            .http("POST", "/proxies/a/toxics", &body.to_string())
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["attributes"], stored, "as it was given");
        let mut stream = connect(&listen).await;
        let sent = "sliced or not ".repeat(300);
        assert_eq!(round_trip(&mut stream, &sent).await, sent);
        world.client.remove_toxic("a", "cut").await.unwrap();
    }
}

#[tokio::test]
async fn packet_loss_drops_whole_chunks_for_good_and_the_stream_goes_on() {
    let mut world = World::seeded(3).await;
    let (mut near, mut far) = world.pair("a").await;
    let lossy = ToxicSpec::new("lossy", "packet_loss", Upstream)
        .with("loss_rate", 0.5)
        .with("correlation", 0.25);
    world.client.add_toxic("a", &lossy).await.unwrap();
    for byte in 0..60_u8 {
        near.write_all(&[byte; 10]).await.unwrap();
        // Each is read by itself.
        until("a chunk to be read", async || {
            let seen = world.client.statistics("a").await.unwrap();
            seen.bytes.upstream.received == 10 * (u64::from(byte) + 1)
        })
        .await;
    }
    near.shutdown().await.unwrap();
    let (got, end) = drain(&mut far).await;
    assert_eq!(end, End::Closed);
    let mut chunks: Vec<u8> = got.chunks(10).map(|chunk| chunk[0]).collect();
    assert_eq!(got.len(), 10 * chunks.len());
    assert!(
        got.chunks(10)
            .all(|chunk| chunk.iter().all(|byte| *byte == chunk[0]))
    );
    assert!((5..50).contains(&chunks.len()), "{chunks:?}");
    let seen = chunks.clone();
    chunks.sort_unstable();
    chunks.dedup();
    assert_eq!(chunks, seen, "in order and once");
    for (attribute, value) in [("loss_rate", 1.1), ("correlation", -0.1)] {
        let bad = ToxicSpec::new("bad", "packet_loss", Upstream).with(attribute, value);
        let refused = world.client.add_toxic("a", &bad).await.unwrap_err();
        assert_eq!(refused.status(), Some(400));
    }
}

#[tokio::test]
async fn what_is_dropped_makes_room_for_what_waits_before_it() {
    let mut world = World::seeded(3).await;
    let (mut near, mut far) = world.pair("a").await;
    let toxics = [
        ToxicSpec::new("first", "noop", Upstream),
        ToxicSpec::bandwidth("stalled", Upstream, 0),
        ToxicSpec::new("lossy", "packet_loss", Upstream).with("loss_rate", 1),
    ];
    for toxic in &toxics {
        world.client.add_toxic("a", toxic).await.unwrap();
    }
    // As many chunks as the stages take, each read by itself, and more.
    let mut sent = 0;
    let chunk = vec![7; 32 << 10];
    while tokio::time::timeout(Duration::from_millis(300), near.write_all(&chunk))
        .await
        .is_ok()
    {
        sent += 1;
        assert!(sent < 4_096, "nothing fills up");
    }
    world.client.remove_toxic("a", "stalled").await.unwrap();
    near.shutdown().await.unwrap();
    let (got, end) = drain(&mut far).await;
    assert_eq!((got.len(), end), (0, End::Closed));
}

#[tokio::test]
async fn toxicity_is_drawn_per_connection_and_repeats_with_the_seed() {
    async fn affected(seed: u64) -> Vec<bool> {
        let mut world = World::seeded(seed).await;
        let listen = world.echo_proxy("a").await;
        let cut = ToxicSpec::limit_data("cut", Upstream, 0).with_toxicity(0.5);
        world.client.add_toxic("a", &cut).await.unwrap();
        let mut affected = Vec::new();
        for _ in 0..24 {
            let mut stream = connect(&listen).await;
            stream.write_all(b"x").await.unwrap();
            let mut byte = [0];
            affected.push(
                within("an echo or an end", stream.read(&mut byte))
                    .await
                    .unwrap()
                    == 0,
            );
        }
        affected
    }
    let first = affected(5).await;
    assert_eq!(first, affected(5).await);
    assert_ne!(first, affected(6).await);
    let share = first.iter().filter(|affected| **affected).count();
    assert!((4..=20).contains(&share), "{share} of 24");
}

#[tokio::test]
async fn toxicity_zero_spares_everyone() {
    let mut world = World::start().await;
    let listen = world.echo_proxy("a").await;
    let spare = ToxicSpec::timeout("t", Upstream, 1).with_toxicity(0.0);
    world.client.add_toxic("a", &spare).await.unwrap();
    let mut stream = connect(&listen).await;
    assert_eq!(round_trip(&mut stream, "one").await, "one");
    world.client.remove_toxic("a", "t").await.unwrap();
    assert_eq!(round_trip(&mut stream, "two").await, "two");
}
