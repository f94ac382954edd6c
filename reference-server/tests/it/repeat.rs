//! What is repeated behind the server is not repeated to a client, and what is sent twice or crosswise has an end each time.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, login};
use crate::support::{Redis, Server};

/// Instances that trust each other's access tokens, and leave the work to somebody else.
const APART: [&str; 4] = ["--jwt-secret", "0123456789abcdef", "--worker", "none"];
/// An answer of a second.
const SLOW: [&str; 4] = ["--chunks", "10", "--chunk-interval", "100ms"];

/// Runs a command in the databases of queue and histories.
async fn tell(redis: &Redis, command: &[&str]) {
    let mut connection = redis.connect(0).await.unwrap();
    let mut told = redis::cmd(command[0]);
    told.arg(&command[1..]);
    told.query_async::<()>(&mut connection).await.unwrap();
}

/// Reads up to the end of that task; what it was: `complete`, or the code of an error.
async fn end_of(client: &mut Client, task: &Value) -> String {
    loop {
        let event = client.event().await;
        if event["task_id"] != *task {
            continue;
        }
        match event["event"].as_str().unwrap() {
            "complete" => return "complete".to_owned(),
            "error" => return event["code"].as_str().unwrap().to_owned(),
            _ => {}
        }
    }
}

async fn task_of(client: &mut Client, id: &str) -> Value {
    client.say("hello", id).await;
    loop {
        let event = client.event().await;
        if event["event"] == "task_queued" && event["client_message_id"] == id {
            return event["task_id"].clone();
        }
    }
}

#[tokio::test]
async fn a_hundred_answers_that_a_snapshot_of_redis_has_run_again_come_once() {
    let mut redis = Redis::start().await;
    let flags = ["--first-after", "700ms", "--take-over-after", "300ms"];
    let flags = [&flags[..], &["--rate-burst", "200"]].concat();
    let server = Server::start(&redis, &flags).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    for n in 0..100 {
        client.say("hello", &format!("m-{n}")).await;
    }
    let mut queued = 0;
    while queued < 100 {
        queued += usize::from(client.event().await["event"] == "task_queued");
    }
    tell(&redis, &["SAVE"]).await;
    let mut complete = 0;
    while complete < 100 {
        complete += usize::from(client.event().await["event"] == "complete");
    }
    let answered = "chat_tasks_answered_total";
    server.until_metric(answered, 100.0).await;
    redis.crash();
    server.until_ready_is(false).await;
    redis.restart().await;
    server.until_ready().await;
    server.until_metric(answered, 200.0).await;
    client.is_quiet().await;
}

#[tokio::test]
async fn the_same_id_in_another_conversation_is_another_message() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &SLOW).await;
    // Also where conversation and id would read the same, written one after the other.
    for [one, two] in [[("a", "m-1"), ("b", "m-1")], [("x", "y:z"), ("x:y", "z")]] {
        let mut here = Client::enter(&server, 1, one.0).await;
        let mut there = Client::enter(&server, 1, two.0).await;
        here.say("hello", one.1).await;
        there.say("something else", two.1).await;
        let (here, there) = (here.answer().await, there.answer().await);
        assert_ne!(here.task, there.task);
    }
}

#[tokio::test]
async fn what_nobody_answers_is_lost_in_time_each_time_it_is_asked() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[&APART[..], &["--answer-within", "1s"]].concat()).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    let started = Instant::now();
    let task = task_of(&mut client, "m-1").await;
    assert_eq!(end_of(&mut client, &task).await, "lost");
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    // On this socket and on another.
    assert_eq!(task_of(&mut client, "m-1").await, task);
    assert_eq!(end_of(&mut client, &task).await, "lost");
    let mut other = Client::enter(&server, 1, "conv-1").await;
    assert_eq!(task_of(&mut other, "m-1").await, task);
    assert_eq!(end_of(&mut other, &task).await, "lost");
}

#[tokio::test]
async fn who_was_told_that_it_is_lost_hears_no_answer_after_that() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[&APART[..], &["--answer-within", "1s"]].concat()).await;
    let access = login(&server, 1).await;
    let mut asker = Client::enter_as(&server, &access, "conv-1").await;
    let mut other = Client::enter_as(&server, &access, "conv-1").await;
    let task = task_of(&mut asker, "m-1").await;
    for socket in [&mut asker, &mut other] {
        assert_eq!(end_of(socket, &task).await, "lost");
    }
    // It was in the queue all the time, and somebody answers it after all.
    let worker = Server::start_worker(&redis, &[]).await;
    worker.until_metric("chat_tasks_answered_total", 1.0).await;
    let mut late = Client::enter_as(&server, &access, "conv-1").await;
    assert_eq!(task_of(&mut late, "m-1").await, task);
    assert_eq!(end_of(&mut late, &task).await, "lost");
    for socket in [&mut asker, &mut other, &mut late] {
        socket.resume("0-0").await;
        socket.is_quiet().await;
    }
}

#[tokio::test]
async fn who_had_the_answer_by_a_replay_is_acknowledged_again_and_never_told_that_it_is_lost() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--answer-within", "1s"]).await;
    let mut first = Client::enter(&server, 1, "conv-1").await;
    first.say("hello", "m-1").await;
    let answer = first.answer().await;
    // The room ends with its last socket; the next one knows nothing of the answer but what the history says.
    drop(first);
    server.until_metric("active_conversations", 0.0).await;
    let mut again = Client::enter(&server, 1, "conv-1").await;
    let task = task_of(&mut again, "m-1").await;
    assert_eq!(task, answer.task.as_str());
    again.rest_of_answer(&task).await;
    for _ in 0..2 {
        assert_eq!(task_of(&mut again, "m-1").await, task);
        let more = again.event_within(Duration::from_secs(3)).await;
        assert_eq!(more, None, "the answer was complete");
    }
    server.until_metric("chat_tasks_answered_total", 1.0).await;
}

#[tokio::test]
async fn a_replay_of_a_history_that_redis_forgot_stands_for_nothing_that_was_in_it() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--answer-within", "10s"]).await;
    let access = login(&server, 1).await;
    let mut first = Client::enter_as(&server, &access, "conv-1").await;
    let mut answers = Vec::new();
    for id in ["m-1", "m-2"] {
        first.say("hello", id).await;
        answers.push(first.answer().await);
    }
    tell(&redis, &["FLUSHALL"]).await;
    let mut again = Client::enter_as(&server, &access, "conv-1").await;
    again.resume(&answers[0].message_id).await;
    again.is_quiet().await;
    let task = task_of(&mut again, "m-2").await;
    assert_eq!(task, answers[1].task.as_str());
    again.rest_of_answer(&task).await;
    // Who had it hears nothing of that.
    first.is_quiet().await;
}

#[tokio::test]
async fn a_replay_of_a_history_with_a_hole_stands_for_nothing_that_was_in_the_hole() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &["--answer-within", "1s"]).await;
    let access = login(&server, 1).await;
    let mut first = Client::enter_as(&server, &access, "conv-1").await;
    let mut answers = Vec::new();
    for id in ["m-1", "m-2", "m-3"] {
        first.say("hello", id).await;
        answers.push(first.answer().await);
    }
    // As a Redis that was brought back has what it had when it was saved, and what came since.
    let mut history = redis.connect(3).await.unwrap();
    let after = format!("({}", answers[1].message_id);
    let gone: Vec<(String, Vec<String>)> = redis::cmd("XRANGE")
        .arg(&["conv:conv-1", &after, "+"])
        .query_async(&mut history)
        .await
        .unwrap();
    assert!(!gone.is_empty());
    let ids: Vec<&String> = gone.iter().map(|(id, _)| id).collect();
    redis::cmd("XDEL")
        .arg("conv:conv-1")
        .arg(&ids)
        .query_async::<()>(&mut history)
        .await
        .unwrap();
    let mut again = Client::enter_as(&server, &access, "conv-1").await;
    again.resume(&answers[0].message_id).await;
    again.rest_of_answer(&json!(answers[1].task)).await;
    again.is_quiet().await;
    let task = task_of(&mut again, "m-3").await;
    assert_eq!(task, answers[2].task.as_str());
    // Nobody has it any more: that is an end too.
    assert_eq!(end_of(&mut again, &task).await, "lost");
    first.is_quiet().await;
}

#[tokio::test]
async fn asked_again_at_another_instance_it_outlives_the_first_one_and_the_queue() {
    let redis = Redis::start().await;
    let flags = [&APART[..], &["--redrive-after", "500ms"]].concat();
    let (one, two) = tokio::join!(Server::start(&redis, &flags), Server::start(&redis, &flags));
    let access = login(&one, 1).await;
    let mut here = Client::enter_as(&one, &access, "conv-1").await;
    let mut there = Client::enter_as(&two, &access, "conv-1").await;
    let task = task_of(&mut here, "m-1").await;
    assert_eq!(task_of(&mut there, "m-1").await, task);
    one.crash();
    tell(&redis, &["FLUSHALL"]).await;
    let _worker = Server::start_worker(&redis, &[]).await;
    there.rest_of_answer(&task).await;
}

#[tokio::test]
async fn asked_again_on_another_socket_after_redis_was_emptied_the_whole_answer_comes() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &SLOW).await;
    let access = login(&server, 1).await;
    let mut first = Client::enter_as(&server, &access, "conv-1").await;
    let task = task_of(&mut first, "m-1").await;
    while first.event().await["seq"] != 3 {}
    tell(&redis, &["FLUSHALL"]).await;
    let mut second = Client::enter_as(&server, &access, "conv-1").await;
    assert_eq!(task_of(&mut second, "m-1").await, task);
    second.rest_of_answer(&task).await;
    assert_eq!(end_of(&mut first, &task).await, "complete");
    first.is_quiet().await;
}

#[tokio::test]
async fn asked_again_when_it_is_over_and_redis_was_emptied_nobody_hears_it_twice() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &[]).await;
    let access = login(&server, 1).await;
    let mut first = Client::enter_as(&server, &access, "conv-1").await;
    first.say("hello", "m-1").await;
    let answer = first.answer().await;
    tell(&redis, &["FLUSHALL"]).await;
    server.until_ready().await;
    assert_eq!(task_of(&mut first, "m-1").await, json!(answer.task));
    server.until_metric("chat_tasks_answered_total", 2.0).await;
    first.is_quiet().await;
    tell(&redis, &["FLUSHALL"]).await;
    server.until_ready().await;
    // A socket that has not had it gets it.
    let mut second = Client::enter_as(&server, &access, "conv-1").await;
    second.say("hello", "m-1").await;
    assert_eq!(second.answer().await.task, answer.task);
    first.is_quiet().await;
}
