//! What the server counts agrees with what was done.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{Client, ask_token, login};
use crate::support::{Redis, Server};

async fn check(server: &Server, name: &str, expected: f64) {
    let value = server.metric(name).await;
    assert!(
        (value - expected).abs() < 1e-9,
        "{name} is {value}, not {expected}"
    );
}

#[tokio::test]
async fn tokens_connections_and_messages_are_counted() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let access = login(&server, 1).await;
    let mut clients = Vec::new();
    for n in 0..3 {
        clients.push(Client::enter_as(&server, &access, &format!("conv-{n}")).await);
    }
    assert_eq!(
        ask_token(&server, &access).await.status(),
        200,
        "a token that is never used"
    );
    for (n, client) in clients.iter_mut().enumerate() {
        client.say("hello", &format!("m-{n}")).await;
        client.answer().await;
    }
    clients[0].say("hello", "m-0").await;
    clients[0].event().await;
    clients[0].say("", "empty").await;
    clients[0].event().await;
    check(&server, "chat_tokens_issued_total", 4.0).await;
    check(&server, "chat_tokens_consumed_total", 3.0).await;
    check(&server, "chat_connections_open", 3.0).await;
    check(&server, "chat_connections_opened_total", 3.0).await;
    check(&server, "active_conversations", 3.0).await;
    check(&server, r#"chat_messages_total{type="queued"}"#, 3.0).await;
    check(&server, r#"chat_messages_total{type="repeated"}"#, 1.0).await;
    check(&server, r#"chat_messages_total{type="refused"}"#, 1.0).await;
    drop(clients);
    server.until_metric("chat_connections_open", 0.0).await;
    server.until_metric("active_conversations", 0.0).await;
    server.until_metric("chat_queue_depth", 0.0).await;
}

#[tokio::test]
async fn a_closed_socket_leaves_no_subscription_behind() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let client = Client::enter(&server, 1, "conv-1").await;
    let mut connection = redis.connect(0).await.unwrap();
    let mut channels = async || -> Vec<String> {
        redis::cmd("PUBSUB")
            .arg("CHANNELS")
            .arg("conv:*")
            .query_async(&mut connection)
            .await
            .unwrap()
    };
    assert_eq!(channels().await, ["conv:conv-1"]);
    drop(client);
    server.until_metric("active_conversations", 0.0).await;
    let started = std::time::Instant::now();
    while !channels().await.is_empty() {
        assert!(
            started.elapsed() < crate::support::PATIENCE,
            "still subscribed"
        );
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_text_is_what_prometheus_reads() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let answer = reqwest::get(server.http("/metrics")).await.unwrap();
    assert!(
        answer.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/plain")
    );
    let text = answer.text().await.unwrap();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        assert!(
            name.starts_with(|first: char| first.is_ascii_lowercase()),
            "{line}"
        );
    }
    for name in [
        "chat_delivery_latency_seconds_bucket",
        "process_cpu_seconds_total",
        "chat_dropped_total",
        "rate_limit_hits_total",
    ] {
        assert!(text.contains(name), "{name} is missing");
    }
}

#[tokio::test]
async fn who_asks_a_hundred_times_at_once_is_answered_once() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let asked = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100);
    stream.write_all(asked.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 1, "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
}
