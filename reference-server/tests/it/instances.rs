//! Several servers on one Redis behave as one, through the death of a server and of Redis.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use crate::chatter::{Chatter, End, check_each_complete_once};
use crate::client::{Client, login};
use crate::support::{Redis, Server};

/// Instances that trust each other's access tokens, and leave the work to somebody else.
const APART: [&str; 4] = ["--jwt-secret", "0123456789abcdef", "--worker", "none"];
/// The same, each with a worker inside; a dead one's tasks are taken over soon.
const WHOLE: [&str; 4] = [
    "--jwt-secret",
    "0123456789abcdef",
    "--take-over-after",
    "300ms",
];

async fn pair(redis: &Redis, flags: &[&str]) -> (Server, Server) {
    let (one, two) = tokio::join!(Server::start(redis, flags), Server::start(redis, flags));
    assert_ne!(one.address(), two.address());
    (one, two)
}

/// Without an id of its own, so that only the socket that asked is told `task_queued`.
async fn ask(client: &mut Client) -> serde_json::Value {
    client.send(json!({ "message": "hello" }).to_string()).await;
    let queued = client.event().await;
    assert_eq!(queued["event"], "task_queued", "{queued}");
    queued["task_id"].clone()
}

#[tokio::test]
async fn a_task_queued_on_one_instance_streams_through_the_other() {
    let redis = Redis::start().await;
    let (one, two) = pair(&redis, &APART).await;
    let _worker = Server::start_worker(&redis, &["--chunks", "5"]).await;
    let access = login(&one, 1).await;
    let mut here = Client::enter_as(&one, &access, "conv-1").await;
    let mut there = Client::enter_as(&two, &access, "conv-1").await;
    for _ in 0..3 {
        let task = ask(&mut here).await;
        let message_id = here.rest_of_answer(&task).await;
        assert_eq!(there.rest_of_answer(&task).await, message_id);
        let task = ask(&mut there).await;
        let message_id = there.rest_of_answer(&task).await;
        assert_eq!(here.rest_of_answer(&task).await, message_id);
    }
}

#[tokio::test]
async fn an_answer_reaches_everybody_in_its_conversation_on_every_instance_once() {
    let redis = Redis::start().await;
    let (one, two) = pair(&redis, &WHOLE).await;
    let mut sockets = Vec::new();
    for user in 1..=10 {
        let home = if user % 2 == 0 { &one } else { &two };
        sockets.push(Client::enter(home, user, "conv-1").await);
    }
    let mut elsewhere = Client::enter(&two, 11, "conv-2").await;
    for asker in 0..sockets.len() {
        let task = ask(&mut sockets[asker]).await;
        let mut ids = Vec::new();
        for socket in &mut sockets {
            ids.push(socket.rest_of_answer(&task).await);
        }
        ids.dedup();
        assert_eq!(ids.len(), 1, "the same event for all");
    }
    elsewhere.send(r#"{"type":"ping"}"#).await;
    assert_eq!(
        elsewhere.event().await["event"],
        "pong",
        "and for nobody else"
    );
    let channels = async || -> u64 {
        let mut connection = redis.connect(3).await.unwrap();
        let mut command = redis::cmd("PUBSUB");
        let counts: (String, u64) = command
            .arg(&["NUMSUB", "conv:conv-1"])
            .query_async(&mut connection)
            .await
            .unwrap();
        counts.1
    };
    assert_eq!(
        channels().await,
        2,
        "one subscription per instance, however many sockets"
    );
}

#[tokio::test]
async fn an_instance_that_dies_after_the_acknowledgement_costs_no_answer() {
    let redis = Redis::start().await;
    let (one, two) = pair(&redis, &APART).await;
    let access = login(&one, 1).await;
    let mut here = Client::enter_as(&one, &access, "conv-1").await;
    here.say("hello", "m-1").await;
    let queued = here.event().await;
    assert_eq!(queued["event"], "task_queued");
    one.crash();
    assert_eq!(here.close_code().await, 1006);
    let mut there = Client::enter_as(&two, &access, "conv-1").await;
    there.say("hello", "m-1").await;
    assert_eq!(there.event().await, queued, "the same task");
    let _worker = Server::start_worker(&redis, &[]).await;
    there.rest_of_answer(&queued["task_id"]).await;
}

/// One of two instances is killed under twenty clients, who go on at the other.
async fn check_killed_instance(flags: &[&str], worker: Option<&Server>, redis: &Redis) {
    let slow = [flags, &["--chunks", "5", "--chunk-interval", "100ms"]].concat();
    let (one, two) = pair(redis, &slow).await;
    let homes = [&one, &two];
    let chatters = Chatter::crowd(&homes, 20).await;
    let end = Instant::now() + Duration::from_secs(3);
    let talking = join_all(
        chatters
            .into_iter()
            .map(|chatter| chatter.run_and_move(end)),
    );
    let killing = async {
        two.until_metric_is("chat_messages_total{type=\"completed\"}", |count| {
            count >= 50.0
        })
        .await;
        two.crash();
    };
    let (all, ()) = tokio::join!(talking, killing);
    let mut moved = 0;
    for (sent, moves) in &all {
        assert!(sent.len() >= 20, "only {} messages", sent.len());
        check_each_complete_once(sent);
        moved += moves;
    }
    assert_eq!(moved, 10, "those of the killed one, once each");
    if let Some(worker) = worker {
        worker.until_metric("chat_queue_depth", 0.0).await;
    }
}

#[tokio::test]
async fn a_killed_instance_s_clients_go_on_at_the_other_and_lose_nothing() {
    let redis = Redis::start().await;
    let slow = ["--chunks", "5", "--chunk-interval", "100ms"];
    let worker = Server::start_worker(&redis, &slow).await;
    check_killed_instance(&APART, Some(&worker), &redis).await;
}

/// Whether Redis has everything when it comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Back {
    Kept,
    Empty,
}

/// Redis is killed under a thousand clients of two instances and comes back after five seconds.
async fn check_thousand(back: Back) {
    let mut redis = match back {
        Back::Kept => Redis::start_kept().await,
        Back::Empty => Redis::start().await,
    };
    let (one, two) = pair(&redis, &APART).await;
    let slow = ["--chunks", "5", "--chunk-interval", "200ms"];
    let worker = Server::start_worker(&redis, &slow).await;
    let homes = [&one, &two];
    let chatters = Chatter::crowd(&homes, 1000).await;
    let end = End::default();
    let every = Duration::from_secs(4);
    let paced = chatters
        .into_iter()
        .map(|chatter| chatter.every(every).run_and_move(end.clone()));
    let talking = join_all(paced);
    let outage = async {
        worker
            .until_metric_is("chat_tasks_in_hand", |in_hand| in_hand >= 100.0)
            .await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        redis.crash();
        tokio::time::sleep(Duration::from_secs(5)).await;
        redis.restart().await;
        // From here, for a busy machine takes longer until the outage begins.
        end.set(Instant::now() + Duration::from_secs(6));
    };
    let (all, ()) = tokio::join!(talking, outage);
    let (mut answers, mut refused, mut moved) = (0, 0, 0);
    for (sent, moves) in &all {
        check_each_complete_once(sent);
        answers += sent.len();
        refused += sent.values().filter(|sent| sent.refused > 0).count();
        moved += moves;
    }
    let mut redriven = 0.0;
    for server in homes {
        redriven += server.metric("chat_tasks_redriven_total").await;
        server.until_metric("chat_connections_open", 0.0).await;
        server
            .until_metric("chat_connections_opened_total", 500.0)
            .await;
    }
    println!("{answers} answers, {refused} refused at first, {redriven} driven again");
    assert_eq!(moved, 0, "every socket survived");
    assert!(answers >= 3000 && refused > 500, "{answers}, {refused}");
}

#[tokio::test]
#[ignore = "slow: many clients"]
async fn redis_killed_under_a_thousand_clients_costs_no_socket_and_no_answer_where_it_kept_all() {
    check_thousand(Back::Kept).await;
}

#[tokio::test]
#[ignore = "slow: many clients"]
async fn redis_back_empty_under_a_thousand_clients_costs_no_socket_and_no_answer() {
    check_thousand(Back::Empty).await;
}

#[tokio::test]
async fn what_an_empty_redis_forgot_is_driven_again_and_what_cannot_be_is_said_to_be_lost() {
    let mut redis = Redis::start().await;
    // Text is kept of twenty messages of five characters, and nobody works on any of forty.
    let flags = ["--redrive-bytes", "100", "--redrive-after", "500ms"];
    let server = Server::start(&redis, &[&APART[..], &flags].concat()).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    for n in 0..40 {
        client.say("hello", &format!("m-{n}")).await;
        assert_eq!(client.event().await["event"], "task_queued");
    }
    redis.crash();
    server.until_ready_is(false).await;
    redis.restart().await;
    server.until_ready().await;
    let mut lost = Vec::new();
    while lost.len() < 20 {
        let event = client.event().await;
        assert_eq!(event["code"], "lost", "{event}");
        lost.push(event["task_id"].to_string());
    }
    let _worker = Server::start_worker(&redis, &[]).await;
    let mut complete = Vec::new();
    while complete.len() < 20 {
        let event = client.event().await;
        if event["event"] == "complete" {
            complete.push(event["task_id"].to_string());
        }
    }
    let mut all = [lost, complete].concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 40, "each task has one end");
    server.until_metric("chat_tasks_lost_total", 20.0).await;
    let quiet = client.event_within(Duration::from_secs(1)).await;
    assert_eq!(quiet, None);
}
