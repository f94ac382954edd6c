//! The same message again, and what was missed.

use std::time::Duration;

use serde_json::json;

use crate::client::{Client, login};
use crate::support::{PATIENCE, Redis, Server};

#[tokio::test]
async fn a_message_sent_again_is_acknowledged_again_and_run_once() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    client.say("hello", "m-1").await;
    let answer = client.answer().await;
    client.say("hello", "m-1").await;
    let again = client.event().await;
    assert_eq!(
        again,
        json!({ "event": "task_queued", "task_id": answer.task, "client_message_id": "m-1" })
    );
    client.say("hello", "m-2").await;
    let other = client.answer().await;
    assert_ne!(
        other.task, answer.task,
        "nothing of the first answer came again"
    );
    assert!(
        (server
            .metric(r#"chat_messages_total{type="repeated"}"#)
            .await
            - 1.0)
            .abs()
            < 1e-9
    );
}

#[tokio::test]
async fn the_same_id_of_another_user_is_another_message() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let mut one = Client::enter(&server, 1, "a").await;
    let mut two = Client::enter(&server, 2, "b").await;
    one.say("hello", "m-1").await;
    two.say("hello", "m-1").await;
    assert_ne!(one.answer().await.task, two.answer().await.task);
}

#[tokio::test]
async fn sent_again_on_a_new_socket_the_whole_answer_comes_once() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--chunks", "10", "--chunk-interval", "50ms"]).await;
    let access = login(&server, 1).await;
    let mut first = Client::enter_as(&server, &access, "conv-1").await;
    first.say("hello", "m-1").await;
    let task = first.event().await["task_id"].clone();
    while first.event().await["event"] != "chunk" {}
    drop(first);
    let mut second = Client::enter_as(&server, &access, "conv-1").await;
    second.say("hello", "m-1").await;
    let queued = second.event().await;
    assert_eq!(
        (&queued["event"], &queued["task_id"]),
        (&json!("task_queued"), &task)
    );
    second.rest_of_answer(&task).await;
    assert_eq!(
        second.event_within(Duration::from_millis(200)).await,
        None,
        "each event once"
    );
}

#[tokio::test]
async fn sent_again_after_the_answer_is_over_it_comes_from_history() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let access = login(&server, 1).await;
    let mut first = Client::enter_as(&server, &access, "conv-1").await;
    first.say("hello", "m-1").await;
    let answer = first.answer().await;
    drop(first);
    server.until_metric("active_conversations", 0.0).await;
    let mut second = Client::enter_as(&server, &access, "conv-1").await;
    second.say("hello", "m-1").await;
    assert_eq!(second.answer().await, answer);
}

#[tokio::test]
async fn resume_replays_what_came_after_once_and_in_order() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let mut reader = Client::enter(&server, 1, "conv-1").await;
    let mut asker = Client::enter(&server, 2, "conv-1").await;
    asker.say("one", "m-1").await;
    let seen = asker.answer().await;
    assert_eq!(
        reader.rest_of_answer(&json!(seen.task)).await,
        seen.message_id
    );
    drop(reader);
    let mut missed = Vec::new();
    for n in 2..5 {
        asker.say("more", &format!("m-{n}")).await;
        missed.push(asker.answer().await);
    }
    let mut reader = Client::enter(&server, 1, "conv-1").await;
    let resume = json!({ "type": "resume", "after": seen.message_id }).to_string();
    reader.send(resume.clone()).await;
    for answer in &missed {
        assert_eq!(
            reader.rest_of_answer(&json!(answer.task)).await,
            answer.message_id
        );
    }
    asker.say("live", "m-9").await;
    let live = asker.answer().await;
    assert_eq!(
        reader.rest_of_answer(&json!(live.task)).await,
        live.message_id,
        "live again after the replay"
    );
    reader.send(resume).await;
    assert_eq!(
        reader.event_within(Duration::from_millis(300)).await,
        None,
        "asked twice, nothing comes twice"
    );
}

#[tokio::test]
async fn resume_in_the_middle_of_an_answer_joins_it_without_a_gap() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--chunks", "20", "--chunk-interval", "25ms"]).await;
    let mut asker = Client::enter(&server, 1, "conv-1").await;
    asker.say("hello", "m-1").await;
    let task = asker.event().await["task_id"].clone();
    while asker.event().await["event"] != "chunk" {}
    let mut reader = Client::enter(&server, 2, "conv-1").await;
    reader
        .send(json!({ "type": "resume", "after": "0-0" }).to_string())
        .await;
    reader.rest_of_answer(&task).await;
}

#[tokio::test]
async fn a_replay_that_cannot_be_had_is_refused_by_the_message_it_was_for() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let access = login(&server, 1).await;
    let mut first = Client::enter_as(&server, &access, "conv-1").await;
    first.say("hello", "m-1").await;
    first.answer().await;
    let mut second = Client::enter_as(&server, &access, "conv-1").await;
    let mut history = redis.connect(3).await.unwrap();
    let spoilt: redis::RedisResult<()> = redis::cmd("SET")
        .arg(&["conv:conv-1", "no stream"])
        .query_async(&mut history)
        .await;
    spoilt.unwrap();
    second.say("hello", "m-1").await;
    assert_eq!(second.event().await["event"], "task_queued");
    let refused = second.event().await;
    assert_eq!(
        (&refused["code"], &refused["client_message_id"]),
        (&json!("unavailable"), &json!("m-1")),
        "{refused}"
    );
}

#[tokio::test]
async fn an_answer_begun_again_after_a_killed_server_is_not_repeated_to_who_had_its_beginning() {
    for by_resume in [false, true] {
        let redis = Redis::start().await;
        let pace = ["--chunks", "12", "--chunk-interval", "100ms"];
        let flags = [&pace[..], &["--take-over-after", "2s"]].concat();
        let killed = Server::start(&redis, &flags).await;
        let mut client = Client::enter(&killed, 1, "conv-1").await;
        client.say("hello", "m-1").await;
        let task = client.event().await["task_id"].clone();
        while client.event().await["seq"] != 3 {}
        drop(killed);
        let server = Server::start(&redis, &flags).await;
        let mut client = Client::enter(&server, 1, "conv-1").await;
        if by_resume {
            client.resume("0-0").await;
        } else {
            client.say("hello", "m-1").await;
            assert_eq!(client.event().await["task_id"], task);
        }
        client.rest_of_answer(&task).await;
        assert!(
            server.metric("chat_tasks_taken_over_total").await >= 1.0,
            "the rest came from the beginning again"
        );
        client.is_quiet().await;
    }
}

#[tokio::test]
async fn resume_during_an_answer_one_gets_already_leaves_no_gap() {
    let redis = Redis::start().await;
    let pace = ["--chunks", "20", "--chunk-interval", "1ms"];
    let flags = [&pace[..], &["--first-after", "0ms", "--rate-burst", "100"]].concat();
    let server = Server::start(&redis, &flags).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    for n in 0..40 {
        client.say("hello", &format!("m-{n}")).await;
        let mut next = 0;
        loop {
            let event = client.event().await;
            match event["event"].as_str().unwrap() {
                "task_queued" => {}
                // The first chunk follows while the history is read.
                "processing_started" => client.resume("0-0").await,
                "chunk" => {
                    assert_eq!(event["seq"], next, "{event}");
                    next += 1;
                }
                other => {
                    assert_eq!(other, "complete", "{event}");
                    break;
                }
            }
        }
        assert_eq!(next, 20);
    }
}

#[tokio::test]
async fn an_answer_older_than_its_history_is_lost_and_said_to_be() {
    let redis = Redis::start().await;
    let flags = ["--redis-grace", "500ms", "--history-expiry", "1s"];
    let server = Server::start(&redis, &flags).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    client.say("hello", "m-1").await;
    let answer = client.answer().await;
    drop(client);
    server.until_metric("active_conversations", 0.0).await;
    let mut history = redis.connect(3).await.unwrap();
    let started = std::time::Instant::now();
    while redis::cmd("EXISTS")
        .arg("conv:conv-1")
        .query_async::<bool>(&mut history)
        .await
        .unwrap()
    {
        assert!(started.elapsed() < PATIENCE, "the history does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut client = Client::enter(&server, 1, "conv-1").await;
    client.say("hello", "m-1").await;
    assert_eq!(client.event().await["task_id"], answer.task);
    let lost = client.event().await;
    assert_eq!(
        (&lost["code"], &lost["task_id"]),
        (&json!("lost"), &json!(answer.task))
    );
    client.is_quiet().await;
}

#[tokio::test]
async fn sent_again_before_a_worker_has_it_nothing_is_called_lost() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--first-after", "500ms"]).await;
    let mut asker = Client::enter(&server, 1, "conv-1").await;
    asker.say("hello", "m-1").await;
    let task = asker.event().await["task_id"].clone();
    let mut again = Client::enter(&server, 1, "conv-1").await;
    again.say("hello", "m-1").await;
    assert_eq!(again.event().await["task_id"], task);
    again.rest_of_answer(&task).await;
}

#[tokio::test]
async fn a_task_that_the_queue_forgets_again_and_again_is_lost_and_said_to_be() {
    let redis = Redis::start().await;
    let flags = ["--first-after", "60s", "--redrive-after", "100ms"];
    let server = Server::start(&redis, &flags).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    client.say("hello", "m-1").await;
    let task = client.event().await["task_id"].clone();
    assert_eq!(client.event().await["event"], "processing_started");
    let mut queue = redis.connect(0).await.unwrap();
    let lost = loop {
        let deleted: redis::RedisResult<()> = redis::cmd("DEL")
            .arg("chat:tasks")
            .query_async(&mut queue)
            .await;
        deleted.unwrap();
        if let Some(event) = client.event_within(Duration::from_millis(50)).await {
            break event;
        }
    };
    assert_eq!(
        (&lost["code"], &lost["task_id"]),
        (&json!("lost"), &task),
        "{lost}"
    );
    assert!((server.metric("chat_tasks_redriven_total").await - 5.0).abs() < 1e-9);
    assert!((server.metric("chat_tasks_lost_total").await - 1.0).abs() < 1e-9);
}
