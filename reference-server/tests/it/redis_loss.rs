//! Redis goes away and comes back: nothing acknowledged is lost, and nobody hangs.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::chatter::{Chatter, check_each_complete_once};
use crate::client::{Client, ask_token, login};
use crate::support::{PATIENCE, Redis, Server};

enum Outage {
    Crash,
    Pause,
}

/// Messages before, during and after five seconds without Redis.
async fn check_outage(outage: Outage) {
    let mut redis = Redis::start().await;
    // Answers take half a second, so that many are under way when Redis goes.
    let flags = [
        "--chunks",
        "5",
        "--chunk-interval",
        "100ms",
        "--rate-burst",
        "1000",
    ];
    let server = Server::start(&redis, &flags).await;
    let end = Instant::now() + Duration::from_secs(9);
    let homes = [&server];
    let chatters = Chatter::crowd(&homes, 20).await;
    let talking = join_all(chatters.into_iter().map(|chatter| chatter.run(end)));
    let outage = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        match outage {
            Outage::Crash => redis.crash(),
            Outage::Pause => redis.pause(),
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        match outage {
            Outage::Crash => redis.restart().await,
            Outage::Pause => redis.go_on(),
        }
    };
    let (all, ()) = tokio::join!(talking, outage);
    let mut refused = 0;
    for sent in all {
        assert!(sent.len() >= 20, "only {} messages", sent.len());
        check_each_complete_once(&sent);
        refused += sent.values().filter(|sent| sent.refused > 0).count();
    }
    assert!(refused > 0, "nobody noticed the outage");
    assert!(
        (server.metric("chat_connections_opened_total").await - 20.0).abs() < 1e-9,
        "the sockets survived"
    );
}

#[tokio::test]
async fn redis_killed_and_restarted_empty_loses_nothing_acknowledged() {
    check_outage(Outage::Crash).await;
}

#[tokio::test]
async fn redis_stopped_and_continued_loses_nothing_acknowledged() {
    check_outage(Outage::Pause).await;
}

#[tokio::test]
async fn readiness_turns_red_and_green_and_liveness_does_not() {
    let mut redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    redis.crash();
    server.until_ready_is(false).await;
    assert_eq!(
        reqwest::get(server.http("/healthz"))
            .await
            .unwrap()
            .status(),
        200
    );
    let health: Value = reqwest::get(server.http("/health/ws/"))
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(health["redis"], false);
    redis.restart().await;
    server.until_ready_is(true).await;
}

#[tokio::test]
async fn while_redis_is_away_everything_is_refused_at_once() {
    let mut redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let access = login(&server, 1).await;
    let mut client = Client::enter_as(&server, &access, "conv-1").await;
    redis.crash();
    server.until_ready_is(false).await;
    // Known to be away: at once, not after the Redis timeout. A second is for a loaded machine.
    let started = Instant::now();
    client.say("hello", "m-1").await;
    let refused = client.event().await;
    assert_eq!(
        (&refused["code"], &refused["client_message_id"]),
        (&json!("unavailable"), &json!("m-1"))
    );
    assert!(refused["retry_after"].as_f64().unwrap() > 0.0);
    assert_eq!(ask_token(&server, &access).await.status(), 503);
    let path = format!("/ws/chat/new/?token={access}");
    let mut second = Client::open(&server, &path, &[]).await.unwrap();
    assert_eq!(second.close_code().await, 1011);
    assert!(
        started.elapsed() < Duration::from_secs(1),
        "{:?}",
        started.elapsed()
    );
    redis.restart().await;
    server.until_ready().await;
    client.say("hello", "m-1").await;
    assert_eq!(client.answer().await.id.as_deref(), Some("m-1"));
}

#[tokio::test]
async fn an_outage_past_the_grace_closes_the_sockets_with_1011() {
    let mut redis = Redis::start().await;
    let server = Server::start(&redis, &["--redis-grace", "1s"]).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    redis.crash();
    assert_eq!(client.close_code().await, 1011);
}

#[tokio::test]
async fn a_channel_layer_without_its_password_is_never_ready() {
    let redis = Redis::start().await;
    let url = redis.url();
    let bare = format!("redis://{}/3", url.split_once('@').unwrap().1);
    let server = Server::spawn(&url, &["--redis-channel-url", &bare]);
    // The other links need a moment to come up; the channel layer never does.
    let started = Instant::now();
    loop {
        let answer = reqwest::get(server.http("/readyz")).await.unwrap();
        assert_eq!(answer.status(), 503);
        let body: Value = answer.json().await.unwrap();
        if body["failed"] == json!(["channel_layer"]) {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "{body}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let access = login(&server, 1).await;
    assert_eq!(
        ask_token(&server, &access).await.status(),
        200,
        "the token store is another database"
    );
    let mut client = Client::open(&server, &format!("/ws/chat/c/?token={access}"), &[])
        .await
        .unwrap();
    assert_eq!(client.close_code().await, 1011);
}
