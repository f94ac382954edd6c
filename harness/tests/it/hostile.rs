//! This module runs and examines servers that mean harm: floods, drips, frames that never end, and what breaks the
//! protocol. Each must end in time, with what it was by name, and with a result.
//!
//! Slow: run by `cargo test -- --include-ignored`, as `cargo xtask test` does.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::case::{Case, number};
use crate::stranger::{CLOSE, Connection, FIN, PING, PONG, Stranger, TEXT, frame};
use crate::support::{Done, command, finish};

const CHUNK: &[u8] = br#"{"event":"chunk","task_id":"t","seq":0,"chunk":"a"}"#;
const CONNECTED: &[u8] = br#"{"event":"connected","conversation_id":"x"}"#;
const UNKNOWN: &[u8] = br#"{"event":"x"}"#;
const SCENARIO: &str = r#"# Does a server that means harm hurt the harness?
[environment]
proxies = []
users = { password = "${env:CHAT_PASSWORD}" }
[load]
clients = 3
ramp = "100ms"
hold = "900ms"
drain = "300ms"
session = { connect_timeout = "1s" }
message = { every = "150ms" }
reconnect = { first = "100ms", factor = 2, cap = "300ms", attempts = 2 }
[[expect]]
what = "complete max"
under = "1h"
"#;
/// Longest time that a run, or an examination, of such a server may take on a busy machine.
const LONGEST: Duration = Duration::from_secs(40);
/// Servers at once.
const AT_ONCE: usize = 12;

/// What such a server does, one after the other.
enum Act {
    Write(Vec<u8>),
    /// Again and again, as fast as it is taken.
    Forever(Vec<u8>),
    /// Byte by byte.
    Drip(Vec<u8>),
    /// Takes what the client says; others do not.
    Drain,
}

fn write(bytes: impl AsRef<[u8]>) -> Act {
    Act::Write(bytes.as_ref().to_owned())
}

fn forever(bytes: impl AsRef<[u8]>) -> Act {
    Act::Forever(bytes.as_ref().to_owned())
}

fn drip(bytes: impl AsRef<[u8]>) -> Act {
    Act::Drip(bytes.as_ref().to_owned())
}

fn harm(acts: &[Act], connection: &mut Connection) -> Option<()> {
    for act in acts {
        match act {
            Act::Write(bytes) => connection.write(bytes)?,
            Act::Forever(bytes) => connection.forever(bytes)?,
            Act::Drip(bytes) => connection.drip(bytes)?,
            Act::Drain => connection.drain()?,
        }
    }
    connection.rest()
}

/// A server, and what must be said of it.
struct Mode {
    name: &'static str,
    acts: Vec<Act>,
    /// Who caused the failure of a run, and a part of its label; none where the ledger says it.
    failure: Option<(&'static str, &'static str)>,
    /// A part of what the doctor finds; it is not asked where that is the same as of another.
    finding: Option<&'static str>,
}

/// One that a run and the doctor name by the same words.
fn named(name: &'static str, acts: Vec<Act>, failure: (&'static str, &'static str)) -> Mode {
    Mode {
        name,
        acts,
        failure: Some(failure),
        finding: Some(failure.1),
    }
}

const CONTROLS: (&str, &str) = ("harness", "control frames over the harness's limit");
const FRAGMENTS: (&str, &str) = ("harness", "fragments over the harness's limit");
const LONG_LENGTH: (&str, &str) = ("server", "a length in more bytes than it needs");
const UNFINISHED: (&str, &str) = ("server", "message begun and not ended");
/// The beginning of a message.
const BEGUN: [u8; 3] = [TEXT, 1, b'"'];

fn limits() -> Vec<Mode> {
    let ping = || forever([FIN | PING, 1, b'x']);
    let most = [&[FIN | TEXT, 127, 0x7f][..], &[0xff; 7]].concat();
    let message = ("harness", "message over the harness's limit");
    vec![
        named(
            "empty fragments",
            vec![write(BEGUN), forever([0, 0])],
            FRAGMENTS,
        ),
        named(
            "tiny fragments",
            vec![write(BEGUN), forever([0, 1, b'a'])],
            FRAGMENTS,
        ),
        named("pings, pongs unread", vec![ping()], CONTROLS),
        named("pings, pongs read", vec![Act::Drain, ping()], CONTROLS),
        named("pings in a message", vec![write(BEGUN), ping()], CONTROLS),
        named("pongs", vec![forever([FIN | PONG, 0])], CONTROLS),
        named("2^63 - 1 bytes", vec![write(most)], message),
        named(
            "a drip of a head",
            vec![drip([FIN | TEXT, 127, 0, 0, 0, 0, 0, 1, 0, 0])],
            UNFINISHED,
        ),
        named(
            "a drip of a payload",
            vec![write([FIN | TEXT, 126, 0xff, 0xff]), drip([b'a'; 60_000])],
            UNFINISHED,
        ),
        named(
            "a drip of fragments",
            vec![write(BEGUN), drip([0; 60_000])],
            UNFINISHED,
        ),
        named("half a message", vec![write(BEGUN)], UNFINISHED),
    ]
}

fn violations() -> Vec<Mode> {
    let of = |name, bytes: &[u8], rule| named(name, vec![write(bytes)], ("server", rule));
    let first_bit = [&[FIN | TEXT, 127, 0x80][..], &[0; 7]].concat();
    let in_64 = [FIN | TEXT, 127, 0, 0, 0, 0, 0, 0, 0, 2];
    let long = [&[FIN | PING, 126, 0, 126][..], &[b'a'; 126]].concat();
    vec![
        of("2^63 bytes", &first_bit, "a length with its first bit set"),
        of(
            "2 bytes in 16 bits",
            &[FIN | TEXT, 126, 0, 2, b'{', b'}'],
            LONG_LENGTH.1,
        ),
        of("2 bytes in 64 bits", &in_64, LONG_LENGTH.1),
        of(
            "masked",
            &[FIN | TEXT, 0x82, 0, 0, 0, 0, b'{', b'}'],
            "a masked frame",
        ),
        of(
            "compressed",
            &[FIN | 0x40 | TEXT, 2, b'{', b'}'],
            "reserved bits are set",
        ),
        of("a data opcode", &[FIN | 0x3, 0], "unknown opcode 0x3"),
        of("a control opcode", &[FIN | 0xb, 0], "unknown opcode 0xb"),
        of(
            "a long ping",
            &long,
            "a control frame is longer than 125 bytes",
        ),
        of(
            "a fragmented ping",
            &[PING, 0],
            "a control frame is fragmented",
        ),
        of(
            "nothing continued",
            &[FIN, 0],
            "a continuation without a message",
        ),
        of(
            "a message in a message",
            &[TEXT, 0, FIN | TEXT, 0],
            "a new message within",
        ),
        of(
            "bad UTF-8 in two",
            &[TEXT, 2, 0xe2, 0x82, FIN, 1, b'('],
            "text that is not UTF-8",
        ),
        of(
            "a close of one byte",
            &[FIN | CLOSE, 1, 3],
            "a close frame of one byte",
        ),
        of("random bytes", &b"\xff\xfe\xfd".repeat(100), "RFC 6455"),
    ]
}

fn floods() -> Vec<Mode> {
    let of = |name, acts, failure: &'static str, finding: &'static str| Mode {
        name,
        acts,
        failure: Some(("server", failure)).filter(|_| !failure.is_empty()),
        finding: Some(finding).filter(|_| !finding.is_empty()),
    };
    let closes = || write([FIN | CLOSE, 2, 3, 0xe8]);
    let (text, empty) = ([FIN | TEXT, 1, b'x'], [FIN | TEXT, 0]);
    let closed = "closing with 1000";
    let no_pong = "no `pong` within 5s";
    let among = "no `pong` within 5s among";
    vec![
        of("a close and no end", vec![closes()], "closed 1000", closed),
        of(
            "texts after a close",
            vec![closes(), forever(empty)],
            "protocol error: a frame after the close frame",
            closed,
        ),
        of("no JSON", vec![forever(text)], "bad frame", among),
        of("empty texts", vec![forever(empty)], "bad frame", ""),
        of(
            "events nobody asked for",
            vec![forever(framed(CONNECTED))],
            "",
            among,
        ),
        of(
            "big messages",
            vec![forever(framed(&big()))],
            "bad frame",
            among,
        ),
        of(
            "drips of messages",
            vec![drip(framed(UNKNOWN).repeat(99))],
            "bad frame",
            "",
        ),
        of("nothing, read nor said", vec![], "", no_pong),
    ]
}

/// Answers of the upgrade.
fn upgrades() -> Vec<Mode> {
    let of = |name, acts, failure, finding| Mode {
        name,
        acts,
        failure: Some(failure),
        finding: Some(finding),
    };
    let long = ("harness", "upgrade answer over the harness's limit");
    let late = ("server", "upgrade timeout");
    let refused = ("server", "upgrade 403");
    let too_long = "longer than the harness takes";
    let silent = "the upgrade is not answered";
    let (header, early) = (b"X-A: a\r\n", b"HTTP/1.1 103 X\r\n\r\n");
    let refusal = || write("HTTP/1.1 403 X\r\nContent-Length: 9000\r\n\r\n");
    vec![
        of(
            "endless headers",
            vec![write("HTTP/1.1 101 X\r\n"), forever(header)],
            long,
            too_long,
        ),
        of(
            "headers in drips",
            vec![write("HTTP/1.1 101 X\r\n"), drip(header.repeat(1_000))],
            late,
            silent,
        ),
        of("a flood of 1xx", vec![forever(early)], long, too_long),
        of(
            "1xx in drips",
            vec![drip(early.repeat(1_000))],
            late,
            silent,
        ),
        of(
            "a refusal in drips",
            vec![refusal(), drip([b'x'; 9_000])],
            refused,
            "403",
        ),
        of(
            "an endless refusal",
            vec![write("HTTP/1.1 403 X\r\n\r\n"), forever("x")],
            refused,
            "403",
        ),
        of(
            "garbage",
            vec![forever(b"\x00\xff")],
            ("server", "upgrade answer that is no HTTP"),
            "no HTTP",
        ),
    ]
}

/// Answers to those who ask for a token.
fn tokens() -> Vec<Mode> {
    let of = |name, acts, failure| Mode {
        name,
        acts,
        failure: Some(failure),
        finding: None,
    };
    let (long, late) = (
        ("harness", "token answer over the harness's limit"),
        ("server", "token timeout"),
    );
    let good = || write("HTTP/1.1 200 X\r\n");
    vec![
        of(
            "an endless body",
            vec![good(), write("\r\n"), forever("x")],
            long,
        ),
        of(
            "endless headers",
            vec![good(), forever(b"X-A: b\r\n")],
            long,
        ),
        of(
            "a flood of 1xx",
            vec![forever("HTTP/1.1 100 X\r\n\r\n")],
            late,
        ),
        of(
            "a head in drips",
            vec![good(), drip(b"X-A: b\r\n".repeat(1_000))],
            late,
        ),
    ]
}

/// What the login answers: a run does not begin.
fn logins() -> Vec<(&'static str, Vec<Act>)> {
    let good = || write("HTTP/1.1 200 X\r\n");
    let chunks = || write("HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n");
    let header = b"X-A: b\r\n";
    vec![
        ("endless", vec![good(), write("\r\n"), forever("x")]),
        ("endless chunks", vec![chunks(), forever("1\r\nx\r\n")]),
        (
            "an endless extension",
            vec![chunks(), write("1;"), forever("x")],
        ),
        (
            "endless trailers",
            vec![chunks(), write("0\r\n"), forever(header)],
        ),
        ("endless headers", vec![good(), forever(header)]),
        (
            "one endless header",
            vec![good(), write("X-A: "), forever("x")],
        ),
        ("a flood of 1xx", vec![forever("HTTP/1.1 100 X\r\n\r\n")]),
        ("a head in drips", vec![good(), drip(header.repeat(1_000))]),
        (
            "a body in drips",
            vec![
                good(),
                write("Content-Length: 9000\r\n\r\n"),
                drip([b' '; 9_000]),
            ],
        ),
    ]
}

fn framed(payload: &[u8]) -> Vec<u8> {
    frame(FIN | TEXT, payload)
}

fn big() -> Vec<u8> {
    [
        &br#"{"event":"unheard-of","x":""#[..],
        &vec![b'a'; 1 << 20],
        b"\"}",
    ]
    .concat()
}

/// Where harm is done.
#[derive(Clone, Copy)]
enum At {
    Login,
    /// In every token but the first, which is that of the examination before a run.
    Tokens,
    Upgrade,
    Socket,
}

/// A server of the contract that is good up to there; a token nobody gave out is refused as it should be.
fn server(
    at: At,
    harm: impl Fn(&mut Connection) -> Option<()> + Send + Sync + 'static,
) -> Stranger {
    let tokens = AtomicU32::new(0);
    Stranger::start(move |connection| {
        loop {
            let head = connection.head()?;
            let path = head.split(' ').nth(1)?;
            match path {
                "/api/auth/login/" if matches!(at, At::Login) => return harm(connection),
                "/api/auth/login/" => connection.answer(200, "", r#"{"token":"t"}"#)?,
                _ if path.contains("ws-connection-token") => {
                    let first = tokens.fetch_add(1, Ordering::Relaxed) == 0;
                    if matches!(at, At::Tokens) && !first {
                        return harm(connection);
                    }
                    let token = r#"{"connection_token":"good","expires_in":60}"#;
                    connection.answer(200, "", token)?;
                }
                _ if !path.starts_with("/ws/") => {
                    connection.answer(200, "", r#"{"status":"ok"}"#)?;
                }
                _ if !path.contains("=good") => {
                    connection.upgrade(&head)?;
                    connection.close(4001, "")?;
                    connection.hang_up();
                    return None;
                }
                _ if matches!(at, At::Upgrade) => return harm(connection),
                _ => {
                    connection.upgrade(&head)?;
                    connection.frame(FIN | TEXT, CONNECTED)?;
                    return harm(connection);
                }
            }
        }
    })
}

fn run(case: &Case, server: &Stranger, more: &[&str]) -> std::process::Command {
    let path = case.folder().join("hostile.toml");
    std::fs::write(&path, SCENARIO).unwrap();
    let mut run = command(&[
        "run",
        path.to_str().unwrap(),
        "-q",
        "--target",
        &server.url(),
    ]);
    run.arg("--out").arg(case.out()).args(more);
    run.env("CHAT_PASSWORD", "x");
    run
}

fn examined(server: &Stranger) -> (Done, Value) {
    let mut doctor = command(&["doctor", &server.url(), "--json"]);
    doctor.args(["--password", "${env:CHAT_PASSWORD}"]);
    let done = finish(doctor.env("CHAT_PASSWORD", "x").spawn().unwrap());
    let report = serde_json::from_str(&done.stdout).unwrap();
    (done, report)
}

/// The facts of all steps that failed.
fn failed(report: &Value) -> Vec<String> {
    let steps = report["steps"].as_array().unwrap().iter();
    let failed = steps.filter(|step| step["outcome"] == "failed");
    failed.map(|step| step["fact"].to_string()).collect()
}

/// Does it with each, several at once; none may take long.
fn with_each<T: Send>(all: Vec<(&'static str, T)>, work: impl Fn(&'static str, T) + Sync) {
    let next = Mutex::new(all.into_iter());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let taken = next.lock().unwrap().next();
                    let Some((name, one)) = taken else { return };
                    let begun = Instant::now();
                    work(name, one);
                    let took = begun.elapsed();
                    assert!(took < LONGEST, "{name}: {took:?}");
                }
            });
        }
    });
}

fn named_each(at: At, modes: Vec<Mode>) {
    let modes = modes.into_iter().map(|mode| (mode.name, mode)).collect();
    with_each(modes, |_, mode| assert_named(at, mode));
}

#[track_caller]
fn assert_named(at: At, mode: Mode) {
    let acts = mode.acts;
    let server = server(at, move |connection| harm(&acts, connection));
    let case = Case::new();
    let done = finish(run(&case, &server, &[]).spawn().unwrap());
    let name = mode.name;
    assert!(
        matches!(done.code, 10 | 13 | 14),
        "{name}: {}{}{}",
        done.code,
        done.stdout,
        done.stderr
    );
    let result = case.result();
    let failures = result["failures"].as_array().cloned().unwrap_or_default();
    if let Some((cause, label)) = mode.failure {
        let is_it = |failure: &&Value| {
            failure["label"].as_str().unwrap().contains(label) && failure["cause"] == cause
        };
        let found = failures.iter().find(is_it);
        assert!(found.is_some(), "{name}: {failures:#?}");
        let ours = cause == "harness";
        assert!(!ours || done.code == 13, "{name}: {}", done.stdout);
    }
    let Some(finding) = mode.finding else { return };
    let (done, report) = examined(&server);
    assert_eq!(done.code, 10, "{name}: {report:#}");
    let facts = failed(&report);
    assert!(
        facts.iter().any(|fact| fact.contains(finding)),
        "{name}: {facts:#?}"
    );
}

#[test]
#[ignore = "slow: drives a load"]
fn what_means_harm_on_a_socket_ends_in_time_and_by_name() {
    let modes = [floods(), limits(), violations()];
    named_each(At::Socket, modes.into_iter().flatten().collect());
}

#[test]
#[ignore = "slow: drives a load"]
fn what_means_harm_in_an_upgrade_ends_in_time_and_by_name() {
    named_each(At::Upgrade, upgrades());
}

#[test]
#[ignore = "slow: drives a load"]
fn what_means_harm_in_a_login_ends_in_time_and_is_said() {
    with_each(logins(), |name, acts| {
        let server = server(At::Login, move |connection| harm(&acts, connection));
        let case = Case::new();
        let done = finish(run(&case, &server, &[]).spawn().unwrap());
        assert_eq!(done.code, 3, "{name}: {}{}", done.stdout, done.stderr);
        let said = &done.stderr;
        assert!(said.contains("no login at"), "{name}: {said}");
        let (done, report) = examined(&server);
        let failed = failed(&report);
        assert_eq!((done.code, failed.len()), (10, 1), "{name}: {failed:#?}");
    });
}

#[test]
#[ignore = "slow: drives a load"]
fn what_means_harm_in_a_token_ends_in_time_and_by_name() {
    named_each(At::Tokens, tokens());
}

/// Answers messages as the contract has it.
fn answer_all(connection: &mut Connection) -> Option<()> {
    for number in 0.. {
        let said: Value = serde_json::from_str(&connection.message()?).ok()?;
        if said["type"] == "ping" {
            connection.event(&json!({"event": "pong"}))?;
            continue;
        }
        let (id, task) = (&said["client_message_id"], format!("t{number}"));
        connection
            .event(&json!({"event": "task_queued", "task_id": task, "client_message_id": id}))?;
        connection.event(
            &json!({"event": "complete", "task_id": task, "message_id": task, "chunks": 0}),
        )?;
    }
    None
}

#[test]
#[ignore = "slow: drives a load"]
fn a_flood_for_one_client_leaves_the_others_of_its_lane_alone() {
    let sockets = AtomicU32::new(0);
    let server = server(At::Socket, move |connection| {
        match sockets.fetch_add(1, Ordering::Relaxed) {
            0 => connection.forever(&framed(CHUNK)),
            _ => answer_all(connection),
        }
    });
    let case = Case::new();
    let done = finish(run(&case, &server, &[]).spawn().unwrap());
    // That client is told what it did not ask for: an invariant is broken.
    assert!(
        matches!(done.code, 13 | 14),
        "{}{}",
        done.stdout,
        done.stderr
    );
    let result = case.result();
    let of = |what: &str| number(&result, &format!("/delivery/{what}"));
    assert!(of("unexpected") > 0, "{}", result["delivery"]);
    // Two of three.
    assert!(of("completed") * 2 > of("sent"), "{}", result["delivery"]);
}
