//! Defects of messages, answers and histories.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::{both, server};
use crate::client::{Client, login};
use crate::support::{Redis, Server};

/// On chat 0, which is of the users 1 to 10.
async fn join(server: &Server, user: u32) -> Client {
    let access = login(server, user).await;
    Client::join(server, &access, "/ws/chats/0/").await
}

/// Reads up to a message of a people chat; its id.
async fn message(client: &mut Client, text: &str) -> String {
    let event = client.event().await;
    assert_eq!(
        (&event["event"], &event["text"]),
        (&"message".into(), &text.into())
    );
    event["message_id"].as_str().unwrap().to_owned()
}

/// Cuts the connection on which servers hear their subscriptions; nothing else.
async fn cut_subscribers(redis: &Redis) {
    let mut connection = redis.connect(0).await.unwrap();
    let mut command = redis::cmd("CLIENT");
    command.arg("KILL").arg("TYPE").arg("PUBSUB");
    let killed: u32 = command.query_async(&mut connection).await.unwrap();
    assert_eq!(killed, 1, "one server, one subscriber");
}

/// Events until `complete`, an `error`, or silence for as long as `wait`.
async fn heard(client: &mut Client, wait: Duration) -> Vec<Value> {
    let mut events = Vec::new();
    while let Some(event) = client.event_within(wait).await {
        let last = ["complete", "error"]
            .iter()
            .any(|name| event["event"] == *name);
        events.push(event);
        if last {
            break;
        }
    }
    events
}

fn completes(events: &[Value]) -> bool {
    events
        .last()
        .is_some_and(|event| event["event"] == "complete")
}

#[tokio::test]
async fn no_resubscribe_leaves_old_sockets_live_and_deaf() {
    both("no-resubscribe", async |on| {
        let redis = Redis::start().await;
        let server = server(&redis, on, &[]).await;
        let mut old = Client::enter(&server, 1, "old").await;
        old.say("hello", "m-1").await;
        old.answer().await;
        cut_subscribers(&redis).await;
        server.until_ready_is(false).await;
        server.until_ready().await;
        old.say("hello", "m-2").await;
        let wait = Duration::from_secs(if on.is_some() { 2 } else { 20 });
        let events = heard(&mut old, wait).await;
        assert_eq!(events[0]["event"], "task_queued", "{events:?}");
        assert_eq!(completes(&events), on.is_none(), "{events:?}");
        let mut new = Client::enter(&server, 1, "new").await;
        new.say("hello", "m-3").await;
        new.answer().await;
    })
    .await;
}

#[tokio::test]
async fn pubsub_only_loses_what_was_published_during_a_cut() {
    both("pubsub-only", async |on| {
        let redis = Redis::start().await;
        let flags = ["--chunks", "30", "--chunk-interval", "100ms"];
        let server = server(&redis, on, &flags).await;
        let mut client = Client::enter(&server, 1, "c").await;
        client.say("hello", "m-1").await;
        for expected in ["task_queued", "processing_started", "chunk", "chunk"] {
            assert_eq!(client.event().await["event"], expected);
        }
        cut_subscribers(&redis).await;
        let wait = Duration::from_secs(if on.is_some() { 6 } else { 20 });
        let events = heard(&mut client, wait).await;
        assert_eq!(
            completes(&events),
            on.is_none(),
            "{} more events",
            events.len()
        );
        // What is heard is in order, and the socket lives.
        let seqs: Vec<u64> = events
            .iter()
            .filter_map(|event| event["seq"].as_u64())
            .collect();
        assert!(seqs.is_sorted(), "{seqs:?}");
        client.say("again", "m-2").await;
        client.answer().await;
    })
    .await;
}

#[tokio::test]
async fn expiry_too_short_forgets_an_answer_after_a_moment() {
    both("expiry-too-short", async |on| {
        let redis = Redis::start().await;
        let server = server(&redis, on, &[]).await;
        let mut client = Client::enter(&server, 1, "c").await;
        client.say("hello", "m-1").await;
        let answer = client.answer().await;
        drop(client);
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let mut back = Client::enter(&server, 1, "c").await;
        back.say("hello", "m-1").await;
        let queued = back.event().await;
        assert_eq!(queued["task_id"], answer.task.as_str(), "{queued}");
        if on.is_some() {
            let event = back.event().await;
            assert_eq!(event["code"], "lost", "{event}");
        } else {
            assert_eq!(
                back.rest_of_answer(&queued["task_id"]).await,
                answer.message_id
            );
        }
    })
    .await;
}

#[tokio::test]
async fn lost_while_away_keeps_nothing_for_who_comes_back() {
    both("lost-while-away", async |on| {
        let redis = Redis::start().await;
        let server = server(&redis, on, &[]).await;
        let (mut one, mut two) = (join(&server, 1).await, join(&server, 2).await);
        two.tell("first", "m-1").await;
        let last = message(&mut one, "first").await;
        drop(one);
        two.tell("while away", "m-2").await;
        message(&mut two, "first").await;
        message(&mut two, "while away").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        let mut back = join(&server, 1).await;
        back.resume(&last).await;
        if on.is_some() {
            tokio::time::sleep(Duration::from_millis(300)).await;
            back.is_quiet().await;
        } else {
            message(&mut back, "while away").await;
        }
    })
    .await;
}

#[tokio::test]
async fn duplicate_on_resume_repeats_what_was_seen() {
    both("duplicate-on-resume", async |on| {
        let redis = Redis::start().await;
        let server = server(&redis, on, &[]).await;
        let mut one = join(&server, 1).await;
        one.tell("first", "m-1").await;
        let first = message(&mut one, "first").await;
        drop(one);
        let mut back = join(&server, 1).await;
        back.tell("second", "m-2").await;
        message(&mut back, "second").await;
        back.resume(&first).await;
        if on.is_some() {
            message(&mut back, "first").await;
            message(&mut back, "second").await;
        } else {
            tokio::time::sleep(Duration::from_millis(300)).await;
            back.is_quiet().await;
        }
    })
    .await;
}

#[tokio::test]
async fn no_rate_limit_takes_a_flood() {
    both("no-rate-limit", async |on| {
        let redis = Redis::start().await;
        let flags = ["--rate-limit", "1", "--rate-burst", "2"];
        let server = server(&redis, on, &flags).await;
        let mut client = Client::enter(&server, 1, "c").await;
        for n in 0..10 {
            client.say("hello", &format!("m-{n}")).await;
        }
        let (mut queued, mut refused) = (0, 0);
        while queued + refused < 10 {
            let event = client.event().await;
            queued += u32::from(event["event"] == "task_queued");
            refused += u32::from(event["code"] == "rate_limited");
        }
        assert_eq!(refused == 0, on.is_some(), "{refused} of 10 were refused");
    })
    .await;
}

#[tokio::test]
async fn oversize_accepted_answers_a_message_over_the_length() {
    both("oversize-accepted", async |on| {
        let redis = Redis::start().await;
        let server = server(&redis, on, &[]).await;
        let mut client = Client::enter(&server, 1, "c").await;
        client.say(&"x".repeat(10_001), "m-1").await;
        let event = client.event().await;
        if on.is_some() {
            assert_eq!(event["event"], "task_queued");
        } else {
            assert_eq!(event["code"], "too_long");
        }
    })
    .await;
}

#[tokio::test]
async fn retry_runs_twice_makes_two_tasks_of_one_message() {
    both("retry-runs-twice", async |on| {
        let redis = Redis::start().await;
        let server = server(&redis, on, &[]).await;
        let mut client = Client::enter(&server, 1, "c").await;
        let mut tasks = BTreeSet::new();
        for _ in 0..2 {
            client.say("hello", "m-1").await;
            let queued = client.event().await;
            assert_eq!(queued["event"], "task_queued", "{queued}");
            let task = queued["task_id"].as_str().unwrap().to_owned();
            if tasks.insert(task) {
                client.rest_of_answer(&queued["task_id"]).await;
            }
        }
        assert_eq!(tasks.len() == 2, on.is_some(), "{tasks:?}");
        // The same for people.
        let mut one = join(&server, 1).await;
        let mut ids = BTreeSet::new();
        for _ in 0..2 {
            one.tell("hello", "p-1").await;
            if on.is_some() || ids.is_empty() {
                ids.insert(message(&mut one, "hello").await);
            }
        }
        one.is_quiet().await;
        assert_eq!(ids.len() == 2, on.is_some(), "{ids:?}");
    })
    .await;
}

#[tokio::test]
async fn wrong_conversation_shows_a_chunk_to_somebody_else() {
    both("wrong-conversation=1", async |on| {
        let redis = Redis::start().await;
        let server = server(&redis, on, &[]).await;
        let mut one = Client::enter(&server, 1, "one").await;
        let mut other = Client::enter(&server, 2, "other").await;
        one.say("hello", "m-1").await;
        let answer = one.answer().await;
        if on.is_some() {
            let event = other.event().await;
            assert_eq!(event["event"], "chunk");
            assert_eq!(event["task_id"], answer.task.as_str());
        }
        other.is_quiet().await;
    })
    .await;
}
