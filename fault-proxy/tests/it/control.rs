//! The API while the proxy's clients misbehave, and while requests race each other.

use crate::support::{World, connect, round_trip, within};
use fault_proxy::{
    Stream::{Downstream, Upstream},
    ToxicSpec,
};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};

/// Writes until the peer's and the proxy's buffers are full.
async fn fill(stream: &mut TcpStream) -> usize {
    let block = vec![7; 64 << 10];
    let mut filled = 0;
    while let Ok(written) = timeout(Duration::from_millis(150), stream.write(&block)).await {
        filled += written.unwrap();
    }
    filled
}

#[tokio::test]
async fn a_client_that_stops_reading_holds_up_nothing() {
    let mut world = World::start().await;
    let (upstream, mut connections) = world.played().await;
    let listen = world.proxy_to("a", upstream).await;
    let mut stuck = connect(&listen).await;
    let mut far = connections.recv().await.unwrap();
    let noop = ToxicSpec::new("before", "noop", Downstream);
    world.client.add_toxic("a", &noop).await.unwrap();
    let filled = fill(&mut far).await;

    let mut answers = Vec::new();
    let mut timed = async |call: &str| {
        let start = Instant::now();
        match call {
            "add" => drop(
                world
                    .client
                    .add_toxic("a", &ToxicSpec::latency("l", Downstream, 5, 0))
                    .await
                    .unwrap(),
            ),
            "update" => drop(
                world
                    .client
                    .update_toxic("a", &ToxicSpec::latency("l", Downstream, 9, 0))
                    .await
                    .unwrap(),
            ),
            "remove" => world.client.remove_toxic("a", "l").await.unwrap(),
            "list" => drop(world.client.proxies().await.unwrap()),
            _ => drop(world.client.proxy("a").await.unwrap()),
        }
        answers.push(start.elapsed());
    };
    for _ in 0..10 {
        for call in ["add", "list", "update", "show", "remove"] {
            timed(call).await;
        }
    }
    answers.sort();
    // On a busy machine single answers may be late; a hang would be 25 s.
    let (median, slowest) = (answers[answers.len() / 2], answers[answers.len() - 1]);
    assert!(median < Duration::from_millis(100), "{answers:?}");
    assert!(slowest < Duration::from_secs(3), "{answers:?}");

    // The others are served meanwhile, and the stuck client gets all of its data in the end.
    let mut other = connect(&listen).await;
    let mut other_far = connections.recv().await.unwrap();
    other.write_all(b"hello").await.unwrap();
    let mut hello = [0; 5];
    within("another connection", other_far.read_exact(&mut hello))
        .await
        .unwrap();
    let mut got = vec![0; filled];
    within("the backlog", stuck.read_exact(&mut got))
        .await
        .unwrap();
    assert!(got.iter().all(|byte| *byte == 7));
}

#[tokio::test]
async fn down_and_delete_do_not_wait_for_a_stuck_client() {
    let mut world = World::start().await;
    let (upstream, mut connections) = world.played().await;
    let listen = world.proxy_to("a", upstream).await;
    let _stuck = connect(&listen).await;
    let mut far = connections.recv().await.unwrap();
    fill(&mut far).await;
    let start = Instant::now();
    world.client.set_enabled("a", false).await.unwrap();
    world.client.set_enabled("a", true).await.unwrap();
    world.client.delete("a").await.unwrap();
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
    assert!(world.client.proxies().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_change_is_finished_even_if_its_requester_hangs_up() {
    let mut world = World::start().await;
    world.echo_proxy("a").await;
    for round in 0..20 {
        let mut stream = connect(&world.api.to_string()).await;
        let enabled = round % 2 == 1;
        let body = format!("{{\"enabled\":{enabled}}}");
        let request = format!(
            "PATCH /proxies/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        drop(stream);
    }
    // Whatever came through, the proxy is in one piece.
    world.client.set_enabled("a", false).await.unwrap();
    let proxy = world.client.set_enabled("a", true).await.unwrap();
    let mut stream = connect(&proxy.listen).await;
    assert_eq!(round_trip(&mut stream, "whole").await, "whole");
}

#[tokio::test]
async fn racing_requests_get_answers_that_fit_together() {
    let mut world = World::start().await;
    let upstream = world.echo().await.to_string();
    let mut racers = JoinSet::new();
    for racer in 0_u32..24 {
        let (client, upstream) = (world.client.clone(), upstream.clone());
        racers.spawn(async move {
            let mut statuses = Vec::new();
            for round in 0..6 {
                let toxic = ToxicSpec::latency("t", Upstream, u64::from(racer), 0);
                let outcome = match (racer + round) % 6 {
                    0 => client.create("x", "127.0.0.1:0", &upstream).await.map(drop),
                    1 => client.add_toxic("x", &toxic).await.map(drop),
                    2 => client.remove_toxic("x", "t").await,
                    3 => client.set_enabled("x", round % 2 == 0).await.map(drop),
                    4 => client.reset().await,
                    _ => client.delete("x").await,
                };
                if let Err(error) = outcome {
                    // Others may undo a change before it is read back; no answer may be a 500.
                    statuses.push(error.status());
                }
            }
            statuses
        });
    }
    while let Some(statuses) = within("the racers", racers.join_next()).await {
        for status in statuses.unwrap().into_iter().flatten() {
            assert!([404, 409].contains(&status), "{status}");
        }
    }
    if world.client.proxy("x").await.is_ok() {
        world.client.delete("x").await.unwrap();
    }
    let proxy = world
        .client
        .create("x", "127.0.0.1:0", &upstream)
        .await
        .unwrap();
    let mut stream = connect(&proxy.listen).await;
    assert_eq!(round_trip(&mut stream, "calm").await, "calm");
}
