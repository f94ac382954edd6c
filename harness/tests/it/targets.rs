//! This module drives servers that do not speak the contract, by the mappings of `scenarios/TARGETS.md`.
//!
//! Slow: run by `cargo test -- --include-ignored`, as `cargo xtask test` does.

use std::net::{SocketAddr, TcpListener};
use std::thread;

use serde_json::Value;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::case::{Case, number};
use crate::peer::{Answer, Peer};
use crate::support::{finish, harness, read};

/// The scenarios of the guide.
pub(crate) fn mappings() -> Vec<String> {
    let guide = read("scenarios/TARGETS.md");
    let blocks = guide.split("```toml\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap().to_owned());
    blocks.collect()
}

#[track_caller]
fn run(mapping: &str, more: &[&str]) -> (i32, Value) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mapping.toml");
    std::fs::write(&path, mapping).unwrap();
    let case = Case::new();
    let done = case.run(path.to_str().unwrap(), more);
    assert!(
        matches!(done.code, 0 | 10 | 14),
        "{}{}",
        done.stdout,
        done.stderr
    );
    (done.code, case.result())
}

#[test]
fn every_mapping_of_the_guide_has_no_problems_and_can_be_planned_again() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("a.toml"), folder.path().join("b.toml"));
    for mapping in mappings() {
        std::fs::write(&first, &mapping).unwrap();
        let plan = harness(&["plan", first.to_str().unwrap()]);
        assert_eq!(plan.code, 0, "{}", plan.stderr);
        std::fs::write(&second, &plan.stdout).unwrap();
        let again = harness(&["plan", second.to_str().unwrap()]);
        let target = |text: &str| text.split("[target]").nth(1).unwrap().to_owned();
        assert_eq!(target(&plan.stdout), target(&again.stdout));
    }
    assert_eq!(mappings().len(), 8);
}

#[test]
#[ignore = "slow: drives a load"]
fn the_shapes_of_the_guide_are_driven_and_every_message_is_accounted_for() {
    for mapping in &mappings()[..3] {
        let (code, result) = run(mapping, &[]);
        assert_eq!(code, 0, "{mapping}{}", result["verdict"]);
        let sent = number(&result, "/delivery/sent");
        assert_eq!(number(&result, "/delivery/completed"), sent, "{mapping}");
        let talks = !mapping.contains("lurker");
        assert_eq!(sent > 50, talks, "{sent} sent by\n{mapping}");
        assert_eq!(number(&result, "/delivery/unexpected"), 0, "{mapping}");
    }
}

#[test]
#[ignore = "slow: drives a load"]
fn what_goes_wrong_on_a_mapped_server_is_told_too() {
    let set = "environment.server.defects=[\"complete-missing=0.2\"]";
    let (code, result) = run(&mappings()[2], &["--set", set]);
    assert_eq!(code, 14, "{}", result["verdict"]);
    assert!(number(&result, "/delivery/lost") > 0);
}

#[test]
#[ignore = "slow: drives a load"]
fn a_trial_is_judged_on_a_mapped_server_as_on_any() {
    for (mapping, defect, trial) in [
        (0, "origin-unchecked", 1),
        (1, "ping-as-chat", 1),
        (2, "token-reusable", 1),
        (0, "silent-1006", 5),
        (2, "no-rate-limit", 4),
        (2, "oversize-accepted", 5),
    ] {
        let set = format!("environment.server.defects=[\"{defect}\"]");
        let (code, result) = run(&mappings()[mapping], &["--set", &set]);
        assert_eq!(code, 14, "{defect}: {}", result["verdict"]);
        let broke = &result["trials"][trial]["broke"];
        assert!(!broke[defect].is_null(), "{defect}: {}", result["trials"]);
    }
}

#[test]
#[ignore = "slow: drives a load"]
fn a_mapped_room_on_two_instances_that_do_not_know_each_other_is_found() {
    // An access token of one instance opens a socket of the other: both have the same key, any variable that is there.
    let layer =
        "environment.server.settings={ channel-layer = \"memory\", jwt-secret = \"${env:PATH}\" }";
    let soon = "trial.2.within=500ms";
    let apart = [
        "--set=environment.server.instances=2",
        "--duration=15s",
        "--set",
        layer,
        "--set",
        soon,
    ];
    let (code, result) = run(&mappings()[0], &apart);
    assert_eq!(code, 14, "{}", result["verdict"]);
    let broke = &result["trials"][2]["broke"]["memory-layer-two-instances"];
    assert!(!broke.is_null(), "{}", result["trials"]);
}

#[test]
#[ignore = "slow: drives a load"]
fn who_answers_the_sender_alone_is_not_said_to_have_instances_apart() {
    let echo = Peer::start(|_| Answer::echo());
    let mapping = r#"
        load = { clients = 3, hold = "14s", session = { credential = "none", conversation = "group" }, message = { every = "1s" } }
        [target]
        login = "none"
        token = "none"
        socket = { path = "/{group}" }
        send = { message = '{"type":"reply","id":"{id}","text":"{text}"}', heartbeat = "none" }
        events = { field = "type", connected = "none", answer = "reply", chunk = "none" }
        fields = { id = "id" }
        [[trial]]
        kind = "broadcast"
        members = 3
        within = "200ms"
    "#;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("echo.toml");
    std::fs::write(&path, mapping).unwrap();
    let (out, target) = (folder.path().join("out"), format!("ws://{}", echo.address));
    let run = [
        "run",
        path.to_str().unwrap(),
        "--quiet",
        "--target",
        &target,
    ];
    let done = harness(&[&run[..], &["--out", out.to_str().unwrap()]].concat());
    assert_eq!(done.code, 14, "{}{}", done.stdout, done.stderr);
    let result = std::fs::read(out.join("result.json")).unwrap();
    let result: Value = serde_json::from_slice(&result).unwrap();
    assert!(
        result["trials"][0]["broke"].is_null(),
        "{}",
        result["trials"]
    );
    // The load does say what the scenario has promised: members hear each other.
    let why = result["verdict"]["sentence"].as_str().unwrap();
    assert!(why.contains("never heard"), "{why}");
}

#[test]
#[ignore = "slow: drives a load"]
fn a_mapped_message_that_is_sent_again_is_one_task_or_two() {
    let message = r#"send = { message = '{"message":"{text}","client_message_id":"{id}"}' }"#;
    let unnamed = "send = { message = '{\"message\":\"{text}\"}' }\nmatching = \"order\"";
    let mapping = mappings()[2].replace(unnamed, message) + "[[trial]]\nkind = \"retry\"\n";
    assert!(mapping.contains(message));
    for (defects, expected) in [("[]", 0), ("[\"retry-runs-twice\"]", 14)] {
        let set = format!("environment.server.defects={defects}");
        let (code, result) = run(&mapping, &["--set", &set]);
        assert_eq!(code, expected, "{}", result["verdict"]);
        let broke = &result["trials"][6]["broke"]["retry-runs-twice"];
        assert_eq!(broke.is_null(), expected == 0, "{}", result["trials"]);
    }
}

#[test]
#[ignore = "slow: drives a load"]
fn one_client_can_be_followed_frame_by_frame_without_its_credentials() {
    let case = Case::new();
    let more = ["--clients", "1", "--trace", "--duration", "5s"];
    let done = case.run("scenarios/smoke.toml", &more);
    for step in [
        "login of user-000001: granted",
        "connection token of user-000001: granted",
        "upgrade /ws/chat/",
        "<- {\"event\":\"connected\"",
        "-> {\"message\":",
        "<- {\"event\":\"complete\"",
        "-> close 1000",
    ] {
        assert!(done.stderr.contains(step), "{step}: {}", done.stderr);
    }
    assert!(
        !done.stderr.contains("connection_token="),
        "{}",
        done.stderr
    );
    let several = case.run("scenarios/smoke.toml", &["--trace"]);
    assert_eq!(several.code, 2, "{}", several.stderr);
    assert!(several.stderr.contains("--clients 1"), "{}", several.stderr);
}

#[test]
#[ignore = "slow: drives a load"]
fn accounts_and_texts_come_from_files_and_a_mistake_in_one_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let users = file("users.csv", "account,note\nuser-000042,x\nuser-000043,y\n");
    let payloads = file("texts.txt", "Was \"heißt\" \\das?\n");
    let set = [
        format!("environment.users={{ file = '{users}', password = '${{env:CHAT_PASSWORD}}' }}"),
        format!("load.payloads='{payloads}'"),
    ];
    let run = |clients: &str| {
        let case = Case::new();
        let more = [
            "--clients",
            clients,
            "--duration",
            "4s",
            "--set",
            &set[0],
            "--set",
            &set[1],
        ];
        let mut run = case.command("scenarios/smoke.toml", &more);
        run.args(["--set", "load.message.every=500ms"]);
        run.env("CHAT_PASSWORD", "one-for-all");
        if clients == "1" {
            run.arg("--trace");
        }
        finish(run.spawn().unwrap())
    };
    let one = run("1");
    assert!(
        one.stderr.contains("login of user-000042: granted"),
        "{}",
        one.stderr
    );
    assert!(
        one.stderr
            .contains(r#"-> {"message":"Was \"heißt\" \\das?","#),
        "{}",
        one.stderr
    );
    assert!(
        one.stderr.contains(r#"<- {"event":"complete""#),
        "{}",
        one.stderr
    );
    let three = run("3");
    assert_eq!(three.code, 3, "{}", three.stderr);
    assert!(
        three.stderr.contains("2 accounts, and the run needs 3"),
        "{}",
        three.stderr
    );
}

/// A server of somebody else: a text for a text, all in capitals; one in `swallow` is not answered.
pub(crate) fn shouter(swallow: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || {
                let Ok(mut socket) = tungstenite::accept(stream.unwrap()) else {
                    return;
                };
                let mut heard = 0;
                while let Ok(message) = socket.read() {
                    let Message::Text(text) = message else {
                        continue;
                    };
                    heard += 1;
                    if heard % swallow == 0 {
                        continue;
                    }
                    let answer = Message::text(text.to_uppercase());
                    if socket.send(answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

#[test]
#[ignore = "slow: drives a load"]
fn an_echo_of_somebody_else_is_driven_without_login_ids_or_events() {
    for (swallow, whole) in [(usize::MAX, true), (7, false)] {
        let target = format!("ws://{}", shouter(swallow));
        let (_, result) = run(&mappings()[3], &["--target", &target]);
        let (sent, unanswered) = (
            number(&result, "/delivery/sent"),
            number(&result, "/delivery/unanswered"),
        );
        assert!(sent > 100, "{sent} sent");
        assert_eq!(unanswered == 0, whole, "{unanswered} of {sent}");
        assert_eq!(number(&result, "/delivery/completed") + unanswered, sent);
        assert_eq!(number(&result, "/delivery/unexpected"), 0);
    }
}
