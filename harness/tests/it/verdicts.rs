//! This module runs against servers of another make that do not work, or break the rules: what is wrong must be said,
//! and booked to who caused it.
//!
//! Slow: run by `cargo test -- --include-ignored`, as `cargo xtask test` does.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::case::{Case, number};
use crate::stranger::{
    BINARY, Connection, FIN, SCENARIO, Stranger, TEXT, WITH_LOGIN, header, reply,
};
use crate::support::{Done, finish};

/// A run against such a server.
struct Ran {
    done: Done,
    result: Value,
    page: String,
}

impl Ran {
    fn sentence(&self) -> &str {
        self.result["verdict"]["sentence"].as_str().unwrap()
    }

    /// Failures of that label: who caused them, and how many there were.
    fn failures(&self, label: &str) -> Vec<(&str, u64)> {
        let all = self.result["failures"].as_array();
        let mine = all.into_iter().flatten();
        let mine = mine.filter(|one| one["label"].as_str().unwrap().starts_with(label));
        mine.map(|one| {
            (
                one["cause"].as_str().unwrap(),
                one["count"].as_u64().unwrap(),
            )
        })
        .collect()
    }

    #[track_caller]
    fn blames(&self, cause: &str, label: &str) {
        let found = self.failures(label);
        assert!(
            !found.is_empty() && found.iter().all(|(known, _)| *known == cause),
            "{label}, by {cause}: {:#}",
            self.result["failures"]
        );
    }
}

#[track_caller]
fn run(scenario: &str, server: &Stranger) -> Ran {
    let case = Case::new();
    let path = case.folder().join("chat.toml");
    std::fs::write(&path, scenario).unwrap();
    let mut command = case.command(path.to_str().unwrap(), &["--target", &server.url(), "-q"]);
    command.env("CHAT_PASSWORD", "x");
    let done = finish(command.spawn().unwrap());
    assert!(
        case.out().join("result.json").is_file(),
        "{}{}",
        done.stdout,
        done.stderr
    );
    Ran {
        result: case.result(),
        page: case.page(),
        done,
    }
}

/// A server that works, but for what is done instead of the answer to message `number` of a socket.
fn but_for(
    number: usize,
    what: impl Fn(&mut Connection) -> Option<()> + Send + Sync + 'static,
) -> Stranger {
    Stranger::chatting(move |connection, at, text| {
        if at == number {
            what(connection)
        } else {
            connection.reply(text)
        }
    })
}

#[test]
#[ignore = "slow: drives a load"]
fn a_server_that_works_passes_and_the_built_in_checks_are_named() {
    let (before, after) = SCENARIO.split_once("# No pause").unwrap();
    let (_, target) = after.split_once("[target]").unwrap();
    let unasked = format!("{before}[target]{target}");
    let good = || Stranger::chatting(|c, _, text| c.reply(text));
    let plain = run(&unasked, &good());
    let said = plain.done.stdout;
    assert!(
        plain.done.code == 13 || said.contains("Nothing was expected; the built-in checks held."),
        "{said}"
    );
    let ran = run(SCENARIO, &good());
    assert_eq!(ran.done.code, 0, "{}", ran.done.stdout);
    let names: Vec<&str> = ran.result["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| check["name"].as_str().unwrap())
        .collect();
    for name in [
        "somebody got in",
        "something was sent",
        "nobody gave up",
        "messages answered",
        "no session cut",
        "no protocol errors",
        "limits of our own",
    ] {
        assert!(names.contains(&name), "{name} in {names:?}");
        let capital = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
        assert!(ran.page.contains(&capital), "{name} is not on the page");
    }
    assert_eq!(ran.result["failures"], Value::Null);
}

#[test]
#[ignore = "slow: drives a load"]
fn refusing_everybody_is_invalid_and_the_refusal_is_told_in_its_words() {
    let server = Stranger::start(|connection| {
        connection.head()?;
        connection.answer(521, "", "{\"detail\":\"tenant unknown\"}")
    });
    let ran = run(SCENARIO, &server);
    assert_eq!(ran.done.code, 13, "{}", ran.done.stdout);
    assert!(
        ran.sentence().starts_with("Nobody got in"),
        "{}",
        ran.sentence()
    );
    assert!(ran.sentence().contains("upgrade 521"), "{}", ran.sentence());
    assert!(ran.page.contains("tenant unknown"));
    ran.blames("server", "upgrade 521");
}

#[test]
#[ignore = "slow: drives a load"]
fn answering_nothing_or_half_is_a_failure() {
    let deaf = run(SCENARIO, &Stranger::chatting(|_, _, _| Some(())));
    assert_eq!(deaf.done.code, 10, "{}", deaf.done.stdout);
    assert!(
        deaf.sentence().contains("were never answered"),
        "{}",
        deaf.sentence()
    );
    let half = Stranger::chatting(|connection, number, text| {
        if number % 2 == 0 {
            connection.reply(text)
        } else {
            Some(())
        }
    });
    let half = run(SCENARIO, &half);
    assert_eq!(half.done.code, 10, "{}", half.done.stdout);
    let (sent, unanswered) = (
        number(&half.result, "/delivery/sent"),
        number(&half.result, "/delivery/unanswered"),
    );
    assert!(
        unanswered * 3 > sent && unanswered < sent,
        "{unanswered} of {sent}"
    );
}

#[test]
#[ignore = "slow: drives a load"]
fn a_server_that_dies_half_way_fails_the_run_however_fast_it_was() {
    let heard = Arc::new(AtomicUsize::new(0));
    let server = Stranger::start(move |connection| {
        // Dead: the port is still there, as behind a proxy, and nobody answers.
        if heard.load(Ordering::Relaxed) >= 16 {
            connection.hang_up();
            return None;
        }
        let head = connection.head()?;
        connection.upgrade(&head)?;
        loop {
            let text = connection.message()?;
            if heard.fetch_add(1, Ordering::Relaxed) >= 16 {
                connection.hang_up();
                return None;
            }
            connection.reply(&text)?;
        }
    });
    let fast = format!("{SCENARIO}[[expect]]\nwhat = \"complete p50\"\nunder = \"5s\"\n");
    let ran = run(&fast, &server);
    assert_eq!(ran.done.code, 10, "{}", ran.done.stdout);
    assert!(ran.sentence().contains("gave up"), "{}", ran.sentence());
    ran.blames("server", "cut without a close frame");
}

#[test]
#[ignore = "slow: drives a load"]
fn a_close_is_told_with_its_code_and_reason_before_and_after_the_first_event() {
    let server = but_for(2, |connection| {
        connection.close(4321, "subscription expired")?;
        connection.message().map(drop)
    });
    let ran = run(SCENARIO, &server);
    assert_eq!(ran.done.code, 10, "{}", ran.done.stdout);
    assert!(ran.sentence().contains("4321"), "{}", ran.sentence());
    assert!(number(&ran.result, "/closes/4321") > 0);
    assert!(ran.page.contains("subscription expired"));
    let welcome = SCENARIO.replace("connected = \"none\"", "connected = \"welcome\"");
    let early = Stranger::start(|connection| {
        let head = connection.head()?;
        connection.upgrade(&head)?;
        connection.close(1008, "no such room")
    });
    let ran = run(&welcome, &early);
    assert_eq!(ran.done.code, 13, "{}", ran.done.stdout);
    ran.blames("server", "refused 1008");
    assert!(ran.page.contains("no such room"));
}

#[test]
#[ignore = "slow: drives a load"]
fn a_broken_frame_is_a_protocol_error_and_is_answered_with_its_code() {
    let cases: [(&str, u16, &[u8]); 7] = [
        ("reserved bits", 1002, b"\xc1\x02{}"),
        ("masked frame", 1002, b"\x81\x82\0\0\0\0{}"),
        ("opcode 0x3", 1002, b"\x83\x02{}"),
        ("UTF-8", 1007, b"\x81\x02\xff\xfe"),
        ("fragmented", 1002, b"\x09\x00"),
        ("continuation", 1002, b"\x80\x02{}"),
        ("longer than 125", 1002, b"\x89\x7e\x00\x80"),
    ];
    for (what, code, bytes) in cases {
        let server = but_for(3, move |connection| {
            connection.write(bytes)?;
            connection.message().map(drop)
        });
        let ran = run(SCENARIO, &server);
        assert_eq!(ran.done.code, 10, "{what}: {}", ran.done.stdout);
        let label = format!("protocol error: {what}");
        let errors = ran.result["errors"].as_object().unwrap();
        let named = errors
            .keys()
            .any(|known| known.starts_with("protocol error") && known.contains(what));
        assert!(named, "{label}: {errors:?}");
        ran.blames("server", "protocol error");
        let close = format!("close {code}");
        assert!(
            server.seen().contains(&close),
            "{what}: {:?}",
            server.seen()
        );
        assert_eq!(number(&ran.result, "/clients/cut"), 0, "{what}");
    }
}

#[test]
#[ignore = "slow: drives a load"]
fn a_message_over_our_limit_is_ours_and_is_closed_with_1009() {
    let long = || {
        Stranger::chatting(|connection, number, text| {
            let mut answer: Value = serde_json::from_str(&reply(text)).unwrap();
            if number == 2 {
                answer["text"] = "x".repeat(40_000).into();
            }
            connection.frame(FIN | TEXT, answer.to_string().as_bytes())
        })
    };
    assert_eq!(run(SCENARIO, &long()).done.code, 0);
    let server = long();
    let ran = run(
        &format!("{SCENARIO}limits = {{ message_bytes = 20000 }}\n"),
        &server,
    );
    assert_eq!(ran.done.code, 13, "{}", ran.done.stdout);
    ran.blames("harness", "message over the harness's limit");
    assert!(
        ran.sentence().contains("20000 are taken"),
        "{}",
        ran.sentence()
    );
    assert!(
        server.seen().contains(&"close 1009".to_owned()),
        "{:?}",
        server.seen()
    );
    assert_eq!(number(&ran.result, "/clients/cut"), 0);
}

#[test]
#[ignore = "slow: drives a load"]
fn binary_messages_are_read_where_they_hold_text_and_named_where_not() {
    let json = Stranger::chatting(|connection, _, text| {
        connection.frame(FIN | BINARY, reply(text).as_bytes())
    });
    let ran = run(SCENARIO, &json);
    assert_eq!(ran.done.code, 0, "{}", ran.done.stdout);
    let packed =
        Stranger::chatting(|connection, _, _| connection.frame(FIN | BINARY, b"\x82\xa4\xff"));
    let ran = run(SCENARIO, &packed);
    assert!(ran.done.code >= 10, "{}", ran.done.stdout);
    ran.blames("server", "bad frame");
    assert!(ran.page.contains("binary message of 3 bytes"));
}

#[test]
#[ignore = "slow: drives a load"]
fn an_orderly_end_is_1000_though_the_server_leaves_tcp_open() {
    let server = Stranger::start(|connection| {
        let head = connection.head()?;
        connection.upgrade(&head)?;
        while let Some(text) = connection.message() {
            connection.reply(&text)?;
        }
        connection.close(1000, "")?;
        // The client ends it.
        connection.head().map(drop)
    });
    let ran = run(SCENARIO, &server);
    assert_eq!(ran.done.code, 0, "{}", ran.done.stdout);
    assert_eq!(ran.result["closes"], serde_json::json!({"1000": 4}));
}

#[test]
#[ignore = "slow: drives a load"]
fn early_hints_come_before_the_upgrade_and_are_passed_by() {
    let server = Stranger::start(|connection| {
        let head = connection.head()?;
        connection.write("HTTP/1.1 103 Early Hints\r\nLink: </app.css>\r\n\r\n")?;
        connection.upgrade(&head)?;
        loop {
            let text = connection.message()?;
            connection.reply(&text)?;
        }
    });
    let ran = run(SCENARIO, &server);
    assert_eq!(ran.done.code, 0, "{}", ran.done.stdout);
}

#[test]
#[ignore = "slow: drives a load"]
fn a_refused_upgrade_is_asked_again_when_it_may_be() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let times = Arc::clone(&asked);
    let server = Stranger::start(move |connection| {
        let head = connection.head()?;
        header(&head, "upgrade")?;
        times.lock().unwrap().push(std::time::Instant::now());
        connection.answer(429, "Retry-After: 60\r\n", "slow down")
    });
    let ran = run(SCENARIO, &server);
    assert_eq!(ran.done.code, 13, "{}", ran.done.stdout);
    // Each client once: what it was asked to wait for is longer than its stay.
    assert_eq!(asked.lock().unwrap().len(), 4);
    assert_eq!(ran.failures("upgrade 429"), [("server", 4)]);
    assert!(ran.page.contains("Retry-After: 60"));
}

/// Every letter that means something somewhere on the way.
const TOKEN: &str = "a+b/c==&d ä%";

#[test]
#[ignore = "slow: drives a load"]
fn a_token_of_any_letters_arrives_whole() {
    let server = Stranger::start(|connection| {
        let head = connection.head()?;
        if header(&head, "upgrade").is_none() {
            let body = serde_json::json!({"token": TOKEN}).to_string();
            return connection.answer(200, "Connection: close\r\n", &body);
        }
        let target = head.split(' ').nth(1)?;
        let url = reqwest::Url::parse(&format!("http://x{target}")).unwrap();
        let token = url.query_pairs().find(|(name, _)| name == "token");
        connection.note(token.map_or_else(String::new, |(_, token)| token.into_owned()));
        connection.upgrade(&head)?;
        loop {
            let text = connection.message()?;
            connection.reply(&text)?;
        }
    });
    let ran = run(WITH_LOGIN, &server);
    assert_eq!(ran.done.code, 0, "{}", ran.done.stdout);
    let seen = server.seen();
    let tokens: Vec<&String> = seen
        .iter()
        .filter(|note| !note.starts_with("close"))
        .collect();
    assert_eq!(tokens.len(), 4);
    assert!(tokens.iter().all(|token| *token == TOKEN), "{tokens:?}");
}

#[test]
#[ignore = "slow: drives a load"]
fn answers_to_ids_that_nobody_gave_are_told() {
    let server = Stranger::chatting(|connection, _, _| {
        connection.frame(FIN | TEXT, br#"{"type":"reply","id":"nobody-7"}"#)
    });
    let ran = run(SCENARIO, &server);
    assert_eq!(ran.done.code, 10, "{}", ran.done.stdout);
    ran.blames("usage", "answer to no message of this run");
    assert!(ran.page.contains("nobody-7"));
}

#[test]
#[ignore = "slow: drives a load"]
fn a_whole_answer_that_comes_twice_is_one_event_too_many() {
    let server = Stranger::chatting(|connection, _, text| {
        connection.reply(text)?;
        connection.reply(text)
    });
    let ran = run(SCENARIO, &server);
    assert_eq!(ran.done.code, 14, "{}", ran.done.stdout);
    let completed = number(&ran.result, "/delivery/completed");
    let duplicated = number(&ran.result, "/delivery/duplicated");
    // Those that were under way when the client left came once.
    assert!(
        duplicated <= completed && duplicated + 8 > completed,
        "{duplicated} of {completed}"
    );
}

#[test]
#[ignore = "slow: drives a load"]
fn a_close_code_that_may_not_be_sent_is_a_protocol_error() {
    let server = but_for(2, |connection| {
        connection.close(1005, "")?;
        connection.message().map(drop)
    });
    let ran = run(SCENARIO, &server);
    assert_eq!(ran.done.code, 10, "{}", ran.done.stdout);
    ran.blames("server", "protocol error: a close frame with a code");
}

#[test]
#[ignore = "slow: drives a load"]
fn a_request_that_is_lost_with_a_kept_connection_is_sent_again_and_is_no_failure() {
    let server = Stranger::start(|connection| {
        let mut served = 0;
        loop {
            let head = connection.head()?;
            if header(&head, "upgrade").is_some() {
                connection.upgrade(&head)?;
                for _ in 0..2 {
                    let text = connection.message()?;
                    connection.reply(&text)?;
                }
                return connection.close(1012, "restart");
            }
            if served > 0 {
                // Closed in the moment in which the next request comes.
                connection.note("raced");
                connection.hang_up();
                return None;
            }
            served += 1;
            connection.answer(200, "", r#"{"token":"t","connection_token":"c"}"#)?;
        }
    });
    let tokens = WITH_LOGIN
        .replace("token = \"none\"", "token = { path = \"/token\" }")
        .replace("query-token", "connection-token");
    let ran = run(&tokens, &server);
    let raced = server.seen().iter().filter(|note| *note == "raced").count();
    assert!(raced > 3, "{raced} requests met a closing connection");
    let repeated = number(&ran.result, "/clients/requests_repeated");
    assert!(repeated > 3, "{repeated} were sent again");
    assert!(
        ran.failures("token").is_empty(),
        "{:#}",
        ran.result["failures"]
    );
    assert!(
        ran.failures("login").is_empty(),
        "{:#}",
        ran.result["failures"]
    );
}
