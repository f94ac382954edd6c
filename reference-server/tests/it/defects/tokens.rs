//! Defects of connection tokens.

use std::time::Duration;

use futures_util::future::join_all;

use super::{both, server};
use crate::client::{Client, ask_token, login, token};
use crate::support::{Redis, Server};

/// What a connect with this token comes to: `true` for `connected`, else the close code.
async fn connect(server: &Server, token: &str) -> Result<(), u16> {
    let path = format!("/ws/chat/c/?connection_token={token}");
    let mut client = Client::open(server, &path, &[]).await.unwrap();
    client.event_or_code().await.map(|event| {
        assert_eq!(event["event"], "connected");
    })
}

#[tokio::test]
async fn token_double_spend_lets_racing_connects_in() {
    both("token-double-spend", async |on| {
        let redis = Redis::start().await;
        let server = server(&redis, on, &[]).await;
        let access = login(&server, 1).await;
        let token = token(&server, &access).await;
        let all = join_all((0..20).map(|_| connect(&server, &token))).await;
        let accepted = all.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(accepted > 1, on.is_some(), "{accepted} were accepted");
        assert!(accepted >= 1);
        // One after the other is as it should be either way.
        assert_eq!(connect(&server, &token).await, Err(4001));
    })
    .await;
}

#[tokio::test]
async fn token_reusable_opens_one_socket_after_the_other() {
    both("token-reusable", async |on| {
        let redis = Redis::start().await;
        let server = server(&redis, on, &[]).await;
        let access = login(&server, 1).await;
        let token = token(&server, &access).await;
        assert_eq!(connect(&server, &token).await, Ok(()));
        assert_eq!(connect(&server, &token).await.is_ok(), on.is_some());
    })
    .await;
}

#[tokio::test]
async fn token_immortal_opens_a_socket_after_its_time() {
    both("token-immortal", async |on| {
        let redis = Redis::start().await;
        let server = server(&redis, on, &["--token-ttl", "1s"]).await;
        let access = login(&server, 1).await;
        let token = token(&server, &access).await;
        tokio::time::sleep(Duration::from_millis(1_300)).await;
        assert_eq!(connect(&server, &token).await.is_ok(), on.is_some());
    })
    .await;
}

#[tokio::test]
async fn token_ttl_drift_is_seen_on_both_sides_of_the_time() {
    both("token-ttl-drift", async |on| {
        let redis = Redis::start().await;
        let flags = [
            "--token-ttl",
            "8s",
            "--token-rate",
            "100",
            "--token-burst",
            "100",
        ];
        let server = server(&redis, on, &flags).await;
        let access = login(&server, 1).await;
        let tokens = join_all((0..40).map(|_| token(&server, &access))).await;
        let [before, after] = [7_600, 8_400].map(|at_ms| {
            let tokens = tokens.iter().skip(usize::from(at_ms > 8_000)).step_by(2);
            let server = &server;
            async move {
                tokio::time::sleep(Duration::from_millis(at_ms)).await;
                let all = join_all(tokens.map(|token| connect(server, token))).await;
                all.iter().filter(|outcome| outcome.is_ok()).count()
            }
        });
        let (before, after) = tokio::join!(before, after);
        // Which way a token drifts is a coin: twenty of one kind are one run in half a million.
        assert_eq!(before < 20, on.is_some(), "{before} of 20 before the time");
        assert_eq!(after > 0, on.is_some(), "{after} of 20 after it");
    })
    .await;
}

#[tokio::test]
async fn token_in_log_writes_a_whole_token() {
    both("token-in-log", async |on| {
        let redis = Redis::start().await;
        let server = server(&redis, on, &["--log", "trace"]).await;
        let access = login(&server, 1).await;
        let token = token(&server, &access).await;
        assert_eq!(connect(&server, &token).await, Ok(()));
        server
            .until_metric("chat_connections_opened_total", 1.0)
            .await;
        assert_eq!(server.log().contains(&token), on.is_some());
    })
    .await;
}

#[tokio::test]
async fn token_endpoint_hang_waits_out_the_outage() {
    both("token-endpoint-hang", async |on| {
        let mut redis = Redis::start().await;
        let flags = ["--handshake-timeout", "1s", "--redis-timeout", "300ms"];
        let server = server(&redis, on, &flags).await;
        let access = login(&server, 1).await;
        redis.crash();
        server.until_ready_is(false).await;
        let asked = tokio::time::timeout(Duration::from_secs(3), ask_token(&server, &access)).await;
        match asked {
            Ok(answer) => assert!(on.is_none() && answer.status() == 503, "{answer:?}"),
            Err(_) => assert!(on.is_some(), "no answer"),
        }
        redis.restart().await;
        server.until_ready().await;
        assert_eq!(ask_token(&server, &access).await.status(), 200);
    })
    .await;
}
