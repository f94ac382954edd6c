//! Nobody keeps others out: bounds for connections, users and addresses, and who has to leave for whom.

use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Client, login, login_as, post};
use crate::support::{PASSWORD, PATIENCE, Redis, Server};

const GET: &str = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
const UPGRADE: &str =
    "GET /ws/chat/c/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
const KEY: &str =
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Connections that said so much and hold on.
async fn hold(server: &Server, count: usize, bytes: &[u8]) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for _ in 0..count {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        // One that found no place is cut.
        drop(stream.write_all(bytes).await);
        held.push(stream);
    }
    held
}

/// Waits until somebody new is served.
async fn until_served(server: &Server) {
    let started = Instant::now();
    loop {
        let answer = reqwest::get(server.http("/healthz")).await;
        if answer.is_ok_and(|answer| answer.status() == 200) {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "nobody new gets in");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the server ends the connection.
async fn until_cut(mut stream: TcpStream) {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    assert!(read.is_ok(), "still open");
}

#[tokio::test]
async fn whoever_holds_connections_keeps_nobody_out() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--max-http-connections", "32"]).await;
    let asked = format!("{GET}GET /");
    let half = format!("{GET}{UPGRADE}");
    let refused = format!("{UPGRADE}{KEY}");
    let old = "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    let body = "POST /api/auth/login/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{";
    for (what, bytes) in [
        ("nothing", ""),
        ("one request", GET),
        ("a request and half another", &asked),
        ("a request of HTTP/1.0", old),
        ("half an upgrade", &half),
        ("an upgrade that was refused", &refused),
        ("half a body", body),
        ("answers that are not read", &GET.repeat(2000)),
    ] {
        let held = hold(&server, 100, bytes.as_bytes()).await;
        until_served(&server).await;
        let begun = Instant::now();
        Client::enter(&server, 1, "conv-1").await;
        assert!(begun.elapsed() < Duration::from_secs(5), "after {what}");
        drop(held);
    }
    let crowd = r#"chat_connections_dropped_total{reason="crowd"}"#;
    assert!(server.metric(crowd).await >= 100.0);
}

#[tokio::test]
async fn where_files_run_out_those_who_idle_give_theirs() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    server.limit_files(60);
    let _held = hold(&server, 100, GET.as_bytes()).await;
    until_served(&server).await;
    Client::enter(&server, 1, "conv-1").await;
}

#[tokio::test]
async fn sockets_and_requests_do_not_take_each_other_s_places() {
    let redis = Redis::start().await;
    let flags = ["--max-connections", "20", "--max-http-connections", "16"];
    let server = Server::start(&redis, &flags).await;
    let access = login(&server, 1).await;
    let mut sockets = Vec::new();
    for _ in 0..20 {
        sockets.push(Client::join(&server, &access, "/ws/chat/c/").await);
    }
    assert_eq!(
        reqwest::get(server.http("/healthz"))
            .await
            .unwrap()
            .status(),
        200
    );
    let _held = hold(&server, 60, GET.as_bytes()).await;
    for socket in &mut sockets {
        socket.is_quiet().await;
    }
}

#[tokio::test]
async fn every_head_has_its_time_and_so_has_every_pause() {
    let redis = Redis::start().await;
    let flags = ["--header-timeout", "300ms", "--keep-alive", "2s"];
    let server = Server::start(&redis, &flags).await;
    let mut dripping = hold(&server, 1, format!("{GET}G").as_bytes())
        .await
        .remove(0);
    let begun = Instant::now();
    while dripping.write_all(b"E").await.is_ok() {
        assert!(begun.elapsed() < PATIENCE, "still open");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let idle = hold(&server, 1, GET.as_bytes()).await.remove(0);
    let begun = Instant::now();
    until_cut(idle).await;
    assert!(
        begun.elapsed() > Duration::from_secs(1),
        "it may pause for two"
    );
}

#[tokio::test]
async fn who_does_not_read_its_answers_is_cut() {
    let redis = Redis::start().await;
    let flags = [
        "--handshake-timeout",
        "500ms",
        "--redis-timeout",
        "200ms",
        "--send-buffer",
        "4096",
    ];
    let server = Server::start(&redis, &flags).await;
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let (_unread, mut asking) = stream.into_split();
    // More answers than both kernels hold.
    let mut asks = JoinSet::new();
    asks.spawn(async move {
        let alive = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100);
        while asking.write_all(alive.as_bytes()).await.is_ok() {}
    });
    let late = r#"chat_connections_dropped_total{reason="time"}"#;
    server.until_metric(late, 1.0).await;
    let ended = tokio::time::timeout(PATIENCE, asks.join_next()).await;
    assert!(ended.is_ok(), "it is still listened to");
}

#[tokio::test]
async fn an_address_has_so_many_http_connections() {
    let redis = Redis::start().await;
    let flags = [
        "--limit-loopback",
        "--http-per-address",
        "3",
        "--connect-rate",
        "10000",
    ];
    let server = Server::spawn(&redis.url(), &flags);
    let held = hold(&server, 3, GET.as_bytes()).await;
    let mut more = TcpStream::connect(server.address()).await.unwrap();
    drop(more.write_all(GET.as_bytes()).await);
    until_cut(more).await;
    drop(held);
    until_served(&server).await;
    let dropped = r#"chat_connections_dropped_total{reason="address"}"#;
    server.until_metric_is(dropped, |count| count >= 1.0).await;
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_has_its_own_bounds() {
    let redis = Redis::start().await;
    let flags = [
        "--trusted-proxy",
        "127.0.0.0/8",
        "--sockets-per-address",
        "2",
        "--login-failures",
        "1",
        "--login-failure-rate",
        "0.001",
    ];
    let server = Server::start(&redis, &flags).await;
    let access = login(&server, 1).await;
    let path = format!("/ws/chat/c/?token={access}");
    let open = async |from: &str| {
        let headers = [("x-forwarded-for", from)];
        let mut client = Client::open(&server, &path, &headers).await.unwrap();
        let first = client.event_or_code().await;
        first.map(|_| client)
    };
    let one = open("203.0.113.7").await.unwrap();
    let _two = open("198.51.100.1, 203.0.113.7").await.unwrap();
    assert_eq!(open("198.51.100.2, 203.0.113.7").await.err(), Some(1013));
    let _other = open("203.0.113.8").await.unwrap();
    drop(one);
    server.until_metric("chat_connections_open", 2.0).await;
    open("203.0.113.7").await.unwrap();
    // The same for logins: ten accounts from one address.
    let fail = async |from: &str, user: u32| {
        let body = json!({ "email": format!("user-{user:06}"), "password": "wrong" });
        let request = reqwest::Client::new().post(server.http("/api/auth/login/"));
        let request = request.header("x-forwarded-for", from).json(&body);
        request.send().await.unwrap().status().as_u16()
    };
    for user in 1..=10 {
        assert_eq!(fail("203.0.113.7", user).await, 401);
    }
    assert_eq!(fail("203.0.113.7", 11).await, 429);
    assert_eq!(fail("203.0.113.8", 11).await, 401);
}

#[tokio::test]
async fn who_is_no_trusted_proxy_is_not_believed() {
    let redis = Redis::start().await;
    let flags = ["--trusted-proxy", "192.0.2.1", "--sockets-per-address", "1"];
    let server = Server::start(&redis, &flags).await;
    let path = format!("/ws/chat/c/?token={}", login(&server, 1).await);
    let mut open = Vec::new();
    for _ in 0..3 {
        let headers = [("x-forwarded-for", "203.0.113.7")];
        let mut client = Client::open(&server, &path, &headers).await.unwrap();
        assert_eq!(
            client.event().await["event"],
            "connected",
            "loopback has no bound"
        );
        open.push(client);
    }
}

#[tokio::test]
async fn a_user_has_so_many_sockets() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--sockets-per-user", "2"]).await;
    let (access, other) = (login(&server, 1).await, login(&server, 2).await);
    let one = Client::join(&server, &access, "/ws/chat/a/").await;
    let _two = Client::join(&server, &access, "/ws/chats/0/").await;
    let path = format!("/ws/chat/b/?token={access}");
    let mut third = Client::open(&server, &path, &[]).await.unwrap();
    assert_eq!(third.close_code().await, 1013);
    Client::join(&server, &other, "/ws/chat/a/").await;
    drop(one);
    server.until_metric("chat_connections_open", 1.0).await;
    Client::join(&server, &access, "/ws/chat/b/").await;
}

#[tokio::test]
async fn frames_that_are_no_message_have_a_rate_and_who_ignores_it_is_closed() {
    let redis = Redis::start().await;
    let flags = [
        "--frame-rate",
        "0.01",
        "--frame-burst",
        "3",
        "--flood-strikes",
        "5",
    ];
    let server = Server::start(&redis, &flags).await;
    let text = |text: &str| Message::text(text.to_owned());
    for (user, frame) in (1..).zip([
        text(r#"{"type":"ping"}"#),
        text(r#"{"type":"typing"}"#),
        text(r#"{"type":"resume","after":"1-0"}"#),
        text(r#"{"message":""}"#),
        text("hello"),
        Message::Ping(vec![1].into()),
        Message::Pong(vec![].into()),
    ]) {
        let mut client = Client::enter(&server, user, &format!("conv-{user}")).await;
        for _ in 0..4 {
            client.socket.send(frame.clone()).await.unwrap();
        }
        let refused = loop {
            let event = client.event().await;
            if event["code"] == "rate_limited" {
                break event;
            }
        };
        let wait_s = refused["retry_after"].as_f64().unwrap();
        assert!((90.0..=100.0).contains(&wait_s), "{refused}");
        client.say("hello", "m-1").await;
        let queued = client.event().await;
        assert_eq!(
            queued["event"], "task_queued",
            "messages have a rate of their own"
        );
        for _ in 0..5 {
            client.socket.send(frame.clone()).await.unwrap();
        }
        assert_eq!(client.close_code().await, 4429, "{frame:?}");
        // Who comes back has not a whole burst again.
        let mut again = Client::enter(&server, user, &format!("again-{user}")).await;
        again.send(r#"{"type":"ping"}"#).await;
        assert_eq!(again.event().await["code"], "rate_limited");
    }
}

#[tokio::test]
async fn a_flood_of_messages_ends_however_many_of_them_are_allowed_meanwhile() {
    let redis = Redis::start().await;
    let flags = [
        "--rate-limit",
        "50",
        "--rate-burst",
        "1",
        "--flood-strikes",
        "20",
    ];
    let server = Server::start(&redis, &flags).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    let begun = Instant::now();
    let mut refused = None;
    let code = loop {
        assert!(begun.elapsed() < PATIENCE, "still open");
        // Never twenty refusals in a row: one message in ten is within the rate.
        for n in 0..5 {
            client.try_say("hello", &format!("m-{n}")).await;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        match tokio::time::timeout(Duration::from_millis(1), client.event_or_code()).await {
            Ok(Err(code)) => break code,
            Ok(Ok(event)) if event["code"] == "rate_limited" => refused = Some(event),
            Ok(Ok(_)) | Err(_) => {}
        }
    };
    assert_eq!(code, 4429);
    assert!(refused.unwrap()["client_message_id"].is_string());
}

#[tokio::test]
async fn fragments_without_end_are_too_big_a_message() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--max-frame", "1000"]).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    let first = [0x01, 0x81, 0, 0, 0, 0, b'{'];
    let bytes = [&first[..], &[0x00, 0x80, 0, 0, 0, 0].repeat(5000)].concat();
    drop(client.socket.get_mut().write_all(&bytes).await);
    assert_eq!(client.close_code().await, 1009);
}

#[tokio::test]
async fn pings_are_no_part_of_a_message_however_many_there_are() {
    let redis = Redis::start().await;
    let rates = ["--frame-rate", "1000000", "--frame-burst", "1000000"];
    let server = Server::start(&redis, &[&rates[..], &["--max-frame", "1000"]].concat()).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    for _ in 0..50 {
        // Together ten times what a message may have.
        for _ in 0..100 {
            let ping = Message::Ping(vec![b'x'; 20].into());
            client.socket.feed(ping).await.unwrap();
        }
        client.socket.flush().await.unwrap();
        while client.socket.next().await.unwrap().unwrap() != Message::Pong(vec![b'x'; 20].into()) {
        }
    }
    client.is_quiet().await;
}

#[tokio::test]
async fn failed_logins_are_slowed_down_whatever_the_next_password_is() {
    let redis = Redis::start().await;
    let flags = ["--login-failures", "3", "--login-failure-rate", "0.5"];
    let server = Server::start(&redis, &flags).await;
    let ask = async |email: &str, password: &str| {
        let body = json!({ "email": email, "password": password });
        post(&server, "/api/auth/login/", None, &body).await
    };
    for _ in 0..50 {
        login(&server, 1).await;
    }
    for name in ["user-000001", "nobody", "user-000001@other.test"] {
        for _ in 0..if name.contains('@') { 0 } else { 3 } {
            assert_eq!(ask(name, "wrong").await.status(), 401);
        }
        for password in ["wrong", PASSWORD] {
            let refused = ask(name, password).await;
            assert_eq!(refused.status(), 429, "{name}");
            let wait = refused.headers()["retry-after"].to_str().unwrap();
            assert!(["1", "2"].contains(&wait), "{wait}");
            let body: Value = refused.json().await.unwrap();
            assert_eq!(body["error"], "rate_limited");
        }
    }
    login(&server, 2).await;
    login_as(&server, "admin-000001").await;
    let begun = Instant::now();
    while ask("user-000001", PASSWORD).await.status() != 200 {
        assert!(begun.elapsed() < PATIENCE, "still refused");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Sockets that ping and do not read: the kernel takes what it takes, the rest waits here.
#[tokio::test]
async fn what_waits_for_a_user_is_bounded_and_given_back() {
    const SOCKETS: usize = 60;
    let redis = Redis::start().await;
    let rates = ["--frame-rate", "1000000", "--frame-burst", "1000000"];
    let buffers = ["--send-buffer", "4096", "--outbox-age", "3s"];
    let server = Server::start(&redis, &[rates, buffers].concat()).await;
    let rss = "process_resident_memory_bytes";
    let access = login(&server, 1).await;
    let ping = [&[0x89, 0xfd, 0, 0, 0, 0][..], &[b'x'; 125]]
        .concat()
        .repeat(500);
    let before = server.metric(rss).await;
    let mut sockets = Vec::new();
    for _ in 0..SOCKETS {
        sockets.push(Client::join(&server, &access, "/ws/chat/c/").await);
    }
    let mut highest = 0.0_f64;
    for _ in 0..40 {
        for socket in &mut sockets {
            let stream = socket.socket.get_mut();
            // Where nothing more is taken there is nothing to do.
            drop(tokio::time::timeout(Duration::from_millis(20), stream.write_all(&ping)).await);
        }
        highest = highest.max(server.metric(rss).await);
    }
    let full = server.metric(r#"chat_dropped_total{reason="full"}"#).await;
    assert!(full > 1000.0, "they were full: {full}");
    // A mebibyte for what waits, and what a socket costs besides, in a build without optimisation.
    assert!(highest - before < 8e6, "{} bytes more", highest - before);
    drop(sockets);
    server.until_metric("chat_connections_open", 0.0).await;
    server.until_metric_is(rss, |now| now - before < 4e6).await;
}
