//! Defects of connects, closes and heartbeats.

use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::net::TcpSocket;
use tokio_tungstenite::tungstenite::Message;

use super::{both, server};
use crate::client::{Client, login, token};
use crate::support::Redis;

#[tokio::test]
async fn silent_1006_refuses_without_a_code() {
    both("silent-1006", async |on| {
        let redis = Redis::start().await;
        let server = server(&redis, on, &[]).await;
        let path = "/ws/chat/c/?connection_token=unknown";
        let mut refused = Client::open(&server, path, &[]).await.unwrap();
        let code = if on.is_some() { 1006 } else { 4001 };
        assert_eq!(refused.close_code().await, code);
        // A failure of an open socket is no better: the frame is over the limit.
        let mut open = Client::enter(&server, 1, "c").await;
        open.send("x".repeat(70_000)).await;
        let code = if on.is_some() { 1006 } else { 1009 };
        assert_eq!(open.close_code().await, code);
    })
    .await;
}

#[tokio::test]
async fn connect_hang_waits_out_the_outage() {
    both("connect-hang", async |on| {
        let mut redis = Redis::start().await;
        let flags = ["--handshake-timeout", "1s", "--redis-timeout", "300ms"];
        let server = server(&redis, on, &flags).await;
        let path = format!("/ws/chat/c/?token={}", login(&server, 1).await);
        redis.crash();
        server.until_ready_is(false).await;
        let connect = Client::open(&server, &path, &[]);
        match tokio::time::timeout(Duration::from_secs(3), connect).await {
            Ok(answered) => {
                assert!(on.is_none(), "it was answered");
                assert_eq!(answered.unwrap().close_code().await, 1011);
            }
            Err(_) => assert!(on.is_some(), "no answer"),
        }
        redis.restart().await;
        server.until_ready().await;
        Client::enter(&server, 1, "c").await;
    })
    .await;
}

#[tokio::test]
async fn no_server_ping_leaves_an_idle_socket_in_silence() {
    both("no-server-ping", async |on| {
        let redis = Redis::start().await;
        let server = server(&redis, on, &["--ping-interval", "200ms"]).await;
        let mut client = Client::enter(&server, 1, "c").await;
        let heard = tokio::time::timeout(Duration::from_millis(1_500), client.socket.next()).await;
        match heard {
            Ok(message) => {
                let message = message.unwrap().unwrap();
                assert!(
                    on.is_none() && matches!(message, Message::Ping(_)),
                    "{message:?}"
                );
            }
            Err(_) => assert!(on.is_some(), "no ping"),
        }
    })
    .await;
}

#[tokio::test]
async fn ping_as_chat_answers_a_heartbeat_by_an_error_and_drops_the_socket() {
    both("ping-as-chat", async |on| {
        let redis = Redis::start().await;
        let server = server(&redis, on, &[]).await;
        let mut client = Client::enter(&server, 1, "c").await;
        if on.is_none() {
            return client.is_quiet().await;
        }
        client.send(r#"{"type":"ping"}"#).await;
        // The error may be dropped with what else waited when the socket is closed.
        match client.event_or_code().await {
            Ok(event) => {
                assert_eq!(event["event"], "error");
                assert_eq!(client.close_code().await, 1011);
            }
            Err(code) => assert_eq!(code, 1011),
        }
    })
    .await;
}

#[tokio::test]
async fn origin_unchecked_takes_a_page_of_another_site() {
    both("origin-unchecked", async |on| {
        let redis = Redis::start().await;
        let server = server(&redis, on, &[]).await;
        let path = format!("/ws/chat/c/?token={}", login(&server, 1).await);
        let origin = [("origin", "https://evil.example")];
        let mut client = Client::open(&server, &path, &origin).await.unwrap();
        match client.event_or_code().await {
            Ok(event) => assert!(on.is_some() && event["event"] == "connected", "{event}"),
            Err(code) => assert!(on.is_none() && code == 4003, "{code}"),
        }
    })
    .await;
}

#[tokio::test]
async fn not_a_participant_lets_anybody_into_a_chat() {
    both("not-a-participant", async |on| {
        let redis = Redis::start().await;
        let server = server(&redis, on, &[]).await;
        // Chat 0 belongs to the users 1 to 10.
        let path = format!("/ws/chats/0/?token={}", login(&server, 11).await);
        let mut client = Client::open(&server, &path, &[]).await.unwrap();
        match client.event_or_code().await {
            Ok(event) => assert!(on.is_some() && event["event"] == "connected", "{event}"),
            Err(code) => assert!(on.is_none() && code == 4003, "{code}"),
        }
    })
    .await;
}

#[tokio::test]
async fn jwt_expiry_cut_gives_no_warning_and_no_code() {
    both("jwt-expiry-cut", async |on| {
        let redis = Redis::start().await;
        let flags = ["--jwt-ttl", "3s", "--jwt-warning", "2s"];
        let server = server(&redis, on, &flags).await;
        let mut client = Client::enter(&server, 1, "c").await;
        let first = client.event_or_code().await;
        if on.is_some() {
            assert_eq!(first, Err(1006));
        } else {
            assert_eq!(first.unwrap()["event"], "token_expiring_soon");
            assert_eq!(client.close_code().await, 4001);
        }
    })
    .await;
}

#[tokio::test]
async fn group_leak_keeps_the_room_of_a_closed_socket() {
    both("group-leak", async |on| {
        let redis = Redis::start().await;
        let server = server(&redis, on, &[]).await;
        let mut client = Client::enter(&server, 1, "leak").await;
        client.socket.close(None).await.unwrap();
        server.until_metric("chat_connections_open", 0.0).await;
        let mut look = redis.connect(3).await.unwrap();
        let mut listeners = async || {
            let mut command = redis::cmd("PUBSUB");
            command.arg("NUMSUB").arg("conv:leak");
            let found: (String, u32) = command.query_async(&mut look).await.unwrap();
            found.1
        };
        if on.is_some() {
            assert_eq!(listeners().await, 1);
            server.until_metric("active_conversations", 1.0).await;
        } else {
            server.until_metric("active_conversations", 0.0).await;
            let deadline = tokio::time::Instant::now() + crate::support::PATIENCE;
            while listeners().await > 0 {
                assert!(tokio::time::Instant::now() < deadline, "still subscribed");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn unbounded_outbox_keeps_everything_for_a_reader_that_never_reads() {
    both("unbounded-outbox", async |on| {
        let redis = Redis::start().await;
        let mut flags = vec!["--send-buffer", "4096", "--outbox-age", "1s"];
        flags.extend(["--rate-limit", "100000", "--rate-burst", "100000"]);
        flags.extend(["--chunks", "50", "--chunk-interval", "1ms"]);
        let server = server(&redis, on, &flags).await;
        let access = login(&server, 1).await;
        let token = token(&server, &access).await;
        let path = format!("/ws/chat/slow/?connection_token={token}");
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let stream = socket.connect(server.address()).await.unwrap();
        let what = (path.as_str(), &[][..]);
        let mut slow = Client::open_over(stream, &server, what).await.unwrap();
        let mut asker = Client::enter(&server, 2, "slow").await;
        for n in 0..100 {
            asker.say("hello", &format!("m-{n}")).await;
        }
        let mut complete = 0;
        while complete < 100 {
            complete += u32::from(asker.event().await["event"] == "complete");
        }
        let closed = r#"chat_connections_closed_total{code="1013"}"#;
        if on.is_none() {
            return server.until_metric(closed, 1.0).await;
        }
        // Twice the time after which a reader is given up and its close frame not waited for any more.
        tokio::time::sleep(Duration::from_secs(6)).await;
        let mut heard = 0;
        while heard < 100 {
            heard += u32::from(slow.event().await["event"] == "complete");
        }
    })
    .await;
}
