//! Every limit a client can meet.

use std::time::Duration;

use futures_util::SinkExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::client::{Client, login, token};
use crate::support::{PATIENCE, Redis, Server};

#[tokio::test]
async fn past_the_rate_a_message_is_refused_with_a_time_and_works_after_it() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--rate-limit", "0.5", "--rate-burst", "2"]).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    // All at once: where each answer is waited for, a slow machine gives the allowance time to grow again.
    for n in 1..=3 {
        client.say("hello", &format!("m-{n}")).await;
    }
    let (mut refused, mut complete) = (None, 0);
    while refused.is_none() || complete < 2 {
        let event = client.event().await;
        match event["event"].as_str().unwrap() {
            "error" => refused = Some(event),
            "complete" => complete += 1,
            _ => {}
        }
    }
    let refused = refused.unwrap();
    assert_eq!(
        (&refused["code"], &refused["client_message_id"]),
        (&json!("rate_limited"), &json!("m-3"))
    );
    let wait_s = refused["retry_after"].as_f64().unwrap();
    assert!(wait_s > 0.0 && wait_s <= 2.0, "{wait_s}");
    tokio::time::sleep(Duration::from_secs_f64(wait_s + 0.05)).await;
    client.say("hello", "m-3").await;
    assert_eq!(client.answer().await.id.as_deref(), Some("m-3"));
}

#[tokio::test]
async fn who_ignores_the_rate_limit_is_closed() {
    let redis = Redis::start().await;
    let flags = [
        "--rate-limit",
        "0.01",
        "--rate-burst",
        "1",
        "--flood-strikes",
        "10",
    ];
    let server = Server::start(&redis, &flags).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    for n in 0..11 {
        client.say("hello", &format!("m-{n}")).await;
    }
    assert_eq!(client.close_code().await, 4429);
}

#[tokio::test]
async fn a_full_queue_refuses_and_recovers() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--queue-limit", "2", "--first-after", "500ms"]).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    for n in 0..3 {
        client.say("hello", &format!("m-{n}")).await;
    }
    let mut busy = None;
    let mut complete = 0;
    while busy.is_none() || complete < 2 {
        let event = client.event().await;
        match event["event"].as_str().unwrap() {
            "error" => busy = Some(event),
            "complete" => complete += 1,
            _ => {}
        }
    }
    let busy = busy.unwrap();
    assert_eq!(
        (&busy["code"], &busy["client_message_id"]),
        (&json!("busy"), &json!("m-2"))
    );
    server.until_metric("chat_queue_depth", 0.0).await;
    client.say("hello", "m-2").await;
    assert_eq!(client.answer().await.id.as_deref(), Some("m-2"));
}

#[tokio::test]
async fn past_the_connection_limit_a_client_is_asked_to_try_again() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--max-connections", "2"]).await;
    let access = login(&server, 1).await;
    let one = Client::enter_as(&server, &access, "a").await;
    let _two = Client::enter_as(&server, &access, "b").await;
    let path = format!("/ws/chat/c/?token={access}");
    let mut third = Client::open(&server, &path, &[]).await.unwrap();
    assert_eq!(third.close_code().await, 1013);
    drop(one);
    server.until_metric("chat_connections_open", 1.0).await;
    Client::enter_as(&server, &access, "c").await;
}

async fn check_broken(frame: Message, expected: u16) {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    client.socket.send(frame).await.unwrap();
    assert_eq!(client.close_code().await, expected);
}

#[tokio::test]
async fn a_frame_over_the_limit_closes_with_1009() {
    check_broken(Message::text("x".repeat(65_537)), 1009).await;
}

#[tokio::test]
async fn a_binary_message_closes_with_1003() {
    check_broken(Message::binary(vec![1, 2, 3]), 1003).await;
}

#[tokio::test]
async fn text_that_is_not_utf_8_closes_with_1007() {
    let frame = Frame::message(vec![0xff, 0xfe], OpCode::Data(Data::Text), true);
    check_broken(Message::Frame(frame), 1007).await;
}

#[tokio::test]
async fn an_unmasked_frame_closes_with_1002() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    client
        .socket
        .get_mut()
        .write_all(&[0x81, 2, b'{', b'}'])
        .await
        .unwrap();
    assert_eq!(client.close_code().await, 1002);
}

#[tokio::test]
async fn a_silent_client_is_closed_with_4408_and_one_that_answers_pings_is_not() {
    let redis = Redis::start().await;
    let server = Server::start(
        &redis,
        &["--ping-interval", "200ms", "--ping-timeout", "1s"],
    )
    .await;
    let mut silent = Client::enter(&server, 1, "a").await;
    let mut lively = Client::enter(&server, 2, "b").await;
    // Reading answers pings; the silent one does not read, and then looks at the bytes only.
    assert_eq!(lively.event_within(Duration::from_secs(3)).await, None);
    lively.say("hello", "m-1").await;
    lively.answer().await;
    let mut bytes = Vec::new();
    let read = silent.socket.get_mut().read_to_end(&mut bytes);
    assert!(
        tokio::time::timeout(PATIENCE, read).await.is_ok(),
        "the connection is still open"
    );
    let close = bytes.windows(4).find(|frame| frame[0] == 0x88).unwrap();
    assert_eq!(close[2..], 4408_u16.to_be_bytes());
}

#[tokio::test]
async fn a_client_is_told_before_its_access_token_expires() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--jwt-ttl", "3s", "--jwt-warning", "2s"]).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    let warning = client.event().await;
    assert_eq!(warning["event"], "token_expiring_soon");
    let expires_at = warning["expires_at"].as_str().unwrap();
    assert!(
        expires_at.ends_with('Z') && expires_at.len() == 20,
        "{expires_at}"
    );
    assert_eq!(client.close_code().await, 4001, "who does not renew it");
}

#[tokio::test]
async fn who_renews_the_access_token_hands_over_without_a_gap() {
    let redis = Redis::start().await;
    let flags = ["--jwt-ttl", "4s", "--jwt-warning", "2s"];
    let answers = ["--chunks", "40", "--chunk-interval", "50ms"];
    let server = Server::start(&redis, &[flags, answers].concat()).await;
    let mut old = Client::enter(&server, 1, "conv-1").await;
    assert_eq!(old.event().await["event"], "token_expiring_soon");
    old.say("hello", "m-1").await;
    let task = old.event().await["task_id"].clone();
    while old.event().await["event"] != "chunk" {}
    let renewed = login(&server, 1).await;
    let mut new = Client::enter_as(&server, &renewed, "conv-1").await;
    old.socket.close(None).await.unwrap();
    new.say("hello", "m-1").await;
    let queued = new.event().await;
    assert_eq!(
        (&queued["event"], &queued["task_id"]),
        (&json!("task_queued"), &task)
    );
    new.rest_of_answer(&task).await;
}

#[tokio::test]
async fn a_refresh_gives_a_later_access_token() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let body = json!({ "email": "user-000001", "password": crate::support::PASSWORD });
    let login = crate::client::post(&server, "/api/auth/login/", None, &body).await;
    let cookies = login.headers().get_all("set-cookie").iter();
    let cookies: Vec<&str> = cookies
        .map(|line| line.to_str().unwrap().split(';').next().unwrap())
        .collect();
    let refreshed: Value = reqwest::Client::new()
        .post(server.http("/api/auth/refresh/"))
        .header("cookie", cookies.join("; "))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    Client::join(&server, refreshed["token"].as_str().unwrap(), "/ws/chat/c/").await;
    let login: Value = login.json().await.unwrap();
    assert!(refreshed["expires_at"].as_str() >= login["expires_at"].as_str());
}

#[tokio::test]
async fn who_dawdles_over_the_headers_is_cut() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--header-timeout", "300ms"]).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream
        .write_all(b"GET /ws/chat/c/ HTTP/1.1\r\nHost: x\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the connection is still open");
}

#[tokio::test]
async fn one_address_may_connect_so_often() {
    let redis = Redis::start().await;
    let server = Server::spawn(&redis.url(), &["--connect-rate", "5", "--limit-loopback"]);
    let mut cut = 0;
    for _ in 0..20 {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        // A refused connection may already be reset while it is written to.
        if stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .await
            .is_err()
        {
            cut += 1;
            continue;
        }
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer).await;
        cut += usize::from(read.is_err() || answer.is_empty());
    }
    assert!((1..=15).contains(&cut), "{cut} of 20 were cut");
}

#[tokio::test]
async fn a_reader_that_never_catches_up_is_dropped_from_and_then_closed() {
    let redis = Redis::start().await;
    let flags = [
        "--send-buffer",
        "4096",
        "--outbox-age",
        "1s",
        "--rate-limit",
        "100000",
        "--rate-burst",
        "100000",
        "--chunks",
        "50",
        "--chunk-interval",
        "1ms",
    ];
    let server = Server::start(&redis, &flags).await;
    let access = login(&server, 1).await;
    let path = format!(
        "/ws/chat/slow/?connection_token={}",
        token(&server, &access).await
    );
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let stream = socket.connect(server.address()).await.unwrap();
    let mut slow = Client::open_over(stream, &server, (&path, &[]))
        .await
        .unwrap();
    let mut asker = Client::enter(&server, 2, "slow").await;
    for n in 0..100 {
        asker.say("hello", &format!("m-{n}")).await;
    }
    // The asker keeps reading, so that it is never the slow one.
    let closed = r#"chat_connections_closed_total{code="1013"}"#;
    tokio::select! {
        () = server.until_metric(closed, 1.0) => {}
        () = async { while asker.event_or_code().await.is_ok() {} } => panic!("the asker was closed"),
    }
    assert!(server.metric(r#"chat_dropped_total{reason="full"}"#).await >= 1.0);
    assert!(
        (server
            .metric(r#"chat_connections_closed_total{code="1013"}"#)
            .await
            - 1.0)
            .abs()
            < 1e-9
    );
    assert!(
        matches!(slow.close_code().await, 1013 | 1006),
        "the frame itself may not get through"
    );
}

#[tokio::test]
async fn a_connection_that_idles_between_requests_is_left_open() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--header-timeout", "200ms"]).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    for _ in 0..2 {
        let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(br#"{"status":"ok"}"#) {
            let read = stream.read_buf(&mut answer).await.unwrap();
            assert!(
                read > 0,
                "closed after {:?}",
                String::from_utf8_lossy(&answer)
            );
        }
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
}
