//! What `--slow-cpu` costs: processor time for each message, by the stated share, and nothing else.

use crate::client::Client;
use crate::support::{Redis, Server};

/// Messages to each server. Both are asked in turn, so that the machine is the same to both, and one
/// message at a time: of many at once the faster server takes fewer, larger batches.
const MESSAGES: u32 = 200;
const CPU: &str = "process_cpu_seconds_total";
const FLAGS: [&str; 8] = [
    "--chunks",
    "1",
    "--first-after",
    "3ms",
    "--rate-limit",
    "100000",
    "--frame-rate",
    "100000",
];

#[tokio::test]
async fn a_slowed_server_uses_the_stated_share_of_processor_time_more_for_each_message() {
    let mut servers = Vec::new();
    for slow in ["0%", "100%"] {
        // One each: with one queue they would take each other's tasks.
        let redis = Redis::start().await;
        let flags = [&FLAGS[..], &["--slow-cpu", slow]].concat();
        let server = Server::start(&redis, &flags).await;
        let client = Client::enter(&server, 1, "conv-1").await;
        let before_s = server.metric(CPU).await;
        servers.push((server, client, before_s, redis));
    }
    for number in 0..MESSAGES {
        for (_, client, ..) in &mut servers {
            let id = format!("m-{number}");
            client.say("hello", &id).await;
            assert_eq!(client.answer().await.id, Some(id));
        }
    }
    let mut used = Vec::new();
    for (server, _, before_s, _) in &servers {
        let seconds = server.metric(CPU).await - before_s;
        used.push(seconds * 1e3 / f64::from(MESSAGES));
    }
    let ratio = used[1] / used[0];
    println!("processor time of a message: {used:.3?} ms, ratio {ratio:.2}");
    // Twice, as far as a shared machine lets two numbers of a quarter of a second be compared.
    assert!((1.6..=2.6).contains(&ratio), "{ratio}");
    assert!(
        servers[1]
            .0
            .log()
            .contains("--slow-cpu: each message takes 100 % more")
    );
    assert!(!servers[0].0.log().contains("--slow-cpu"));
}
