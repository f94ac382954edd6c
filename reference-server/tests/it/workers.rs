//! Workers as processes of their own: what is left by one is finished by another, and everybody hears it once.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::chatter::{Chatter, check_each_complete_once};
use crate::client::Client;
use crate::support::{Redis, Server};

const WITHOUT: [&str; 2] = ["--worker", "none"];
/// An answer of 1.8 s.
const SLOW: [&str; 6] = [
    "--chunks",
    "18",
    "--first-after",
    "100ms",
    "--chunk-interval",
    "100ms",
];

async fn json_of(server: &Server, path: &str) -> (u16, Value) {
    let answer = reqwest::get(server.http(path)).await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_server_without_a_worker_only_queues_and_a_worker_process_answers() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &WITHOUT).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    client.say("hello", "m-1").await;
    let queued = client.event().await;
    assert_eq!(queued["event"], "task_queued");
    let quiet = client.event_within(Duration::from_millis(300)).await;
    assert_eq!(quiet, None, "nobody answers");
    let worker = Server::start_worker(&redis, &["--chunks", "2"]).await;
    client.rest_of_answer(&queued["task_id"]).await;
    worker.until_metric("chat_tasks_answered_total", 1.0).await;
    worker.until_metric("chat_tasks_in_hand", 0.0).await;
    worker.until_metric("chat_queue_depth", 0.0).await;
}

#[tokio::test]
async fn a_worker_has_pages_for_operators() {
    let mut redis = Redis::start().await;
    let worker = Server::start_worker(&redis, &[]).await;
    assert_eq!(json_of(&worker, "/healthz").await.0, 200);
    assert_eq!(json_of(&worker, "/nothing").await.0, 404);
    let up = r#"chat_redis_up{link="tasks"}"#;
    worker.until_metric(up, 1.0).await;
    assert!(worker.metric("process_resident_memory_bytes").await > 0.0);
    redis.crash();
    worker.until_ready_is(false).await;
    let (status, body) = json_of(&worker, "/readyz").await;
    assert_eq!(status, 503);
    let failed = body["failed"].as_array().unwrap();
    assert!(failed.contains(&json!("tasks")), "{body}");
    assert_eq!(
        json_of(&worker, "/healthz").await.0,
        200,
        "alive all the same"
    );
    redis.restart().await;
    worker.until_ready().await;
}

#[tokio::test]
async fn sigterm_lets_a_worker_finish_and_leave_its_group() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &WITHOUT).await;
    let mut worker = Server::start_worker(&redis, &["--first-after", "1s"]).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    client.say("hello", "m-1").await;
    while client.event().await["event"] != "processing_started" {}
    worker.terminate();
    while client.event().await["event"] != "complete" {}
    assert_eq!(worker.exit_code().await, Some(0));
    let mut queue = redis.connect(0).await.unwrap();
    let consumers: Vec<redis::Value> = redis::cmd("XINFO")
        .arg(&["CONSUMERS", "chat:tasks", "workers"])
        .query_async(&mut queue)
        .await
        .unwrap();
    assert_eq!(consumers.len(), 0, "{consumers:?}");
}

#[tokio::test]
async fn a_worker_has_only_so_many_tasks_in_hand_and_leaves_the_rest_to_others() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &WITHOUT).await;
    let narrow = ["--concurrency", "3", "--first-after", "1s"];
    let worker = Server::start_worker(&redis, &narrow).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    for n in 0..8 {
        client.say("hello", &format!("m-{n}")).await;
    }
    worker.until_metric("chat_tasks_in_hand", 3.0).await;
    let mut queue = redis.connect(0).await.unwrap();
    let pending: (u64, redis::Value, redis::Value, redis::Value) = redis::cmd("XPENDING")
        .arg(&["chat:tasks", "workers"])
        .query_async(&mut queue)
        .await
        .unwrap();
    assert_eq!(pending.0, 3, "what is not in hand is not even read");
    // A second worker takes the rest, so that all are done after one answer's time and not after three.
    let other = Server::start_worker(&redis, &["--first-after", "1s"]).await;
    other.until_metric("chat_tasks_in_hand", 5.0).await;
    let mut complete = 0;
    while complete < 8 {
        complete += usize::from(client.event().await["event"] == "complete");
    }
    worker.until_metric("chat_tasks_answered_total", 3.0).await;
    other.until_metric("chat_tasks_answered_total", 5.0).await;
}

#[tokio::test]
async fn one_place_is_enough_for_reading_and_taking_over() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &WITHOUT).await;
    let quick = ["--concurrency", "1", "--take-over-after", "300ms"];
    let killed =
        Server::start_worker(&redis, &[&quick[..], &["--first-after", "1m"]].concat()).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    client.say("hello", "m-1").await;
    killed.until_metric("chat_tasks_in_hand", 1.0).await;
    killed.crash();
    let other = Server::start_worker(&redis, &quick).await;
    assert_eq!(client.answer().await.id.as_deref(), Some("m-1"));
    for n in 2..5 {
        client.say("hello", &format!("m-{n}")).await;
        client.answer().await;
    }
    other.until_metric("chat_tasks_taken_over_total", 1.0).await;
}

#[tokio::test]
async fn a_worker_that_wakes_up_late_lets_go_of_what_others_took_over() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &WITHOUT).await;
    let quick = ["--take-over-after", "300ms", "--first-after", "2s"];
    let sleeper = Server::start_worker(&redis, &quick).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    client.say("hello", "m-1").await;
    sleeper.until_metric("chat_tasks_in_hand", 1.0).await;
    sleeper.pause();
    let other = Server::start_worker(&redis, &quick).await;
    other.until_metric("chat_tasks_taken_over_total", 1.0).await;
    sleeper.go_on();
    sleeper.until_metric("chat_tasks_let_go_total", 1.0).await;
    assert_eq!(client.answer().await.id.as_deref(), Some("m-1"));
    other.until_metric("chat_tasks_answered_total", 1.0).await;
    sleeper.until_metric("chat_tasks_answered_total", 0.0).await;
}

/// What goes wrong while 200 answers of 1.8 s are under way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trouble {
    OneOfTwoWorkersKilled,
    TheOnlyWorkerRestarted,
    WorkerKilledAndRedisStopped,
}

async fn check_200_answers(trouble: Trouble) {
    let redis = Redis::start_kept().await;
    let server = Server::start(&redis, &WITHOUT).await;
    let killed = Server::start_worker(&redis, &SLOW).await;
    let other = match trouble {
        Trouble::TheOnlyWorkerRestarted => None,
        _ => Some(Server::start_worker(&redis, &SLOW).await),
    };
    let homes = [&server];
    let chatters = Chatter::crowd(&homes, 10).await;
    let end = Instant::now() + Duration::from_millis(2_100);
    let talking = join_all(chatters.into_iter().map(|chatter| chatter.run(end)));
    let breaking = async {
        let half = |in_hand| in_hand >= 40.0;
        killed.until_metric_is("chat_tasks_in_hand", half).await;
        if trouble == Trouble::WorkerKilledAndRedisStopped {
            redis.pause();
        }
        killed.crash();
        match (trouble, other) {
            (Trouble::WorkerKilledAndRedisStopped, other) => {
                tokio::time::sleep(Duration::from_secs(5)).await;
                redis.go_on();
                other.unwrap()
            }
            (_, Some(other)) => other,
            (_, None) => Server::start_worker(&redis, &SLOW).await,
        }
    };
    let (all, survivor) = tokio::join!(talking, breaking);
    let answers: usize = all.iter().map(std::collections::BTreeMap::len).sum();
    assert!(answers >= 200, "{answers}");
    all.iter().for_each(check_each_complete_once);
    let taken_over = survivor.metric("chat_tasks_taken_over_total").await;
    let repeats = server.metric("chat_events_repeated_total").await;
    println!("{answers} answers, {taken_over} taken over, {repeats} events repeated");
    assert!(taken_over >= 10.0, "{taken_over}");
    survivor.until_metric("chat_queue_depth", 0.0).await;
}

#[tokio::test]
#[ignore = "slow: many clients"]
async fn a_worker_killed_half_way_through_200_answers_costs_none_of_them() {
    check_200_answers(Trouble::OneOfTwoWorkersKilled).await;
}

#[tokio::test]
#[ignore = "slow: many clients"]
async fn the_only_worker_killed_and_started_again_finishes_what_it_left() {
    check_200_answers(Trouble::TheOnlyWorkerRestarted).await;
}

#[tokio::test]
#[ignore = "slow: many clients"]
async fn a_worker_killed_while_redis_is_gone_costs_no_answer_either() {
    check_200_answers(Trouble::WorkerKilledAndRedisStopped).await;
}

#[tokio::test]
async fn a_worker_whose_events_fail_pauses_and_another_gets_its_tasks() {
    let redis = Redis::start().await;
    let server = Server::start(&redis, &WITHOUT).await;
    // A user of its own for the channel layer, so that its events fail while every connection stands and answers PING.
    let mut admin = redis.connect(0).await.unwrap();
    let mut user = async |rules: &[&str]| {
        let mut command = redis::cmd("ACL");
        command.arg("SETUSER").arg("layer").arg(rules);
        command.query_async::<()>(&mut admin).await.unwrap();
    };
    user(&["on", ">pw", "~*", "&*", "+@all"]).await;
    let address = redis.url().split_once('@').unwrap().1.to_owned();
    let layer = format!("redis://layer:pw@{address}/3");
    let quick = ["--take-over-after", "300ms", "--first-after", "1s"];
    let flags = [&quick[..], &["--redis-channel-url", &layer]].concat();
    let failing = Server::start_worker(&redis, &flags).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    client.say("hello", "m-1").await;
    failing.until_metric("chat_tasks_in_hand", 1.0).await;
    assert_eq!(client.event().await["event"], "task_queued");
    user(&["-evalsha", "-eval"]).await;
    let circuit = "chat_worker_circuit_open";
    failing.until_metric(circuit, 1.0).await;
    let (status, body) = json_of(&failing, "/readyz").await;
    assert_eq!((status, &body["failed"]), (503, &json!(["circuit"])));
    // What it had goes to another, and what is new too, even where its last read took it.
    client.say("hello", "m-2").await;
    let other = Server::start_worker(&redis, &quick).await;
    let mut complete = 0;
    while complete < 2 {
        complete += usize::from(client.event().await["event"] == "complete");
    }
    other.until_metric("chat_tasks_answered_total", 2.0).await;
    assert!(other.metric("chat_tasks_taken_over_total").await >= 1.0);
    user(&["+@all"]).await;
    failing.until_metric(circuit, 0.0).await;
    failing.until_ready().await;
    drop(other);
    client.say("hello", "m-3").await;
    assert_eq!(client.answer().await.id.as_deref(), Some("m-3"));
}
