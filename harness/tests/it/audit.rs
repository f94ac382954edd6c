//! `harness audit` on servers of another make: what it finds is there, what is not there it does not find, and what it cannot
//! try it says.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use crate::peer::{Answer, Asked, Peer};
use crate::support::harness;

const SCENARIO: &str = r#"title = "other"

[environment]
target = "ws://ADDRESS"
users = { password = "${env:CHAT_PASSWORD}" }

[target]
login = "none"
token = { path = "/ticket", field = "ticket" }
socket = { path = "/chat", query = "ticket" }
send = { message = '{"type":"reply","id":"{id}","text":"{text}"}', heartbeat = "none" }
events = { field = "type", connected = "none", answer = "reply", chunk = "none" }
fields = { id = "id" }

[load]
clients = 5
hold = "5s"
"#;

/// What it takes: texts that are not too long, and not too many of one socket, which has a thread of its own.
fn within_limits(text: &str) -> Message {
    thread_local! {
        static SAID: Cell<u32> = const { Cell::new(0) };
    }
    SAID.set(SAID.get() + 1);
    let refused = text.len() > 10_000 || SAID.get() > 50;
    Message::text(if refused {
        "{\"type\":\"error\",\"code\":\"too_much\"}"
    } else {
        text
    })
}

/// A chat that gives tickets, and lets in who has one: once, and within limits; or as often as it is shown, for anything.
fn chat(good: bool) -> Peer {
    let (given, last) = (Mutex::new(BTreeSet::new()), AtomicU32::new(0));
    Peer::start(move |asked: &Asked| {
        let path = asked.path();
        if path == "/ticket" {
            let ticket = format!("t{}", last.fetch_add(1, Ordering::Relaxed));
            given.lock().unwrap().insert(ticket.clone());
            return Answer::json(200, &format!("{{\"ticket\":\"{ticket}\"}}"));
        }
        let Some((_, ticket)) = path.split_once("ticket=") else {
            return Answer::json(404, "{}");
        };
        let mut given = given.lock().unwrap();
        let known = if good {
            given.remove(ticket)
        } else {
            given.contains(ticket)
        };
        if known && good {
            Answer::Socket(|text| Some(within_limits(text)))
        } else if known {
            Answer::echo()
        } else {
            Answer::json(401, "{}")
        }
    })
}

/// The exit code and what was found.
fn audit(peer: &Peer, more: &[&str]) -> (i32, Value) {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("other.toml"), folder.path().join("out"));
    let text = SCENARIO.replace("ADDRESS", &peer.address.to_string());
    std::fs::write(&file, text).unwrap();
    let words = [
        "audit",
        file.to_str().unwrap(),
        "--quiet",
        "--out",
        out.to_str().unwrap(),
    ];
    let mut command = crate::support::command(&[&words, more].concat());
    command.env("CHAT_PASSWORD", "known-to-both");
    let done = crate::support::finish(command.spawn().unwrap());
    let found = std::fs::read(out.join("audit.json")).unwrap_or_else(|_| panic!("{}", done.stderr));
    assert!(out.join("audit.md").is_file());
    (done.code, serde_json::from_slice(&found).unwrap())
}

fn row(audit: &Value, number: usize) -> (&str, &str) {
    let row = &audit["rows"][number - 1];
    assert_eq!(row["row"], number);
    (
        row["verdict"].as_str().unwrap(),
        row["proof"].as_str().unwrap(),
    )
}

#[test]
#[ignore = "slow: drives a load"]
fn a_ticket_that_opens_twice_is_found_and_what_follows_from_it_is_named() {
    let (code, found) = audit(&chat(false), &["--only", "rules"]);
    assert_eq!(code, 14, "{found:#}");
    assert_eq!(row(&found, 2).0, "broke", "{found:#}");
    assert_eq!(row(&found, 1).0, "broke", "{found:#}");
    for (number, what) in [(21, "500 messages at once"), (22, "200000 characters")] {
        let (verdict, proof) = row(&found, number);
        assert_eq!(verdict, "broke", "row {number}: {found:#}");
        assert!(proof.contains(what), "row {number}: {proof}");
    }
    assert_eq!(
        found["rows"][0]["follows_from"],
        serde_json::json!(["token-reusable"])
    );
    assert_eq!(found["rows"].as_array().unwrap().len(), 34);
}

#[test]
#[ignore = "slow: drives a load"]
fn a_chat_in_good_order_is_said_to_be_and_what_was_not_tried_says_why() {
    let (code, found) = audit(&chat(true), &["--only", "rules"]);
    assert_eq!(code, 0, "{found:#}");
    for held in [1, 2, 6, 11, 21, 22, 25, 26, 30, 31, 32] {
        assert_eq!(row(&found, held).0, "held", "row {held}: {found:#}");
    }
    for (number, why) in [
        (3, "how long its tokens live is not known"),
        (5, "wire contract"),
        (7, "its own way to Redis"),
        (13, "two instances"),
        (19, "no cookie opens its sockets"),
        (24, "no numbered parts"),
        (28, "the client's doing"),
        (34, "acknowledgements that name the task"),
    ] {
        let (verdict, proof) = row(&found, number);
        assert_eq!(verdict, "untried", "row {number}: {found:#}");
        assert!(proof.contains(why), "row {number}: {proof}");
    }
    assert_eq!(found["phases"][0]["exit_code"], 0, "{found:#}");
}

#[test]
fn where_nobody_is_let_in_no_load_is_begun_and_the_reason_is_given() {
    let peer = Peer::start(|_| Answer::json(200, "{}"));
    let (code, found) = audit(&peer, &[]);
    assert_eq!(code, 12, "{found:#}");
    let (verdict, proof) = row(&found, 31);
    assert_eq!(verdict, "inconclusive");
    assert!(proof.contains("answered with 200"), "{proof}");
    assert_eq!(row(&found, 1).0, "inconclusive");
    assert!(
        row(&found, 1).1.starts_with("nobody was let in"),
        "{found:#}"
    );
    assert_eq!(found["phases"], serde_json::json!([]));
}

#[test]
fn a_folder_that_holds_something_and_a_phase_that_is_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine"), "mine").unwrap();
    let out = folder.path().to_str().unwrap();
    let done = harness(&["audit", "scenarios/smoke.toml", "--out", out]);
    assert_eq!(done.code, 2, "{}", done.stderr);
    assert!(done.stderr.contains("mine"), "{}", done.stderr);
    let done = harness(&["audit", "scenarios/smoke.toml", "--only", "nights"]);
    assert_eq!(done.code, 2, "{}", done.stderr);
    assert!(done.stderr.contains("rules"), "{}", done.stderr);
}
