//! This module is a chat of rooms of another make, good or with one flaw: what its members hear of each other is counted.
//!
//! Slow: run by `cargo test -- --include-ignored`, as `cargo xtask test` does.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use crate::case::number;
use crate::support::harness;

/// What the chat does wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    /// Who says something hears it, and nobody else.
    Echo,
    /// The third member of a room hears only what it says itself.
    Deaf,
    /// For two seconds, two seconds after the first message, only who says something hears it.
    Pause,
    /// Every tenth message goes to another room too.
    Leak,
    /// Every tenth message goes to everybody twice.
    Twice,
    /// Members are told the last messages of their room when they come.
    History,
}

#[derive(Default)]
struct Rooms {
    members: BTreeMap<String, Vec<UnboundedSender<Message>>>,
    said: BTreeMap<String, Vec<Message>>,
    messages: u64,
    first: Option<Instant>,
}

/// Serves until the test's process ends.
fn chat(flaw: Flaw) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            let rooms = Arc::new(Mutex::new(Rooms::default()));
            let mut members = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                members.spawn(member(stream, Arc::clone(&rooms), flaw));
            }
        });
    });
    address
}

async fn member(stream: TcpStream, rooms: Arc<Mutex<Rooms>>, flaw: Flaw) -> Option<()> {
    let mut room = String::new();
    #[expect(
        clippy::result_large_err,
        reason = "the signature is that of the library"
    )]
    let path = |request: &Request, response: Response| {
        request.uri().path().clone_into(&mut room);
        Ok(response)
    };
    let socket = tokio_tungstenite::accept_hdr_async(stream, path)
        .await
        .ok()?;
    let (mut out, mut said) = socket.split();
    let (own, mut heard) = unbounded_channel();
    {
        let mut rooms = rooms.lock().unwrap();
        if flaw == Flaw::History {
            let before = rooms.said.entry(room.clone()).or_default().iter();
            let last = before.rev().take(5).rev();
            last.for_each(|message| drop(own.send(message.clone())));
        }
        rooms
            .members
            .entry(room.clone())
            .or_default()
            .push(own.clone());
    }
    loop {
        tokio::select! {
            message = heard.recv() => out.send(message?).await.ok()?,
            message = said.next() => match message {
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                    rooms.lock().unwrap().say(&room, &own, &message, flaw);
                }
                Some(Ok(_)) => {}
                None | Some(Err(_)) => {
                    let mut rooms = rooms.lock().unwrap();
                    let members = rooms.members.get_mut(&room)?;
                    members.retain(|member| !member.same_channel(&own));
                    return None;
                }
            },
        }
    }
}

impl Rooms {
    fn say(&mut self, room: &str, own: &UnboundedSender<Message>, message: &Message, flaw: Flaw) {
        self.messages += 1;
        let since = self.first.get_or_insert_with(Instant::now).elapsed();
        let is_tenth = self.messages.is_multiple_of(10);
        let is_paused = (2_000..4_000).contains(&since.as_millis());
        for (name, members) in &self.members {
            let leaks = flaw == Flaw::Leak && is_tenth;
            for (nth, member) in members.iter().enumerate() {
                let hears = member.same_channel(own)
                    || match flaw {
                        Flaw::Echo => false,
                        Flaw::Deaf => name == room && nth != 2,
                        Flaw::Pause => name == room && !is_paused,
                        Flaw::Leak => name == room || leaks,
                        Flaw::None | Flaw::Twice | Flaw::History => name == room,
                    };
                let times = 1 + u8::from(flaw == Flaw::Twice && is_tenth);
                for _ in 0..times * u8::from(hears) {
                    drop(member.send(message.clone()));
                }
            }
        }
        let said = self.said.entry(room.to_owned()).or_default();
        said.push(message.clone());
    }
}

/// Twelve clients in three rooms; `session` says what is said of them.
fn drive(flaw: Flaw, session: &str) -> (i32, Value) {
    let target = r#"
        send = { message = '{"type":"said","id":"{id}","text":"{text}"}', heartbeat = "none" }
        events = { field = "type", connected = "none", answer = "said", chunk = "none" }
    "#;
    drive_as(flaw, session, target)
}

/// The same, where `target` says how messages look.
fn drive_as(flaw: Flaw, session: &str, target: &str) -> (i32, Value) {
    let scenario = format!(
        r#"
        [load]
        clients = 12
        hold = "12s"
        drain = "2s"
        session = {{ credential = "none", group = 4{session} }}
        message = {{ every = "400ms" }}
        mix = {{ chatter = 3, reconnector = 1 }}
        reconnector = {{ every = "3s" }}
        [target]
        login = "none"
        token = "none"
        socket = {{ path = "/rooms/{{group}}" }}
        {target}
        fields = {{ id = "id" }}
        "#
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rooms.toml");
    std::fs::write(&path, scenario).unwrap();
    let (out, target) = (folder.path().join("out"), format!("ws://{}", chat(flaw)));
    let run = ["run", path.to_str().unwrap(), "--quiet", "--target"];
    let out_text = out.to_str().unwrap();
    let done = harness(&[&run[..], &[&target, "--out", out_text]].concat());
    let result = std::fs::read(out.join("result.json"));
    let result = result.unwrap_or_else(|_| panic!("{}{}", done.stdout, done.stderr));
    (done.code, serde_json::from_slice(&result).unwrap())
}

#[test]
#[ignore = "slow: drives a load"]
fn a_room_in_which_everybody_hears_everybody_passes() {
    for flaw in [Flaw::None, Flaw::History] {
        let (code, result) = drive(flaw, "");
        assert_eq!(code, 0, "{}", result["verdict"]);
        let copies = number(&result, "/delivery/copies");
        // Three others for each message; who came a moment ago is owed none.
        let sent = number(&result, "/delivery/sent");
        assert!(copies > 2 * sent && copies < 3 * sent, "{copies} of {sent}");
        assert_eq!(number(&result, "/delivery/unheard"), 0);
        assert_eq!(number(&result, "/delivery/duplicated"), 0);
        assert_eq!(number(&result, "/latency/fan_out/response/count"), copies);
    }
}

#[test]
#[ignore = "slow: drives a load"]
fn what_is_said_in_bytes_is_heard_in_bytes() {
    let text = "{\"type\":\"said\",\"id\":\"{id}\",\"text\":\"{text}\"}";
    for (encoding, message, more) in [
        ("binary", text, ""),
        ("msgpack", text, ""),
        ("hex", "01ff{text}", "matching = \"order\""),
    ] {
        let events = match encoding {
            "hex" => {
                "events = { field = \"none\", connected = \"none\", answer = { begins_with = \"01ff\" }, chunk = \"none\" }"
            }
            _ => {
                "events = { field = \"type\", connected = \"none\", answer = \"said\", chunk = \"none\" }"
            }
        };
        let target = format!(
            "encoding = \"{encoding}\"\nsend = {{ message = '{message}', heartbeat = \"none\" }}\n{events}\n{more}"
        );
        let flaw = if encoding == "hex" {
            Flaw::Echo
        } else {
            Flaw::None
        };
        let (code, result) = drive_as(flaw, "", &target);
        assert_eq!(code, 0, "{encoding}: {}", result["verdict"]);
        let copies = number(&result, "/delivery/copies");
        assert_eq!(copies > 0, encoding != "hex", "{copies}");
    }
}

#[test]
#[ignore = "slow: drives a load"]
fn copies_that_never_come_are_told_whatever_the_writers_hear() {
    for (flaw, session) in [
        (Flaw::Deaf, ""),
        (Flaw::Pause, ""),
        (Flaw::Echo, ", conversation = \"group\""),
    ] {
        let (code, result) = drive(flaw, session);
        assert_eq!(code, 14, "{}", result["verdict"]);
        assert!(number(&result, "/delivery/unheard") > 10);
        let (sent, completed) = ("/delivery/sent", "/delivery/completed");
        assert_eq!(number(&result, completed), number(&result, sent));
        let sentence = result["verdict"]["sentence"].as_str().unwrap();
        assert!(sentence.contains("never heard"), "{sentence}");
    }
}

#[test]
#[ignore = "slow: drives a load"]
fn where_nobody_hears_anybody_and_nobody_says_so_no_copy_is_owed() {
    let (code, result) = drive(Flaw::Echo, "");
    assert_eq!(code, 0, "{}", result["verdict"]);
    assert_eq!(number(&result, "/delivery/copies"), 0);
}

#[test]
#[ignore = "slow: drives a load"]
fn what_is_heard_in_another_room_or_twice_is_told() {
    for (flaw, count) in [
        (Flaw::Leak, "/delivery/unexpected"),
        (Flaw::Twice, "/delivery/duplicated"),
    ] {
        let (code, result) = drive(flaw, "");
        assert_eq!(code, 14, "{}", result["verdict"]);
        assert!(number(&result, count) > 10, "{count}");
        assert_eq!(number(&result, "/delivery/unheard"), 0);
    }
}
