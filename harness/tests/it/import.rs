//! This module makes scenarios of recordings, and runs them.
//!
//! Slow where a server is needed: run by `cargo test -- --include-ignored`, as `cargo xtask test` does.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{
    PASSWORD, Part, command, finish, free_address, harness, redis_command, root, serve_command,
};

fn recording(name: &str) -> String {
    root()
        .join("harness/tests/it/fixtures/har")
        .join(name)
        .display()
        .to_string()
}

#[test]
fn a_scenario_is_written_once_and_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("chat.toml").display().to_string();
    let har = recording("channels.har");
    let done = harness(&["import", &har, "--out", &out]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(
        done.stderr
            .contains("note: all clients are where the browser was"),
        "{}",
        done.stderr
    );
    let checked = harness(&["check", &out]);
    assert_eq!(checked.code, 0, "{}", checked.stderr);
    let before = fs::read_to_string(&out).unwrap();
    let again = harness(&["import", &har, "--out", &out]);
    assert_eq!(again.code, 2);
    assert!(again.stderr.contains("name a new file"), "{}", again.stderr);
    assert_eq!(fs::read_to_string(&out).unwrap(), before);
    let printed = harness(&["import", &har]);
    assert_eq!(printed.stdout, before);
}

#[test]
fn accounts_that_are_not_numbered_stand_beside_the_scenario() {
    let folder = tempfile::tempdir().unwrap();
    let (har, out) = (
        folder.path().join("session.har"),
        folder.path().join("chat.toml"),
    );
    let text = fs::read_to_string(recording("fastapi.har")).unwrap();
    fs::write(&har, text.replace("user-000007", "anna")).unwrap();
    let done = harness(&[
        "import",
        har.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let accounts = fs::read_to_string(folder.path().join("chat-users.csv")).unwrap();
    assert_eq!(accounts, "account\n\"anna\"\n");
    let checked = harness(&["check", out.to_str().unwrap()]);
    assert_eq!(checked.code, 0, "{}", checked.stderr);
}

#[test]
fn what_is_no_recording_is_refused() {
    for (path, fact) in [
        (root().join("Cargo.toml"), "line 1 column 2"),
        (root().join("harness"), "it is a folder"),
        (root().join("nowhere.har"), "no such file"),
    ] {
        let done = harness(&["import", path.to_str().unwrap()]);
        assert_eq!(done.code, 2, "{}", done.stderr);
        assert!(done.stderr.to_lowercase().contains(fact), "{}", done.stderr);
    }
}

#[test]
#[ignore = "slow: starts a server"]
fn a_recording_of_the_reference_server_becomes_a_scenario_that_passes() {
    let folder = tempfile::tempdir().unwrap();
    let (redis, server) = (free_address(), free_address());
    let _redis = Part::start(redis_command(redis, folder.path()), redis);
    let _server = Part::start(serve_command(server, redis), server);
    let (scenario, out) = (folder.path().join("chat.toml"), folder.path().join("out"));
    let har = recording("reference.har");
    let made = harness(&["import", &har, "--out", scenario.to_str().unwrap()]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let target = format!("ws://{server}");
    let with_password = |mut command: Command| {
        command.env("CHAT_PASSWORD", PASSWORD);
        finish(command.spawn().unwrap())
    };
    let run = with_password(command(&[
        "run",
        scenario.to_str().unwrap(),
        "--target",
        &target,
        "--duration",
        "3s",
        "--quiet",
        "--out",
        out.to_str().unwrap(),
    ]));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let result = fs::read_to_string(out.join("result.json")).unwrap();
    let result: Value = serde_json::from_str(&result).unwrap();
    assert_eq!(result["clients"]["failed"], json!(0));
    assert!(result["delivery"]["completed"].as_u64().unwrap() > 10);
    let doctor = with_password(command(&[
        "doctor",
        &target,
        "--har",
        &har,
        "--password",
        "${env:CHAT_PASSWORD}",
    ]));
    assert_eq!(doctor.code, 0, "{}{}", doctor.stdout, doctor.stderr);
    assert!(
        doctor.stderr.contains("[target]\nprotocol = \"contract\""),
        "{}",
        doctor.stderr
    );
}
