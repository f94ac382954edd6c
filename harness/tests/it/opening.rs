//! This module drives servers that want to be talked to before a socket is ready, and such as have clients answer them.
//!
//! Slow: run by `cargo test -- --include-ignored`, as `cargo xtask test` does.

use std::fs;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::case::{Case, number};
use crate::stranger::{Connection, FIN, Stranger, TEXT, frame};
use crate::support::{Done, command, finish};
use crate::targets::mappings;

const SECRET: &str = "pass-w0rd-of-everybody";
/// What the server gives a client for its further frames.
const TICKET: &str = "tick\"et-8f3a9c0d17";

const LOAD: &str = r#"# Does it open?
[load]
clients = 3
ramp = "100ms"
hold = "1s"
drain = "500ms"
message = { every = "150ms" }
reconnect = { first = "100ms", factor = 2, cap = "200ms", attempts = 1 }
"#;

/// The credential in the first frame; what comes back goes into every message.
const FIRST_FRAME: &str = r#"
[environment]
users = { password = "${env:CHAT_PASSWORD}" }
[load.session]
credential = "first-frame"
[target]
login = "none"
token = "none"
socket = { path = "/" }
events = { field = "type", queued = "none", started = "none", chunk = "none", complete = "none", answer = "reply", ignore = ["presence"] }
fields = { id = "id", code = "reason" }
send = { message = '{"type":"say","ticket":"{ticket}","id":"{id}","text":"{text}"}', heartbeat = "none" }

[[target.open]]
name = "hello"
await = "hello"

[[target.open]]
name = "auth"
send = '{"type":"auth","token":"{credential}","who":"{account}"}'
await = { type = "auth_ok", data.ok = true }
capture = { ticket = "data.ticket" }
within = "400ms"
"#;

/// Packets of Engine.IO and Socket.IO: a digit or two, then JSON.
const PACKETS: &str = r#"
[load.session]
credential = "none"
[target]
login = "none"
token = "none"
socket = { path = "/" }
events = { queued = "none", started = "none", chunk = "none", complete = "none", answer = { begins_with = "42", 0 = "said" } }
fields = { id = "1.id" }
send = { message = '42["say",{"id":"{id}","text":"{text}"}]', heartbeat = "none" }

[[target.open]]
await = { begins_with = "0" }
capture = { sid = "sid" }

[[target.open]]
name = "namespace"
send = '40{"sid":"{sid}"}'
await = { begins_with = "40" }
within = "400ms"

[[target.reply]]
when = { begins_with = "2" }
send = "3"
"#;

/// What the other side does wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slip {
    None,
    /// What opens the socket is not answered.
    Mute,
    /// It is answered by an event of failure.
    Refusal,
    /// It is answered without what is to be captured.
    Bare,
    /// The socket is closed instead.
    Close,
}

fn say(connection: &mut Connection, value: &Value) -> Option<()> {
    connection.frame(FIN | TEXT, value.to_string().as_bytes())
}

/// Lets in who shows the password in the first frame, and hears who shows the ticket.
fn doorkeeper(slip: Slip) -> Stranger {
    Stranger::start(move |connection| {
        let head = connection.head()?;
        connection.upgrade(&head)?;
        say(connection, &json!({"type": "presence", "n": 1}))?;
        say(connection, &json!({"type": "hello"}))?;
        let auth: Value = serde_json::from_str(&connection.message()?).unwrap();
        connection.note(format!("auth of {}", auth["who"]));
        if auth["type"] != "auth" || auth["token"] != SECRET {
            return connection.close(4401, "authenticate first");
        }
        say(connection, &json!({"type": "presence", "n": 2}))?;
        match slip {
            Slip::None => {
                let data = json!({"ok": true, "ticket": TICKET});
                say(connection, &json!({"type": "auth_ok", "data": data}))?;
            }
            Slip::Mute => say(connection, &json!({"type": "motd", "text": "welcome"}))?,
            Slip::Refusal => {
                let error = json!({"type": "error", "reason": "expired", "message": "old ticket"});
                say(connection, &error)?;
            }
            Slip::Bare => say(
                connection,
                &json!({"type": "auth_ok", "data": {"ok": true}}),
            )?,
            Slip::Close => return connection.close(4403, "not today"),
        }
        loop {
            let said: Value = serde_json::from_str(&connection.message()?).unwrap();
            if said["ticket"] != TICKET {
                return connection.close(4401, "no ticket");
            }
            say(connection, &json!({"type": "reply", "id": said["id"]}))?;
        }
    })
}

/// Speaks in packets, pings, and hangs up on who does not answer.
fn packets(slip: Slip) -> Stranger {
    Stranger::start(move |connection| {
        let head = connection.head()?;
        connection.upgrade(&head)?;
        connection.frame(FIN | TEXT, br#"0{"sid":"s-1","pingInterval":100}"#)?;
        let open = connection.message()?;
        if open != r#"40{"sid":"s-1"}"# {
            return connection.close(1000, "parse error");
        }
        if slip == Slip::Mute {
            return connection.rest();
        }
        connection.frame(FIN | TEXT, br#"40{"sid":"s-2"}"#)?;
        let mut writer = connection.writer()?;
        thread::spawn(move || {
            use std::io::Write;
            while writer.write_all(&frame(FIN | TEXT, b"2")).is_ok() {
                thread::sleep(Duration::from_millis(100));
            }
        });
        loop {
            let said = connection.message()?;
            if said == "3" {
                connection.note("pong");
                continue;
            }
            let said: Value = serde_json::from_str(said.strip_prefix("42").unwrap()).unwrap();
            let answer = json!(["said", {"id": said[1]["id"]}]);
            connection.frame(FIN | TEXT, format!("42{answer}").as_bytes())?;
        }
    })
}

fn own(mapping: &str) -> String {
    format!("{LOAD}{mapping}")
}

/// Runs a mapping against a server.
fn run(mapping: &str, server: &Stranger, more: &[&str]) -> (Case, Done) {
    let case = Case::new();
    let path = case.folder().join("mapping.toml");
    fs::write(&path, mapping).unwrap();
    let url = server.url();
    let more = [&["--target", &url], more].concat();
    let mut run = case.command(path.to_str().unwrap(), &more);
    let done = finish(run.env("CHAT_PASSWORD", SECRET).spawn().unwrap());
    for secret in [SECRET, TICKET, &TICKET.replace('"', "\\\"")] {
        let page = case.page();
        for text in [&done.stdout, &done.stderr, &page] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert!(!case.result().to_string().contains(secret));
    }
    (case, done)
}

/// Every client was let in and got its answers.
#[track_caller]
fn driven(mapping: &str, server: &Stranger) -> Value {
    let (case, done) = run(mapping, server, &[]);
    let result = case.result();
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    let sent = number(&result, "/delivery/sent");
    assert!(sent > 10, "{sent}");
    assert_eq!(number(&result, "/delivery/completed"), sent);
    assert_eq!(number(&result, "/delivery/unexpected"), 0);
    result
}

/// Nobody was let in, and it is said why.
#[track_caller]
fn refused(mapping: &str, server: &Stranger, said: &[&str]) {
    let (case, done) = run(mapping, server, &[]);
    // Nobody got in: there is nothing to be judged.
    assert_eq!(done.code, 13, "{}{}", done.stdout, done.stderr);
    let result = case.result();
    assert_eq!(number(&result, "/delivery/completed"), 0);
    let text = result["failures"].to_string().replace("\\\"", "\"");
    for said in said {
        assert!(text.contains(said), "{said} in {text}");
    }
    assert!(text.contains("\"server\""), "{text}");
}

#[test]
#[ignore = "slow: drives a load"]
fn who_shows_its_credential_in_the_first_frame_is_let_in_and_keeps_what_it_is_given() {
    let server = doorkeeper(Slip::None);
    driven(&own(FIRST_FRAME), &server);
    let seen = server.seen();
    assert!(
        seen.iter().any(|seen| seen == "auth of \"user-000003\""),
        "{seen:?}"
    );
}

#[test]
#[ignore = "slow: drives a load"]
fn the_openings_of_the_guide_are_driven() {
    let guide = mappings();
    for (mapping, server) in [
        (&guide[4], doorkeeper(Slip::None)),
        (&guide[5], packets(Slip::None)),
    ] {
        driven(mapping, &server);
    }
}

#[test]
#[ignore = "slow: drives a load"]
fn an_opening_that_does_not_go_on_is_named_with_its_step_and_what_came_instead() {
    refused(
        &own(FIRST_FRAME),
        &doorkeeper(Slip::Mute),
        &["opening step 2 \"auth\" timeout", "motd"],
    );
    refused(
        &own(FIRST_FRAME),
        &doorkeeper(Slip::Refusal),
        &["opening step 2 \"auth\" refused", "expired old ticket"],
    );
    refused(
        &own(FIRST_FRAME),
        &doorkeeper(Slip::Bare),
        &[
            "opening step 2 \"auth\" without what it captures",
            "`data.ticket` is not there",
        ],
    );
    refused(
        &own(FIRST_FRAME),
        &doorkeeper(Slip::Close),
        &["refused 4403", "not today, at opening step 2 \"auth\""],
    );
}

#[test]
#[ignore = "slow: drives a load"]
fn packets_are_read_and_pings_in_them_answered() {
    let server = packets(Slip::None);
    driven(&own(PACKETS), &server);
    let pongs = server.seen().iter().filter(|seen| *seen == "pong").count();
    assert!(pongs > 5, "{pongs}");
    refused(
        &own(PACKETS),
        &packets(Slip::Mute),
        &["opening step 2 \"namespace\" timeout", "nothing came"],
    );
}

#[test]
#[ignore = "slow: drives a load"]
fn the_steps_of_one_client_can_be_followed_without_what_is_secret() {
    let (_, done) = run(
        &own(FIRST_FRAME),
        &doorkeeper(Slip::None),
        &["--clients", "1", "--trace"],
    );
    for line in [
        "<- {\"type\":\"hello\"}",
        "-> {\"type\":\"auth\",\"token\":\"***\",\"who\":\"user-000001\"}",
        "\"ticket\":\"***\"",
        "-> {\"type\":\"say\",\"ticket\":\"***\"",
    ] {
        assert!(done.stderr.contains(line), "{line}: {}", done.stderr);
    }
}

/// What the doctor says of the step that lets clients in.
fn examined(server: &Stranger) -> (i32, Value) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mapping.toml");
    fs::write(&path, format!("{LOAD}{FIRST_FRAME}")).unwrap();
    let url = server.url();
    let mut doctor = command(&["doctor", &url, "--json", "--scenario"]);
    doctor
        .arg(&path)
        .args(["--password", "${env:CHAT_PASSWORD}"]);
    let done = finish(doctor.env("CHAT_PASSWORD", SECRET).spawn().unwrap());
    assert!(!done.stdout.contains(SECRET), "{}", done.stdout);
    let report: Value = serde_json::from_str(&done.stdout).unwrap();
    let steps = report["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["step"] == "connected");
    (done.code, step.unwrap().clone())
}

#[test]
#[ignore = "slow: waits for refusals"]
fn the_doctor_goes_through_the_steps_and_names_the_one_that_fails() {
    let (code, step) = examined(&doorkeeper(Slip::None));
    assert_eq!(
        (code, &step["fact"]),
        (0, &json!("open after 2 steps: hello, auth"))
    );
    let (code, step) = examined(&doorkeeper(Slip::Mute));
    assert_ne!(code, 0);
    let fact = step["fact"].as_str().unwrap();
    assert!(
        fact.starts_with("opening step 2 \"auth\" timeout: "),
        "{fact}"
    );
    assert!(fact.contains("motd"), "{fact}");
}
