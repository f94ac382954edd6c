//! Arbitrary frames on the socket and arbitrary bytes on the HTTP routes, for `FUZZ_SECONDS` (a few by default).
//!
//! The server must not panic, must close with a code of the contract or stay open, must go on serving everybody
//! else, and must not grow.

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{Client, login, login_as};
use crate::support::{PATIENCE, Redis, Server};

/// Growth that is none: caches of the allocator, and histories on their way.
const GROWTH_BYTES: f64 = 16e6;

fn duration() -> Duration {
    let seconds = std::env::var("FUZZ_SECONDS").ok();
    Duration::from_secs(seconds.map_or(4, |text| text.parse().unwrap()))
}

/// Values of a strategy, one after the other. `FUZZ_SEED` has those of another run again.
struct Source<S> {
    runner: TestRunner,
    strategy: S,
}

impl<S: Strategy> Source<S> {
    fn new(strategy: S) -> Self {
        let given = std::env::var("FUZZ_SEED").ok();
        let seed: u64 = given.map_or_else(rand::random, |text| text.parse().unwrap());
        println!("FUZZ_SEED={seed}");
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let runner = TestRunner::new_with_rng(Config::default(), random);
        Self { runner, strategy }
    }

    fn next(&mut self) -> S::Value {
        self.strategy.new_tree(&mut self.runner).unwrap().current()
    }
}

/// JSON that is sometimes almost a frame of the contract.
fn text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("hello".to_owned()),
        Just("0-0".to_owned()),
        Just(String::new()),
        any::<String>(),
    ];
    let value = prop_oneof![
        word.clone().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(Value::Null),
        Just(json!([1, { "a": [] }])),
    ];
    let key = prop_oneof![
        Just("message"),
        Just("type"),
        Just("text"),
        Just("after"),
        Just("client_message_id"),
        Just("other"),
    ];
    let kind = prop_oneof![Just("ping"), Just("resume"), Just("message"), Just("x")];
    let object = vec((key, value), 0..5).prop_map(|fields| {
        let fields = fields
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value));
        Value::Object(fields.collect())
    });
    let typed = (kind, word.clone()).prop_map(
        |(kind, text)| json!({ "type": kind, "text": text, "after": text, "client_message_id": text }),
    );
    let said = word.prop_map(|text| json!({ "message": text, "client_message_id": text }));
    prop_oneof![
        3 => object.prop_map(|value| value.to_string()),
        3 => typed.prop_map(|value| value.to_string()),
        3 => said.prop_map(|value| value.to_string()),
        1 => any::<String>(),
        1 => (0_usize..12_000).prop_map(|length| json!({ "message": "x".repeat(length) }).to_string()),
        1 => (1_usize..5_000).prop_map(|depth| "[".repeat(depth)),
    ]
}

/// One frame, mostly well-formed, as bytes.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        8 => Just(0x81_u8),
        1 => Just(0x82),
        1 => Just(0x01),
        1 => Just(0x80),
        1 => Just(0x89),
        1 => Just(0x8a),
        1 => Just(0x88),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        6 => text().prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..200),
    ];
    let masked = prop_oneof![20 => Just(true), 1 => Just(false)];
    let length = prop_oneof![20 => Just(None), 1 => any::<u64>().prop_map(Some)];
    (first, payload, masked, length, any::<[u8; 4]>()).prop_map(
        |(first, mut payload, masked, length, mask)| {
            let mut bytes = vec![first, 0x7f | if masked { 0x80 } else { 0 }];
            bytes.extend(length.unwrap_or(payload.len() as u64).to_be_bytes());
            if masked {
                bytes.extend(mask);
                let keys = mask.iter().cycle();
                payload
                    .iter_mut()
                    .zip(keys)
                    .for_each(|(byte, key)| *byte ^= key);
            }
            bytes.extend(payload);
            bytes
        },
    )
}

/// A request, from almost right to no HTTP at all.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let method = prop_oneof![
        Just("POST"),
        Just("GET"),
        Just("DELETE"),
        "[A-Z]{1,9}".prop_map(|_| "BREW")
    ];
    let path = prop_oneof![
        Just("/api/auth/login/".to_owned()),
        Just("/api/auth/refresh/".to_owned()),
        Just("/api/v1/auth/ws-connection-token/".to_owned()),
        Just("/healthz".to_owned()),
        Just("/metrics".to_owned()),
        Just("/ws/chat/c/".to_owned()),
        "/ws/[a-z]{0,6}/[ -~&&[^ ]]{0,20}",
        "/api/v1/messages/[0-9a-z%.]{0,6}/\\?after=[0-9-]{0,9}",
        "/[!-~]{0,40}",
    ];
    let header = prop_oneof![
        Just("Cookie: access_token=x; csrftoken=y".to_owned()),
        Just("Authorization: Bearer x".to_owned()),
        Just("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==".to_owned()),
        Just("Origin: null".to_owned()),
        Just("Transfer-Encoding: chunked".to_owned()),
        "[A-Za-z-]{1,20}: [ -~]{0,40}",
    ];
    let body = prop_oneof![
        text().prop_map(String::into_bytes),
        vec(any::<u8>(), 0..300),
        Just(
            json!({ "email": "user-000001", "password": "x" })
                .to_string()
                .into_bytes()
        ),
        (0_usize..40_000).prop_map(|length| vec![b'x'; length]),
    ];
    let whole = (method, path, vec(header, 0..6), body, any::<bool>()).prop_map(
        |(method, path, headers, body, sized)| {
            let mut text = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n");
            for header in headers {
                text.push_str(&header);
                text.push_str("\r\n");
            }
            if sized {
                text.push_str("Content-Length: ");
                text.push_str(&body.len().to_string());
                text.push_str("\r\n");
            }
            text.push_str("\r\n");
            [text.into_bytes(), body].concat()
        },
    );
    prop_oneof![10 => whole, 1 => vec(any::<u8>(), 1..2_000)]
}

/// What must be true of the server whatever it was sent.
async fn check_well(server: &Server, before: f64) {
    server.until_metric("chat_connections_open", 0.0).await;
    let access = login(server, 999_999).await;
    let mut client = Client::enter_as(server, &access, "after").await;
    client.say("hello", &format!("m-{before}")).await;
    client.answer().await;
    let log = server.log();
    assert!(!log.contains("panicked"), "{log}");
    let grown = server.metric("process_resident_memory_bytes").await - before;
    println!("grown by {grown} bytes");
    assert!(grown < GROWTH_BYTES, "grown by {grown} bytes");
}

/// Sends and reads for a while, then leaves; the code the server closed with.
async fn converse(
    server: &Server,
    access: &str,
    (path, frames): (&str, Vec<Vec<u8>>),
) -> Option<u16> {
    let path = format!("{path}?token={access}");
    let mut client = Client::open(server, &path, &[]).await.unwrap();
    let stream = client.socket.get_mut();
    let mut heard = Vec::new();
    for bytes in frames {
        if stream.write_all(&bytes).await.is_err() {
            break;
        }
    }
    // A close frame of our own, if the server still understands; whichever, it ends the connection.
    let close = [0x88, 0x82, 0, 0, 0, 0, 3, 232];
    drop(stream.write_all(&close).await);
    drop(stream.shutdown().await);
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut heard)).await;
    assert!(read.is_ok(), "the connection is still open");
    // The last frame of the server, if it is a close frame: four bytes and the reason.
    (0..heard.len()).rev().find_map(|at| {
        let tail = heard.get(at..)?;
        let close = tail.len() >= 4 && tail[0] == 0x88 && usize::from(tail[1]) == tail.len() - 2;
        close.then(|| u16::from_be_bytes([tail[2], tail[3]]))
    })
}

#[tokio::test]
async fn arbitrary_frames_end_in_a_code_of_the_contract_and_harm_nobody() {
    let redis = Redis::start().await;
    let flags = [
        "--rate-burst",
        "100000",
        "--rate-limit",
        "100000",
        "--frame-burst",
        "100000",
        "--frame-rate",
        "100000",
        "--log",
        "warn",
    ];
    let server = Server::start(&redis, &flags).await;
    let admin = login_as(&server, "admin-000001").await;
    let user = login(&server, 1).await;
    let codes: Vec<Value> =
        serde_json::from_str(include_str!("../../../contract/close_codes.json")).unwrap();
    let known = |code: u16| codes.iter().any(|known| known["code"] == code) || code == 1005;
    let mut source = Source::new(vec(frame(), 1..20));
    // The first hundred warm caches and histories up.
    let (mut rounds, mut before, mut seen) = (0_u64, 0.0, std::collections::BTreeMap::new());
    let started = Instant::now();
    while rounds < 200 || started.elapsed() < duration() {
        let (access, path) = match rounds % 3 {
            0 => (&user, "/ws/chat/fuzz/"),
            1 => (&user, "/ws/chats/0/"),
            _ => (&admin, "/ws/admin/"),
        };
        let code = converse(&server, access, (path, source.next())).await;
        if let Some(code) = code {
            // A close frame is echoed with the code the client made up.
            *seen.entry(code).or_insert(0) += 1;
        }
        rounds += 1;
        if rounds == 100 {
            before = server.metric("process_resident_memory_bytes").await;
        }
    }
    println!("{rounds} conversations; closed with {seen:?}");
    let strange: u64 = seen
        .iter()
        .filter(|(code, _)| !known(**code))
        .map(|(_, count)| count)
        .sum();
    assert!(
        strange * 10 < rounds,
        "mostly codes of the contract: {seen:?}"
    );
    for code in [1002, 1003, 1007, 1009] {
        assert!(seen.contains_key(&code), "{code} never seen: {seen:?}");
    }
    check_well(&server, before).await;
}

#[tokio::test]
async fn arbitrary_requests_are_answered_or_cut_and_harm_nobody() {
    let redis = Redis::start().await;
    let flags = [
        "--header-timeout",
        "300ms",
        "--handshake-timeout",
        "300ms",
        "--redis-timeout",
        "200ms",
        "--log",
        "warn",
    ];
    let server = Server::start(&redis, &flags).await;
    let mut source = Source::new(vec(request(), 1..4));
    let (mut rounds, mut before, mut seen) = (0_u64, 0.0, std::collections::BTreeMap::new());
    let started = Instant::now();
    while rounds < 200 || started.elapsed() < duration() {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        for bytes in source.next() {
            if stream.write_all(&bytes).await.is_err() {
                break;
            }
        }
        drop(stream.shutdown().await);
        let mut answer = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "the connection is still open");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3));
        *seen.entry(status.unwrap_or("none").to_owned()).or_insert(0) += 1;
        rounds += 1;
        if rounds == 100 {
            before = server.metric("process_resident_memory_bytes").await;
        }
    }
    println!("{rounds} connections; answered with {seen:?}");
    assert!(!seen.contains_key("500"), "{seen:?}");
    for status in ["400", "401", "404"] {
        assert!(seen.contains_key(status), "{status} never seen: {seen:?}");
    }
    check_well(&server, before).await;
}
