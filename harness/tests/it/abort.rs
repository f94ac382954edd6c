//! `[[abort_when]]`: a run is ended by a server that is slow, not by one that is cold.
//!
//! Slow: run by `cargo test -- --include-ignored`, as `cargo xtask test` does.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::case::{Case, number};
use crate::support::Done;

const SCENARIO: &str = r#"# Is a run ended by a slow server only?
[load]
clients = 20
ramp = "200ms"
hold = "8s"
drain = "2s"
session = { credential = "none" }
message = { every = "200ms", arrival = "closed" }

[target]
login = "none"
token = "none"
socket = { path = "/" }
send = { message = "{text}", heartbeat = "none" }
events = { field = "none", connected = "none" }
matching = "order"

[[expect]]
what = "complete p99.9"
under = "10s"

[[abort_when]]
what = "complete p95"
at_least = "500ms"
for = "1s"
"#;

/// A server of somebody else that echoes; how long it takes for an answer depends on its number and its moment.
fn echo(takes: impl Fn(u32, Duration) -> Duration + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let shared = Arc::new((AtomicU32::new(0), takes));
    thread::spawn(move || {
        let mut first = None;
        for stream in listener.incoming() {
            let (shared, stream) = (Arc::clone(&shared), stream.unwrap());
            let begun = *first.get_or_insert_with(Instant::now);
            thread::spawn(move || {
                let Ok(mut socket) = tungstenite::accept(stream) else {
                    return;
                };
                while let Ok(message) = socket.read() {
                    let Message::Text(text) = message else {
                        continue;
                    };
                    let (count, takes) = &*shared;
                    thread::sleep(takes(
                        count.fetch_add(1, Ordering::Relaxed),
                        begun.elapsed(),
                    ));
                    if socket.send(Message::text(text)).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn run(server: SocketAddr, scenario: &str) -> (Done, Value) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("echo.toml");
    std::fs::write(&path, scenario).unwrap();
    let case = Case::new();
    let target = format!("ws://{server}");
    let done = case.run(path.to_str().unwrap(), &["--target", &target]);
    let result = case.result();
    (done, result)
}

#[test]
#[ignore = "slow: drives a load"]
fn a_cold_server_ends_no_run_and_one_that_is_too_short_says_what_it_lacks() {
    // Of its answers the first five take a second.
    let cold = echo(|number, _| {
        if number < 5 {
            Duration::from_secs(1)
        } else {
            Duration::from_millis(2)
        }
    });
    let (done, result) = run(cold, SCENARIO);
    assert_eq!(
        result.pointer("/run/aborted"),
        Some(&Value::Null),
        "{}",
        done.stdout
    );
    assert!(number(&result, "/run/duration_us") > 8_000_000);
    // About 800 answers carry no p99.9: said before the run, and after it with what there was.
    assert_eq!(done.code, 12, "{}{}", done.stdout, done.stderr);
    assert!(
        done.stderr.contains("warning: ") && done.stderr.contains("and a p99.9 needs 1,000"),
        "{}",
        done.stderr
    );
    let samples = number(&result, "/expectations/0/samples");
    assert_eq!(samples, number(&result, "/latency/complete/response/count"));
    assert!((50..1_000).contains(&samples), "{samples}");
    let sentence = result
        .pointer("/verdict/sentence")
        .and_then(Value::as_str)
        .unwrap();
    assert!(
        sentence.contains(&format!(
            "{samples} samples, and a p99.9 needs 1,000: run it with --clients"
        )),
        "{sentence}"
    );
}

#[test]
#[ignore = "slow: drives a load"]
fn a_server_that_turns_slow_ends_the_run_and_the_rule_is_told_with_its_moment() {
    let slow = echo(|_, passed| {
        if passed > Duration::from_secs(3) {
            Duration::from_millis(900)
        } else {
            Duration::from_millis(2)
        }
    });
    let (done, result) = run(slow, &SCENARIO.replace("hold = \"8s\"", "hold = \"40s\""));
    // On a machine that is full the server is not to blame, but the run is ended all the same.
    assert!(
        [10, 13].contains(&done.code),
        "{}{}",
        done.stdout,
        done.stderr
    );
    let at_us = number(&result, "/run/abort/at_us");
    assert!((4_000_000..30_000_000).contains(&at_us), "{at_us}");
    assert!(number(&result, "/run/abort/samples") >= 100);
    let text = result
        .pointer("/run/aborted")
        .and_then(Value::as_str)
        .unwrap();
    let text = text.replace('\u{a0}', " ");
    assert!(text.starts_with("complete p95 was 9"), "{text}");
    assert!(
        text.ends_with("(line 23 of the scenario: ≥ 500 ms for 1s)"),
        "{text}"
    );
    assert!(text.contains(" answers of the last "), "{text}");
    let told = done.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains(&text), "{}", done.stdout);
}
