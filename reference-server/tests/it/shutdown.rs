//! SIGTERM: everybody is told, and the process ends with 0.

use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use crate::client::Client;
use crate::support::{Redis, Server};

#[tokio::test]
async fn sigterm_says_1001_to_every_socket_and_exits_0() {
    let redis = Redis::start().await;
    let mut server = Server::start(&redis, &[]).await;
    let mut clients = Vec::new();
    for user in 1..=20 {
        clients.push(Client::enter(&server, user, &format!("conv-{user}")).await);
    }
    server.terminate();
    for client in &mut clients {
        assert_eq!(client.close_code().await, 1001);
    }
    assert_eq!(server.exit_code().await, Some(0));
    assert!(
        TcpStream::connect(server.address()).await.is_err(),
        "nobody listens any more"
    );
}

#[tokio::test]
async fn clients_that_do_not_answer_hold_up_the_end_only_so_long() {
    let redis = Redis::start().await;
    let mut server = Server::start(&redis, &["--drain", "1s"]).await;
    let _deaf = Client::enter(&server, 1, "conv-1").await;
    let _idle = TcpStream::connect(server.address()).await.unwrap();
    let started = Instant::now();
    server.terminate();
    assert_eq!(server.exit_code().await, Some(0));
    assert!(
        started.elapsed() < Duration::from_secs(8),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn it_ends_while_redis_is_away_too() {
    let mut redis = Redis::start().await;
    let mut server = Server::start(&redis, &["--drain", "2s"]).await;
    redis.crash();
    server.until_ready_is(false).await;
    server.terminate();
    assert_eq!(server.exit_code().await, Some(0));
}

#[tokio::test]
async fn answers_in_hand_are_finished_though_every_socket_is_gone() {
    let redis = Redis::start().await;
    let mut server = Server::start(&redis, &["--first-after", "1s"]).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    client.say("hello", "m-1").await;
    while client.event().await["event"] != "processing_started" {}
    server.terminate();
    assert_eq!(client.close_code().await, 1001);
    drop(client);
    assert_eq!(server.exit_code().await, Some(0));
    let mut history = redis.connect(3).await.unwrap();
    let emitted: redis::Value = redis::cmd("XRANGE")
        .arg(&["conv:conv-1", "-", "+"])
        .query_async(&mut history)
        .await
        .unwrap();
    let emitted = format!("{emitted:?}");
    assert!(emitted.contains("complete"), "{emitted}");
    let mut queue = redis.connect(0).await.unwrap();
    let left: u64 = redis::cmd("XLEN")
        .arg("chat:tasks")
        .query_async(&mut queue)
        .await
        .unwrap();
    assert_eq!(left, 0, "acknowledged too");
}
