//! Each defect is seen on the wire with its switch, and not without.

mod answers;
mod sockets;
mod tokens;

use std::process::Command;

use crate::client::Client;
use crate::support::{Redis, Server};

/// Runs the same test without a defect and with it: the test is told which.
async fn both(defect: &str, test: impl AsyncFn(Option<&str>)) {
    tokio::join!(test(None), test(Some(defect)));
}

/// A server with the defect, or without.
async fn server(redis: &Redis, defect: Option<&str>, flags: &[&str]) -> Server {
    let switch = defect.into_iter().flat_map(|defect| ["--defect", defect]);
    let flags: Vec<&str> = flags.iter().copied().chain(switch).collect();
    Server::start(redis, &flags).await
}

const MESSAGES: usize = 20;

/// What a client makes of some answers: how many had chunks out of order, how many never completed.
async fn observe(flags: &[&str]) -> (usize, usize) {
    let redis = Redis::start().await;
    let server = Server::start(&redis, flags).await;
    let mut client = Client::enter(&server, 1, "conv-1").await;
    let (mut reordered, mut complete) = (0, 0);
    for n in 0..MESSAGES {
        client.say("hello", &format!("m-{n}")).await;
        let mut seqs = Vec::new();
        let mut wait = crate::support::PATIENCE;
        while let Some(event) = client.event_within(wait).await {
            seqs.extend(event["seq"].as_u64());
            if event["event"] == "complete" {
                complete += 1;
                break;
            }
            // `complete` follows the last chunk at once, if it comes.
            if seqs.len() == 3 {
                wait = std::time::Duration::from_millis(100);
            }
        }
        reordered += usize::from(!seqs.is_sorted());
        seqs.sort_unstable();
        assert_eq!(seqs, [0, 1, 2], "no chunk is lost or repeated");
    }
    (reordered, MESSAGES - complete)
}

#[tokio::test]
async fn without_a_switch_every_answer_is_in_order_and_completes() {
    assert_eq!(observe(&[]).await, (0, 0));
}

#[tokio::test]
async fn complete_missing_withholds_complete_from_some() {
    let (reordered, missing) = observe(&["--defect", "complete-missing=0.5"]).await;
    assert!(
        reordered == 0 && (1..MESSAGES).contains(&missing),
        "{reordered}, {missing}"
    );
}

#[tokio::test]
async fn chunk_reorder_swaps_chunks_of_some() {
    let (reordered, missing) = observe(&["--defect", "chunk-reorder=0.5"]).await;
    assert!(
        (1..MESSAGES).contains(&reordered) && missing == 0,
        "{reordered}, {missing}"
    );
}

#[test]
fn the_list_names_every_defect() {
    let output = Command::new(env!("CARGO_BIN_EXE_reference-server"))
        .arg("--list-defects")
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<&str> = text.lines().step_by(2).collect();
    let contract = include_str!("../../../../contract/README.md");
    let named = contract.lines().filter_map(|line| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let (row, name, kind) = (cells.next()?, cells.next()?, cells.next()?);
        (kind == "D").then(|| format!("{row:>2} {}", name.trim_matches('`')))
    });
    let named: Vec<String> = named.collect();
    assert_eq!(named.len(), 26, "{named:?}");
    assert_eq!(rows.len(), 26, "{text}");
    for (row, name) in rows.iter().zip(&named) {
        assert!(row.starts_with(&format!("{name} ")), "{name} in {row}");
    }
}
