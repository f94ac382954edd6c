//! People chats: who is in them, what everybody gets, and what was missed.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpSocket;

use crate::client::{Client, login, token};
use crate::support::{Redis, Server};

/// Opens a socket on chat 0, which is of the users 1 to 10.
async fn join(server: &Server, user: u32) -> Client {
    let access = login(server, user).await;
    Client::join(server, &access, "/ws/chats/0/").await
}

fn text_of(message: &Value) -> &str {
    assert_eq!(message["event"], "message", "{message}");
    message["text"].as_str().unwrap()
}

fn id_of(message: &Value) -> &str {
    assert_eq!(message["event"], "message", "{message}");
    message["message_id"].as_str().unwrap()
}

async fn poll(server: &Server, user: u32, query: &str) -> reqwest::Response {
    let access = login(server, user).await;
    let request = reqwest::Client::new().get(server.http(&format!("/api/v1/messages/{query}")));
    request.bearer_auth(access).send().await.unwrap()
}

async fn polled(server: &Server, query: &str) -> (Vec<Value>, bool) {
    let answer = poll(server, 1, query).await;
    assert_eq!(answer.status(), 200, "{query}");
    let body: Value = answer.json().await.unwrap();
    let messages = body["messages"].as_array().unwrap().clone();
    (messages, body["more"].as_bool().unwrap())
}

#[tokio::test]
async fn a_message_reaches_every_participant_on_every_instance_the_sender_too() {
    let redis = Redis::start().await;
    let (one, two) = (
        Server::start(&redis, &[]).await,
        Server::start(&redis, &[]).await,
    );
    let mut sender = join(&one, 1).await;
    let mut near = join(&one, 2).await;
    let mut far = join(&two, 10).await;
    for n in 0..5 {
        sender.tell("hello", &format!("p-{n}")).await;
        let message = sender.event().await;
        let expected = json!({
            "event": "message", "chat_id": "0", "user_id": 1, "text": "hello",
            "client_message_id": format!("p-{n}"), "message_id": message["message_id"],
        });
        assert_eq!(message, expected);
        assert_eq!(near.event().await, expected);
        assert_eq!(far.event().await, expected);
    }
    far.tell("back", "p-9").await;
    assert_eq!(text_of(&sender.event().await), "back");
}

#[tokio::test]
async fn who_is_not_a_participant_is_closed_with_4003_and_so_is_a_chat_that_does_not_exist() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--users", "20"]).await;
    let access = login(&server, 11).await;
    Client::join(&server, &access, "/ws/chats/1/").await;
    for chat in ["0", "2", "01", "lobby", "99999999999999999999999"] {
        let path = format!("/ws/chats/{chat}/?token={access}");
        let mut client = Client::open(&server, &path, &[]).await.unwrap();
        assert_eq!(client.close_code().await, 4003, "{chat}");
    }
}

#[tokio::test]
async fn a_token_of_another_user_opens_only_what_is_theirs() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let token = token(&server, &login(&server, 11).await).await;
    let path = format!("/ws/chats/0/?connection_token={token}");
    let mut client = Client::open(&server, &path, &[]).await.unwrap();
    assert_eq!(client.close_code().await, 4003);
    let path = format!("/ws/chats/1/?connection_token={token}");
    let mut client = Client::open(&server, &path, &[]).await.unwrap();
    assert_eq!(client.close_code().await, 4001, "and it is used up");
}

#[tokio::test]
async fn the_size_of_a_chat_is_a_setting() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--participants", "2"]).await;
    let access = login(&server, 4).await;
    Client::join(&server, &access, "/ws/chats/1/").await;
}

#[tokio::test]
async fn what_was_missed_comes_once_and_in_order_and_then_live_goes_on() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let mut sender = join(&server, 1).await;
    let mut reader = join(&server, 2).await;
    sender.tell("seen", "p-0").await;
    let seen = reader.event().await;
    drop(reader);
    let mut ids = vec![id_of(&sender.event().await).to_owned()];
    for n in 1..=30 {
        sender.tell("missed", &format!("p-{n}")).await;
        ids.push(id_of(&sender.event().await).to_owned());
    }
    let mut reader = join(&server, 2).await;
    reader.resume(id_of(&seen)).await;
    for id in &ids[1..] {
        assert_eq!(id_of(&reader.event().await), id);
    }
    sender.tell("live", "p-live").await;
    assert_eq!(text_of(&reader.event().await), "live");
    reader.resume(id_of(&seen)).await;
    assert_eq!(
        reader.event_within(Duration::from_millis(300)).await,
        None,
        "asked twice, nothing comes twice"
    );
    reader.resume("0-0").await;
    assert_eq!(
        text_of(&reader.event().await),
        "seen",
        "what this socket has not had"
    );
    reader.is_quiet().await;
}

#[tokio::test]
async fn messages_that_come_during_a_replay_are_neither_lost_nor_doubled() {
    const MESSAGES: usize = 300;
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--rate-burst", "10000"]).await;
    let mut sender = join(&server, 1).await;
    let mut reader = join(&server, 2).await;
    for n in 0..MESSAGES {
        sender.tell("hello", &format!("p-{n}")).await;
        if n % 10 == 0 {
            reader.resume("0-0").await;
        }
    }
    let mut seen = Vec::new();
    while seen.len() < MESSAGES {
        let event = reader.event().await;
        if event["event"] == "message" {
            seen.push(event["client_message_id"].as_str().unwrap().to_owned());
        } else {
            assert_eq!(event["code"], "busy", "one replay at a time: {event}");
        }
    }
    let expected: Vec<String> = (0..MESSAGES).map(|n| format!("p-{n}")).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_message_sent_again_is_posted_once_and_answered_by_the_same_message() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let mut sender = join(&server, 1).await;
    let mut other = join(&server, 2).await;
    sender.tell("hello", "p-1").await;
    let message = sender.event().await;
    assert_eq!(other.event().await, message);
    sender.tell("hello", "p-1").await;
    server
        .until_metric(r#"chat_messages_total{type="repeated"}"#, 1.0)
        .await;
    sender.is_quiet().await;
    let mut again = join(&server, 1).await;
    again.tell("hello", "p-1").await;
    assert_eq!(again.event().await, message, "a new socket has not had it");
    again.resume("0-0").await;
    assert_eq!(again.event_within(Duration::from_millis(300)).await, None);
    other.is_quiet().await;
    assert_eq!(polled(&server, "0/").await.0.len(), 1);
}

#[tokio::test]
async fn the_same_id_of_another_user_or_in_another_chat_is_another_message() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--participants", "2"]).await;
    let mut one = join(&server, 1).await;
    let mut two = join(&server, 2).await;
    one.tell("of one", "p-1").await;
    assert_eq!(text_of(&two.event().await), "of one");
    two.tell("of two", "p-1").await;
    assert_eq!(text_of(&two.event().await), "of two");
    assert_eq!(polled(&server, "0/").await.0.len(), 2);
}

#[tokio::test]
async fn polling_returns_what_the_socket_would_have() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--rate-burst", "1000"]).await;
    let mut sender = join(&server, 1).await;
    let mut sent = Vec::new();
    for n in 0..150 {
        sender.tell("hello", &format!("p-{n}")).await;
        sent.push(sender.event().await);
    }
    assert_eq!(polled(&server, "0/").await, (sent[..100].to_vec(), true));
    let query = format!("0/?after={}", id_of(&sent[99]));
    assert_eq!(polled(&server, &query).await, (sent[100..].to_vec(), false));
    let query = format!("0/?after={}", id_of(&sent[149]));
    assert_eq!(polled(&server, &query).await, (Vec::new(), false));
}

#[tokio::test]
async fn polling_is_for_participants_with_a_credential_and_a_message_id() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let anonymous = reqwest::get(server.http("/api/v1/messages/0/"))
        .await
        .unwrap();
    assert_eq!(anonymous.status(), 401);
    for (user, query, status) in [
        (11, "0/", 403),
        (1, "lobby/", 403),
        (1, "a%20b/", 404),
        (1, "..%2f0/", 404),
        (1, "0/?after=yesterday", 400),
        (1, "0/?after=", 400),
        (1, "0/?before=1-0", 200),
    ] {
        assert_eq!(
            poll(&server, user, query).await.status(),
            status,
            "{user} {query}"
        );
    }
}

#[tokio::test]
async fn history_is_bounded() {
    let redis = Redis::start().await;
    let flags = ["--chats-entries", "100", "--rate-burst", "1000"];
    let server = Server::start(&redis, &flags).await;
    let mut sender = join(&server, 1).await;
    for n in 0..500 {
        sender.tell("hello", &format!("p-{n}")).await;
        sender.event().await;
    }
    let mut history = redis.connect(3).await.unwrap();
    let kept: usize = redis::cmd("XLEN")
        .arg("chat:0")
        .query_async(&mut history)
        .await
        .unwrap();
    assert!((100..=220).contains(&kept), "{kept}");
    let left_ms: i64 = redis::cmd("PTTL")
        .arg("chat:0")
        .query_async(&mut history)
        .await
        .unwrap();
    assert!(left_ms > 0, "it ends by itself: {left_ms}");
}

#[tokio::test]
async fn people_are_held_to_length_and_rate() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--rate-limit", "0.1", "--rate-burst", "2"]).await;
    let mut client = join(&server, 1).await;
    client.tell(&"x".repeat(10_001), "long").await;
    let refused = client.event().await;
    assert_eq!(
        (&refused["code"], &refused["client_message_id"]),
        (&json!("too_long"), &json!("long"))
    );
    for n in 0..3 {
        client.tell("hello", &format!("p-{n}")).await;
    }
    let (mut messages, mut refused) = (0, None);
    while messages < 2 || refused.is_none() {
        let event = client.event().await;
        if event["event"] == "message" {
            messages += 1;
        } else {
            refused = Some(event);
        }
    }
    let refused = refused.unwrap();
    assert_eq!(
        (&refused["code"], &refused["client_message_id"]),
        (&json!("rate_limited"), &json!("p-2"))
    );
}

#[tokio::test]
async fn while_redis_is_away_people_are_told_and_nothing_kept_is_lost() {
    let mut redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let mut client = join(&server, 1).await;
    redis.crash();
    server.until_ready_is(false).await;
    client.tell("hello", "p-1").await;
    let refused = client.event().await;
    assert_eq!(
        (&refused["code"], &refused["client_message_id"]),
        (&json!("unavailable"), &json!("p-1"))
    );
    assert_eq!(poll(&server, 1, "0/").await.status(), 503);
    client.resume("0-0").await;
    assert_eq!(client.event().await["code"], "unavailable");
    redis.restart().await;
    server.until_ready().await;
    client.tell("hello", "p-1").await;
    assert_eq!(client.event().await["client_message_id"], "p-1");
}

#[tokio::test]
async fn a_message_whose_answer_was_lost_comes_by_itself_and_once() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--redis-timeout", "500ms"]).await;
    let mut client = join(&server, 1).await;
    redis.pause();
    client.tell("hello", "p-1").await;
    let refused = client.event().await;
    assert_eq!(refused["code"], "unavailable", "{refused}");
    redis.go_on();
    server.until_ready().await;
    client.tell("hello", "p-1").await;
    assert_eq!(client.event().await["client_message_id"], "p-1");
    client.is_quiet().await;
    assert_eq!(polled(&server, "0/").await.0.len(), 1);
}

#[tokio::test]
async fn the_memory_layer_reaches_the_people_of_one_process() {
    let redis = Redis::start().await;
    let memory = ["--channel-layer", "memory"];
    let (one, two) = (
        Server::start(&redis, &memory).await,
        Server::start(&redis, &memory).await,
    );
    let mut sender = join(&one, 1).await;
    let mut near = join(&one, 2).await;
    let mut far = join(&two, 3).await;
    sender.tell("hello", "p-1").await;
    assert_eq!(near.event().await, sender.event().await);
    far.is_quiet().await;
}

#[tokio::test]
async fn a_history_larger_than_the_outbox_comes_whole_to_a_slow_reader_and_ends_one_that_never_reads()
 {
    const MESSAGES: usize = 150;
    let redis = Redis::start().await;
    let flags = [
        "--rate-burst",
        "1000",
        "--send-buffer",
        "4096",
        "--outbox-age",
        "2s",
    ];
    let server = Server::start(&redis, &flags).await;
    let mut sender = join(&server, 1).await;
    for n in 0..MESSAGES {
        sender.tell(&"x".repeat(8_000), &format!("p-{n}")).await;
        sender.event().await;
    }
    let path = format!("/ws/chats/0/?token={}", login(&server, 2).await);
    let narrow = async || {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let stream = socket.connect(server.address()).await.unwrap();
        let mut client = Client::open_over(stream, &server, (&path, &[]))
            .await
            .unwrap();
        assert_eq!(client.event().await["event"], "connected");
        client.resume("0-0").await;
        client
    };
    let _deaf = narrow().await;
    let mut slow = narrow().await;
    for n in 0..MESSAGES {
        let message = slow.event().await;
        assert_eq!(message["client_message_id"], format!("p-{n}"));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    slow.is_quiet().await;
    let closed = r#"chat_connections_closed_total{code="1013"}"#;
    server.until_metric(closed, 1.0).await;
    let dropped = server.metric(r#"chat_dropped_total{reason="full"}"#).await;
    assert!(dropped < 1e-9, "the replay waits for its reader: {dropped}");
}
