//! Messages and answers while everything is well.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::client::{Client, login, login_as};
use crate::support::{Redis, Server};

#[tokio::test]
async fn a_message_is_acknowledged_streamed_and_completed() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--chunks", "4"]).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    client.say("hello", "m-1").await;
    let mut text = String::new();
    let mut names = Vec::new();
    loop {
        let event = client.event().await;
        names.push(event["event"].as_str().unwrap().to_owned());
        text.push_str(event["chunk"].as_str().unwrap_or_default());
        if names.last().unwrap() == "complete" {
            assert_eq!(event["chunks"], 4);
            break;
        }
    }
    let expected = [
        "task_queued",
        "processing_started",
        "chunk",
        "chunk",
        "chunk",
        "chunk",
        "complete",
    ];
    assert_eq!(names, expected);
    assert_eq!(text, "You wrote 5 characters: hello");
}

#[tokio::test]
async fn invalid_frames_are_answered_and_the_socket_stays_open() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let text = include_str!("../../../contract/frames/client.json");
    let all: Vec<Value> = serde_json::from_str(text).unwrap();
    for (route, path, user) in [
        ("chat", "/ws/chat/conv-1/", "user-000001"),
        ("chats", "/ws/chats/0/", "user-000001"),
        ("admin", "/ws/admin/", "admin-000001"),
    ] {
        let mut client = Client::join(&server, &login_as(&server, user).await, path).await;
        let here = |fixture: &&Value| [route, "any"].contains(&fixture["route"].as_str().unwrap());
        for fixture in all.iter().filter(here).filter(|one| one["valid"] == false) {
            let raw = fixture
                .get("raw")
                .map(|raw| raw.as_str().unwrap().to_owned());
            client
                .send(raw.unwrap_or_else(|| fixture["frame"].to_string()))
                .await;
            let event = client.event().await;
            assert_eq!(
                (&event["event"], &event["code"]),
                (&json!("error"), &fixture["code"]),
                "{fixture}"
            );
        }
        client.is_quiet().await;
    }
    let mut client = Client::enter(&server, 1, "conv-1").await;
    client.say(&"x".repeat(10_001), "long").await;
    let event = client.event().await;
    assert_eq!(
        (&event["code"], &event["client_message_id"]),
        (&json!("too_long"), &json!("long"))
    );
    client.say(&"x".repeat(10_000), "fits").await;
    assert_eq!(client.answer().await.id.as_deref(), Some("fits"));
}

#[tokio::test]
async fn a_heartbeat_is_answered_and_is_no_message() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    client.send(r#"{"type":"ping"}"#).await;
    assert_eq!(client.event().await, json!({ "event": "pong" }));
    client.say("hello", "m-1").await;
    client.answer().await;
    assert!((server.metric(r#"chat_messages_total{type="queued"}"#).await - 1.0).abs() < 1e-9);
    assert!((server.metric(r#"chat_messages_total{type="ping"}"#).await - 1.0).abs() < 1e-9);
}

#[tokio::test]
async fn many_messages_at_once_are_each_answered_once_and_in_order() {
    const MESSAGES: usize = 200;
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--rate-burst", "1000"]).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    for n in 0..MESSAGES {
        client.say("hello", &format!("m-{n}")).await;
    }
    let mut next: BTreeMap<String, u64> = BTreeMap::new();
    let mut queued = Vec::new();
    let mut complete = 0;
    while complete < MESSAGES {
        let event = client.event().await;
        let task = event["task_id"].as_str().unwrap().to_owned();
        match event["event"].as_str().unwrap() {
            "task_queued" => {
                queued.push(event["client_message_id"].as_str().unwrap().to_owned());
                assert_eq!(next.insert(task, 0), None, "acknowledged twice");
            }
            "chunk" => {
                let expected = next.get_mut(&task).expect("acknowledged before its chunks");
                assert_eq!(event["seq"], *expected);
                *expected += 1;
            }
            "complete" => {
                assert_eq!(next.remove(&task), Some(3));
                complete += 1;
            }
            other => assert_eq!(other, "processing_started"),
        }
    }
    let expected: Vec<String> = (0..MESSAGES).map(|n| format!("m-{n}")).collect();
    assert_eq!(queued, expected, "acknowledged in the order they were sent");
}

#[tokio::test]
async fn both_sockets_of_a_conversation_get_the_answer_and_only_the_asker_the_acknowledgement() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let mut asker = Client::enter(&server, 1, "shared").await;
    let mut other = Client::enter(&server, 2, "shared").await;
    let mut stranger = Client::enter(&server, 3, "elsewhere").await;
    asker.say("hello", "m-1").await;
    let answer = asker.answer().await;
    assert_eq!(
        other.rest_of_answer(&json!(answer.task)).await,
        answer.message_id
    );
    stranger.send(r#"{"type":"ping"}"#).await;
    assert_eq!(
        stranger.event().await["event"],
        "pong",
        "nothing else came before"
    );
}

#[tokio::test]
async fn another_socket_of_the_asker_is_told_before_the_first_event() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let access = login(&server, 1).await;
    let mut asker = Client::enter_as(&server, &access, "shared").await;
    let mut again = Client::enter_as(&server, &access, "shared").await;
    for n in 0..20 {
        asker.say("hello", &format!("m-{n}")).await;
        assert_eq!(asker.answer().await, again.answer().await);
    }
}

#[tokio::test]
async fn two_instances_share_a_conversation() {
    let redis = Redis::start().await;
    let (one, two) = (
        Server::start(&redis, &[]).await,
        Server::start(&redis, &[]).await,
    );
    let mut asker = Client::enter(&one, 1, "shared").await;
    let mut other = Client::enter(&two, 2, "shared").await;
    for n in 0..5 {
        asker.say("hello", &format!("m-{n}")).await;
        let answer = asker.answer().await;
        assert_eq!(
            other.rest_of_answer(&json!(answer.task)).await,
            answer.message_id
        );
    }
}

#[tokio::test]
async fn another_socket_of_the_asker_at_another_instance_is_told_before_the_first_event_too() {
    let redis = Redis::start().await;
    let (one, two) = (
        Server::start(&redis, &[]).await,
        Server::start(&redis, &[]).await,
    );
    let mut asker = Client::enter(&one, 1, "shared").await;
    let mut again = Client::enter(&two, 1, "shared").await;
    let mut other = Client::enter(&two, 2, "shared").await;
    for n in 0..20 {
        asker.say("hello", &format!("m {n}")).await;
        let answer = asker.answer().await;
        assert_eq!(again.answer().await, answer);
        let task = json!(answer.task);
        assert_eq!(other.rest_of_answer(&task).await, answer.message_id);
    }
}

#[tokio::test]
async fn a_close_frame_is_answered_in_kind() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    let frame = CloseFrame {
        code: 1000.into(),
        reason: "done".into(),
    };
    client.socket.close(Some(frame)).await.unwrap();
    assert_eq!(client.close_code().await, 1000);
    let closed = r#"chat_connections_closed_total{code="1000"}"#;
    server.until_metric(closed, 1.0).await;
}

#[tokio::test]
async fn the_memory_layer_serves_one_process() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--channel-layer", "memory"]).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    client.say("hello", "m-1").await;
    assert_eq!(client.answer().await.id.as_deref(), Some("m-1"));
    let health: Value = reqwest::get(server.http("/health/ws/"))
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(health["channel_layer"], "memory");
}

#[tokio::test]
async fn tasks_left_by_a_killed_worker_are_answered_by_another() {
    let redis = Redis::start().await;
    let slow = ["--first-after", "1s", "--take-over-after", "300ms"];
    let survivor = Server::start(&redis, &slow).await;
    let killed = Server::start(&redis, &slow).await;
    let mut client = Client::enter(&survivor, 1, "conv-1").await;
    for n in 0..20 {
        client.say("hello", &format!("m-{n}")).await;
        assert_eq!(client.event().await["event"], "task_queued");
        assert_eq!(client.event().await["event"], "processing_started");
    }
    // Answers to the earlier ones may have begun; whatever the other worker had is begun anew.
    drop(killed);
    let mut complete = std::collections::BTreeSet::new();
    while complete.len() < 20 {
        let event = client.event().await;
        if event["event"] == "complete" {
            assert!(
                complete.insert(event["task_id"].to_string()),
                "completed twice"
            );
        }
    }
    assert!(survivor.metric("chat_tasks_taken_over_total").await >= 1.0);
}
