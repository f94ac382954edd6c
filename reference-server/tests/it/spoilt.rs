//! A Redis that holds what nobody of ours put there: entries that are no tasks, keys of another type, ids without end, a clock that
//! went back. Nobody is kept from chatting by it, or readiness says so.

use std::time::Instant;

use redis::aio::MultiplexedConnection;
use serde_json::{Value, json};

use crate::client::{Client, login, login_as};
use crate::support::{PATIENCE, Redis, Server};

const MAX: u64 = u64::MAX;

/// Does something in a database.
async fn tell(connection: &mut MultiplexedConnection, command: &[&str]) {
    let mut told = redis::cmd(command[0]);
    told.arg(&command[1..]);
    told.query_async::<redis::Value>(connection).await.unwrap();
}

/// Puts entries into the queue that are no tasks, one of them not even text.
async fn spoil(queue: &mut MultiplexedConnection) {
    tell(queue, &["XADD", "chat:tasks", "*", "foo", "bar"]).await;
    tell(
        queue,
        &["XADD", "chat:tasks", "*", "t", "zz", "c", "a", "m", "b"],
    )
    .await;
    let mut binary = redis::cmd("XADD");
    let bytes: &[u8] = b"\xff\xfe";
    binary.arg(&["chat:tasks", "*"]).arg(bytes).arg(bytes);
    binary.query_async::<redis::Value>(queue).await.unwrap();
}

async fn length(queue: &mut MultiplexedConnection) -> u64 {
    let mut length = redis::cmd("XLEN");
    length.arg("chat:tasks").query_async(queue).await.unwrap()
}

#[tokio::test]
async fn entries_that_are_no_tasks_are_taken_out_and_count_for_nothing() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--queue-limit", "3"]).await;
    let mut queue = redis.connect(0).await.unwrap();
    spoil(&mut queue).await;
    server.until_metric("chat_queue_discarded_total", 3.0).await;
    assert_eq!(length(&mut queue).await, 0);
    server.until_metric("chat_queue_depth", 0.0).await;
    assert!(server.log().contains("no task: taken out of the queue"));
    let mut client = Client::enter(&server, 1, "conv-1").await;
    client.say("hello", "m-1").await;
    client.answer().await;
}

#[tokio::test]
async fn what_a_dead_worker_left_is_taken_over_past_entries_that_are_no_tasks() {
    let redis = Redis::start().await;
    let mut queue = redis.connect(0).await.unwrap();
    tell(
        &mut queue,
        &["XGROUP", "CREATE", "chat:tasks", "workers", "0", "MKSTREAM"],
    )
    .await;
    spoil(&mut queue).await;
    let task = ["t", "a7", "c", "conv-1", "m", "hello"];
    tell(
        &mut queue,
        &[&["XADD", "chat:tasks", "*"][..], &task].concat(),
    )
    .await;
    let read = [
        "XREADGROUP",
        "GROUP",
        "workers",
        "dead",
        "STREAMS",
        "chat:tasks",
        ">",
    ];
    tell(&mut queue, &read).await;
    let server = Server::start(&redis, &["--take-over-after", "200ms"]).await;
    server.until_metric("chat_tasks_answered_total", 1.0).await;
    server.until_metric("chat_queue_discarded_total", 3.0).await;
    server.until_metric("chat_queue_depth", 0.0).await;
    assert_eq!(length(&mut queue).await, 0);
}

async fn until_failed(server: &Server, wanted: &[&str]) {
    let started = Instant::now();
    loop {
        let answer = reqwest::get(server.http("/readyz")).await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        let failed = if wanted.is_empty() {
            Value::Null
        } else {
            json!(wanted)
        };
        if body["failed"] == failed && (status == 200) == wanted.is_empty() {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{body}, not {wanted:?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn readiness_is_red_while_the_queue_is_no_queue_and_green_when_it_is_one_again() {
    let redis = Redis::start().await;
    let apart = Server::start(&redis, &["--worker", "none"]).await;
    let whole = Server::start(&redis, &[]).await;
    let worker = Server::start_worker(&redis, &[]).await;
    let mut queue = redis.connect(0).await.unwrap();
    tell(&mut queue, &["SET", "chat:tasks", "no stream"]).await;
    for server in [&apart, &whole, &worker] {
        until_failed(server, &["tasks"]).await;
    }
    tell(&mut queue, &["DEL", "chat:tasks"]).await;
    for server in [&apart, &whole, &worker] {
        until_failed(server, &[]).await;
    }
    let mut client = Client::enter(&whole, 1, "conv-1").await;
    client.say("hello", "m-1").await;
    client.answer().await;
}

#[tokio::test]
async fn a_lost_group_is_made_again() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let mut queue = redis.connect(0).await.unwrap();
    tell(&mut queue, &["XGROUP", "DESTROY", "chat:tasks", "workers"]).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    client.say("hello", "m-1").await;
    client.answer().await;
    server.until_ready().await;
}

#[tokio::test]
async fn keys_of_another_type_or_content_keep_nobody_from_chatting() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let mut queue = redis.connect(0).await.unwrap();
    let mut limits = redis.connect(2).await.unwrap();
    let mut layer = redis.connect(3).await.unwrap();
    let mut client = Client::enter(&server, 1, "conv-1").await;
    let access = login(&server, 2).await;
    let mut people = Client::join(&server, &access, "/ws/chats/0/").await;
    for (n, [key, value]) in [["rl:1", "9e17"], ["rl:1", "nan"], ["rlt:1", "inf"]]
        .into_iter()
        .enumerate()
    {
        tell(&mut limits, &["SET", key, value]).await;
        client.say("hello", &format!("l-{n}")).await;
        let first = client.event().await;
        // Of a clock that went back: the burst is used up, and refills.
        if first["code"] == "rate_limited" {
            assert!(first["retry_after"].as_f64().unwrap() < 1.0, "{first}");
            continue;
        }
        client.rest_of_answer(&first["task_id"]).await;
    }
    for key in ["rl:1", "rl:2", "rlt:1"] {
        tell(&mut limits, &["DEL", key]).await;
        tell(&mut limits, &["LPUSH", key, "x"]).await;
    }
    tell(&mut queue, &["LPUSH", "cmid:1/conv-1/m-1", "x"]).await;
    tell(&mut queue, &["SET", "cmid:1/conv-1/m-2", "no task"]).await;
    for key in ["conv:conv-1", "feed:admin", "chat:0", "pmid:0:2:p-1"] {
        tell(&mut layer, &["DEL", key]).await;
        tell(&mut layer, &["LPUSH", key, "x"]).await;
    }
    for id in ["m-1", "m-2"] {
        client.say("hello", id).await;
        assert_eq!(client.answer().await.id.as_deref(), Some(id));
    }
    people.tell("hello", "p-1").await;
    assert_eq!(people.event().await["client_message_id"], "p-1");
    // And a server that has to hear anew hears all the same.
    tell(&mut layer, &["SET", "conv:conv-1", "x"]).await;
    tell(&mut layer, &["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    server.until_ready_is(true).await;
    let admin = login_as(&server, "admin-000001").await;
    let mut feed = Client::join(&server, &admin, "/ws/admin/").await;
    loop {
        client.say("hello", "m-3").await;
        let event = client.event().await;
        if event["event"] == "task_queued" {
            client.rest_of_answer(&event["task_id"]).await;
            break;
        }
    }
    assert_eq!(feed.event().await["event"], "activity");
}

#[tokio::test]
async fn a_room_is_not_deaf_after_ids_that_nothing_can_follow() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    let access = login(&server, 2).await;
    let mut people = Client::join(&server, &access, "/ws/chats/0/").await;
    let mut layer = redis.connect(3).await.unwrap();
    for (n, id) in [
        format!("{MAX}-{MAX}"),
        format!("{MAX}-0"),
        "9999999999999-7".to_owned(),
    ]
    .iter()
    .enumerate()
    {
        // Heard by the rooms, and never in a history: as if that were gone, and the clock went back.
        for (room, form) in [("conv:conv-1", "p"), ("chat:0", "m")] {
            let text = format!("{id} {n:016x} 0 {form} 1 {{\"event\":\"pong\"}}");
            tell(&mut layer, &["PUBLISH", room, &text]).await;
        }
        assert_eq!(client.event().await["event"], "pong");
        assert_eq!(people.event().await["event"], "pong");
        let ids = [format!("m-{n}"), format!("p-{n}")];
        client.say("hello", &ids[0]).await;
        assert_eq!(client.answer().await.id.as_ref(), Some(&ids[0]));
        people.tell("hello", &ids[1]).await;
        assert_eq!(people.event().await["client_message_id"], ids[1]);
    }
    // In the history itself, whose ids are then used up.
    let last = format!("{MAX}-{MAX}");
    for key in ["conv:conv-1", "chat:0", "feed:admin"] {
        tell(&mut layer, &["XADD", key, &last, "e", "x"]).await;
    }
    client.say("hello", "m-9").await;
    assert_eq!(client.answer().await.id.as_deref(), Some("m-9"));
    people.tell("hello", "p-9").await;
    assert_eq!(people.event().await["client_message_id"], "p-9");
    let mut queue = redis.connect(0).await.unwrap();
    tell(&mut queue, &["XADD", "chat:tasks", &last, "foo", "bar"]).await;
    server.until_metric("chat_queue_discarded_total", 1.0).await;
    client.say("hello", "m-10").await;
    assert_eq!(client.answer().await.id.as_deref(), Some("m-10"));
}

#[tokio::test]
async fn after_the_last_id_there_can_be_nothing_can_be_asked_for() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let access = login(&server, 1).await;
    let errors = r#"chat_redis_errors_total{link="channel"}"#;
    let before = server.metric(errors).await;
    let last = format!("{MAX}-{MAX}");
    let poll = async |query: &str| {
        let url = server.http(&format!("/api/v1/messages/0/{query}"));
        let request = reqwest::Client::new().get(url).bearer_auth(&access);
        request.send().await.unwrap().status().as_u16()
    };
    for refused in [&last, "", "-", "1-0-0"] {
        assert_eq!(poll(&format!("?after={refused}")).await, 400, "{refused}");
    }
    assert_eq!(poll("?after").await, 400);
    for taken in [
        format!("?after={MAX}-0"),
        format!("?after=0-{MAX}"),
        "?before=x".to_owned(),
    ] {
        assert_eq!(poll(&taken).await, 200, "{taken}");
    }
    let admin = login_as(&server, "admin-000001").await;
    for (access, path) in [
        (&access, "/ws/chat/conv-1/"),
        (&access, "/ws/chats/0/"),
        (&admin, "/ws/admin/"),
    ] {
        let mut client = Client::join(&server, access, path).await;
        client.resume(&last).await;
        assert_eq!(client.event().await["code"], "bad_frame", "{path}");
        client.resume(&format!("{MAX}-0")).await;
        client.is_quiet().await;
    }
    assert!(
        (server.metric(errors).await - before).abs() < 1e-9,
        "no error of Redis"
    );
}
