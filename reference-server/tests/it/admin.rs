//! The admin feed: who may see it, and what is seen.

use serde_json::json;

use crate::client::{Client, login, login_as};
use crate::support::{Redis, Server};

async fn feed(server: &Server) -> Client {
    let access = login_as(server, "admin-000001").await;
    Client::join(server, &access, "/ws/admin/").await
}

#[tokio::test]
async fn who_is_nobody_gets_4401_and_who_is_no_admin_4403() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let (user, admin) = (
        login(&server, 1).await,
        login_as(&server, "admin-000001").await,
    );
    for (query, origin, code) in [
        (String::new(), None, 4401),
        ("?token=wrong".to_owned(), None, 4401),
        ("?connection_token=wrong".to_owned(), None, 4401),
        (format!("?token={user}"), None, 4403),
        (
            format!("?token={admin}"),
            Some("https://evil.example"),
            4403,
        ),
    ] {
        let headers: Vec<_> = origin
            .map(|origin| ("origin", origin))
            .into_iter()
            .collect();
        let path = format!("/ws/admin/{query}");
        let mut client = Client::open(&server, &path, &headers).await.unwrap();
        assert_eq!(client.close_code().await, code, "{query}");
    }
}

#[tokio::test]
async fn an_admin_is_no_participant() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let admin = login_as(&server, "admin-000001").await;
    for chat in ["0", "100000000000"] {
        let path = format!("/ws/chats/{chat}/?token={admin}");
        let mut client = Client::open(&server, &path, &[]).await.unwrap();
        assert_eq!(client.close_code().await, 4003, "{chat}");
    }
}

#[tokio::test]
async fn an_admin_sees_what_every_conversation_gets_on_every_instance() {
    let redis = Redis::start().await;
    let (one, two) = (
        Server::start(&redis, &[]).await,
        Server::start(&redis, &[]).await,
    );
    let mut admin = feed(&one).await;
    let mut asker = Client::enter(&two, 1, "conv-1").await;
    asker.say("hello", "m-1").await;
    let queued = asker.event().await;
    loop {
        let event = asker.event().await;
        let seen = admin.event().await;
        assert_eq!(
            (&seen["event"], &seen["conversation_id"], &seen["frame"]),
            (&json!("activity"), &json!("conv-1"), &event)
        );
        assert_eq!(seen["frame"]["task_id"], queued["task_id"]);
        assert!(seen["message_id"].is_string(), "{seen}");
        if event["event"] == "complete" {
            break;
        }
    }
    let access = login(&one, 2).await;
    let mut person = Client::join(&one, &access, "/ws/chats/0/").await;
    person.tell("hi", "p-1").await;
    let event = person.event().await;
    let seen = admin.event().await;
    assert_eq!(
        (&seen["event"], &seen["chat_id"], &seen["frame"]),
        (&json!("activity"), &json!("0"), &event)
    );
    admin.is_quiet().await;
}

#[tokio::test]
async fn an_admin_reads_and_does_not_speak() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let mut admin = feed(&server).await;
    admin.is_quiet().await;
    for frame in [
        r#"{"message":"hello"}"#,
        r#"{"type":"message","text":"hello"}"#,
    ] {
        admin.send(frame).await;
        assert_eq!(admin.event().await["code"], "bad_frame", "{frame}");
    }
}

#[tokio::test]
async fn what_an_admin_missed_can_be_had_again() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let mut admin = feed(&server).await;
    let access = login(&server, 1).await;
    let mut person = Client::join(&server, &access, "/ws/chats/0/").await;
    person.tell("seen", "p-0").await;
    let seen = admin.event().await["message_id"].clone();
    drop(admin);
    person.event().await;
    person.tell("missed", "p-1").await;
    person.event().await;
    let mut admin = feed(&server).await;
    admin.resume(seen.as_str().unwrap()).await;
    assert_eq!(admin.event().await["frame"]["text"], "missed");
    admin.is_quiet().await;
}

#[tokio::test]
async fn without_an_admin_there_is_no_feed() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    client.say("hello", "m-1").await;
    client.answer().await;
    let mut history = redis.connect(3).await.unwrap();
    let exists: bool = redis::cmd("EXISTS")
        .arg("feed:admin")
        .query_async(&mut history)
        .await
        .unwrap();
    assert!(!exists);
}

#[tokio::test]
async fn the_feed_comes_back_after_an_outage() {
    let mut redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let mut admin = feed(&server).await;
    redis.crash();
    server.until_ready_is(false).await;
    redis.restart().await;
    server.until_ready().await;
    let access = login(&server, 1).await;
    let mut person = Client::join(&server, &access, "/ws/chats/0/").await;
    person.tell("hello", "p-1").await;
    assert_eq!(admin.event().await["frame"]["text"], "hello");
}
